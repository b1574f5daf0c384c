// nogil/threading/detail/semaphore_core.hpp -- a count of permits that threads can sleep on.
//
// The algorithm of Semaphore and BoundedSemaphore.
//
// Source   The layout is that of glibc's sem_t: value and waiters in one 64-bit word.

#pragma once

#include <atomic>
#include <cstdint>

#include "nogil/platform/backoff.hpp"
#include "nogil/platform/wait.hpp"

namespace nogil::detail {

template <class Platform>
class SemaphoreCore {
 public:
  using Wait = platform::BasicWait<Platform>;

  static constexpr std::uint32_t kMax = 0x7fff'ffff;

  explicit constexpr SemaphoreCore(std::uint32_t permits) noexcept : state_(permits) {}

  bool try_acquire() noexcept {
    std::uint64_t seen = state_.load(std::memory_order_relaxed);
    while (permits(seen) != 0) {
      if (state_.compare_exchange_weak(seen, seen - kPermit, std::memory_order_acquire, std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  // Takes a permit within the limit; false: it gave up.
  bool acquire_slow(Wait& wait);

  // Adds n permits and wakes up to n waiters. False, and nothing has changed, if that
  // would make more than `limit`.
  bool release(std::uint32_t n, std::uint32_t limit) noexcept {
    const auto address = Platform::address(state_);
    std::uint64_t seen = state_.load(std::memory_order_relaxed);
    do {
      if (n > limit - permits(seen)) return false;
    } while (!state_.compare_exchange_weak(seen, seen + n, std::memory_order_release, std::memory_order_relaxed));
    // From here on *this may be gone: who took the permit may have destroyed it.
    if (waiters(seen) != 0) [[unlikely]]
      wake(address, n);
    return true;
  }

  std::uint32_t value() const noexcept { return permits(state_.load(std::memory_order_relaxed)); }

 private:
  // state_ packs two counts, so that one step changes both:
  //
  //   bits  0..31   permits   free permits; the futex word that waiters sleep on
  //   bits 32..63   waiters   threads inside acquire_slow(), awake or asleep
  //
  // Invariant: a thread counts itself in `waiters` before it first sleeps, and uncounts
  // itself in the same step that takes a permit or gives up.
  //
  // So no wake-up is lost: release() learns from the very step that adds the permits
  // whether anyone is counted, and if so it wakes. A waiter not yet asleep will find
  // permits != 0, and the kernel will refuse to let it sleep.
  //
  // Giving up is a step that saw permits == 0: as in Python, a wait never gives up while
  // a permit is free.
  static constexpr std::uint64_t kPermit = 1;
  static constexpr std::uint64_t kWaiter = std::uint64_t{1} << 32;

  static constexpr std::uint32_t permits(std::uint64_t state) noexcept { return static_cast<std::uint32_t>(state); }
  static constexpr std::uint64_t waiters(std::uint64_t state) noexcept { return state >> 32; }

  [[gnu::noinline, gnu::cold]] static void wake(typename Platform::Address address, std::uint32_t n) noexcept {
    Platform::futex_wake(address, n);
  }

  typename Platform::template Atomic<std::uint64_t> state_;
};

template <class Platform>
bool SemaphoreCore<Platform>::acquire_slow(Wait& wait) {
  if (wait.immediate()) return try_acquire();
  for (platform::BasicBackoff<Platform> backoff(wait); backoff.again();) {
    if (try_acquire()) return true;
  }
  std::uint64_t seen = state_.fetch_add(kWaiter, std::memory_order_relaxed) + kWaiter;
  for (bool in_time = true;;) {
    if (permits(seen) != 0) {
      if (state_.compare_exchange_weak(seen, seen - kWaiter - kPermit, std::memory_order_acquire,
                                       std::memory_order_relaxed)) {
        return true;
      }
    } else if (in_time) {
      in_time = wait.park(state_, 0);
      seen = state_.load(std::memory_order_relaxed);
    } else if (state_.compare_exchange_weak(seen, seen - kWaiter, std::memory_order_relaxed,
                                            std::memory_order_relaxed)) {
      return false;
    }
  }
}

}  // namespace nogil::detail
