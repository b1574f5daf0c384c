// Tests of the limits of one wait: what ends a sleep on a futex word, and what verbs take.

#include "nogil/platform/wait.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <stop_token>
#include <thread>
#include <vector>

#include "support/clocks.hpp"
#include "support/threads.hpp"

namespace nogil::testing::wait_test {
namespace {

using namespace std::chrono_literals;
using platform::BasicStopSignal;
using platform::Deadline;
using platform::Native;
using platform::TimeLimit;
using platform::Wait;
using platform::WaitLimits;
using std::chrono::steady_clock;
using std::chrono::system_clock;

static_assert(TimeLimit<std::chrono::nanoseconds> && TimeLimit<std::chrono::duration<float>>);
static_assert(TimeLimit<steady_clock::time_point> && TimeLimit<system_clock::time_point>);
static_assert(!TimeLimit<int> && !TimeLimit<double> && !TimeLimit<std::stop_token>);
static_assert(WaitLimits<std::chrono::hours> && WaitLimits<std::stop_token>);
static_assert(WaitLimits<std::chrono::hours, std::stop_token>);
static_assert(!WaitLimits<> && !WaitLimits<int> && !WaitLimits<std::stop_token, std::chrono::hours>);
static_assert(!WaitLimits<std::chrono::hours, std::chrono::hours> && !WaitLimits<std::stop_token, std::stop_token>);

TEST(WaitTest, is_endless_unless_something_limits_it) {
  EXPECT_TRUE(Wait().endless());
  EXPECT_TRUE(Wait(Deadline::never()).endless());
  EXPECT_TRUE(Wait(std::chrono::hours::max()).endless());
  EXPECT_FALSE(Wait(1h).endless());
  EXPECT_FALSE(Wait(Deadline::immediate()).endless());
  BasicStopSignal<Native> stop;
  Wait stoppable;
  stoppable.end_with(stop);
  EXPECT_FALSE(stoppable.endless()) << "somebody may still end it";
}

TEST(WaitTest, knows_when_it_is_over) {
  EXPECT_FALSE(Wait().over());
  EXPECT_FALSE(Wait(1h).over());
  EXPECT_TRUE(Wait(0s).over());
  EXPECT_TRUE(Wait(0s).immediate());
  EXPECT_TRUE(Wait(-1h).immediate());
  EXPECT_FALSE(Wait(1h).immediate());
  BasicStopSignal<Native> stop;
  Wait stoppable;
  stoppable.end_with(stop);
  EXPECT_FALSE(stoppable.over());
  stop.request();
  EXPECT_TRUE(stoppable.over());
}

// Ours goes on while it is asked, past a translation that is so close.
TEST(WaitTest, is_not_over_before_the_users_clock_says_so) {
  const auto next = AncientClock::now() + 1ns;
  Wait standing(next);
  for (int i = 0; i < 1000; ++i) ASSERT_FALSE(standing.over());
}

TEST(WaitTest, parks_only_while_the_word_is_as_expected) {
  const std::atomic<std::uint32_t> word = 1;
  EXPECT_TRUE(Wait().park(word, 2));
  EXPECT_FALSE(Wait(1ms).park(word, 1));
  EXPECT_FALSE(Wait(0s).park(word, 1));
}

TEST(WaitTest, parks_until_a_clock_of_the_users_says_so) {
  const std::atomic<std::uint32_t> word = 1;
  const auto deadline = SlowClock::now() + 5ms;
  Wait wait(deadline);
  while (wait.park(word, 1)) {
  }
  EXPECT_GE(SlowClock::now(), deadline);
}

TEST(StopSignalTest, ends_a_sleep_that_has_begun) {
  const std::atomic<std::uint32_t> word = 1;
  BasicStopSignal<Native> stop;
  Call sleeper([&] { return stop.park(word, 1, Deadline::never()); });
  ASSERT_TRUE(falls_asleep(sleeper));
  EXPECT_FALSE(stop.requested());
  stop.request();
  EXPECT_FALSE(sleeper.result());
  EXPECT_TRUE(stop.requested());
}

TEST(StopSignalTest, lets_no_sleep_begin_once_it_is_requested) {
  const std::atomic<std::uint32_t> word = 1;
  BasicStopSignal<Native> stop;
  stop.request();
  EXPECT_FALSE(stop.park(word, 1, Deadline::never()));
  EXPECT_FALSE(stop.park(word, 2, Deadline::never())) << "and says so also when the word has changed";
}

TEST(StopSignalTest, is_not_missed_at_any_moment) {
  const std::atomic<std::uint32_t> word = 1;
  const int times = rounds(30000);
  std::vector<BasicStopSignal<Native>> stops(static_cast<std::size_t>(times));
  std::atomic<int> begun = 0;
  Call stopper([&] {
    for (int round = 0; round < times; ++round) {
      for (int looks = 0; begun <= round; ++looks) {
        if (looks % 1024 == 1023) std::this_thread::yield();
      }
      for (int pauses = round % 24; pauses > 0; --pauses) platform::cpu_relax();
      stops[static_cast<std::size_t>(round)].request();
    }
  });
  for (auto& stop : stops) {
    ++begun;
    while (stop.park(word, 1, Deadline::never())) {
    }
  }
  stopper.result();
}

TEST(WithinTest, hands_the_limits_on_and_the_answer_back) {
  StopSource source;
  const auto kind = [](Wait& wait) { return wait.immediate() ? "immediate" : wait.endless() ? "endless" : "limited"; };
  EXPECT_STREQ(platform::within(kind, 1h), "limited");
  EXPECT_STREQ(platform::within(kind, -1h), "immediate");
  EXPECT_STREQ(platform::within(kind, std::chrono::hours::max()), "endless");
  EXPECT_STREQ(platform::within(kind, source.get_token()), "limited");
  EXPECT_STREQ(platform::within(kind, std::stop_token()), "endless") << "nobody can stop that one";
  EXPECT_STREQ(platform::within(kind, stopped_token()), "immediate");
  EXPECT_STREQ(platform::within(kind, 1h, stopped_token()), "immediate");
  EXPECT_STREQ(platform::within(kind, std::chrono::hours::max(), source.get_token()), "limited");
  EXPECT_STREQ(platform::within(kind, std::chrono::hours::max(), std::stop_token()), "endless");
}

}  // namespace
}  // namespace nogil::testing::wait_test
