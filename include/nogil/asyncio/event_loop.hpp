// nogil/asyncio/event_loop.hpp -- EventLoop: runs callbacks and tasks in one thread.
//
//   auto& loop = asyncio::get_running_loop();          // Python: loop = asyncio.get_running_loop()
//   auto handle = loop.call_later(2s, save, document); //         handle = loop.call_later(2, save, document)
//   handle.cancel();
//
// Most programs need none of this: run() makes a loop, and create_task() finds it.
//
// Threads    A loop and all that belongs to it is for the thread in which it runs. From
//            other threads: call_soon_threadsafe(), stop(), and run_coroutine_threadsafe().
// Order      Callbacks run in the order in which they were asked for; each round runs what
//            was ready when it began. Timers of the same moment, in the order of their making.
// Errors     What a callback throws goes to the excepthook. RuntimeError for a second loop
//            in a thread.
// Lifetime   The destructor cancels what tasks there are and runs until they have ended;
//            callbacks that were not called yet never will be.
// Cost       call_soon(): one allocation, from the loop's pool. A timer: O(log n).
// Python     asyncio's BaseEventLoop. time() is the steady clock; timeouts have units.

#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>
#include <type_traits>
#include <utility>

#include "nogil/asyncio/detail/debug.hpp"
#include "nogil/asyncio/detail/fd_callbacks.hpp"
#include "nogil/asyncio/detail/handle_state.hpp"
#include "nogil/asyncio/detail/loop_core.hpp"
#include "nogil/asyncio/detail/moment.hpp"
#include "nogil/asyncio/detail/signals.hpp"
#include "nogil/asyncio/task.hpp"
#include "nogil/platform/wait.hpp"

namespace nogil::asyncio {

namespace detail {
struct LoopAccess;
}

template <class T = void>
class Future;

// A callback that is to be called. A handle may be dropped.
class Handle {
 public:
  // An empty handle, of nothing.
  Handle() noexcept = default;

  // It will not be called. Does nothing if it was, or was cancelled.
  void cancel() const noexcept {
    if (state_) state_->cancel();
  }
  [[nodiscard]] bool cancelled() const noexcept { return state_ && state_->cancelled(); }

  // When it is to be called, if that was said.
  [[nodiscard]] std::chrono::steady_clock::time_point when() const noexcept {
    return detail::time_point_of(state_ ? state_->when : 0);
  }

 private:
  friend class EventLoop;
  explicit Handle(detail::HandleState& owned) noexcept : state_(&owned) {}

  detail::Owned<detail::HandleState> state_;
};

class EventLoop : private detail::LoopReactor, private detail::LoopCore {
 public:
  // Throws std::system_error when there are no file descriptors left.
  EventLoop() : EventLoop(new detail::EpollReactor) {}

  // With a reactor of its own, which it owns.
  explicit EventLoop(detail::Reactor* owned) : LoopReactor(owned), LoopCore(*owned) {
    before_sleep_ = &detail::report_blocking;
    const char* const wanted = std::getenv("NOGIL_ASYNCIO_DEBUG");
    if (wanted != nullptr && *wanted != '\0') set_debug(true);
  }

  ~EventLoop() { close(); }

  // ---- Run ------------------------------------------------------------------------------

  // Runs until the coroutine, or task, is done. Returns its result or throws what it threw;
  // RuntimeError if stop() came first, or if a loop runs in this thread.
  template <class T>
  T run_until_complete(Coro<T> coro) {
    check_can_run();
    return run_until_complete(create_task(std::move(coro)));
  }
  template <class T>
  T run_until_complete(Task<T> task);

  // Runs until stop().
  using LoopCore::run_forever;

  // Ends run_forever() when this round is over. From any thread.
  using LoopCore::stop;

  [[nodiscard]] bool is_running() const noexcept { return running(); }

  // ---- Callbacks ------------------------------------------------------------------------

  // function(args...) in the next round. The arguments are copied, or moved.
  template <class F, class... Args>
  requires std::is_invocable_v<std::decay_t<F>, std::decay_t<Args>...> Handle call_soon(F&& function, Args&&... args) {
    return ready(detail::make_handle<true>(*this, std::forward<F>(function), std::forward<Args>(args)...));
  }

