// nogil/futures/detail/future_task.hpp -- a callable with its arguments, in a task block.
//
//   using Call = BoundCall<std::decay_t<F>, std::decay_t<Args>...>;
//   TaskBlock& block = Task<Call>::make(refs, executor, std::forward<F>(f), std::forward<Args>(args)...);
//   // the result is that of a Future<typename Call::Result>
//
// The callable is destroyed, with its arguments, before the result is shown; and at once
// when the task is cancelled. A block for a callable and a result of up to 32 bytes each
// comes from the thread's cache, and so does one of up to 96.
//
// A callable that wants a std::stop_token gets that of a std::stop_source, which costs an
// allocation; others have none.

#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <stop_token>
#include <tuple>
#include <type_traits>
#include <utility>

#include "nogil/futures/detail/block_cache.hpp"
#include "nogil/futures/detail/future_result.hpp"
#include "nogil/futures/detail/task_block.hpp"

namespace nogil::detail {

// The token goes first, to who cannot be called without.
template <class F, class... Args>
inline constexpr bool kNeedsStopToken =
    !std::is_invocable_v<F, Args...> && std::is_invocable_v<F, std::stop_token, Args...>;

template <class F, class... Args>
concept TaskCallable = std::is_invocable_v<std::decay_t<F>, std::decay_t<Args>...> ||
    std::is_invocable_v<std::decay_t<F>, std::stop_token, std::decay_t<Args>...>;

// A callable and its arguments, decayed, copied or moved in, to be called once: moved out
// into the call.
template <class F, class... Args>
class BoundCall {
 public:
  static constexpr bool kTakesToken = kNeedsStopToken<F, Args...>;
  using Returned = typename std::conditional_t<kTakesToken, std::invoke_result<F, std::stop_token, Args...>,
                                               std::invoke_result<F, Args...>>::type;
  using Result = FutureValue<Returned>;

  template <class Function, class... Arguments>
  explicit BoundCall(Function&& function, Arguments&&... arguments)
      : function_(std::forward<Function>(function)), arguments_(std::forward<Arguments>(arguments)...) {}

  Returned operator()() { return std::apply(std::move(function_), std::move(arguments_)); }
  Returned operator()(std::stop_token token) {
    return std::apply(
        [&](Args&&... args) -> Returned { return std::move(function_)(std::move(token), std::move(args)...); },
        std::move(arguments_));
  }

 private:
  [[no_unique_address]] F function_;
  [[no_unique_address]] std::tuple<Args...> arguments_;
};

// (Not inlined: g++ 12 takes its constructor for a read of what is not yet initialized.)
[[gnu::noinline]] inline void make_stop_source(void* place) {
  ::new (place) std::stop_source();
}

template <class Call>
class Task {
 public:
  using Result = typename Call::Result;

  // Throws what the callable's copy or move throws, and std::bad_alloc.
  template <class... Parts>
  static TaskBlock& make(std::uint32_t refs, void* executor, Parts&&... parts) {
    struct Memory {
      void* place;
      ~Memory() {
        if (place != nullptr) free_block<kSize, kAlign>(place);
      }
    } memory{allocate_block<kSize, kAlign>()};
    TaskBlock& block = *::new (memory.place) TaskBlock(&operate, refs, executor);
    ::new (at(block, kCallOffset)) Call(std::forward<Parts>(parts)...);
    if constexpr (Call::kTakesToken) {
      try {
        make_stop_source(at(block, kStopOffset));
      } catch (...) {
        call_of(block).~Call();
        throw;
      }
    }
    memory.place = nullptr;
    return block;
  }

  // The end of one that was never run and that nobody else knows, in the thread that made it.
  static void take_apart(TaskBlock& block) noexcept {
    call_of(block).~Call();
    if constexpr (Call::kTakesToken) stop_of(block).~stop_source();
    block.~TaskBlock();
    free_own_block<kSize, kAlign>(&block);
  }

 private:
  // The result takes the callable's place, unless it cannot be moved there.
  static constexpr bool kOverlaid =
      std::is_void_v<Result> || std::is_reference_v<Result> || std::is_move_constructible_v<Result>;
  static constexpr std::size_t kCallOffset =
      kOverlaid ? kPayloadOffset<Call> : round_up(kResultEnd<Result>, alignof(Call));
  static constexpr std::size_t kCallEnd = kCallOffset + sizeof(Call);
  static constexpr std::size_t kStopOffset = round_up(max_of(kCallEnd, kResultEnd<Result>), alignof(std::stop_source));
  static constexpr std::size_t kEnd =
      Call::kTakesToken ? kStopOffset + sizeof(std::stop_source) : max_of(kCallEnd, kResultEnd<Result>);
  static constexpr std::size_t kAlign = max_of(alignof(TaskBlock), max_of(alignof(Call), alignof(Kept<Result>)));
  static constexpr std::size_t kSize = kEnd;

  static void* at(TaskBlock& block, std::size_t offset) noexcept {
    return reinterpret_cast<std::byte*>(&block) + offset;
  }
  static Call& call_of(TaskBlock& block) noexcept { return *std::launder(static_cast<Call*>(at(block, kCallOffset))); }
  static std::stop_source& stop_of(TaskBlock& block) noexcept {
    return *std::launder(static_cast<std::stop_source*>(at(block, kStopOffset)));
  }

  static std::uintptr_t operate(TaskBlock& block, TaskOp what) noexcept {
    switch (what) {
      case TaskOp::kCall:
        return static_cast<std::uintptr_t>(call(block));
      case TaskOp::kDiscard:
        call_of(block).~Call();
        return 0;
      case TaskOp::kDestroy:
        if (block.state() == FutureState::kPending) call_of(block).~Call();
        destroy_result<Result>(block);
        if constexpr (Call::kTakesToken) stop_of(block).~stop_source();
        block.~TaskBlock();
        free_block<kSize, kAlign>(&block);
        return 0;
      case TaskOp::kRequestStop:
        if constexpr (Call::kTakesToken) return stop_of(block).request_stop() ? 1 : 0;
        return 0;
      default:
        return 0;
    }
  }

  static FutureState call(TaskBlock& block) noexcept {
    Call& callable = call_of(block);
    const auto make = [&]() -> decltype(auto) {
      if constexpr (Call::kTakesToken) return callable(stop_of(block).get_token());
      else return callable();
    };
    return keep_result_of<Result>(block, make, [&]() noexcept { callable.~Call(); });
  }
};

}  // namespace nogil::detail
