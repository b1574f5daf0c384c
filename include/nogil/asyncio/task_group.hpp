// nogil/asyncio/task_group.hpp -- task_group: tasks that end together.
//
//   co_await asyncio::task_group([&](asyncio::TaskGroup& group) -> asyncio::Scoped<> {
//     group.create_task(fetch(a));                 // async with asyncio.TaskGroup() as group:
//     group.create_task(fetch(b));                 //     group.create_task(fetch(a))
//     co_return;                                   //     group.create_task(fetch(b))
//   });
//   // both are done here
//
// The body begins tasks; task_group() ends when the body and all of them have. If one fails,
// the others and the body are cancelled; then all errors are thrown in one ExceptionGroup.
//
// Body      A callable that takes a TaskGroup& and is a coroutine that returns Scoped<T>: T is
//           what task_group() gives. As it ends before task_group() does, it may be a lambda
//           that captures, by reference too. It is kept until then.
// Errors    nogil::ExceptionGroup with every error, the body's last. A CancelledError is no
//           error: a task that is cancelled leaves the others alone.
// Cancel    To cancel the one who waits cancels the body and the tasks, and awaits them.
// Nesting   Each group and each timeout knows the cancellations that are its own.
// g++ 12    Destroys twice what a lambda captures, other than references and plain data, if it
//           is written inside the co_await expression: name it, and std::move it.
// Python    asyncio.TaskGroup of 3.13; group.cancel() is 3.15's.

#pragma once

#include <coroutine>
#include <exception>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "nogil/asyncio/detail/link.hpp"
#include "nogil/asyncio/detail/ranges.hpp"
#include "nogil/asyncio/task.hpp"
#include "nogil/errors.hpp"

namespace nogil::asyncio {

namespace detail {
struct ScopedAccess;
class GroupWaiter;
template <class T, class F>
Coro<T> run_task_group(F body);
}  // namespace detail

// What the body of a task_group() returns. Nobody else can await it.
template <class T = void>
class [[nodiscard]] Scoped {
 public:
  using value_type = T;

