// nogil/multiprocessing/detail/robust_word.hpp -- a lock in one word that outlives its holder.
//
// The algorithm of Lock and RLock between processes. The word says who took it, so whoever
// waits for long can ask the system whether that one still lives, and if not, free it.
//
// Why not a robust futex: the kernel keeps that list for each thread, for locks which the
// thread that took them gives back; here anyone may. And this holds however a process ends.
//
// Source   owner_word.hpp, with a wider owner.

#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "nogil/multiprocessing/detail/crowd.hpp"
#include "nogil/platform/backoff.hpp"
#include "nogil/platform/wait.hpp"

namespace nogil::multiprocessing::detail {

enum class Taking { kTaken, kGaveUp, kOwnerDied };

template <class Platform>
class RobustWord {
 public:
  using Wait = platform::BasicWait<Platform>;

  // `me` is a Who (life.hpp).
  bool try_lock(std::uint64_t me) noexcept {
    std::uint64_t seen = kFree;
    return word_.compare_exchange_strong(seen, me, std::memory_order_acquire, std::memory_order_relaxed);
  }

  // Takes the lock within the limit. kOwnerDied: lives(who took it) was false, and the lock
  // is free now; only one of those who wait is told.
  template <class Lives>
  Taking lock_slow(std::uint64_t me, Wait& wait, Lives&& lives);

  // False, and nothing has changed: it was free already.
  bool unlock() noexcept {
    const auto address = Platform::address(word_);
    const std::uint64_t old = word_.exchange(kFree, std::memory_order_release);
    if ((old & kSleepers) != 0) [[unlikely]]
      Platform::futex_wake(address, 1);
    return old != kFree;
  }

  // Who took it, at some moment during the call; 0: it is free.
  std::uint64_t owner() const noexcept { return word_.load(std::memory_order_relaxed) & ~kSleepers; }

 private:
  // word_ holds
  //
  //   bits  0..29   the number of the process or thread that took the lock; 0: it is free
  //   bit   31      sleepers   somebody may be asleep on the low half, the futex word
  //   bits 32..63   when the one who took it was started
  //
  // The mark is kept as in owner_word.hpp, and no wake-up is lost for the same reason.
  //
  // A sleeper wakes by itself after a while to ask whether the owner lives, and frees the
  // lock of a dead one in a step that compares the whole word: so it never frees the lock
  // of somebody who took it since. As whoever frees it also wakes another sleeper, the death
  // of a sleeper that was just woken costs the others nothing but their next look: they
  // wake by themselves, and find the lock free.
  static constexpr std::uint64_t kFree = 0;
  static constexpr std::uint64_t kSleepers = std::uint64_t{1} << 31;
  static constexpr std::chrono::milliseconds kFirstLook{1};
  static constexpr std::chrono::milliseconds kLongestLook{32};

  std::uint64_t spin(const Wait& wait) const noexcept {
    CrowdBackoff<Platform, platform::LockPolicy> backoff(wait);
    std::uint64_t seen = word_.load(std::memory_order_relaxed);
    while (seen != kFree && (seen & kSleepers) == 0 && backoff.again()) seen = word_.load(std::memory_order_relaxed);
    return seen;
  }

  typename Platform::template Atomic<std::uint64_t> word_{kFree};
};

template <class Platform>
template <class Lives>
Taking RobustWord<Platform>::lock_slow(std::uint64_t me, Wait& wait, Lives&& lives) {
  std::uint64_t mark = 0;         // kSleepers once this one has slept
  std::uint64_t suspect = kFree;  // who has had it for as long as this one slept
  auto look = kFirstLook;
  bool in_time = true;
  for (std::uint64_t seen = spin(wait);;) {
    const std::uint64_t owner = seen & ~kSleepers;
    if (owner == kFree) {
      if (word_.compare_exchange_weak(seen, me | mark, std::memory_order_acquire, std::memory_order_relaxed)) {
        return Taking::kTaken;
      }
    } else if ((owner == suspect || !in_time) && !lives(owner)) {
      const auto address = Platform::address(word_);
      if (word_.compare_exchange_strong(seen, kFree, std::memory_order_acquire, std::memory_order_relaxed)) {
        if ((seen & kSleepers) != 0) Platform::futex_wake(address, 1);
        return Taking::kOwnerDied;
      }
    } else if (!in_time) {
      return Taking::kGaveUp;  // the mark is set, for those who go on sleeping
    } else if (wait.over()) {
      in_time = false;  // a last look, also at the owner
      seen = word_.load(std::memory_order_relaxed);
    } else if ((seen & kSleepers) == 0) {
      word_.compare_exchange_weak(seen, seen | kSleepers, std::memory_order_relaxed, std::memory_order_relaxed);
      seen = word_.load(std::memory_order_relaxed);
    } else {
      mark = kSleepers;
      bool slept_through = false;
      in_time =
          wait.park(word_, static_cast<std::uint32_t>(seen), platform::Deadline::after(look), "lock", &slept_through);
      suspect = slept_through ? owner : kFree;
      if (!slept_through) look = kFirstLook;
      else if (look < kLongestLook) look *= 2;
      seen = word_.load(std::memory_order_relaxed);
    }
  }
}

}  // namespace nogil::multiprocessing::detail
