// nogil/threading/detail/barrier_core.hpp -- threads that wait for each other, again and again.
//
// The algorithm of Barrier.

#pragma once

#include <atomic>
#include <cstdint>

#include "nogil/platform/backoff.hpp"
#include "nogil/platform/wait.hpp"

namespace nogil::detail {

template <class Platform>
class BarrierCore {
 public:
  using Wait = platform::BasicWait<Platform>;

  static constexpr std::uint32_t kMaxParties = 0x7fff'ffff;
  static constexpr std::int64_t kBrokenBarrier = -1;

  explicit constexpr BarrierCore(std::uint32_t parties) noexcept : parties_(parties) {}

  // Arrives, and waits for the others: the number of this thread in the order of arrival,
  // from 0, or kBrokenBarrier. The last to arrive calls action(), if has_action; what
  // that throws breaks the barrier and goes out.
  template <class Action>
  std::int64_t arrive(Wait& wait, bool has_action, Action&& action);

  // Breaks the barrier until reset(): all who wait, and all who come, get kBrokenBarrier.
  void abort() noexcept {
    change([](std::uint64_t seen) { return (seen | kBroken) & ~kResetting; });
  }

  // Who waits gets kBrokenBarrier; who comes after finds it new.
  void reset() noexcept {
    change([](std::uint64_t seen) { return drained(seen) ? seen & ~kBroken : (seen & ~kBroken) | kResetting; });
  }

  bool broken() const noexcept { return (state_.load(std::memory_order_acquire) & kBroken) != 0; }

  std::uint32_t waiting() const noexcept {
    const std::uint64_t seen = state_.load(std::memory_order_relaxed);
    return (seen & (kBroken | kResetting)) != 0 ? 0 : arrived(seen);
  }

  std::uint32_t parties() const noexcept { return parties_; }

 private:
  // state_ holds
  //
  //   bit   0       sleepers    somebody may be asleep on the low half, the futex word
  //   bit   1       broken      until reset()
  //   bit   2       resetting   until all have left who were waiting at a reset()
  //   bit   3       closing     all have arrived; the last one runs the action
  //   bits  4..31   phase       how often the barrier has been passed (or reset)
  //   bits 32..63   arrived     threads that wait in this phase, awake or asleep
  //
  // Invariant: a thread that has arrived is counted until the step that ends its phase,
  // which sets `arrived` to 0, or until its own step of leaving a broken or resetting
  // barrier. The phase changes only when everybody has passed, or everybody has left.
  //
  // So a waiter that sees another phase has passed, however late it looks; and nobody is
  // counted in a phase that is not his. No wake-up is lost: each step that a waiter could
  // be waiting for changes the futex word, and learns in that step of the sleepers.
  static constexpr std::uint64_t kSleepers = 1;
  static constexpr std::uint64_t kBroken = 2;
  static constexpr std::uint64_t kResetting = 4;
  static constexpr std::uint64_t kClosing = 8;
  static constexpr std::uint64_t kPhase = 16;
  static constexpr std::uint64_t kArrival = std::uint64_t{1} << 32;

  static constexpr std::uint32_t low(std::uint64_t state) noexcept { return static_cast<std::uint32_t>(state); }
  static constexpr std::uint32_t phase(std::uint64_t state) noexcept { return low(state) / low(kPhase); }
  static constexpr std::uint32_t arrived(std::uint64_t state) noexcept {
    return static_cast<std::uint32_t>(state >> 32);
  }
  static constexpr bool drained(std::uint64_t state) noexcept { return arrived(state) == 0 && (state & kClosing) == 0; }

  // The next phase, with nobody in it.
  static constexpr std::uint64_t next_phase(std::uint64_t state) noexcept {
    return low((state & ~(kPhase - 1)) + kPhase);
  }

  // `state` after a step away from a broken or resetting barrier.
  static constexpr std::uint64_t settled(std::uint64_t state) noexcept {
    return (state & kResetting) != 0 && drained(state) ? next_phase(state) : state;
  }

  bool step(std::uint64_t& seen, std::uint64_t next) noexcept {
    return state_.compare_exchange_weak(seen, next, std::memory_order_acq_rel, std::memory_order_acquire);
  }

