// nogil/asyncio/task.hpp -- Task: a coroutine that runs beside others; create_task.
//
//   asyncio::Task<Page> task = asyncio::create_task(fetch(url));   // Python: task = asyncio.create_task(fetch(url))
//   …
//   Page page = co_await std::move(task);                          // Python: page = await task
//
// Threads    A task and its handles belong to the thread of its loop.
// Start      In the loop's next round, not in create_task().
// Result     Stays with the task: co_await task and result() give const T&, as long as there
//            is a handle; of a temporary or a moved handle, T: moved out if this is the only
//            one or T cannot be copied, else a copy.
// Cancel     cancel() asks: the task finds a CancelledError where it waits, and may clean up
//            or go on. Requests are counted, so that nested timeouts know their own. To
//            cancel a task that awaits another is to cancel that one.
// Errors     result() throws what the coroutine threw; CancelledError; InvalidStateError
//            while it is not done. RuntimeError for an empty handle. An exception that
//            nobody has seen when the last handle goes is given to the excepthook.
// Lifetime   The loop owns its tasks until they are done: a handle may be dropped.
// Cost       A handle is a pointer. A task is one block, beside its coroutine's.
// Python     asyncio.Task. get_name() is name(); current_task() in a callback is an empty
//            handle where Python has None.

#pragma once

#include <compare>
#include <cstdint>
#include <exception>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "nogil/asyncio/coro.hpp"
#include "nogil/asyncio/detail/awaitable.hpp"
#include "nogil/asyncio/detail/task_state.hpp"

namespace nogil::asyncio {

namespace detail {
struct TaskAccess;
template <class T, class F>
class DoneCallback;
}  // namespace detail

// What a handle can do whatever its task's result: what current_task() and all_tasks() give.
class TaskHandle {
 public:
  // An empty handle.
  TaskHandle() noexcept = default;

  explicit operator bool() const noexcept { return static_cast<bool>(state_); }

  // ---- Look -----------------------------------------------------------------------------

  [[nodiscard]] bool done() const { return state("done").done(); }
  [[nodiscard]] bool cancelled() const { return state("cancelled").cancelled(); }

  // What it failed with, or null. Throws CancelledError, InvalidStateError if it is not done.
  [[nodiscard]] std::exception_ptr exception() const {
    detail::TaskBase& task = state("exception");
    task.mark_retrieved();
    if (task.cancelled()) throw CancelledError();
    if (!task.done()) throw InvalidStateError("Task.exception(): it is not done");
    return task.failed() ? task.error() : nullptr;
  }

  // "Task-7", unless it was given another one.
  [[nodiscard]] std::string name() const { return state("name").name(); }
  void set_name(std::string name) const { state("set_name").set_name(std::move(name)); }

  // ---- Cancel -----------------------------------------------------------------------------

  // Requests its cancellation. False if it is done.
  bool cancel() const { return state("cancel").cancel(); }

  // How many requests nobody has taken back.
  [[nodiscard]] int cancelling() const { return state("cancelling").cancelling(); }

  // Takes one back; returns how many are left. For who has called cancel() itself.
  int uncancel() const { return state("uncancel").uncancel(); }

  friend bool operator==(const TaskHandle& a, const TaskHandle& b) noexcept { return a.id() == b.id(); }
  friend std::strong_ordering operator<=>(const TaskHandle& a, const TaskHandle& b) noexcept {
    return a.id() <=> b.id();
  }

 protected:
  friend struct detail::TaskAccess;

  explicit TaskHandle(detail::Owned<detail::TaskBase> state) noexcept : state_(std::move(state)) {}

  detail::TaskBase& state(const char* asked) const {
    if (!state_) [[unlikely]]
      throw_empty(asked);
    return *state_;
  }

  [[noreturn, gnu::noinline, gnu::cold]] static void throw_empty(const char* asked) {
    throw RuntimeError(
        (platform::Text() << "Task." << asked << ": there is no task here: default-made, or moved from").take());
  }

  std::uintptr_t id() const noexcept { return reinterpret_cast<std::uintptr_t>(state_.get()); }

  detail::Owned<detail::TaskBase> state_;
};

template <class T = void>
class Task : public TaskHandle {
 public:
  using value_type = T;

  Task() noexcept = default;

  // Of a task that is done: see Result and Errors.
  std::add_lvalue_reference_t<const T> result() const& { return typed("result").see(); }
  T result() && { return typed("result").take(); }

  // Calls function(Task<T>) in the loop, when it is done; soon, if it is done already. In
  // the order in which they came. What they throw goes to the excepthook. Throws RuntimeError
  // if it is done and its loop does not run in this thread, or is no more.
  template <class F>
  requires std::is_invocable_v < std::decay_t<F>
  &, Task > void add_done_callback(F&& function) const {
    detail::TaskState<T>& task = typed("add_done_callback");
    if (task.done() && &task.loop() != detail::t_here.loop) {
      throw RuntimeError("Task.add_done_callback: it is done, and its event loop does not run here");
    }
    using Node = detail::DoneCallback<T, std::decay_t<F>>;
    auto* const node = new Node(detail::Owned<detail::TaskState<T>>::share(task), std::forward<F>(function));
    if (task.done()) detail::ScheduledNode::told(*node, task);
    else task.add(*node);
  }

  // Waits until it is done; see Result, Cancel and Errors.
  detail::Join<detail::TaskState<T>, false> operator co_await() const& noexcept {
    detail::Owned<detail::TaskBase> shared = state_;
    return detail::Join<detail::TaskState<T>, false>(
        detail::Owned<detail::TaskState<T>>(static_cast<detail::TaskState<T>*>(shared.release())));
  }
  detail::Join<detail::TaskState<T>, true> operator co_await() && noexcept {
    return detail::Join<detail::TaskState<T>, true>(
        detail::Owned<detail::TaskState<T>>(static_cast<detail::TaskState<T>*>(state_.release())));
  }

