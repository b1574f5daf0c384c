// nogil/threading/detail/event_core.hpp -- a flag that remembers each time it was set.
//
// The algorithm of Event.

#pragma once

#include <atomic>
#include <cstdint>

#include "nogil/platform/backoff.hpp"
#include "nogil/platform/wait.hpp"

namespace nogil::detail {

template <class Platform>
class EventCore {
 public:
  using Wait = platform::BasicWait<Platform>;

  constexpr EventCore() noexcept = default;

  bool is_set() const noexcept { return (state_.load(std::memory_order_acquire) & kSet) != 0; }

  void set() noexcept {
    const auto address = Platform::address(state_);
    std::uint32_t seen = state_.load(std::memory_order_relaxed);
    std::uint32_t next;
    do {
      // Set already: the step that changes nothing still publishes what this thread did.
      next = (seen & kSet) != 0 ? seen : ((seen & ~kSleepers) + kGeneration) | kSet;
    } while (!state_.compare_exchange_weak(seen, next, std::memory_order_release, std::memory_order_relaxed));
    // From here on *this may be gone: who was let through may have destroyed it.
    if ((seen & kSleepers) != 0) Platform::futex_wake(address, platform::kEveryone);
  }

  void clear() noexcept { state_.fetch_and(~kSet, std::memory_order_relaxed); }

  // Waits for a set() within the limit; false: it gave up.
  bool wait_slow(Wait& wait);

 private:
  // state_ holds
  //
  //   bit  0       set
  //   bit  1       sleepers     somebody may be asleep on the word
  //   bits 2..31   generation   how often it went from cleared to set
  //
  // Who waits remembers the generation that it found, and is let through when the event
  // is set or the generation is another: so a set() that is followed at once by clear()
  // lets through everybody who was waiting. (A thread that sleeps through exactly 2^30
  // of them would sleep on.)
  //
  // Invariant: whoever sleeps has seen the mark in the value it sleeps on. set() takes
  // the mark away in the step that changes the generation, and wakes all. clear() may
  // run between; it leaves the mark alone.
  static constexpr std::uint32_t kSet = 1;
  static constexpr std::uint32_t kSleepers = 2;
  static constexpr std::uint32_t kGeneration = 4;

  static constexpr std::uint32_t generation(std::uint32_t state) noexcept { return state / kGeneration; }

  typename Platform::template Atomic<std::uint32_t> state_{0};
};

template <class Platform>
bool EventCore<Platform>::wait_slow(Wait& wait) {
  std::uint32_t seen = state_.load(std::memory_order_acquire);
  const std::uint32_t found = generation(seen);
  const auto over = [&] { return (seen & kSet) != 0 || generation(seen) != found; };

  for (platform::BasicBackoff<Platform> backoff(wait); !over() && backoff.again();) {
    seen = state_.load(std::memory_order_acquire);
  }
  for (bool in_time = !wait.immediate(); !over() && in_time;) {
    if ((seen & kSleepers) == 0 &&
        !state_.compare_exchange_weak(seen, seen | kSleepers, std::memory_order_acquire, std::memory_order_acquire)) {
      continue;
    }
    in_time = wait.park(state_, seen | kSleepers, "event");
    seen = state_.load(std::memory_order_acquire);
  }
  return over();
}

}  // namespace nogil::detail
