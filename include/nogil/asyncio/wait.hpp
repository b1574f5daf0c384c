// nogil/asyncio/wait.hpp -- wait: until the first, or all, of several tasks are done.
//
//   auto [done, pending] = co_await asyncio::wait(tasks, 2s);              // await asyncio.wait(tasks, timeout=2)
//   co_await asyncio::wait(tasks, asyncio::FIRST_COMPLETED);
//
// FIRST_COMPLETED   at least one is done, in whatever way
// FIRST_EXCEPTION   at least one has thrown, or all are done (as one that was cancelled is)
// ALL_COMPLETED     all are done
//
// Takes a range of tasks, or a list in braces. One that is there twice counts once. To reach
// the limit is no error: who is not done is in `pending`, and goes on.
//
// Errors    Throws what no task has thrown: ask each in `done`. ValueError: there are none.
// Cancel    To cancel the one who waits does not cancel the tasks.
// Cost      Two blocks. No other task is woken.
// Python    asyncio.wait. Both parts are in the order in which the tasks were given.

#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <type_traits>
#include <utility>
#include <vector>

#include "nogil/asyncio/detail/moment.hpp"
#include "nogil/asyncio/detail/ranges.hpp"
#include "nogil/asyncio/detail/seen.hpp"
#include "nogil/asyncio/task.hpp"
#include "nogil/futures/return_when.hpp"
#include "nogil/platform/errors.hpp"

namespace nogil::asyncio {

using nogil::ALL_COMPLETED;
using nogil::FIRST_COMPLETED;
using nogil::FIRST_EXCEPTION;
using nogil::ReturnWhen;

template <class Handle>
struct DoneAndPending {
  std::vector<Handle> done;
  std::vector<Handle> pending;
};

namespace detail {

class WaitForTasks : public Waiter, private Timer {
 public:
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> awaiting) {
    LoopCore& loop = *t_here.loop;
    for (const Child& child : children_) {
      if (&child.task->loop() != &loop) throw RuntimeError("wait: a task belongs to another event loop");
    }
    left_ = children_.size();
    if (length_ != kNever) loop.start_timer(*this, after(loop.now(), length_));
    for (Child& child : children_) child.start(*this);
    suspend(awaiting);
  }

 protected:
  WaitForTasks(std::int64_t length, ReturnWhen until) : Waiter(kKind), Timer(&fire), length_(length), until_(until) {
    if (until != ALL_COMPLETED && until != FIRST_COMPLETED && until != FIRST_EXCEPTION) {
      throw ValueError("wait: no such ReturnWhen");
    }
  }
  WaitForTasks(WaitForTasks&&) = default;
  ~WaitForTasks() { stop_timer(); }

  // Before it is awaited.
  void add(TaskBase& task) { children_.emplace_back(task); }

 private:
  struct Child : ScheduledNode {
    explicit Child(TaskBase& of) noexcept : ScheduledNode(&task_done), task(Owned<TaskBase>::share(of)) {}
    Child(Child&& other) noexcept : ScheduledNode(&task_done), task(std::move(other.task)) {}
    ~Child() {
      if (waiter != nullptr) withdraw_from(*task);
    }

    void start(WaitForTasks& by) noexcept {
      waiter = &by;
      if (task->done()) told(*this, *task);
      else task->add(*this);
    }

    Owned<TaskBase> task;
    WaitForTasks* waiter = nullptr;
  };

  static void task_done(ScheduledNode& node, Completion& done) noexcept {
    WaitForTasks& self = *static_cast<Child&>(node).waiter;
    --self.left_;
    if (self.left_ != 0 && self.until_ != FIRST_COMPLETED && !(self.until_ == FIRST_EXCEPTION && done.failed())) return;
    if (!self.pending()) return;
    self.stop_timer();
    self.wake();
  }
  static void fire(Ready& node) noexcept {
    auto& self = static_cast<WaitForTasks&>(node);
    if (self.pending()) self.wake();
  }
  static bool cancel(Waiter& waiter) noexcept {
    auto& self = static_cast<WaitForTasks&>(waiter);
    self.stop_timer();
    self.wake_cancelled();
    return true;
  }
  static constexpr Kind kKind = {&cancel, "wait"};

  void stop_timer() noexcept {
    if (place != Place::kNowhere) loop().withdraw(static_cast<Timer&>(*this));
  }

  std::vector<Child> children_;
  std::size_t left_ = 0;
  std::int64_t length_;
  ReturnWhen until_;
};

// A Handle is a Task<T>, or a TaskHandle.
template <class Handle>
class [[nodiscard]] WaitForHandles : public WaitForTasks {
 public:
  template <class Range>
  WaitForHandles(const Range& tasks, std::int64_t length, ReturnWhen until) : WaitForTasks(length, until) {
    Seen known;
    for (const Handle& task : tasks) {
      TaskBase* const state = TaskAccess::state(static_cast<const TaskHandle&>(task));
      if (state == nullptr) throw RuntimeError("wait: there is no task here: default-made, or moved from");
      if (!known.insert(state)) continue;
      add(*state);
      handles_.push_back(task);
    }
    if (handles_.empty()) throw ValueError("wait: there are no tasks to wait for");
  }

  DoneAndPending<Handle> await_resume() {
    throw_if_cancelled();
    DoneAndPending<Handle> result;
    for (Handle& task : handles_) {
      std::vector<Handle>& part = task.done() ? result.done : result.pending;
      part.push_back(std::move(task));
    }
    return result;
  }

 private:
  std::vector<Handle> handles_;
};

template <class Range>
concept TaskRange = requires(const std::remove_reference_t<Range>& range) {
  std::begin(range) != std::end(range);
  requires std::is_base_of_v<TaskHandle, std::remove_cvref_t<decltype(*std::begin(range))>>;
};

template <class Range>
using TaskHandleOf = std::remove_cvref_t<decltype(*std::begin(std::declval<const std::remove_reference_t<Range>&>()))>;

}  // namespace detail

// Waits for as long as it takes.
template <detail::TaskRange Range>
auto wait(const Range& tasks, ReturnWhen when = ALL_COMPLETED) {
  return detail::WaitForHandles<detail::TaskHandleOf<Range>>(tasks, detail::kNever, when);
}
template <class T>
auto wait(std::initializer_list<Task<T>> tasks, ReturnWhen when = ALL_COMPLETED) {
  return detail::WaitForHandles<Task<T>>(tasks, detail::kNever, when);
}

// No longer than that, from when it is awaited. Zero or less: until all that is ready has run.
template <detail::TaskRange Range, class Rep, class Period>
auto wait(const Range& tasks, const std::chrono::duration<Rep, Period>& timeout, ReturnWhen when = ALL_COMPLETED) {
  return detail::WaitForHandles<detail::TaskHandleOf<Range>>(tasks, detail::nanoseconds(timeout), when);
}
template <class T, class Rep, class Period>
auto wait(std::initializer_list<Task<T>> tasks, const std::chrono::duration<Rep, Period>& timeout,
          ReturnWhen when = ALL_COMPLETED) {
  return detail::WaitForHandles<Task<T>>(tasks, detail::nanoseconds(timeout), when);
}

}  // namespace nogil::asyncio
