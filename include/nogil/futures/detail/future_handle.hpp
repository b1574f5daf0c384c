// nogil/futures/detail/future_handle.hpp -- what a Future does whatever its result.

#pragma once

#include <cxxabi.h>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include "nogil/futures/detail/future_await.hpp"
#include "nogil/futures/detail/future_result.hpp"
#include "nogil/platform/errors.hpp"
#include "nogil/platform/text.hpp"
#include "nogil/platform/wait.hpp"

namespace nogil::detail {

// ---- Texts --------------------------------------------------------------------------------

inline std::string readable_name(const std::type_info* type) {
  if (type == nullptr) return "something";
  char* const readable = abi::__cxa_demangle(type->name(), nullptr, nullptr, nullptr);
  std::string name = readable != nullptr ? readable : type->name();
  std::free(readable);
  return name;
}

inline std::string type_of_exception(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (...) {
    return readable_name(abi::__cxa_current_exception_type());
  }
}

template <class T>
const std::type_info* type_info_of() noexcept {
#ifdef __cpp_rtti
  return &typeid(T);
#else
  return nullptr;
#endif
}

// "FINISHED: <Future at 0x7f… state=finished returned int>", as Python writes it. `failure`
// is null if there is none.
[[gnu::noinline, gnu::cold]] inline std::string describe_future(const TaskBlock* address, FutureState state,
                                                                const std::type_info* result,
                                                                const std::exception_ptr& failure) {
  static constexpr const char* kNames[] = {
      "PENDING", "RUNNING", "RUNNING", "FINISHED", "FINISHED", "CANCELLED", "CANCELLED_AND_NOTIFIED"};
  static constexpr const char* kShown[] = {"pending",  "running",   "running",  "finished",
                                           "finished", "cancelled", "cancelled"};
  const auto index = static_cast<std::size_t>(state);
  platform::Text text;
  text << kNames[index] << ": <Future at " << static_cast<const void*>(address) << " state=" << kShown[index];
  if (state == FutureState::kFinished) text << " returned " << readable_name(result);
  if (failure) text << " raised " << type_of_exception(failure);
  text << ">";
  return text.take();
}

// ---- Set ----------------------------------------------------------------------------------

// The right to give a future its result. Given back if make() does not come to its end.
class Setting {
 public:
  // Throws InvalidStateError if it is done, or has a callable that will set it.
  Setting(TaskBlock& block, const std::type_info* result) : block_(block) {
    if (block.settable()) found_ = block.begin_set();
    if (found_ > FutureState::kRunning) [[unlikely]]
      refuse(block, result);
  }
  Setting(const Setting&) = delete;
  Setting& operator=(const Setting&) = delete;
  ~Setting() {
    if (!set_) block_.unset(found_);
  }

  void set(FutureState state) noexcept {
    set_ = true;
    block_.set(state);
  }
  void set_and_drop(FutureState state) noexcept {
    set_ = true;
    block_.set_and_drop(state);
  }

 private:
  [[noreturn, gnu::noinline, gnu::cold]] static void refuse(TaskBlock& block, const std::type_info* result) {
    const FutureState state = block.state();
    std::exception_ptr failure;
    if (state == FutureState::kFailed) failure = payload<std::exception_ptr>(block);
    std::string text = describe_future(&block, state, result, failure);
    if (state < FutureState::kFinished) text += " is set by its own task";
    throw InvalidStateError(text);
  }

  TaskBlock& block_;
  FutureState found_ = FutureState::kSetting;
  bool set_ = false;
};

// What a Future<T> can be given for its result.
template <class Value, class T>
concept ResultOf = (!std::is_reference_v<T> && std::is_constructible_v<Kept<T>, Value>) ||
                   (std::is_lvalue_reference_v<T> && std::is_lvalue_reference_v<Value> &&
                    std::is_convertible_v<Value, T>);

template <class T, class... Value>
void construct_result(TaskBlock& block, Value&&... value) {
  if constexpr (std::is_reference_v<T>) ::new (payload_place<Kept<T>>(block)) Kept<T>(&value...);
  else ::new (payload_place<Kept<T>>(block)) Kept<T>(std::forward<Value>(value)...);
}

template <class T, class... Value>
void set_block_result(TaskBlock& block, Value&&... value) {
  Setting setting(block, type_info_of<T>());
  construct_result<T>(block, std::forward<Value>(value)...);
  setting.set(FutureState::kFinished);
}

template <class T>
void set_block_exception(TaskBlock& block, std::exception_ptr error) {
  if (!error) throw ValueError("Future.set_exception: there is no exception in the exception_ptr");
  Setting setting(block, type_info_of<T>());
  setting.set(keep_exception(block, std::move(error)));
}

// ---- The handle ---------------------------------------------------------------------------

class FutureHandle {
 public:
  // Whether there is a future behind it: not if it was default-made or moved from. Every
  // other member throws RuntimeError then.
  [[nodiscard]] bool valid() const noexcept { return static_cast<bool>(block_); }

  // ---- Look: out of date when you read it, unless it is done ----

