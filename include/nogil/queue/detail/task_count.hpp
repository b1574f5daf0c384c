// nogil/queue/detail/task_count.hpp -- how many elements were put and are not done yet.
//
// For task_done() and join(). The queue counts its puts anyway, so a put pays nothing for
// this: unfinished = puts - done.

#pragma once

#include <atomic>
#include <cstdint>

#include "nogil/platform/backoff.hpp"
#include "nogil/platform/wait.hpp"

namespace nogil::detail {

template <class Platform>
class TaskCount {
 public:
  using Wait = platform::BasicWait<Platform>;

  // Whom to wake when the queue may be gone.
  struct Joiners {
    typename Platform::Address address{};
    bool asleep = false;
    void wake() const noexcept {
      if (asleep) Platform::futex_wake(address, platform::kEveryone);
    }
  };

  // One more is done, of puts() so far. False: they were all done already.
  template <class Puts>
  bool task_done(Puts&& puts) noexcept {
    const auto address = Platform::address(state_);
    std::uint64_t seen = state_.load(std::memory_order_acquire);
    std::uint64_t next;
    do {
      // `done` first: what others put and finished since would look like too many.
      std::uint64_t put = known_puts_.load(std::memory_order_relaxed);
      if (done(seen) + 1 >= put) known_puts_.store(put = puts(), std::memory_order_relaxed);
      if (done(seen) >= put) return false;
      next = seen + kDone;
      if (done(next) == put) next &= ~kJoiners;
    } while (!state_.compare_exchange_weak(seen, next, std::memory_order_acq_rel, std::memory_order_acquire));
    // From here on *this may be gone: a joiner may have been let through.
    if ((seen & kJoiners) != (next & kJoiners)) Platform::futex_wake(address, platform::kEveryone);
    return true;
  }

  // `dropped` elements of `puts` will never be done by anybody; as Python, does not go
  // below zero if task_done() was called for them already.
  Joiners drop(std::uint64_t puts, std::uint64_t dropped) noexcept {
    Joiners joiners{Platform::address(state_)};
    if (dropped == 0) return joiners;
    std::uint64_t seen = state_.load(std::memory_order_relaxed);
    std::uint64_t next;
    do {
      const std::uint64_t left = puts - done(seen);
      next = (seen + (dropped < left ? dropped : left) * kDone) & ~kJoiners;
    } while (!state_.compare_exchange_weak(seen, next, std::memory_order_acq_rel, std::memory_order_relaxed));
    joiners.asleep = (seen & kJoiners) != 0;
    return joiners;
  }

  // Exact at some moment during the call.
  template <class Puts>
  std::uint64_t unfinished(Puts&& puts) const noexcept {
    for (std::uint64_t before = done(state_.load(std::memory_order_acquire));;) {
      const std::uint64_t put = puts();
      const std::uint64_t after = done(state_.load(std::memory_order_acquire));
      if (before == after) return put - after;
      before = after;
    }
  }

  // Waits until all are done, of puts() at that moment. False: the limit was reached first.
  template <class Puts>
  bool join(Wait& wait, Puts&& puts) noexcept {
    platform::BasicBackoff<Platform> backoff(wait);
    std::uint64_t seen = state_.load(std::memory_order_acquire);
    // `done` first: it never passes the puts, so if they are equal afterwards, they were.
    while (done(seen) != puts() && backoff.again()) seen = state_.load(std::memory_order_acquire);
    for (bool in_time = !wait.immediate(); done(seen) != puts();) {
      if (!in_time) return false;
      if ((seen & kJoiners) == 0 &&
          !state_.compare_exchange_weak(seen, seen | kJoiners, std::memory_order_acquire, std::memory_order_acquire)) {
        continue;
      }
      in_time = wait.park(state_, static_cast<std::uint32_t>(seen | kJoiners), "queue.join");
      seen = state_.load(std::memory_order_acquire);
    }
    return true;
  }

 private:
  // state_ holds
  //
  //   bit  0       joiners   somebody may be asleep on the low half, the futex word
  //   bits 1..63   done
  //
  // Joiners sleep only while the word is unchanged since they found work unfinished. The
  // task_done() that finishes the last takes the mark away and wakes them; one that only
  // seemed to be the last, because a put came in between, wakes them for nothing.
  static constexpr std::uint64_t kJoiners = 1;
  static constexpr std::uint64_t kDone = 2;

  static constexpr std::uint64_t done(std::uint64_t state) noexcept { return state / kDone; }

  typename Platform::template Atomic<std::uint64_t> state_{0};

  // There were at least so many puts. While that is enough to know that this is not the
  // last, the queue's own count, in a line that producers write, is left alone.
  typename Platform::template Atomic<std::uint64_t> known_puts_{0};
};

}  // namespace nogil::detail
