// nogil/asyncio/detail/task_base.hpp -- a task, and the Waiter it waits with.
//
// A task that is not done is in one of three states (CPython's tasks.py names the same):
//
//   runs        its step() is on the stack; waiter() is null
//   waits       waiter() is pending, and will wake it
//   scheduled   it is in the ring: it has never run, or its waiter is done or cancelled
//
// A Waiter is the base of every leaf awaiter: what a coroutine stops at that does not itself
// go on in a coroutine. It lies in the awaiting frame, so to wait allocates nothing.
//
//   idle -> pending -> done        wake(): what it waited for is there
//                   -> cancelled   wake_cancelled(), by its own cancel function
//           done    -> cancelled   cancel() came between the wake-up and the task's step
//
// The last line is the one to remember: the waiter was handed something (an item, a lock, a
// permit), and its task will never take it. await_resume() finds cancelled() and must give
// it back before it throws.

#pragma once

#include <coroutine>
#include <cstdint>
#include <string>
#include <utility>

#include "nogil/asyncio/cancelled_error.hpp"
#include "nogil/asyncio/detail/completion.hpp"
#include "nogil/asyncio/detail/promise.hpp"
#include "nogil/platform/text.hpp"
#include "nogil/platform/trace_point.hpp"

namespace nogil::asyncio::detail {

class Waiter;

class TaskBase : public Completion, public Ready {
 public:
  ~TaskBase() override { delete name_; }

  // ---- What Python's Task has -----------------------------------------------------------

  // True unless it is done. See the eleven rules in docs/design/asyncio.md.
  inline bool cancel() final;

  // Takes one request back, and returns how many are left. None left: it will not be
  // cancelled by one that it has not seen yet.
  int uncancel() noexcept {
    if (cancels_ > 0 && --cancels_ == 0) must_cancel_ = false;
    return cancels_;
  }
  int cancelling() const noexcept { return cancels_; }

  std::string name() const {
    if (name_ != nullptr) return *name_;
    return (platform::Text() << "Task-" << std::uint64_t{number_}).take();
  }
  void set_name(std::string name) {
    if (name_ != nullptr) *name_ = std::move(name);
    else name_ = new std::string(std::move(name));
  }

  // Where its coroutine is written. Only while it is not done.
  virtual const Origin& origin() const noexcept = 0;

  // ---- For who waits in it ----------------------------------------------------------------

  // What it waits for; null if it runs, or never ran.
  const Waiter* waiter() const noexcept { return waiter_; }
  bool started() const noexcept { return started_; }

  // Younger ones have higher numbers.
  std::uint32_t number() const noexcept { return number_; }

  // The next one of the loop's list of tasks.
  TaskBase* next_task() const noexcept { return next_; }

 protected:
  TaskBase(LoopCore& loop, std::coroutine_handle<> start) noexcept
      : Completion(loop, 2), Ready(&step), at_(start), number_(loop.next_task_number()) {
    loop.enlist(*this);
    loop.push(*this);
  }

  // The outermost coroutine has ended: keep its result, destroy its frame, and complete().
  virtual void finish() noexcept = 0;

  // It will not run any more: destroy the frame, and complete() as cancelled.
  virtual void finish_unstarted() noexcept = 0;

  // Rule 6: a cancellation that came too late to be seen.
  bool take_late_cancel() noexcept { return std::exchange(must_cancel_, false); }

 private:
  friend class Waiter;
  friend class LoopCore;

  static void step(Ready& self) noexcept;

  // Until it waits, or ends.
  static void go_on_at(std::coroutine_handle<> at) noexcept {
    at.resume();
    while (const std::coroutine_handle<> next = std::exchange(t_here.next, {})) next.resume();
  }
  [[gnu::noinline, gnu::cold]] void go_on_traced() noexcept {
    const std::string_view name = name_ != nullptr ? std::string_view(*name_) : std::string_view();
    const platform::TraceSpan span(platform::TraceKind::kStep, name, number_);
    go_on_at(at_);
  }

  void abandon() noexcept {
    loop().withdraw(static_cast<Ready&>(*this));
    finish_unstarted();
  }

  // The first two lie in what is left of Ready.
  bool must_cancel_ = false;
  bool started_ = false;
  std::coroutine_handle<> at_;  // where it goes on
  std::uint32_t number_;        // of all tasks of the loop
  std::int32_t cancels_ = 0;    // requests that nobody has taken back
  Waiter* waiter_ = nullptr;
  TaskBase* next_ = nullptr;  // the loop's list
  TaskBase* previous_ = nullptr;
  std::string* name_ = nullptr;  // null: Task-<number>
};

class Waiter {
 public:
  // One static object for each kind of awaiter.
  struct Kind {
    // The task is to be cancelled while the waiter is pending. True: it is dealt with: the
    // waiter has left its queue and wake_cancelled() was called, or the request was passed
    // on to what it waits for. False: the task will be cancelled when it wakes.
    bool (*cancel)(Waiter& self);
    const char* name;  // for people: "sleep", "Lock.acquire"

