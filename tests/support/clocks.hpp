// tests/support/clocks.hpp -- clocks that do not run like steady_clock.

#pragma once

#include <atomic>
#include <chrono>

namespace nogil::testing {

// Runs at a third of the speed, from another epoch.
struct SlowClock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<SlowClock>;
  static constexpr bool is_steady = true;

  static time_point now() noexcept {
    return time_point(std::chrono::steady_clock::now().time_since_epoch() / 3 + std::chrono::hours(1000));
  }
};

// Stands still until it is set, and counts how often it was asked.
struct SettableClock {
  using duration = std::chrono::milliseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<SettableClock>;
  static constexpr bool is_steady = false;

  static time_point now() noexcept {
    asked.fetch_add(1);
    return time_point(duration(time.load()));
  }

  static inline std::atomic<rep> time{0};
  static inline std::atomic<int> asked{0};
};

// Stands still, so many nanoseconds after its epoch that a double cannot tell neighbours
// apart.
struct AncientClock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<AncientClock>;
  static constexpr bool is_steady = false;

  static time_point now() noexcept { return time_point(duration(rep{1} << 61)); }
};

}  // namespace nogil::testing