 private:
  friend struct detail::TaskAccess;

  explicit Task(detail::Owned<detail::TaskBase> state) noexcept : TaskHandle(std::move(state)) {}

  detail::TaskState<T>& typed(const char* asked) const { return static_cast<detail::TaskState<T>&>(state(asked)); }
};

namespace detail {

// For who combines tasks.
struct TaskAccess {
  static TaskBase* state(const TaskHandle& task) noexcept { return task.state_.get(); }
  template <class T>
  static TaskState<T>* state(const Task<T>& task) noexcept {
    return static_cast<TaskState<T>*>(task.state_.get());
  }
  // A handle that takes over an ownership, or has one of its own.
  template <class T>
  static Task<T> adopt(TaskState<T>& owned) noexcept {
    return Task<T>(Owned<TaskBase>(&owned));
  }
  static TaskHandle handle(TaskBase& task) noexcept { return TaskHandle(Owned<TaskBase>::share(task)); }
  template <class T>
  static Task<T> handle(TaskState<T>& task) noexcept {
    return Task<T>(Owned<TaskBase>::share(task));
  }
};

// A callable that wants to know of a task's end. Owns itself, until it has run.
template <class T, class F>
class DoneCallback final : public Pooled, public ScheduledNode {
 public:
  template <class G>
  DoneCallback(Owned<TaskState<T>> task, G&& function)
      : ScheduledNode(&call), task_(std::move(task)), function_(std::forward<G>(function)) {}

 private:
  static void call(ScheduledNode& node, Completion&) noexcept {
    auto& self = static_cast<DoneCallback&>(node);
    try {
      self.function_(TaskAccess::handle(*self.task_));
    } catch (...) {
      report_unhandled(std::current_exception());
    }
    delete &self;
  }

  Owned<TaskState<T>> task_;
  F function_;
};

template <class T>
Task<T> make_task(LoopCore& loop, Coro<T>&& coro, std::string&& name) {
  loop.check_thread();
  const CoroHandle<T> root = CoroAccess::release(coro);
  TaskState<T>* task;
  try {
    task = new TaskState<T>(loop, root);
  } catch (...) {
    root.destroy();
    throw;
  }
  if (!name.empty()) task->set_name(std::move(name));
  return TaskAccess::adopt(*task);
}

// A coroutine that awaits one thing.
template <class A>
Coro<std::remove_cv_t<std::remove_reference_t<AwaitResult<A>>>> await_it(A awaitable) {
  co_return co_await std::move(awaitable);
}

template <class A>
inline constexpr bool kIsCoro = false;
template <class T>
inline constexpr bool kIsCoro<Coro<T>> = true;
template <class A>
inline constexpr bool kIsTask = false;
template <class T>
inline constexpr bool kIsTask<Task<T>> = true;

// Anything that can be awaited, as a coroutine: a Coro itself.
template <Awaitable A>
auto as_coro(A&& awaitable) {
  using Bare = std::remove_cvref_t<A>;
  if constexpr (kIsCoro<Bare>) return Bare(std::forward<A>(awaitable));
  else return await_it<Bare>(std::forward<A>(awaitable));
}

// Anything that can be awaited, as a task: a Task itself. Python: asyncio.ensure_future.
template <Awaitable A>
auto ensure_task(A&& awaitable) {
  using Bare = std::remove_cvref_t<A>;
  if constexpr (kIsTask<Bare>) return Bare(std::forward<A>(awaitable));
  else return make_task(running_loop(), as_coro(std::forward<A>(awaitable)), {});
}

}  // namespace detail

// Runs a coroutine, or whatever can be awaited, as a task of the running loop: from its next
// round on. Throws RuntimeError if no loop runs in this thread.
template <class T>
Task<T> create_task(Coro<T> coro, std::string name = {}) {
  return detail::make_task(detail::running_loop(), std::move(coro), std::move(name));
}
template <detail::Awaitable A>
requires(!detail::kIsCoro<std::remove_cvref_t<A>>) auto create_task(A&& awaitable, std::string name = {}) {
  return create_task(detail::as_coro(std::forward<A>(awaitable)), std::move(name));
}

// The task that calls; an empty handle in a callback. Throws RuntimeError if no loop runs.
[[nodiscard]] inline TaskHandle current_task() {
  static_cast<void>(detail::running_loop());
  if (detail::t_here.task == nullptr) return {};
  return detail::TaskAccess::handle(*detail::t_here.task);
}

// Those of the running loop that are not done, oldest first. Throws RuntimeError if no loop runs.
[[nodiscard]] inline std::vector<TaskHandle> all_tasks() {
  const detail::LoopCore& loop = detail::running_loop();
  std::vector<TaskHandle> tasks;
  tasks.reserve(loop.task_count());
  for (detail::TaskBase* task = loop.first_task(); task != nullptr; task = task->next_task()) {
    tasks.push_back(detail::TaskAccess::handle(*task));
  }
  return tasks;
}

}  // namespace nogil::asyncio

template <>
struct std::hash<nogil::asyncio::TaskHandle> {
  std::size_t operator()(const nogil::asyncio::TaskHandle& task) const noexcept {
    return std::hash<const void*>()(nogil::asyncio::detail::TaskAccess::state(task));
  }
};
template <class T>
struct std::hash<nogil::asyncio::Task<T>> : std::hash<nogil::asyncio::TaskHandle> {};
