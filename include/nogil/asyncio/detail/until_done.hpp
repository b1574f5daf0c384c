// nogil/asyncio/detail/until_done.hpp -- waits for a task without being bound to it.
//
// Unlike `co_await task`: who waits can be cancelled and the task goes on.

#pragma once

#include <coroutine>
#include <utility>

#include "nogil/asyncio/task.hpp"

namespace nogil::asyncio::detail {

class UntilDone : public Waiter, private ScheduledNode {
 public:
  // One that is done is waited for, too, as for a callback.
  UntilDone(Owned<TaskBase> task, const Kind& kind) noexcept
      : Waiter(kind), ScheduledNode(&task_done), task_(std::move(task)) {}
  explicit UntilDone(Owned<TaskBase> task) noexcept : UntilDone(std::move(task), kKind) {}
  UntilDone(UntilDone&& other) noexcept : UntilDone(std::move(other.task_), other.kind()) {}
  ~UntilDone() {
    if (started_) withdraw_from(*task_);
  }

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> awaiting) {
    if (&task_->loop() != t_here.loop) throw RuntimeError(task_->name() + " belongs to another event loop");
    started_ = true;
    if (task_->done()) told(*this, *task_);
    else task_->add(*this);
    suspend(awaiting);
  }
  void await_resume() const { throw_if_cancelled(); }

 protected:
  static bool cancel(Waiter& waiter) noexcept {
    waiter.wake_cancelled();
    return true;
  }

  TaskBase& task() const noexcept { return *task_; }

 private:
  static void task_done(ScheduledNode& node, Completion&) noexcept {
    auto& self = static_cast<UntilDone&>(node);
    if (self.pending()) self.wake();
  }
  static constexpr Kind kKind = {&cancel, "task"};

  Owned<TaskBase> task_;
  bool started_ = false;
};

}  // namespace nogil::asyncio::detail
