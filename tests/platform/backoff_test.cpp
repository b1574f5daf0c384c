// Tests of the wait policy: how much a waiter does before it sleeps.

#include "nogil/platform/backoff.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "nogil/platform/wait.hpp"
#include "support/watchdog.hpp"

namespace nogil::testing::backoff_test {
namespace {

// Writes down what it is asked for.
struct Recorder {
  static constexpr bool kSpins = true;
  static inline bool several_cores = true;
  static inline std::string deeds;
  static void pause() { deeds += 'p'; }
  static void yield() { deeds += 'y'; }
  static bool may_spin() { return several_cores; }
  static bool room_for(std::uint32_t threads) { return threads <= 4; }
};

struct Motionless : Recorder {
  static constexpr bool kSpins = false;
};

struct Endless {
  static constexpr bool immediate() { return false; }
};
struct Immediate {
  static constexpr bool immediate() { return true; }
};

struct ThreeAndTwo {
  static constexpr int kPauseRounds = 3;
  static constexpr int kYieldRounds = 2;
  static constexpr int pauses(int round) { return round + 1; }
};

struct OneAndEight {
  static constexpr int kPauseRounds = 1;
  static constexpr int kYieldRounds = 8;
  static constexpr int pauses(int) { return 1; }
};

template <class Platform, class Policy, class Wait>
std::string deeds_before_sleep(const Wait& wait) {
  Recorder::deeds.clear();
  platform::BasicBackoff<Platform, Policy> backoff(wait);
  while (backoff.again()) Recorder::deeds += ' ';
  const std::string deeds = Recorder::deeds;
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(backoff.again());
  EXPECT_EQ(Recorder::deeds, deeds) << "once it is time to sleep it stays so";
  return deeds;
}

TEST(BackoffTest, pauses_first_then_yields_then_sends_to_sleep) {
  Recorder::several_cores = true;
  EXPECT_EQ((deeds_before_sleep<Recorder, ThreeAndTwo>(Endless())), "p pp ppp y y ");
}

TEST(BackoffTest, sends_to_sleep_at_once_on_a_single_core) {
  Recorder::several_cores = false;
  EXPECT_EQ((deeds_before_sleep<Recorder, ThreeAndTwo>(Endless())), "");
  Recorder::several_cores = true;
}

// A thread that waits for others who have no core keeps one from them.
TEST(BackoffTest, makes_way_at_once_where_not_all_can_run) {
  const auto deeds = [](std::uint32_t threads, const auto& wait) {
    Recorder::deeds.clear();
    platform::BasicBackoff<Recorder, OneAndEight> backoff(wait, threads);
    while (backoff.again()) {
    }
    return Recorder::deeds;
  };
  EXPECT_EQ(deeds(4, Endless()), "pyyyyyyyy");
  EXPECT_EQ(deeds(5, Endless()), "yy");
  EXPECT_EQ(deeds(5, Immediate()), "");
}

TEST(BackoffTest, sends_to_sleep_at_once_where_spinning_is_off) {
  EXPECT_EQ((deeds_before_sleep<Motionless, ThreeAndTwo>(Endless())), "");
}

TEST(BackoffTest, does_nothing_for_a_wait_that_is_over_before_it_begins) {
  EXPECT_EQ((deeds_before_sleep<Recorder, ThreeAndTwo>(Immediate())), "");
  EXPECT_EQ((deeds_before_sleep<Recorder, platform::WaitPolicy>(platform::Wait(platform::Deadline::immediate()))), "");
}

TEST(BackoffTest, follows_the_policies_of_the_library) {
  std::string expected;
  for (int i = 0; i < NOGIL_SPIN_PAUSES; ++i) expected += "p ";
  for (int i = 0; i < NOGIL_SPIN_YIELDS; ++i) expected += "y ";
  EXPECT_EQ((deeds_before_sleep<Recorder, platform::WaitPolicy>(platform::Wait())), expected);
  expected = NOGIL_SPIN_PAUSES == 0 ? "" : "pp pppp pppppppp ";
  for (int i = 0; i < NOGIL_SPIN_YIELDS / 2; ++i) expected += "y ";
  EXPECT_EQ((deeds_before_sleep<Recorder, platform::LockPolicy>(platform::Wait())), expected);
  expected = NOGIL_SPIN_PAUSES == 0 ? "" : "pppp y ";
  for (int i = 2; i < NOGIL_SPIN_PAUSES * 3; ++i) expected += "p ";
  for (int i = 0; i < NOGIL_SPIN_YIELDS * 4; ++i) expected += "y ";
  EXPECT_EQ((deeds_before_sleep<Recorder, platform::QueuePolicy>(platform::Wait())), expected);
}

}  // namespace
}  // namespace nogil::testing::backoff_test
