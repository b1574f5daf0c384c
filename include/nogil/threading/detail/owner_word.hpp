// nogil/threading/detail/owner_word.hpp -- a lock in one word that says who took it.
//
// The algorithm of Lock and RLock. Contended threads back off away from the word and
// sleep only after that; whoever sleeps leaves a mark that the next release sees.
//
// Source   U. Drepper, "Futexes Are Tricky" (2011), mutex 2, with the owner's number
//          where that has a 1, so that RLock and the deadlock watch need no other field.

#pragma once

#include <atomic>
#include <cstdint>

#include "nogil/platform/backoff.hpp"
#include "nogil/platform/wait.hpp"

namespace nogil::detail {

template <class Platform>
class OwnerWord {
 public:
  using Wait = platform::BasicWait<Platform>;
  using Word = typename Platform::template Atomic<std::uint32_t>;

  // `me` is Platform::thread_id().
  bool try_lock(std::uint32_t me) noexcept {
    std::uint32_t seen = kFree;
    return word_.compare_exchange_strong(seen, me, std::memory_order_acquire, std::memory_order_relaxed);
  }

  // Takes the lock within the limit; false: it gave up. Calls before_sleep() once,
  // before it first sleeps: what that throws goes out, and nothing has changed.
  template <class BeforeSleep>
  bool lock_slow(std::uint32_t me, Wait& wait, BeforeSleep&& before_sleep);

  // False, and nothing has changed: it was free already.
  bool unlock() noexcept {
    const auto address = Platform::address(word_);
    const std::uint32_t old = word_.exchange(kFree, std::memory_order_release);
    // From here on *this may be gone: another thread may have taken and destroyed it.
    if ((old & kSleepers) != 0) [[unlikely]]
      wake_one(address);
    return old != kFree;
  }

  // Who took it, at some moment during the call; 0: it is free.
  std::uint32_t owner() const noexcept { return owner_of(word_.load(std::memory_order_relaxed)); }

  static constexpr std::uint32_t owner_of(std::uint32_t word) noexcept { return word & ~kSleepers; }

  const Word& word() const noexcept { return word_; }

 private:
  // word_ holds
  //
  //   bits 0..29   owner      the number of the thread that took the lock; 0: it is free
  //   bit  31      sleepers   somebody may be asleep on the word
  //
  // Invariant: while a thread sleeps, the mark is set, or a thread that was woken has
  // not yet looked again.
  //
  // So no wake-up is lost: a thread sets the mark before it sleeps, and the kernel lets
  // it sleep only while the word is unchanged. A release takes the mark away and wakes
  // one sleeper; that one cannot know whether others still sleep, so it sets the mark
  // again, whether it takes the lock, sleeps once more, or gives up.
  static constexpr std::uint32_t kFree = 0;
  static constexpr std::uint32_t kSleepers = std::uint32_t{1} << 31;

  // Looks again for a moment. Others asleep already: the lock is held for long, stop.
  std::uint32_t spin(const Wait& wait) const noexcept {
    platform::BasicBackoff<Platform, platform::LockPolicy> backoff(wait);
    std::uint32_t seen = word_.load(std::memory_order_relaxed);
    while (seen != kFree && (seen & kSleepers) == 0 && backoff.again()) seen = word_.load(std::memory_order_relaxed);
    return seen;
  }

  [[gnu::noinline, gnu::cold]] static void wake_one(typename Platform::Address address) noexcept {
    Platform::futex_wake(address, 1);
  }

  Word word_{kFree};
};

template <class Platform>
template <class BeforeSleep>
bool OwnerWord<Platform>::lock_slow(std::uint32_t me, Wait& wait, BeforeSleep&& before_sleep) {
  std::uint32_t mark = 0;  // kSleepers once this thread has slept
  bool in_time = true;
  for (std::uint32_t seen = spin(wait);;) {
    if (seen == kFree) {
      if (word_.compare_exchange_weak(seen, me | mark, std::memory_order_acquire, std::memory_order_relaxed)) {
        return true;
      }
    } else if (mark == 0 && in_time) {
      if (wait.immediate()) return false;
      before_sleep();
      mark = kSleepers;
      seen = word_.load(std::memory_order_relaxed);
    } else if ((seen & kSleepers) == 0) {
      if (word_.compare_exchange_weak(seen, seen | kSleepers, std::memory_order_relaxed, std::memory_order_relaxed)) {
        seen |= kSleepers;
      }
    } else if (in_time) {
      in_time = wait.park(word_, seen, "lock");
      seen = in_time ? spin(wait) : word_.load(std::memory_order_relaxed);
    } else {
      return false;  // the mark is set, for those who go on sleeping
    }
  }
}

}  // namespace nogil::detail
