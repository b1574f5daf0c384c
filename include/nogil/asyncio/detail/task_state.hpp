// nogil/asyncio/detail/task_state.hpp -- a task that gives a T.

#pragma once

#include <coroutine>
#include <exception>
#include <string>
#include <utility>

#include "nogil/asyncio/coro.hpp"
#include "nogil/asyncio/detail/debug.hpp"
#include "nogil/asyncio/detail/task_base.hpp"
#include "nogil/platform/errors.hpp"
#include "nogil/threading/current_thread.hpp"
#include "nogil/threading/excepthook.hpp"

namespace nogil::asyncio::detail {

// To the excepthook, as one of this thread that nobody catches.
[[gnu::noinline, gnu::cold]] inline void report_unhandled(const std::exception_ptr& error) noexcept {
  nogil::detail::report_exception(error, current_thread().name());
}

// A completion that keeps a result.
template <class T, class Base>
class ResultState : public Base {
 public:
  using value_type = T;

  ~ResultState() override {
    if (this->failed() && !this->retrieved()) [[unlikely]]
      report_unhandled(result_.error());
  }

  const std::exception_ptr& error() const noexcept final { return result_.error(); }

  // The result, once it is done; or throws what it ended with. Nobody needs to report it any more.
  [[gnu::always_inline]] inline std::add_lvalue_reference_t<const T> see() {
    check("result");
    return result_.see();
  }

  // The same for the last one who asks: moved out, unless others have handles and it can be copied.
  T take() {
    check("result");
    if constexpr (std::is_void_v<T> || std::is_reference_v<T>) {
      return result_.take();
    } else if constexpr (std::is_copy_constructible_v<T>) {
      if (!this->has_one_owner()) return result_.see();
    }
    return result_.take();
  }

  // Throws CancelledError or InvalidStateError.
  [[gnu::always_inline]] inline void check(const char* asked) {
    this->mark_retrieved();
    if (this->state() == DoneState::kCancelled) [[unlikely]]
      Waiter::throw_cancelled();
    if (!this->done()) [[unlikely]]
      throw_not_done(asked);
  }

 protected:
  [[noreturn, gnu::noinline, gnu::cold]] static void throw_not_done(const char* asked) {
    throw InvalidStateError((platform::Text() << asked << "(): it is not done").take());
  }

  using Base::Base;

  Result<T> result_;
};

template <class T>
class TaskState final : public ResultState<T, TaskBase> {
 public:
  // Owned by its loop, and by the caller.
  TaskState(LoopCore& loop, CoroHandle<T> owned) : ResultState<T, TaskBase>(loop, owned), root_(owned) {}

  ~TaskState() override = default;

  const Origin& origin() const noexcept override { return root_.promise().origin(); }

  static constexpr const char* kName = "task";

  // In a coroutine. Throws RuntimeError.
  void check_can_be_awaited() const {
    if (this == t_here.task) throw RuntimeError("Task cannot await on itself: " + this->name());
    if (&this->loop() != t_here.loop) throw RuntimeError(this->name() + " belongs to another event loop");
  }

 private:
  void finish() noexcept override {
    ResultPromise<T>& promise = root_.promise();
    DoneState state = DoneState::kFinished;
    if (promise.cancelled() || (this->take_late_cancel() && !promise.result().failed())) {
      state = DoneState::kCancelled;
    } else {
      this->result_.take_over(promise.result());
      if (this->result_.failed()) state = DoneState::kFailed;
    }
    if (state == DoneState::kFinished && this->cancelling() > 0 && this->loop().debug()) [[unlikely]]
      report_swallowed_cancellation(*this);
    end(state);
  }

  void finish_unstarted() noexcept override { end(DoneState::kCancelled); }

  void end(DoneState state) noexcept {
    root_.destroy();
    root_ = nullptr;
    this->loop().delist(*this);
    this->complete(state);
    this->drop();
  }

  CoroHandle<T> root_;  // null once it is done
};

// co_await task, or future: until it is done. To cancel the one who waits is to cancel that.
template <class Joined, bool kTake>
class Join : public Waiter, private DoneNode {
  using T = typename Joined::value_type;

 public:
  explicit Join(Owned<Joined> joined) noexcept : Waiter(kKind), DoneNode(&told), joined_(std::move(joined)) {}
  Join(const Join&) = default;
  ~Join() {
    if (listed()) joined_->remove(*this);
  }

  bool await_ready() const {
    if (!joined_) [[unlikely]]
      throw_nothing_here();
    return joined_->done();
  }
  void await_suspend(std::coroutine_handle<> awaiting) {
    joined_->check_can_be_awaited();
    joined_->add(*this);
    suspend(awaiting);
  }
  [[gnu::always_inline]] inline std::conditional_t<kTake, T, std::add_lvalue_reference_t<const T>> await_resume() {
    throw_if_cancelled();
    if constexpr (kTake) return joined_->take();
    else return joined_->see();
  }

 private:
  static void told(DoneNode& node, Completion&) noexcept { static_cast<Join&>(node).wake(); }
  static bool cancel(Waiter& self) { return static_cast<Join&>(self).joined_->cancel(); }
  static const TaskBase* task_of([[maybe_unused]] const Waiter& self) noexcept {
    if constexpr (std::is_base_of_v<TaskBase, Joined>) return static_cast<const Join&>(self).joined_.get();
    else return nullptr;
  }
  [[noreturn, gnu::noinline, gnu::cold]] static void throw_nothing_here() {
    throw RuntimeError(
        (platform::Text() << "await: there is no " << Joined::kName << " here: default-made, or moved from").take());
  }
  static constexpr Kind kKind = {&cancel, Joined::kName, &task_of};

  Owned<Joined> joined_;
};

}  // namespace nogil::asyncio::detail
