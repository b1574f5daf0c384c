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

  // Never holds more than `limit` permits.
  explicit constexpr SemaphoreCore(std::uint32_t permits, std::uint32_t limit = kMax) noexcept
      : state_(permits), usual_(usual(permits, limit)), limit_(limit) {}

  bool try_acquire() noexcept {
    std::uint64_t seen = usual_.load(std::memory_order_relaxed);
    return state_.compare_exchange_strong(seen, seen - kPermit, std::memory_order_acquire, std::memory_order_relaxed) ||
           take(seen);
  }

  // Takes a permit within the limit; false: it gave up.
  bool acquire_slow(Wait& wait);

  // Adds n permits and wakes up to n waiters. False, and nothing has changed, if that
  // would make more than the limit.
  bool release(std::uint32_t n) noexcept {
    if (n != 1) return put(state_.load(std::memory_order_relaxed), n);
    if (limit_ != kMax) return put_one_within_limit();
    const auto address = Platform::address(state_);
    const std::uint64_t seen = state_.fetch_add(kPermit, std::memory_order_release);
    // From here on *this may be gone: who took the permit may have destroyed it.
    if (seen < kMax) [[likely]]
      return true;
    if (permits(seen) < kMax) return wake(address, 1);
    // One too many, which then nobody needs. To add it and take it back is no release.
    state_.fetch_sub(kPermit, std::memory_order_relaxed);
    return false;
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
  //
  // The first step is a guess: that nobody waits, and that there are as many permits as
  // when the guess was wrong the last time, or one less when one is to be put back. A guess
  // that fails has read the state, at the price of a look; one that is right saves the
  // look, for which a processor may wait long (docs/design/locks.md). It is never of more
  // permits than the limit, so there is room for the one that a right guess puts back.
  // A permit that need not stay below a limit is put back without a guess.
  static constexpr std::uint64_t kPermit = 1;
  static constexpr std::uint64_t kWaiter = std::uint64_t{1} << 32;

  static constexpr std::uint32_t permits(std::uint64_t state) noexcept { return static_cast<std::uint32_t>(state); }
  static constexpr std::uint64_t waiters(std::uint64_t state) noexcept { return state >> 32; }

  // Takes a permit, if there is one; `seen` is what the state was a moment ago.
  [[gnu::noinline]] bool take(std::uint64_t seen) noexcept {
    while (permits(seen) != 0) {
      if (state_.compare_exchange_weak(seen, seen - kPermit, std::memory_order_acquire, std::memory_order_relaxed)) {
        usual_.store(permits(seen), std::memory_order_relaxed);
        return true;
      }
    }
    return false;
  }
  bool look_and_take() noexcept { return take(state_.load(std::memory_order_relaxed)); }

  bool put_one_within_limit() noexcept {
    std::uint64_t seen = usual_.load(std::memory_order_relaxed) - kPermit;
    return state_.compare_exchange_strong(seen, seen + kPermit, std::memory_order_release, std::memory_order_relaxed) ||
           put(seen, 1);
  }

  [[gnu::noinline]] bool put(std::uint64_t seen, std::uint32_t n) noexcept {
    const auto address = Platform::address(state_);
    do {
      if (n > limit_ - permits(seen)) return false;
    } while (!state_.compare_exchange_weak(seen, seen + n, std::memory_order_release, std::memory_order_relaxed));
    // From here on *this may be gone, as above.
    return waiters(seen) == 0 || wake(address, n);
  }

  // True.
  [[gnu::noinline, gnu::cold]] static bool wake(typename Platform::Address address, std::uint32_t n) noexcept {
    Platform::futex_wake(address, n);
    return true;
  }

  // The first guess: the permits it was made with. If none, that one has come meanwhile;
  // if none may come, what will never be there.
  static constexpr std::uint32_t usual(std::uint32_t permits, std::uint32_t limit) noexcept {
    if (limit == 0) return kMax + 1;
    return permits == 0 ? 1 : permits;
  }

  typename Platform::template Atomic<std::uint64_t> state_;
  typename Platform::template Atomic<std::uint32_t> usual_;  // the permits that are guessed
  const std::uint32_t limit_;
};

template <class Platform>
bool SemaphoreCore<Platform>::acquire_slow(Wait& wait) {
  if (wait.immediate()) return look_and_take();
  for (platform::BasicBackoff<Platform> backoff(wait); backoff.again();) {
    if (look_and_take()) return true;
  }
  std::uint64_t seen = state_.fetch_add(kWaiter, std::memory_order_relaxed) + kWaiter;
  for (bool in_time = true;;) {
    if (permits(seen) != 0) {
      if (state_.compare_exchange_weak(seen, seen - kWaiter - kPermit, std::memory_order_acquire,
                                       std::memory_order_relaxed)) {
        return true;
      }
    } else if (in_time) {
      in_time = wait.park(state_, 0, "semaphore");
      seen = state_.load(std::memory_order_relaxed);
    } else if (state_.compare_exchange_weak(seen, seen - kWaiter, std::memory_order_relaxed,
                                            std::memory_order_relaxed)) {
      return false;
    }
  }
}

}  // namespace nogil::detail