  // Finished, failed or cancelled: result() will not wait.
  [[nodiscard]] bool done() const { return block("done").done(); }
  [[nodiscard]] bool cancelled() const { return block("cancelled").cancelled(); }
  // Begun, and not done yet.
  [[nodiscard]] bool running() const {
    const FutureState state = block("running").state();
    return state == FutureState::kRunning || state == FutureState::kSetting;
  }

  // ---- Wait ----

  // Until it is done; true, always. Throws nothing that the task threw, but DeadlockError
  // if the wait closes a ring of tasks that wait for each other.
  bool wait() const {
    platform::Wait forever;
    return await(block("wait"), forever);
  }

  // wait(timeout | deadline | stop_token | timeout, stop_token): waits no longer than that.
  // Returns whether it is done.
  template <class... Limits>
  requires platform::WaitLimits<Limits...>
  bool wait(const Limits&... limits) const {
    TaskBlock& awaited = block("wait");
    return awaited.done() ||
           platform::within([&awaited](platform::Wait& wait) { return await(awaited, wait); }, limits...);
  }

  // What the task threw; null if it returned. Waits until it is done.
  // Throws CancelledError; with a limit, TimeoutError when that is reached.
  [[nodiscard]] std::exception_ptr exception() const {
    wait();
    return exception_of(*block_);
  }
  template <platform::TimeLimit Time>
  [[nodiscard]] std::exception_ptr exception(const Time& limit) const {
    if (!wait(limit)) throw_timeout();
    return exception_of(*block_);
  }

  // ---- Influence ----

  // If it is pending it will never run: it is done now, result() throws CancelledError, and
  // the callbacks run, in this call. Never waits. Returns whether it is cancelled, by this
  // call or before; false: too late.
  bool cancel() { return block("cancel").cancel(); }

  // Asks the task to stop, if it takes a std::stop_token. Returns whether this was the
  // first time; false if it takes none.
  bool request_stop() { return block("request_stop").ask(TaskOp::kRequestStop) != 0; }

  // ---- For executors: a future that a Promise made ----

  // True: it is running from now on, and cannot be cancelled any more. False: it was
  // cancelled; do not run it. Throws RuntimeError when it is called twice.
  bool set_running_or_notify_cancel() {
    TaskBlock& mine = block("set_running_or_notify_cancel");
    if (mine.settable()) {
      const FutureState found = mine.start_or_notify_cancel();
      if (found == FutureState::kPending) return true;
      if (found == FutureState::kCancelled) return false;
    }
    throw RuntimeError("Future in unexpected state");
  }

  // Handles are equal if they are handles to the same future. The order is any.
  friend bool operator==(const FutureHandle& a, const FutureHandle& b) noexcept { return a.id() == b.id(); }
  friend std::strong_ordering operator<=>(const FutureHandle& a, const FutureHandle& b) noexcept {
    return a.id() <=> b.id();
  }

 protected:
  constexpr FutureHandle() noexcept = default;
  explicit FutureHandle(BlockRef block) noexcept : block_(std::move(block)) {}
  ~FutureHandle() = default;
  FutureHandle(const FutureHandle&) noexcept = default;
  FutureHandle(FutureHandle&&) noexcept = default;
  FutureHandle& operator=(const FutureHandle&) noexcept = default;
  FutureHandle& operator=(FutureHandle&&) noexcept = default;

  TaskBlock& block(const char* what) const {
    if (!block_) [[unlikely]]
      throw_empty(what);
    return *block_;
  }

  // Waits until it is done, and throws what it has to throw.
  template <class... Limits>
  TaskBlock& finished_block(const Limits&... limits) const {
    TaskBlock& awaited = block("result");
    FutureState state = awaited.state();
    if (state < FutureState::kFinished) {
      if (!wait(limits...)) throw_timeout();
      state = awaited.state();
    }
    if (state != FutureState::kFinished) [[unlikely]]
      throw_failure(awaited, state);
    return awaited;
  }

  [[noreturn, gnu::noinline, gnu::cold]] static void throw_timeout() { throw TimeoutError("Future: not done in time"); }

 private:
  friend struct FutureAccess;

  std::uintptr_t id() const noexcept { return reinterpret_cast<std::uintptr_t>(block_.get()); }

  static std::exception_ptr exception_of(TaskBlock& done) {
    const FutureState state = done.state();
    if (state == FutureState::kFailed) return payload<std::exception_ptr>(done);
    if (state >= FutureState::kCancelled) throw_failure(done, state);
    return nullptr;
  }

  [[noreturn, gnu::noinline, gnu::cold]] static void throw_failure(TaskBlock& done, FutureState state) {
    if (state == FutureState::kFailed) std::rethrow_exception(payload<std::exception_ptr>(done));
    throw CancelledError("Future: it was cancelled");
  }

  [[noreturn, gnu::noinline, gnu::cold]] static void throw_empty(const char* what) {
    throw RuntimeError(
        (platform::Text() << "Future." << what << ": there is no future here: default-made, or moved from").take());
  }

  BlockRef block_;
};

// For executors and the like.
struct FutureAccess {
  // A handle that takes over an ownership.
  template <class F>
  static F take_over(TaskBlock& owned) noexcept {
    return F(BlockRef(&owned));
  }
  static TaskBlock* block(const FutureHandle& future) noexcept { return future.block_.get(); }
};

}  // namespace nogil::detail