  Scoped(Scoped&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Scoped& operator=(Scoped&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Scoped() {
    if (handle_) handle_.destroy();
  }

 private:
  friend class detail::Promise<T, Scoped>;
  friend struct detail::ScopedAccess;

  explicit Scoped(detail::CoroHandle<T> owned) noexcept : handle_(owned) {}

  detail::CoroHandle<T> handle_;
};

// Given to the body, which may give it to the tasks. For use until task_group() ends.
class TaskGroup {
 public:
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  // As the free function; the task is one of the group. Throws RuntimeError when the group is
  // shutting down, or over: then the coroutine never runs.
  template <detail::Awaitable A>
  auto create_task(A&& awaitable, std::string name = {}) {
    auto coro = detail::as_coro(std::forward<A>(awaitable));
    if (const char* const refusal = why_not()) [[unlikely]] {
      detail::CoroAccess::release(coro).destroy();
      throw RuntimeError(refusal);
    }
    auto* const member = new Member(*this);
    try {
      auto task = detail::make_task(parent_.loop(), std::move(coro), std::move(name));
      members_.push_back(*member);
      member->start(task);
      return task;
    } catch (...) {
      delete member;
      throw;
    }
  }

  // Ends the group without an error: cancels its tasks and its body, as if that was all that
  // they had to do. Also from outside of it. Does nothing when it is shutting down already.
  void cancel() {
    if (aborting_ || (exiting_ && members_.empty())) return;
    abort();
    cancel_parent();
  }

 private:
  friend class detail::GroupWaiter;
  template <class T, class F>
  friend Coro<T> detail::run_task_group(F body);

  // A task that is not done, or of whose end the group does not know yet.
  struct Member : detail::Pooled, detail::Link, detail::ScheduledNode {
    explicit Member(TaskGroup& of) noexcept : ScheduledNode(&task_done), group(of) {}
    ~Member() {
      if (task) withdraw_from(*task);
    }
    void start(const TaskHandle& of) noexcept {
      task = detail::Owned<detail::TaskBase>::share(*detail::TaskAccess::state(of));
      task->add(*this);
    }

    TaskGroup& group;
    detail::Owned<detail::TaskBase> task;
  };

  explicit TaskGroup(detail::TaskBase& parent) noexcept : parent_(parent) {}
  // With members only if the parent is destroyed where it waits.
  ~TaskGroup() {
    while (!members_.empty()) delete &members_.front();
  }

  const char* why_not() const noexcept {
    if (exiting_ && members_.empty()) return "TaskGroup.create_task: the group is finished";
    if (aborting_) return "TaskGroup.create_task: the group is shutting down";
    return nullptr;
  }

  void abort() {
    aborting_ = true;
    members_.for_each([](Member& member) {
      member.task->cancel();
      return true;
    });
  }

  // So that it stops waiting for what it waits for now. It takes the request back in leave().
  void cancel_parent() {
    if (std::exchange(parent_cancelled_, true)) return;
    parent_.cancel();
  }

  static void task_done(detail::ScheduledNode& node, detail::Completion& done) noexcept;

  // Throws what the group ends with, if that is not well.
  void leave(bool cancelled, std::exception_ptr error);

  detail::TaskBase& parent_;
  detail::LinkList<Member> members_;
  std::vector<std::exception_ptr> errors_;
  detail::GroupWaiter* waiter_ = nullptr;
  bool exiting_ = false;           // the body has ended
  bool aborting_ = false;          // all are cancelled
  bool parent_cancelled_ = false;  // by the group
};

namespace detail {

struct ScopedAccess {
  template <class T>
  static CoroHandle<T> release(Scoped<T>& scoped) noexcept {
    return std::exchange(scoped.handle_, {});
  }
};

// Until the group has no members.
class GroupWaiter : public Waiter {
 public:
  explicit GroupWaiter(TaskGroup& group) noexcept : Waiter(kKind), group_(group) {}
  GroupWaiter(const GroupWaiter&) = delete;
  ~GroupWaiter() { group_.waiter_ = nullptr; }

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> awaiting) {
    group_.waiter_ = this;
    suspend(awaiting);
  }
  // False: it is cancelled.
  bool await_resume() const noexcept { return !cancelled(); }

 private:
  static bool cancel(Waiter& waiter) noexcept {
    waiter.wake_cancelled();
    return true;
  }
  static constexpr Kind kKind = {&cancel, "task_group"};

  TaskGroup& group_;
};

template <class T, class F>
Coro<T> run_task_group(F body) {
  TaskGroup group(*t_here.task);
  Result<T> result;
  std::exception_ptr error;
  bool cancelled = false;
  try {
    Scoped<T> scoped = body(group);
    CoroAwaiter<T> ended(ScopedAccess::release(scoped));
    if constexpr (std::is_void_v<T>) co_await ended;
    else result.set(co_await ended);
  } catch (const CancelledError&) {
    cancelled = true;
  } catch (...) {
    error = std::current_exception();
  }
  group.exiting_ = true;
  const bool whole = !cancelled && error == nullptr;
  if (!whole && !group.aborting_) group.abort();
  while (!group.members_.empty()) {
    GroupWaiter all_done(group);
    if (!co_await all_done && !group.aborting_) {
      cancelled = true;
      group.abort();
    }
  }
  group.leave(cancelled, std::move(error));
  if constexpr (!std::is_void_v<T>) {
    if (!whole) throw CancelledError();  // group.cancel() has left nothing to give
    co_return result.take();
  }
}

}  // namespace detail

inline void TaskGroup::task_done(detail::ScheduledNode& node, detail::Completion& done) noexcept {
  auto& member = static_cast<Member&>(node);
  TaskGroup& group = member.group;
  member.unlink();
  if (group.members_.empty() && group.waiter_ != nullptr && group.waiter_->pending()) group.waiter_->wake();
  if (done.failed()) {
    done.mark_retrieved();
    group.errors_.push_back(done.error());
    if (!group.aborting_ && !group.parent_cancelled_) {
      group.abort();
      group.cancel_parent();
    }
  }
  delete &member;
}

inline void TaskGroup::leave(bool cancelled, std::exception_ptr error) {
  if (parent_cancelled_ && parent_.uncancel() == 0) cancelled = false;
  if (cancelled && errors_.empty()) throw CancelledError();
  if (error != nullptr) errors_.push_back(std::move(error));
  if (errors_.empty()) return;
  if (parent_.cancelling() > 0) {
    // A request that is not the group's, and that errors hide: it comes at the next wait.
    parent_.uncancel();
    parent_.cancel();
  }
  throw ExceptionGroup("unhandled errors in a TaskGroup", std::move(errors_));
}

namespace detail {

template <class>
inline constexpr bool kIsScoped = false;
template <class T>
inline constexpr bool kIsScoped<Scoped<T>> = true;

}  // namespace detail

// Runs body(group), and waits until all that it has begun is done. Gives what the body gives.
template <class F>
requires std::is_invocable_v < std::decay_t<F>
&, TaskGroup& > auto task_group(F&& body) {
  using Body = std::invoke_result_t<std::decay_t<F>&, TaskGroup&>;
  static_assert(detail::kIsScoped<Body>, "the body of a task_group() is a coroutine that returns Scoped<T>");
  return detail::run_task_group<typename Body::value_type, std::decay_t<F>>(std::forward<F>(body));
}

}  // namespace nogil::asyncio

template <class T, class... Parameters>
struct std::coroutine_traits<nogil::asyncio::Scoped<T>, Parameters...> {
  static_assert(
      !nogil::asyncio::detail::kHasRvalueReference<Parameters...>,
      "a coroutine must not take an rvalue reference: what it refers to is gone when the body runs. Take it by value");
  using promise_type = nogil::asyncio::detail::Promise<T, nogil::asyncio::Scoped<T>>;
};
