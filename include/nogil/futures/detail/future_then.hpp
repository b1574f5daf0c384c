// nogil/futures/detail/future_then.hpp -- what Future::then() and add_done_callback() make.
//
// A continuation is a block as any task's: the callable, then its result, and behind them
// the observer that links it to the future before it. A callback is an observer only.

#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

#include "nogil/futures/detail/future_await.hpp"
#include "nogil/futures/detail/future_result.hpp"
#include "nogil/threading/current_thread.hpp"
#include "nogil/threading/excepthook.hpp"

namespace nogil::detail {

// What a continuation is called with: the result as it lies in the future, for others to
// see, or, if it takes nothing but a value that cannot be copied, that value.
template <class T>
struct ContinuationArgument {
  template <class F>
  requires std::is_invocable_v<F, const T&>
  static decltype(auto) call(F& function, TaskBlock& source) {
    return std::move(function)(std::as_const(payload<T>(source)));
  }
  template <class F>
  requires(!std::is_invocable_v<F, const T&> && std::is_invocable_v<F, T>) static decltype(auto)
      call(F& function, TaskBlock& source) {
    return std::move(function)(std::move(payload<T>(source)));
  }
};
template <class T>
struct ContinuationArgument<T&> {
  template <class F>
  requires std::is_invocable_v<F, T&>
  static decltype(auto) call(F& function, TaskBlock& source) { return std::move(function)(*payload<T*>(source)); }
};
template <>
struct ContinuationArgument<void> {
  template <class F>
  requires std::is_invocable_v<F>
  static decltype(auto) call(F& function, TaskBlock&) { return std::move(function)(); }
};

template <class F, class T>
concept ContinuationOf = requires(F function, TaskBlock& source) {
  ContinuationArgument<T>::call(function, source);
};

template <class F, class T>
using ContinuationResult =
    FutureValue<decltype(ContinuationArgument<T>::call(std::declval<F&>(), std::declval<TaskBlock&>()))>;

template <class F, class T>
class ThenTask {
 public:
  using Result = ContinuationResult<F, T>;

  // A block with two owners: who asked for it, and the continuation.
  template <class Function>
  static TaskBlock& make(TaskBlock& source, Function&& function) {
    struct Memory {
      void* place;
      ~Memory() {
        if (place != nullptr) free_block<kSize, kAlign>(place);
      }
    } memory{allocate_block<kSize, kAlign>()};
    TaskBlock& block = *::new (memory.place) TaskBlock(&operate, 2);
    ::new (payload_place<F>(block)) F(std::forward<Function>(function));
    memory.place = nullptr;
    Continuation& link = *::new (at(block, kLinkOffset)) Continuation(&run, block, source);
    if (!source.observe(link)) link.tell(link, source);
    return block;
  }

 private:
  static_assert(std::is_void_v<Result> || std::is_reference_v<Result> || std::is_move_constructible_v<Result>,
                "then: what the callable returns must be movable");

  static constexpr std::size_t kLinkOffset =
      round_up(max_of(kPayloadEnd<F>, kResultEnd<Result>), alignof(Continuation));
  static constexpr std::size_t kSize = kLinkOffset + sizeof(Continuation);
  static constexpr std::size_t kAlign = max_of(alignof(TaskBlock), max_of(alignof(F), alignof(Kept<Result>)));

  static void* at(TaskBlock& block, std::size_t offset) noexcept {
    return reinterpret_cast<std::byte*>(&block) + offset;
  }
  static Continuation& link_of(TaskBlock& block) noexcept {
    return *std::launder(static_cast<Continuation*>(at(block, kLinkOffset)));
  }

  static void run(Continuation& self, TaskBlock& source) noexcept {
    TaskBlock& block = self.target;
    if (source.cancelled()) block.cancel();
    if (!block.claim(0)) return block.drop();
    F& function = payload<F>(block);
    if (source.state() == FutureState::kFailed) {
      function.~F();
      return block.finish_and_drop(keep_exception(block, payload<std::exception_ptr>(source)));
    }
    block.finish_and_drop(keep_result_of<Result>(
        block, [&]() -> decltype(auto) { return ContinuationArgument<T>::call(function, source); },
        [&]() noexcept { function.~F(); }));
  }

  static std::uintptr_t operate(TaskBlock& block, TaskOp what) noexcept {
    switch (what) {
      case TaskOp::kDiscard:
        payload<F>(block).~F();
        return 0;
      case TaskOp::kDestroy:
        destroy_result<Result>(block);
        link_of(block).~Continuation();
        block.~TaskBlock();
        free_block<kSize, kAlign>(&block);
        return 0;
      case TaskOp::kSource:
        return reinterpret_cast<std::uintptr_t>(link_of(block).source_ref().release());
      default:
        return 0;
    }
  }
};

// ---- Callbacks ----------------------------------------------------------------------------

// An exception that leaves a callback goes to the excepthook, and no further.
template <class Function>
void call_reporting(Function function) noexcept {
  try {
    function();
  } catch (...) {
    report_exception(std::current_exception(), current_thread().name());
  }
}

// F is called with a Handle: a new owner of the block.
template <class F, class Handle>
class CallbackNode : public Observer {
 public:
  template <class Function>
  static CallbackNode& make(Function&& function) {
    struct Memory {
      void* place;
      ~Memory() {
        if (place != nullptr) free_block<sizeof(CallbackNode), alignof(CallbackNode)>(place);
      }
    } memory{allocate_block<sizeof(CallbackNode), alignof(CallbackNode)>()};
    CallbackNode& node = *::new (memory.place) CallbackNode(std::forward<Function>(function));
    memory.place = nullptr;
    return node;
  }

 private:
  template <class Function>
  explicit CallbackNode(Function&& function)
      : Observer(&call, Told::kAfter), function_(std::forward<Function>(function)) {}

  static void call(Observer& self, TaskBlock& block) noexcept {
    CallbackNode& node = static_cast<CallbackNode&>(self);
    call_reporting([&] {
      block.add_ref();
      std::move(node.function_)(Handle(BlockRef(&block)));
    });
    node.~CallbackNode();
    free_block<sizeof(CallbackNode), alignof(CallbackNode)>(&node);
  }

  F function_;
};

}  // namespace nogil::detail
