// nogil/asyncio/future.hpp -- Future: a result that a callback sets, and coroutines await.
//
//   auto& loop = asyncio::get_running_loop();
//   asyncio::Future<int> answer = loop.create_future<int>();     // answer = loop.create_future()
//   loop.call_later(1s, [answer] { answer.set_result(42); });    // loop.call_later(1, answer.set_result, 42)
//   int n = co_await answer;                                     // n = await answer
//
// What callbacks and coroutines have between them; who writes coroutines only needs none. It
// is a handle: copies are the same future. What executors give is nogil::Future, which is for
// threads, and can be awaited as well.
//
// Threads    A future belongs to the thread of its loop. From others: call_soon_threadsafe().
// Result     Stays with the future: co_await future and result() give const T&, as long as
//            there is a handle; of a temporary or a moved handle, T: moved out if this is the
//            only one or T cannot be copied, else a copy.
// Cancel     To cancel a task that awaits a future is to cancel the future, and with it all
//            who await it: shield(…) keeps that off.
// Errors     result() throws what was set; CancelledError; InvalidStateError while it is not
//            done, and for who sets it twice. RuntimeError for an empty handle. An exception
//            that nobody has seen when the last handle goes is given to the excepthook.
// Lifetime   A handle may outlive the loop; but a future that has callbacks is not to be set
//            or cancelled after the loop's end. Callbacks of one that never gets done are
//            dropped with its last handle.
// Cost       One block from the loop's pool; one more for each callback, none for an await.
// Python     asyncio.Future, without remove_done_callback(): C++ cannot compare callables.

#pragma once

#include <cstdint>
#include <exception>
#include <type_traits>
#include <utility>

#include "nogil/asyncio/event_loop.hpp"

namespace nogil::asyncio {

namespace detail {

// The callable of an add_done_callback(): in the future's list, and then in the loop.
class FutureCallbackBase : public HandleState, public DoneNode {
 protected:
  FutureCallbackBase(LoopCore& loop, Tell function) noexcept : HandleState(loop), DoneNode(function) {
    drop();  // nobody has a handle
  }
};

class FutureBase : public Completion {
 public:
  ~FutureBase() override {
    // Only callbacks are left: who awaits a future is one of its owners.
    while (DoneNode* const node = first_node()) {
      remove(*node);
      static_cast<FutureCallbackBase*>(node)->drop();
    }
  }

  static constexpr const char* kName = "future";

  bool cancel() final {
    mark_retrieved();
    if (done()) return false;
    complete(DoneState::kCancelled);
    return true;
  }

  // In a coroutine. Throws RuntimeError.
  void check_can_be_awaited() const {
    if (&loop() != t_here.loop) throw RuntimeError("the future belongs to another event loop");
  }

 protected:
  explicit FutureBase(LoopCore& loop) noexcept : Completion(loop, 1) {}

  // Throws InvalidStateError, RuntimeError.
  void check_can_be_set(const char* asked) const {
    if (first_node() != nullptr) loop().check_thread();  // else it may be gone
    if (done()) [[unlikely]]
      throw InvalidStateError((platform::Text() << "Future." << asked << "(): it is done already").take());
  }
};

template <class T>
class FutureState final : public ResultState<T, FutureBase> {
 public:
  explicit FutureState(LoopCore& loop) noexcept : ResultState<T, FutureBase>(loop) {}

  template <class... Value>
  void set_result(Value&&... value) {
    this->check_can_be_set("set_result");
    this->result_.set(std::forward<Value>(value)...);
    this->complete(DoneState::kFinished);
  }

  void set_exception(std::exception_ptr error) {
    this->check_can_be_set("set_exception");
    if (error == nullptr) throw ValueError("Future.set_exception(): there is no exception");
    this->result_.set_error(std::move(error));
    this->complete(DoneState::kFailed);
  }
};

template <class T, class F>
class FutureCallback final : public FutureCallbackBase {
 public:
  template <class G>
  FutureCallback(LoopCore& loop, G&& function)
      : FutureCallbackBase(loop, &told), function_(std::forward<G>(function)) {}

  static void told(DoneNode& node, Completion& done) noexcept {
    auto& self = static_cast<FutureCallback&>(node);
    self.future_ = Owned<FutureState<T>>::share(static_cast<FutureState<T>&>(done));
    self.loop().push(self);
  }

