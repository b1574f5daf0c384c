// Tests of EventCount: no change is missed, by any number of waiters and notifiers.

#include "nogil/platform/event_count.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <type_traits>

#include "support/threads.hpp"

namespace nogil::testing::event_count_test {
namespace {

using namespace std::chrono_literals;
using platform::Deadline;
using platform::EventCount;
using platform::Wait;

static_assert(sizeof(EventCount) == 8);
static_assert(!std::is_copy_constructible_v<EventCount>);

constinit EventCount g_count;

TEST(EventCountTest, is_ready_before_any_code_runs_and_counts_who_is_announced) {
  EXPECT_EQ(g_count.waiting(), 0u);
  const auto a = g_count.prepare();
  const auto b = g_count.prepare();
  EXPECT_EQ(g_count.waiting(), 2u);
  g_count.cancel(a);
  EXPECT_EQ(g_count.waiting(), 1u);
  g_count.cancel(b);
  EXPECT_EQ(g_count.waiting(), 0u);
}

TEST(EventCountTest, ends_a_wait_by_a_notify_that_came_before_it) {
  EventCount count;
  const auto key = count.prepare();
  count.notify(1);
  Wait forever;
  EXPECT_TRUE(count.wait(key, forever));
  EXPECT_EQ(count.waiting(), 0u);
}

TEST(EventCountTest, ends_a_wait_that_sleeps) {
  EventCount count;
  Call sleeper([&] {
    Wait forever;
    return count.wait(count.prepare(), forever);
  });
  ASSERT_TRUE(falls_asleep(sleeper));
  count.notify(1);
  EXPECT_TRUE(sleeper.result());
  EXPECT_EQ(count.waiting(), 0u);
}

TEST(EventCountTest, does_not_remember_a_notify_for_who_comes_later) {
  EventCount count;
  count.notify(5);
  count.notify_all();
  Wait brief(1ms);
  EXPECT_FALSE(count.wait(count.prepare(), brief));
  EXPECT_EQ(count.waiting(), 0u);
}

TEST(EventCountTest, gives_up_when_its_limit_is_reached) {
  EventCount count;
  const auto start = std::chrono::steady_clock::now();
  Wait timed(20ms);
  EXPECT_FALSE(count.wait(count.prepare(), timed));
  EXPECT_GE(std::chrono::steady_clock::now() - start, 20ms);
  Wait immediate(Deadline::immediate());
  EXPECT_FALSE(count.wait(count.prepare(), immediate));
  EXPECT_EQ(count.waiting(), 0u) << "who gave up is not announced any more";
}

TEST(EventCountTest, takes_a_notify_rather_than_a_limit_that_is_reached) {
  EventCount count;
  const auto key = count.prepare();
  count.notify(1);
  Wait immediate(Deadline::immediate());
  EXPECT_TRUE(count.wait(key, immediate));
}

TEST(EventCountTest, lets_a_cancel_come_after_the_notify_that_claimed_it) {
  EventCount count;
  const auto key = count.prepare();
  count.notify(1);
  EXPECT_EQ(count.waiting(), 0u);
  count.cancel(key);
  EXPECT_EQ(count.waiting(), 0u);
  // Nobody else's announcement was taken away by that.
  Call sleeper([&] {
    Wait forever;
    return count.wait(count.prepare(), forever);
  });
  ASSERT_TRUE(falls_asleep(sleeper));
  EXPECT_EQ(count.waiting(), 1u);
  count.notify(1);
  EXPECT_TRUE(sleeper.result());
}

TEST(EventCountTest, wakes_everybody_by_notify_all) {
  EventCount count;
  const auto sleep = [&] {
    Wait forever;
    return count.wait(count.prepare(), forever);
  };
  Call a(sleep), b(sleep), c(sleep);
  ASSERT_TRUE(falls_asleep(a, b, c));
  EXPECT_EQ(count.waiting(), 3u);
  count.notify_all();
  EXPECT_TRUE(a.result());
  EXPECT_TRUE(b.result());
  EXPECT_TRUE(c.result());
}

TEST(EventCountTest, may_be_destroyed_by_the_waiter_that_a_claim_wakes) {
  for (int round = 0; round < rounds(300); ++round) {
    auto count = std::make_unique<EventCount>();
    Call sleeper([&] {
      Wait forever;
      count->wait(count->prepare(), forever);
      count.reset();
    });
    ASSERT_TRUE(falls_asleep(sleeper));
    const EventCount::Claim claim = count->claim(1);
    claim.wake();
    sleeper.result();
  }
}

// Taking tokens as the top of the header shows. Every put is followed by one notify, so
// if any wake-up were lost, somebody would sleep while there is something to take.
TEST(EventCountTest, loses_no_wake_up_under_stress) {
  EventCount count;
  std::atomic<int> tokens = 0;
  const auto try_take = [&] {
    for (int seen = tokens; seen > 0;) {
      if (tokens.compare_exchange_weak(seen, seen - 1)) return true;
    }
    return false;
  };
  const int each = rounds(4000);
  std::atomic<int> taken = 0;
  Bunch takers(6, [&](int index) {
    for (int i = 0; i < each; ++i) {
      while (!try_take()) {
        const auto key = count.prepare();
        if (try_take()) {
          count.cancel(key);
          break;
        }
        Wait wait = index % 2 == 0 ? Wait() : Wait(std::chrono::microseconds(30));
        count.wait(key, wait);
      }
      ++taken;
      // The wake-up may have been meant for somebody who still sleeps.
      if (tokens > 0) count.notify(1);
    }
  });
  Bunch givers(3, [&] {
    for (int i = 0; i < 2 * each; ++i) {
      tokens.fetch_add(1);
      count.notify(1);
      if (i % 64 == 0) std::this_thread::yield();
    }
  });
  givers.join();
  takers.join();
  EXPECT_EQ(taken, 6 * each);
  EXPECT_EQ(tokens, 0);
  count.notify_all();  // some may still be counted who were let through by another's wake-up
  EXPECT_EQ(count.waiting(), 0u);
}

}  // namespace
}  // namespace nogil::testing::event_count_test
