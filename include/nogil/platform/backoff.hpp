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
// Cost    at most about 7 us of CPU for each wait; nothing on a single core.
// Tuning  -DNOGIL_SPIN_PAUSES=n -DNOGIL_SPIN_YIELDS=n, the same in every file of a
//         program. 0 and 0: sleep at once.

#pragma once

#ifndef NOGIL_SPIN_PAUSES
#define NOGIL_SPIN_PAUSES 16
#endif
#ifndef NOGIL_SPIN_YIELDS
#define NOGIL_SPIN_YIELDS 16
#endif

namespace nogil::platform {

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

template <class Platform, class Policy = WaitPolicy>
class BasicBackoff {
 public:
  // For a wait with this limit: one that is over before it begins is not spun for.
  template <class Wait>
  explicit BasicBackoff(const Wait& wait) noexcept : round_(wait.immediate() ? kRounds : 0) {}

  // Lets a moment pass. Returns false, at once, when it is time to sleep instead.
  bool again() noexcept {
    if constexpr (!Platform::kSpins) return false;
    if (round_ == kRounds || !Platform::may_spin()) return false;
    if (round_ < Policy::kPauseRounds) {
      for (int left = Policy::pauses(round_); left > 0; --left) Platform::pause();
    } else {
      Platform::yield();
    }
    ++round_;
    return true;
  }

 private:
  static constexpr int kRounds = Policy::kPauseRounds + Policy::kYieldRounds;

  int round_;
};

}  // namespace nogil::platform