  // The same after a time, or at a moment of any clock. Never earlier.
  template <class Rep, class Period, class F, class... Args>
  Handle call_later(const std::chrono::duration<Rep, Period>& delay, F&& function, Args&&... args) {
    return timed(detail::make_handle<true>(*this, std::forward<F>(function), std::forward<Args>(args)...),
                 detail::after(now(), detail::nanoseconds(delay)));
  }
  template <class Clock, class Duration, class F, class... Args>
  Handle call_at(const std::chrono::time_point<Clock, Duration>& when, F&& function, Args&&... args) {
    return timed(detail::make_handle<true>(*this, std::forward<F>(function), std::forward<Args>(args)...),
                 detail::moment_of(now(), when));
  }

  // call_soon() for other threads: wakes the loop. The loop must be there until this returns.
  template <class F, class... Args>
  requires std::is_invocable_v<std::decay_t<F>, std::decay_t<Args>...>
  void call_soon_threadsafe(F&& function, Args&&... args) {
    auto bound = detail::bind_call<true>(std::forward<F>(function), std::forward<Args>(args)...);
    post(*new detail::PostedHandle<decltype(bound)>(*this, std::move(bound)));
  }

  // The loop's clock.
  [[nodiscard]] std::chrono::steady_clock::time_point time() noexcept { return detail::time_point_of(now()); }

  // ---- Tasks ------------------------------------------------------------------------------

  // As the free function, also while the loop does not run.
  template <class T>
  Task<T> create_task(Coro<T> coro, std::string name = {}) {
    return detail::make_task(*this, std::move(coro), std::move(name));
  }

  // A result that somebody sets later: needs <nogil/asyncio/future.hpp>.
  template <class T = void>
  Future<T> create_future();

  // A line for each task that is not done: its name, where it is written, what it waits for.
  [[nodiscard]] std::string dump_tasks() const {
    platform::Text text;
    for (const detail::TaskBase* task = first_task(); task != nullptr; task = task->next_task()) {
      text << detail::describe_task(*task) << " " << detail::describe_wait(*task) << "\n";
    }
    return text.take();
  }

  // ---- Descriptors and signals ------------------------------------------------------------

  // function(args...) whenever the descriptor can be read, or written: in place of the one
  // before. Remove it before the descriptor is closed. Throws std::system_error for what
  // cannot be watched: a regular file.
  template <class F, class... Args>
  void add_reader(int fd, F&& function, Args&&... args) {
    set_callback(fd, detail::FdCallbacks::kReader, std::forward<F>(function), std::forward<Args>(args)...);
  }
  template <class F, class... Args>
  void add_writer(int fd, F&& function, Args&&... args) {
    set_callback(fd, detail::FdCallbacks::kWriter, std::forward<F>(function), std::forward<Args>(args)...);
  }

  // Whether there was one.
  bool remove_reader(int fd) { return service<detail::FdCallbacks>().remove(fd, detail::FdCallbacks::kReader); }
  bool remove_writer(int fd) { return service<detail::FdCallbacks>().remove(fd, detail::FdCallbacks::kWriter); }

  // function(args...) in the loop whenever that signal has come: in place of the one before.
  // Throws ValueError, std::system_error, RuntimeError if another loop handles it.
  template <class F, class... Args>
  void add_signal_handler(int signal, F&& function, Args&&... args) {
    service<detail::Signals>().set(
        signal, detail::Owned<detail::HandleState>(repeated(std::forward<F>(function), std::forward<Args>(args)...)));
  }
  bool remove_signal_handler(int signal) { return service<detail::Signals>().remove(signal); }

  // ---- Debug ------------------------------------------------------------------------------

  // Reports misuse on stderr: coroutines that nobody awaited, callbacks that take long, waits
  // that stop the whole loop, cancellations that were swallowed; and throws RuntimeError for
  // calls from a wrong thread. Off, unless NOGIL_ASYNCIO_DEBUG is set in the environment.
  using LoopCore::set_debug;
  [[nodiscard]] bool get_debug() const noexcept { return debug(); }

