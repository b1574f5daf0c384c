// nogil/asyncio/detail/signals.hpp -- signals that a loop handles between two callbacks.
//
// The system's handler only notes the signal in its loop and wakes that.

#pragma once

#include <sched.h>
#include <signal.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "nogil/asyncio/detail/completion.hpp"
#include "nogil/asyncio/detail/handle_state.hpp"
#include "nogil/asyncio/detail/loop_core.hpp"
#include "nogil/platform/errors.hpp"
#include "nogil/platform/fd.hpp"

namespace nogil::asyncio::detail {

class Signals;

inline constexpr int kSignals = 65;  // 1 to 64

// Whose business a signal is. A signal handler reads it.
[[gnu::visibility("default")]] inline constinit std::atomic<Signals*> g_signals[kSignals] = {};

// Handlers that run, in whatever thread. What they use is gone when they are.
[[gnu::visibility("default")]] inline constinit std::atomic<int> g_signal_handlers{0};

class [[nodiscard]] InSignalHandler {
 public:
  InSignalHandler() noexcept : error_(errno) { g_signal_handlers.fetch_add(1, std::memory_order_seq_cst); }
  InSignalHandler(const InSignalHandler&) = delete;
  InSignalHandler& operator=(const InSignalHandler&) = delete;
  ~InSignalHandler() {
    g_signal_handlers.fetch_sub(1, std::memory_order_release);
    errno = error_;
  }

 private:
  const int error_;
};

// After the pointer was taken away through which they find it.
inline void wait_for_signal_handlers() noexcept {
  while (g_signal_handlers.load(std::memory_order_seq_cst) != 0) ::sched_yield();
}

class Signals final : public LoopService {
 public:
  explicit Signals(LoopCore& loop) noexcept : loop_(loop) {}
  ~Signals() {
    for (int number = 1; number < kSignals; ++number) remove(number);
    loop_.receive();  // the note
  }

  // In place of the one that is there. Throws ValueError, std::system_error, or RuntimeError
  // if another loop handles it.
  void set(int number, Owned<HandleState> callback) {
    if (number < 1 || number >= kSignals) throw ValueError("EventLoop: there is no such signal");
    Entry& entry = entries_[number];
    if (!entry.callback) {
      Signals* nobody = nullptr;
      if (!g_signals[number].compare_exchange_strong(nobody, this)) {
        throw RuntimeError("EventLoop.add_signal_handler: another loop handles this signal");
      }
      struct sigaction action {};
      action.sa_handler = &on_signal;
      action.sa_flags = SA_RESTART;
      ::sigemptyset(&action.sa_mask);
      if (::sigaction(number, &action, &entry.before) != 0) {
        const int error = errno;
        g_signals[number].store(nullptr);
        platform::throw_errno("EventLoop.add_signal_handler", error);
      }
    }
    const Owned<HandleState> old = std::exchange(entry.callback, std::move(callback));
    if (old) old->cancel();
  }

  // Whether there was one. The signal means again what it meant before.
  bool remove(int number) noexcept {
    if (number < 1 || number >= kSignals || !entries_[number].callback) return false;
    Entry& entry = entries_[number];
    ::sigaction(number, &entry.before, nullptr);
    g_signals[number].store(nullptr);
    wait_for_signal_handlers();
    std::exchange(entry.callback, {})->cancel();
    return true;
  }

 private:
  struct Entry {
    Owned<HandleState> callback;
    struct sigaction before {};
  };

  static void on_signal(int number) noexcept {
    const InSignalHandler in;
    if (Signals* const self = g_signals[number].load()) {
      self->arrived_.fetch_or(std::uint64_t{1} << (number - 1), std::memory_order_seq_cst);
      // Posted once, until it is delivered.
      if (!self->posted_.exchange(true, std::memory_order_acq_rel)) self->loop_.post(self->note_);
    }
  }

  // In the loop's thread.
  void deliver() noexcept {
    posted_.store(false, std::memory_order_seq_cst);
    const std::uint64_t arrived = arrived_.exchange(0, std::memory_order_seq_cst);
    for (int number = 1; number < kSignals; ++number) {
      if ((arrived >> (number - 1) & 1) != 0 && entries_[number].callback) entries_[number].callback->call_once_more();
    }
  }

  struct Note final : Posted {
    explicit Note(Signals& owner) noexcept : Posted(&delivered), signals(owner) {}
    static void delivered(Posted& self) noexcept { static_cast<Note&>(self).signals.deliver(); }
    Signals& signals;
  };

  LoopCore& loop_;
  Note note_{*this};
  std::atomic<std::uint64_t> arrived_{0};
  std::atomic<bool> posted_{false};
  Entry entries_[kSignals];
};

}  // namespace nogil::asyncio::detail
