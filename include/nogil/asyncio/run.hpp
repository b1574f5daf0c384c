// nogil/asyncio/run.hpp -- run: from the world of functions into that of coroutines.
//
//   int main() {
//     asyncio::run(amain());           // Python: asyncio.run(main())
//   }
//
//   asyncio::Runner runner;            // Python: with asyncio.Runner() as runner:
//   runner.run(connect());             //             runner.run(connect())
//   runner.run(work());                //             runner.run(work())
//
// End        When the coroutine is done, all other tasks are cancelled and awaited. What they
//            throw goes to the excepthook.
// SIGINT     In the main thread, unless the program handles it: the first one cancels the
//            coroutine, so that it can clean up, and run() then throws KeyboardInterrupt. The
//            second one ends the program as if nobody handled it.
// Errors     RuntimeError in a thread where a loop runs.
// Python     asyncio.run and asyncio.Runner. debug=True is runner.get_loop().set_debug(true).

#pragma once

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <type_traits>
#include <utility>

#include "nogil/asyncio/detail/signals.hpp"
#include "nogil/asyncio/event_loop.hpp"

namespace nogil::asyncio {

// What run() throws after Ctrl-C. As in Python no error, so no std::exception.
class KeyboardInterrupt final {
 public:
  const char* what() const noexcept { return "interrupted by SIGINT"; }
};

namespace detail {

// Turns SIGINT into the cancellation of a task, as long as it lives: in the main thread of a
// program that leaves SIGINT to the system.
class Interrupts {
 public:
  Interrupts(LoopCore& loop, TaskBase& main) : posted_(*this), loop_(loop), main_(main) {
    if (::syscall(SYS_gettid) != ::getpid() || ::sigaction(SIGINT, nullptr, &before_) != 0) return;
    if ((before_.sa_flags & SA_SIGINFO) != 0 || before_.sa_handler != SIG_DFL) return;
    g_interrupts.store(this, std::memory_order_seq_cst);
    struct sigaction action {};
    action.sa_handler = &on_signal;
    action.sa_flags = SA_RESTART;
    ::sigemptyset(&action.sa_mask);
    installed_ = ::sigaction(SIGINT, &action, nullptr) == 0;
  }
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;
  ~Interrupts() {
    if (uninstall()) loop_.receive();  // the note
  }

  // Whether there was one. From now on SIGINT means what it meant before.
  bool uninstall() noexcept {
    if (!std::exchange(installed_, false)) return count_.load(std::memory_order_relaxed) != 0;
    ::sigaction(SIGINT, &before_, nullptr);
    g_interrupts.store(nullptr, std::memory_order_seq_cst);
    wait_for_signal_handlers();
    return count_.load(std::memory_order_relaxed) != 0;
  }

 private:
  struct Note final : Posted {
    explicit Note(Interrupts& owner) noexcept : Posted(&delivered), interrupts(owner) {}
    static void delivered(Posted& self) noexcept { static_cast<Note&>(self).interrupts.main_.cancel(); }
    Interrupts& interrupts;
  };

  static void on_signal(int) noexcept {
    const InSignalHandler in;
    Interrupts* const self = g_interrupts.load(std::memory_order_seq_cst);
    if (self == nullptr) return;
    if (self->count_.fetch_add(1, std::memory_order_relaxed) == 0) return self->loop_.post(self->posted_);
    ::signal(SIGINT, SIG_DFL);
    ::raise(SIGINT);
  }

  static inline constinit std::atomic<Interrupts*> g_interrupts{nullptr};

  Note posted_;
  LoopCore& loop_;
  TaskBase& main_;
  struct sigaction before_ {};
  std::atomic<int> count_{0};
  bool installed_ = false;
};

}  // namespace detail

class Runner {
 public:
  Runner() = default;
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;
  ~Runner() { close(); }

  // Runs a coroutine in the runner's loop, to its end: returns what it returns, throws what
  // it throws; KeyboardInterrupt. Other tasks stay, and go on in the next run().
  template <class T>
  T run(Coro<T> coro) {
    if (detail::t_here.loop != nullptr) throw RuntimeError("Runner.run() cannot be called from a running event loop");
    EventLoop& loop = get_loop();
    Task<T> task = loop.create_task(std::move(coro));
    detail::Interrupts interrupts(detail::LoopAccess::core(loop), *detail::TaskAccess::state(task));
    if (!loop.run_until_done(*detail::TaskAccess::state(task))) {
      throw RuntimeError("Event loop stopped before Future completed.");
    }
    try {
      return std::move(task).result();
    } catch (const CancelledError&) {
      if (interrupts.uninstall() && task.uncancel() == 0) throw KeyboardInterrupt();
      throw;
    }
  }

  template <detail::Awaitable A>
  requires(!detail::kIsCoro<std::remove_cvref_t<A>>) auto run(A&& awaitable) {
    return run(detail::as_coro(std::forward<A>(awaitable)));
  }

  // The loop in which it runs. Throws RuntimeError when it is closed.
  [[nodiscard]] EventLoop& get_loop() {
    if (closed_) throw RuntimeError("Runner is closed");
    if (loop_ == nullptr) loop_ = new EventLoop;
    return *loop_;
  }

  // Cancels all tasks there are, waits until they have ended, and destroys the loop.
  void close() noexcept {
    closed_ = true;
    delete std::exchange(loop_, nullptr);
  }

 private:
  EventLoop* loop_ = nullptr;
  bool closed_ = false;
};

// Runs a coroutine, or what else can be awaited (run(to_thread(work))), to its end in a new
// loop. See above.
template <class T>
T run(Coro<T> coro) {
  if (detail::t_here.loop != nullptr) throw RuntimeError("asyncio.run() cannot be called from a running event loop");
  Runner runner;
  return runner.run(std::move(coro));
}

template <detail::Awaitable A>
requires(!detail::kIsCoro<std::remove_cvref_t<A>>) auto run(A&& awaitable) {
  return run(detail::as_coro(std::forward<A>(awaitable)));
}

}  // namespace nogil::asyncio
