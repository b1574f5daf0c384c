// nogil/threading/thread.hpp -- Thread: a callable that runs beside its caller.
//
//   nogil::Thread thread(download, "index.html");      // Python: Thread(target=download, args=("index.html",))
//   thread.start();
//   thread.join();
//
//   class Download : public nogil::Thread {            // Python: class Download(Thread):
//    public:
//     explicit Download(std::string url) : url_(std::move(url)) {}
//     ~Download() override { join_if_started(); }      //   before url_ goes
//    private:
//     void run() override { fetch(url_); }             //   def run(self): fetch(self.url)
//     std::string url_;
//   };
//
// A callable that can take a std::stop_token as its first argument gets the thread's own,
// as with std::jthread:
//
//   nogil::Thread ticker([](std::stop_token token) { while (!token.stop_requested()) tick(); });
//
// Threads    Every member except construction, destruction and moving may be called from
//            any number of threads at once. join() may be called again and again.
// Ordering   What a thread did before start() is visible to the new thread; what that did
//            until its end, destructors of its thread_locals included, is visible after
//            join(), or after an is_alive() that has become false.
// Lifetime   The destructor of a thread that runs asks it to stop and joins it. A daemon
//            goes on by itself instead; when main() returns, the program ends, however
//            many daemons still run. The callable and its arguments are copied or moved
//            in, and destroyed in the new thread as soon as it is through with them.
// Moving     A Thread made with a callable can be moved, also while it runs, so
//            std::vector<nogil::Thread> works. A class derived from Thread cannot, as its
//            run() uses the object itself: use std::deque, std::list or std::unique_ptr.
// Deriving   A run() that uses members of its own class needs them until it ends: the
//            destructor of that class calls join_if_started() (or request_stop() before
//            it). The base's destructor comes too late for that.
// Errors     RuntimeError for what Python forbids: to start twice, to join before the
//            start, to join oneself. What the callable throws is kept for exception(),
//            and given to the excepthook (threading/excepthook.hpp).
// Fork       In a child process only the thread that forked is alive; the others have
//            ended, and can be joined. One that another thread was just starting counts
//            as not started, and can be.
// Cost       24 bytes, and two allocations. start() returns when the thread runs:
//            20-60 us.
// Python     threading.Thread. daemon is not inherited; `kwargs` are a lambda's business.

#pragma once

#include <cstdint>
#include <exception>
#include <stop_token>
#include <string>
#include <type_traits>
#include <utility>

#include "nogil/platform/bound_method.hpp"
#include "nogil/platform/errors.hpp"
#include "nogil/platform/wait.hpp"
#include "nogil/threading/detail/ref.hpp"
#include "nogil/threading/detail/target.hpp"
#include "nogil/threading/detail/thread_state.hpp"

namespace nogil {

namespace detail {

// As a virtual base it is made by the most derived class. Thread makes a new one when it
// is moved; a class derived from Thread would have to move it, and so cannot be moved.
struct PinnedWhenDerived {
  PinnedWhenDerived() = default;
  PinnedWhenDerived(const PinnedWhenDerived&) = delete;
  PinnedWhenDerived& operator=(const PinnedWhenDerived&) = delete;
};

}  // namespace detail

class Thread : private virtual detail::PinnedWhenDerived {
 public:
  // { name = "Thread-N", daemon = false, stack_size = 0 (the system's) }
  using Options = detail::ThreadOptions;

  // A thread that will call f(args...), or f(token, args...). Nothing runs before start().
  template <class F, class... Args>
  requires detail::ThreadTarget<F, Args...>
  explicit Thread(F&& f, Args&&... args) : Thread(Options(), std::forward<F>(f), std::forward<Args>(args)...) {}

  // Throws ValueError if options.stack_size is below the system's least, PTHREAD_STACK_MIN.
  template <class F, class... Args>
  requires detail::ThreadTarget<F, Args...> Thread(Options options, F&& f, Args&&... args)
      : Thread(make_state<detail::ThreadStateOf<detail::Target<std::decay_t<F>, std::decay_t<Args>...>>>(
            std::move(options), std::forward<F>(f), std::forward<Args>(args)...)) {}