  // Callbacks and steps of tasks that take longer are reported in debug mode. At first 100 ms.
  template <class Rep, class Period>
  void set_slow_callback_duration(const std::chrono::duration<Rep, Period>& length) noexcept {
    slow_ = detail::nanoseconds(length);
  }

 private:
  friend EventLoop& get_running_loop();
  friend class Runner;
  friend struct detail::LoopAccess;

  Handle ready(detail::HandleState& handle) {
    push(handle);
    return Handle(handle);
  }
  Handle timed(detail::HandleState& handle, detail::Moment when) {
    Handle mine(handle);
    start_timer(handle, when);
    return mine;
  }

  template <class F, class... Args>
  detail::HandleState* repeated(F&& function, Args&&... args) {
    detail::HandleState& handle =
        detail::make_handle<false>(*this, std::forward<F>(function), std::forward<Args>(args)...);
    handle.drop();  // it is not in the loop
    return &handle;
  }
  template <class F, class... Args>
  void set_callback(int fd, detail::FdCallbacks::Which which, F&& function, Args&&... args) {
    service<detail::FdCallbacks>().set(
        fd, which,
        detail::Owned<detail::HandleState>(repeated(std::forward<F>(function), std::forward<Args>(args)...)));
  }

  void check_can_run() const {
    if (detail::t_here.loop != nullptr) throw RuntimeError("Cannot run the event loop while another loop is running");
  }

  // False: stop() came first.
  bool run_until_done(detail::TaskBase& task);
  void finish_tasks();
  void close() noexcept;
};

// The loop that runs in this thread. Throws RuntimeError if there is none.
[[nodiscard]] inline EventLoop& get_running_loop() {
  return static_cast<EventLoop&>(detail::running_loop());
}

namespace detail {

// For parts of asyncio that are given a loop by the user.
struct LoopAccess {
  static LoopCore& core(EventLoop& loop) noexcept { return loop; }
};

}  // namespace detail

template <class T>
T EventLoop::run_until_complete(Task<T> task) {
  check_can_run();
  detail::TaskBase* const state = detail::TaskAccess::state(task);
  if (state == nullptr || &state->loop() != this) {
    throw RuntimeError("EventLoop.run_until_complete: the task belongs to another event loop");
  }
  if (!run_until_done(*state)) throw RuntimeError("Event loop stopped before Future completed.");
  return std::move(task).result();
}

inline bool EventLoop::run_until_done(detail::TaskBase& task) {
  detail::ScheduledNode stopper(
      [](detail::ScheduledNode&, detail::Completion& done) noexcept { done.loop().stop_here(); });
  if (task.done()) detail::ScheduledNode::told(stopper, task);
  else task.add(stopper);
  run_forever();
  stopper.withdraw_from(task);
  return task.done();
}

// As CPython's runners._cancel_all_tasks: whoever is left is cancelled, and awaited. What
// they throw is reported when the last handle goes, here.
inline void EventLoop::finish_tasks() {
  constexpr int kPatience = 100;  // tasks that answer a cancellation with a new task
  for (int round = 0; first_task() != nullptr && round < kPatience; ++round) {
    const std::uint32_t youngest = last_task_number();
    for (detail::TaskBase* task = first_task(); task != nullptr; task = task->next_task()) task->cancel();
    while (first_task() != nullptr && static_cast<std::int32_t>(first_task()->number() - youngest) <= 0) {
      const auto oldest = detail::Owned<detail::TaskBase>::share(*first_task());
      while (!oldest->done()) run_until_done(*oldest);
    }
  }
}

inline void EventLoop::close() noexcept {
  receive();
  if (detail::t_here.loop == nullptr) finish_tasks();
  while (detail::TaskBase* const task = first_task()) abandon(*task);
  end_services();
  empty_out([](detail::Ready& node) {
    if (node.run == &detail::HandleState::run_handle) static_cast<detail::HandleState&>(node).drop();
  });
}

}  // namespace nogil::asyncio