    // For people: the task that it waits for; null if it is something else.
    const TaskBase* (*task)(const Waiter& self) noexcept = nullptr;
  };

  constexpr explicit Waiter(const Kind& kind) noexcept : kind_(&kind) {}
  constexpr Waiter(const Waiter& other) noexcept : kind_(other.kind_) {}  // before it is awaited: idle
  Waiter& operator=(const Waiter&) = delete;

  // In await_suspend(), last: the running task waits with this from now on. It may have to
  // cancel it at once (rule 4), so it must be in its queue by now.
  void suspend(std::coroutine_handle<> awaiting) {
    TaskBase& task = *t_here.task;
    task_ = &task;
    state_ = State::kPending;
    task.at_ = awaiting;
    task.waiter_ = this;
    if (task.must_cancel_) [[unlikely]]
      if (kind_->cancel(*this)) task.must_cancel_ = false;
  }

  // Instead of suspend(): as one that is woken at once, after all that are ready now.
  void yield(std::coroutine_handle<> awaiting) noexcept {
    TaskBase& task = *t_here.task;
    task_ = &task;
    state_ = State::kDone;
    task.at_ = awaiting;
    task.waiter_ = this;
    task.loop().push(task);
  }

  // If pending(): what it waits for is there.
  void wake() noexcept {
    state_ = State::kDone;
    task_->loop().push(*task_);
  }

  // In Kind::cancel.
  void wake_cancelled() noexcept {
    state_ = State::kCancelled;
    task_->loop().push(*task_);
  }

  // If pending(), last in the run of a node of the ring: its task goes on in this step.
  // *this may be gone when it returns.
  void go_on() noexcept {
    state_ = State::kDone;
    TaskBase::step(*task_);
  }
  void go_on_cancelled() noexcept {
    state_ = State::kCancelled;
    TaskBase::step(*task_);
  }

  bool pending() const noexcept { return state_ == State::kPending; }
  bool cancelled() const noexcept { return state_ == State::kCancelled; }

  // In await_resume(), after what was handed has been given back.
  void throw_if_cancelled() const {
    if (cancelled()) [[unlikely]]
      throw_cancelled();
  }
  // In line: each function on the way makes an exception dearer.
  [[noreturn, gnu::always_inline]] static inline void throw_cancelled() { throw CancelledError(); }

  TaskBase& task() const noexcept { return *task_; }  // once it was suspended
  LoopCore& loop() const noexcept { return task_->loop(); }
  const Kind& kind() const noexcept { return *kind_; }

 protected:
  ~Waiter() = default;

  // A request that cancel() has not dealt with: the task finds it in its next step.
  inline bool must_cancel() const noexcept;
  inline void forget_cancel() noexcept;

 private:
  friend class TaskBase;

  enum class State : std::uint8_t { kIdle, kPending, kDone, kCancelled };

  const Kind* kind_;
  TaskBase* task_ = nullptr;
  State state_ = State::kIdle;
};

inline bool Waiter::must_cancel() const noexcept {
  return task_->must_cancel_;
}
inline void Waiter::forget_cancel() noexcept {
  task_->must_cancel_ = false;
}

inline bool TaskBase::cancel() {
  mark_retrieved();
  if (done()) return false;
  ++cancels_;
  if (waiter_ != nullptr && waiter_->pending() && waiter_->kind().cancel(*waiter_)) return true;
  must_cancel_ = true;
  return true;
}

inline void TaskBase::step(Ready& self) noexcept {
  TaskBase& task = static_cast<TaskBase&>(self);
  if (task.must_cancel_) [[unlikely]] {
    task.must_cancel_ = false;
    if (task.waiter_ == nullptr) return task.finish_unstarted();
    task.waiter_->state_ = Waiter::State::kCancelled;
  }
  task.waiter_ = nullptr;
  task.started_ = true;
  Here& here = t_here;
  here.task = &task;
  if (platform::g_trace.load(std::memory_order_relaxed) == nullptr) [[likely]]
    go_on_at(task.at_);
  else task.go_on_traced();
  here.task = nullptr;
  if (here.finished) {
    here.finished = false;
    task.finish();
  }
}

inline void LoopCore::abandon(TaskBase& task) noexcept {
  task.abandon();
}

inline void LoopCore::enlist(TaskBase& task) noexcept {
  task.previous_ = last_task_;
  (last_task_ == nullptr ? first_task_ : last_task_->next_) = &task;
  last_task_ = &task;
  ++task_count_;
}

inline void LoopCore::delist(TaskBase& task) noexcept {
  (task.previous_ == nullptr ? first_task_ : task.previous_->next_) = task.next_;
  (task.next_ == nullptr ? last_task_ : task.next_->previous_) = task.previous_;
  task.next_ = task.previous_ = nullptr;
  --task_count_;
}

}  // namespace nogil::asyncio::detail