 private:
  void call() override { function_(Future<T>(std::move(future_))); }
  void discard() noexcept override {}  // it is never cancelled

  Owned<FutureState<T>> future_;  // once that is done
  F function_;
};

}  // namespace detail

template <class T>
class Future {
 public:
  using value_type = T;

  // An empty handle.
  Future() noexcept = default;

  explicit operator bool() const noexcept { return static_cast<bool>(state_); }

  // ---- Look -----------------------------------------------------------------------------

  [[nodiscard]] bool done() const { return state("done").done(); }
  [[nodiscard]] bool cancelled() const { return state("cancelled").cancelled(); }

  // Once it is done: see Result and Errors.
  std::add_lvalue_reference_t<const T> result() const& { return state("result").see(); }
  T result() && { return state("result").take(); }

  // What it failed with, or null. Throws CancelledError, InvalidStateError if it is not done.
  [[nodiscard]] std::exception_ptr exception() const {
    detail::FutureState<T>& future = state("exception");
    future.check("exception");
    return future.failed() ? future.error() : nullptr;
  }

  // ---- Set: once, by whoever made it ------------------------------------------------------

  // Who awaits it is woken, and callbacks are called, in the loop's next round. Throw
  // InvalidStateError if it is done, or was cancelled. Without a value for void.
  template <class Value = T>
  requires(!std::is_void_v<T> && std::is_constructible_v<T, Value>) void set_result(Value&& value) const {
    state("set_result").set_result(std::forward<Value>(value));
  }
  void set_result() const requires(std::is_void_v<T>) { state("set_result").set_result(); }

  // An exception, or an exception_ptr (ValueError if that is null).
  template <class E>
  void set_exception(E&& error) const {
    if constexpr (std::is_same_v<std::remove_cvref_t<E>, std::exception_ptr>) {
      state("set_exception").set_exception(std::forward<E>(error));
    } else {
      state("set_exception").set_exception(std::make_exception_ptr(std::forward<E>(error)));
    }
  }

  // False if it is done.
  bool cancel() const { return state("cancel").cancel(); }

  // ---- Wait -----------------------------------------------------------------------------

  // Calls function(Future<T>) in the loop, when it is done; soon, if it is done already. In
  // the order in which they came. What they throw goes to the excepthook.
  template <class F>
  requires std::is_invocable_v < std::decay_t<F>
  &, Future < T >> void add_done_callback(F&& function) const {
    detail::FutureState<T>& future = state("add_done_callback");
    if (future.done() && &future.loop() != detail::t_here.loop) {
      throw RuntimeError("Future.add_done_callback: it is done, and its event loop does not run here");
    }
    using Callback = detail::FutureCallback<T, std::decay_t<F>>;
    auto* const callback = new Callback(future.loop(), std::forward<F>(function));
    if (future.done()) Callback::told(*callback, future);
    else future.add(*callback);
  }

  // Waits until it is done; see Result, Cancel and Errors.
  detail::Join<detail::FutureState<T>, false> operator co_await() const& noexcept {
    return detail::Join<detail::FutureState<T>, false>(state_);
  }
  detail::Join<detail::FutureState<T>, true> operator co_await() && noexcept {
    return detail::Join<detail::FutureState<T>, true>(std::move(state_));
  }

  // Whether they are the same future.
  friend bool operator==(const Future& a, const Future& b) noexcept { return a.state_.get() == b.state_.get(); }

 private:
  friend class EventLoop;
  template <class, class>
  friend class detail::FutureCallback;

  explicit Future(detail::Owned<detail::FutureState<T>> state) noexcept : state_(std::move(state)) {}

  detail::FutureState<T>& state(const char* asked) const {
    if (!state_) [[unlikely]] {
      throw RuntimeError(
          (platform::Text() << "Future." << asked << ": there is no future here: default-made, or moved from").take());
    }
    return *state_;
  }

  detail::Owned<detail::FutureState<T>> state_;
};

template <class T>
Future<T> EventLoop::create_future() {
  return Future<T>(detail::Owned<detail::FutureState<T>>(new detail::FutureState<T>(*this)));
}

}  // namespace nogil::asyncio
