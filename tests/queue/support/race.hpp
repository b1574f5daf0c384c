// tests/queue/support/race.hpp -- how long threads race with each other.
//
// A moment in an ordinary run. NOGIL_TEST_SECONDS=40 makes each race last for that long, and
// what is repeated a number of times be repeated in full; the watchdog allows 50.

#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>

namespace nogil::testing {

// `usual`, or what the environment asks for.
inline std::chrono::duration<double> race_time(
    std::chrono::duration<double> usual = std::chrono::duration<double>(0.4)) {
  const char* const seconds = std::getenv("NOGIL_TEST_SECONDS");
  return seconds != nullptr ? std::chrono::duration<double>(std::atof(seconds)) : usual;
}

// Race after race, until the time is over. Each gets a number of its own.
template <class Round>
void race(Round round) {
  const auto end = std::chrono::steady_clock::now() + race_time();
  for (unsigned seed = 1; std::chrono::steady_clock::now() < end && !::testing::Test::HasFailure(); ++seed) round(seed);
}

}  // namespace nogil::testing
