// tests/queue/support/race.hpp -- how long threads race with each other.
//
// A moment in an ordinary run. NOGIL_TEST_SECONDS=60 makes each race last for that long, and
// what is repeated a number of times be repeated in full, also under a sanitizer; the
// watchdog waits longer by as much.

#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>

#include "support/threads.hpp"

namespace nogil::testing {

// `usual`, or what the environment asks for.
inline std::chrono::duration<double> race_time(
    std::chrono::duration<double> usual = std::chrono::duration<double>(0.4)) {
  const char* const seconds = std::getenv("NOGIL_TEST_SECONDS");
  return seconds != nullptr ? std::chrono::duration<double>(std::atof(seconds)) : usual;
}

// How often to repeat what an ordinary run repeats as often as time allows.
inline int repetitions(int wanted) {
  return std::getenv("NOGIL_TEST_SECONDS") != nullptr ? wanted : rounds(wanted);
}

// Race after race, until the time is over. Each gets a number of its own.
template <class Round>
void race(Round round) {
  const auto end = std::chrono::steady_clock::now() + race_time();
  for (unsigned seed = 1; std::chrono::steady_clock::now() < end && !::testing::Test::HasFailure(); ++seed) round(seed);
}

}  // namespace nogil::testing
