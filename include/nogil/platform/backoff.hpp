// nogil/platform/backoff.hpp -- how long a waiter looks again before it sleeps.
//
//   BasicBackoff<Platform> backoff(wait);
//   while (!ready() && backoff.again()) {}       // then sleep, if still not ready
//
// The one wait policy of the library: a few pauses, then a few yields of the core,
// then sleep. A hand-over that is met while still awake costs 0.1-0.3 us, a sleep and
// its wake-up 5-60 us. Yields must come early: with more threads than cores a long
// row of pauses only keeps the core from the thread that is waited for.
//
// Cost    at most about 7 us of CPU for each wait, 20 us for one at a queue; nothing on a
//         single core.
// Tuning  -DNOGIL_SPIN_PAUSES=n -DNOGIL_SPIN_YIELDS=n, the same in every file of a
//         program. 0 and 0: sleep at once.

#pragma once

#include <cstdint>

#ifndef NOGIL_SPIN_PAUSES
#define NOGIL_SPIN_PAUSES 16
#endif
#ifndef NOGIL_SPIN_YIELDS
#define NOGIL_SPIN_YIELDS 16
#endif

namespace nogil::platform {

// Instead of a number of pauses: yields.
inline constexpr int kYield = 0;

// For waits that another thread ends by an act of its own: a release, a set, a notify.
struct WaitPolicy {
  static constexpr int kPauseRounds = NOGIL_SPIN_PAUSES;
  static constexpr int kYieldRounds = NOGIL_SPIN_YIELDS;
  static constexpr int pauses(int) noexcept { return 1; }
};

// For a lock that is held for a moment: 2, 4 and 8 pauses, which leave the line to its
// holder for longer and longer, then half the yields.
struct LockPolicy {
  static constexpr int kPauseRounds = NOGIL_SPIN_PAUSES == 0 ? 0 : 3;
  static constexpr int kYieldRounds = NOGIL_SPIN_YIELDS / 2;
  static constexpr int pauses(int round) noexcept { return 2 << round; }
};

// For an end of a queue that waits for the other end (docs/design/queues.md). One yield comes
// early: with more threads than cores it lets the other end run, and with fewer it is over
// before a hand-over is. The whole lasts as long as a wake-up takes: with less patience, who
// waits for one that has just been woken falls asleep as well, and so on in turns.
struct QueuePolicy {
  static constexpr int kPauseRounds = NOGIL_SPIN_PAUSES * 3;
  static constexpr int kYieldRounds = NOGIL_SPIN_YIELDS * 4;
  static constexpr int pauses(int round) noexcept { return round == 0 ? 4 : round == 1 ? kYield : 1; }
};

template <class Platform, class Policy = WaitPolicy>
class BasicBackoff {
 public:
  // For a wait with this limit: one that is over before it begins is not spun for.
  template <class Wait>
  explicit BasicBackoff(const Wait& wait) noexcept : round_(wait.immediate() ? kRounds : 0) {}

  // For so many threads that wait for each other. Where they cannot all run at once, each
  // moment of one keeps the core from another that has yet to come: no pauses then, and a
  // quarter of the yields.
  template <class Wait>
  BasicBackoff(const Wait& wait, std::uint32_t threads) noexcept : BasicBackoff(wait) {
    if (round_ == 0 && !Platform::room_for(threads)) round_ = kRounds - Policy::kYieldRounds / 4;
  }

  // Lets a moment pass. Returns false, at once, when it is time to sleep instead.
  bool again() noexcept {
    if constexpr (!Platform::kSpins) return false;
    if (round_ == kRounds || !Platform::may_spin()) return false;
    const int pauses = round_ < Policy::kPauseRounds ? Policy::pauses(round_) : kYield;
    for (int left = pauses; left > 0; --left) Platform::pause();
    if (pauses == kYield) Platform::yield();
    ++round_;
    return true;
  }

 private:
  static constexpr int kRounds = Policy::kPauseRounds + Policy::kYieldRounds;

  int round_;
};

}  // namespace nogil::platform
