// nogil/platform/raw_lock.hpp -- the small lock that the library's own tables use.
//
// Four bytes, constant-initialised, trivially destroyed: it can guard what must be
// there before main() and after it. It knows no owner and watches for no deadlock, so
// it is held for a few instructions only, and never while user code runs.
//
//   static constinit RawLock lock;
//   const RawGuard guard(lock);

#pragma once

#include <atomic>
#include <cstdint>

#include "nogil/platform/cpu.hpp"
#include "nogil/platform/deadline.hpp"
#include "nogil/platform/futex.hpp"

namespace nogil::platform {

class RawLock {
 public:
  void lock() noexcept {
    std::uint32_t seen = kFree;
    if (!state_.compare_exchange_strong(seen, kHeld, std::memory_order_acquire, std::memory_order_relaxed)) lock_slow();
  }

  void unlock() noexcept {
    const std::uint32_t* const word = address();
    // Only the address is used from here on: see futex_wake.
    if (state_.exchange(kFree, std::memory_order_release) == kContended) futex_wake(word, 1);
  }

  // In a child process after fork(), where the thread that held it is gone.
  void reset_after_fork() noexcept { state_.store(kFree, std::memory_order_relaxed); }

 private:
  // A thread marks the lock contended before it sleeps, and takes it as contended
  // after: it cannot know whether others still sleep. So whoever releases a lock that
  // anyone sleeps on sees the mark. (Drepper, "Futexes are tricky", mutex 2.)
  static constexpr std::uint32_t kFree = 0;
  static constexpr std::uint32_t kHeld = 1;
  static constexpr std::uint32_t kContended = 2;
  static constexpr int kSpins = 32;

  [[gnu::noinline, gnu::cold]] void lock_slow() noexcept {
    for (int spin = 0; spin < kSpins && state_.load(std::memory_order_relaxed) == kHeld; ++spin) cpu_relax();
    while (state_.exchange(kContended, std::memory_order_acquire) != kFree) {
      futex_wait(address(), kContended, Deadline::never());
    }
  }

  const std::uint32_t* address() const noexcept { return reinterpret_cast<const std::uint32_t*>(&state_); }

  std::atomic<std::uint32_t> state_{kFree};
};

class [[nodiscard]] RawGuard {
 public:
  explicit RawGuard(RawLock& lock) noexcept : lock_(lock) { lock_.lock(); }
  RawGuard(const RawGuard&) = delete;
  RawGuard& operator=(const RawGuard&) = delete;
  ~RawGuard() { lock_.unlock(); }

 private:
  RawLock& lock_;
};

}  // namespace nogil::platform