  // Takes the step to next(seen), and wakes everybody who sleeps. The mark goes: who
  // must sleep on sets it again. Nothing of *this is touched after the step.
  template <class Next>
  void change(Next next) noexcept {
    const auto address = Platform::address(state_);
    std::uint64_t seen = state_.load(std::memory_order_acquire);
    while (!step(seen, next(seen) & ~kSleepers)) {
    }
    if ((seen & kSleepers) != 0) Platform::futex_wake(address, platform::kEveryone);
  }

  // Sleeps until the futex word is not as in `seen`, which is then read anew.
  bool sleep(std::uint64_t& seen, Wait& wait) noexcept {
    if ((seen & kSleepers) == 0 && !step(seen, seen | kSleepers)) return true;
    const bool in_time = wait.park(state_, low(seen | kSleepers), "barrier");
    seen = state_.load(std::memory_order_acquire);
    return in_time;
  }

  template <class Action>
  std::int64_t close(std::uint32_t index, Action&& action);
  std::int64_t wait_for_others(std::uint64_t seen, std::uint32_t index, Wait& wait) noexcept;

  typename Platform::template Atomic<std::uint64_t> state_{0};
  const std::uint32_t parties_;
};

template <class Platform>
template <class Action>
std::int64_t BarrierCore<Platform>::arrive(Wait& wait, bool has_action, Action&& action) {
  const auto address = Platform::address(state_);
  const std::uint32_t last = parties_ - 1;
  for (std::uint64_t seen = state_.load(std::memory_order_acquire);;) {
    const std::uint32_t index = arrived(seen);
    if ((seen & kBroken) != 0) return kBrokenBarrier;
    if ((seen & (kResetting | kClosing)) != 0) {
      Wait forever;  // for the others to leave: not part of the time that was asked for
      sleep(seen, forever);
    } else if (index != last) {
      if (step(seen, seen + kArrival)) return wait_for_others(seen, index, wait);
    } else if (has_action) {
      if (step(seen, seen | kClosing)) return close(index, action);
    } else if (step(seen, next_phase(seen))) {
      // From here on *this may be gone.
      if ((seen & kSleepers) != 0) Platform::futex_wake(address, platform::kEveryone);
      return index;
    }
  }
}

// The last to arrive, which is not counted, runs the action; kClosing keeps the phase.
template <class Platform>
template <class Action>
std::int64_t BarrierCore<Platform>::close(std::uint32_t index, Action&& action) {
  try {
    action();
  } catch (...) {
    change([](std::uint64_t seen) { return settled((seen | ((seen & kResetting) != 0 ? 0 : kBroken)) & ~kClosing); });
    throw;
  }
  bool passed = false;
  change([&](std::uint64_t seen) {
    passed = (seen & (kBroken | kResetting)) == 0;
    return passed ? next_phase(seen) : settled(seen & ~kClosing);
  });
  return passed ? index : kBrokenBarrier;
}

template <class Platform>
std::int64_t BarrierCore<Platform>::wait_for_others(std::uint64_t seen, std::uint32_t index, Wait& wait) noexcept {
  const std::uint32_t mine = phase(seen);
  const auto waiting = [&] { return phase(seen) == mine && (seen & (kBroken | kResetting)) == 0; };

  seen = state_.load(std::memory_order_acquire);
  for (platform::BasicBackoff<Platform> backoff(wait, parties_); waiting() && backoff.again();) {
    seen = state_.load(std::memory_order_acquire);
  }
  for (bool in_time = !wait.immediate();;) {
    if (phase(seen) != mine) return index;
    if (!waiting()) {
      change([](std::uint64_t now) { return settled(now - kArrival); });
      return kBrokenBarrier;
    }
    if (in_time) {
      in_time = sleep(seen, wait);
    } else if ((seen & kClosing) != 0) {
      Wait forever;  // everybody is here: it is the action now that decides
      sleep(seen, forever);
    } else if (const auto address = Platform::address(state_); step(seen, ((seen | kBroken) & ~kSleepers) - kArrival)) {
      if ((seen & kSleepers) != 0) Platform::futex_wake(address, platform::kEveryone);
      return kBrokenBarrier;
    }
  }
}

}  // namespace nogil::detail