  // The thread that was moved from can only be assigned to, or destroyed.
  Thread(Thread&& other) noexcept
      : detail::PinnedWhenDerived(), state_(std::move(other.state_)), own_run_(other.own_run_) {}

  // Parts with the thread it was, as the destructor does.
  Thread& operator=(Thread&& other) {
    if (this == &other) return *this;
    if (state_) state_->abandon();
    state_ = std::move(other.state_);
    own_run_ = other.own_run_;
    return *this;
  }

  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

  // A thread that runs: request_stop() and join(), but not for a daemon, nor by itself.
  virtual ~Thread() {
    if (state_) state_->abandon();
  }

  // Begins; returns as soon as the new thread runs. Throws RuntimeError if it was started
  // before; and if the system has no room for another thread: then it may be tried again.
  void start() {
    const platform::BoundMethod<Thread> bound_run = platform::bind_virtual(*this, &Thread::run);
    const bool overridden = bound_run != own_run_;
    state().start(overridden ? bound_run : nullptr, overridden ? this : nullptr);
  }

  // What the thread does. This one calls the callable that the Thread was made with.
  virtual void run() { state().run_target(); }

  // Waits until the thread has ended; true, always.
  // Throws RuntimeError before start(), and in the thread itself.
  bool join() { return keep()->join(); }

  // join(timeout | deadline | stop_token | timeout, stop_token): waits no longer than that.
  // Returns whether the thread has ended.
  template <class... Limits>
  requires platform::WaitLimits<Limits...>
  bool join(const Limits&... limits) { return keep()->join(limits...); }

  // Whether it was started and has not ended yet, at some moment during the call.
  [[nodiscard]] bool is_alive() const noexcept { return state_ && state_->is_alive(); }

  [[nodiscard]] std::string name() const { return state().name(); }

  // Also what debuggers, top and /proc show: of that, the first 15 bytes.
  void set_name(std::string name) { state().set_name(std::move(name)); }

  // Its number, as get_ident() gives it in the thread itself; 0 before the start. May be
  // used again for another thread after the end.
  [[nodiscard]] std::uint64_t ident() const { return state().ident(); }

  // The kernel's number of the thread; 0 before the start.
  [[nodiscard]] int native_id() const { return state().native_id(); }

  [[nodiscard]] bool daemon() const { return state().daemon(); }

  // Asks the callable to end: sets its stop_token. Returns whether this was the first time.
  bool request_stop() { return state().stop_source().request_stop(); }
  [[nodiscard]] std::stop_token get_stop_token() const { return state().stop_source().get_token(); }

  // What the callable threw; null if nothing, or not yet.
  [[nodiscard]] std::exception_ptr exception() const { return state().exception(); }

 protected:
  // For classes that override run().
  Thread() : Thread(Options()) {}
  explicit Thread(Options options) : Thread(make_state<detail::ThreadState>(std::move(options))) {}

  // For their destructors: waits for run() to end, if it ever began.
  void join_if_started() {
    if (is_alive() && !state_->is_current()) join();
  }

 private:
  explicit Thread(detail::Ref<detail::ThreadState> state)
      : state_(std::move(state)), own_run_(platform::bind_virtual(*this, &Thread::run)) {}

  // Not in the constructors themselves: g++ 12 would leak the block if the state's throws.
  template <class State, class... Parts>
  static detail::Ref<detail::ThreadState> make_state(Parts&&... parts) {
    return detail::Ref<detail::ThreadState>(new State(std::forward<Parts>(parts)...));
  }

  detail::ThreadState& state() const {
    if (!state_) throw RuntimeError("Thread: this object was moved from, and has no thread");
    return *state_;
  }

  // For calls that may outlast this object.
  detail::Ref<detail::ThreadState> keep() const { return (static_cast<void>(state()), state_); }

  detail::Ref<detail::ThreadState> state_;
  platform::BoundMethod<Thread> own_run_;  // Thread::run, to see whether it was overridden
};

}  // namespace nogil
