// Tests of nogil::Event.

#include "nogil/threading/event.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stop_token>
#include <thread>
#include <type_traits>
#include <vector>

#include "support/threads.hpp"
#include "support/wait_suite.hpp"

namespace nogil::testing::event_test {

static_assert(sizeof(Event) == 4);
static_assert(!std::is_copy_constructible_v<Event> && !std::is_move_constructible_v<Event>);
static_assert(!std::is_copy_assignable_v<Event> && !std::is_move_assignable_v<Event>);
static_assert(noexcept(std::declval<const Event&>().is_set()));

NOGIL_WAIT_SUITE(Event, TimedWait, EventDoor<Event>);
NOGIL_WAIT_SUITE(Event, StoppableWait, EventDoor<Event>);
NOGIL_WAIT_SUITE(Event, TimedStoppableWait, EventDoor<Event>);
NOGIL_WAIT_SUITE(Event, WaitForWhatIsFree, EventDoor<Event>);

namespace {

constinit Event g_event;

TEST(EventTest, is_ready_before_any_code_runs) {
  EXPECT_FALSE(g_event.is_set());
  g_event.set();
  EXPECT_TRUE(g_event.wait());
  g_event.clear();
}

TEST(EventTest, is_set_until_it_is_cleared) {
  Event event;
  EXPECT_FALSE(event.is_set());
  event.clear();
  EXPECT_FALSE(event.is_set());
  event.set();
  EXPECT_TRUE(event.is_set());
  event.set();
  EXPECT_TRUE(event.is_set());
  EXPECT_TRUE(event.wait(0s));
  EXPECT_TRUE(event.is_set()) << "a wait takes nothing away";
  event.clear();
  EXPECT_FALSE(event.is_set());
  event.clear();
  EXPECT_FALSE(event.is_set());
  EXPECT_FALSE(event.wait(0s));
}

TEST(EventTest, lets_every_waiter_through) {
  Event event;
  for (int round = 0; round < 3; ++round) {
    std::vector<std::unique_ptr<Call<bool>>> waiters;
    for (int i = 0; i < 6; ++i) {
      waiters.push_back(std::make_unique<Call<bool>>([&, i] { return i % 2 == 0 ? event.wait() : event.wait(1h); }));
    }
    ASSERT_TRUE(falls_asleep(waiters));
    event.set();
    for (auto& waiter : waiters) EXPECT_TRUE(waiter->result());
    event.clear();
  }
}

TEST(EventTest, keeps_waiters_waiting_when_it_is_cleared_without_being_set) {
  Event event;
  Call waiter([&] { return event.wait(); });
  ASSERT_TRUE(falls_asleep(waiter));
  event.clear();
  EXPECT_TRUE(stays([&] { return waiter.asleep() && !event.is_set(); }));
  event.set();
  EXPECT_TRUE(waiter.result());
}

// As CPython's test_set_and_clear: a pulse releases whoever was waiting, even though
// each of them finds the event clear when it looks.
TEST(EventTest, releases_every_waiter_by_a_pulse) {
  Event event;
  StopSource never;
  for (int round = 0; round < rounds(200); ++round) {
    Call a([&] { return event.wait(); });
    Call b([&] { return event.wait(1h); });
    Call c([&] { return event.wait(never.get_token()); });
    Call d([&] { return event.wait(1h, never.get_token()); });
    ASSERT_TRUE(falls_asleep(a, b, c, d));
    event.set();
    event.clear();
    ASSERT_TRUE(a.result());
    ASSERT_TRUE(b.result());
    ASSERT_TRUE(c.result());
    ASSERT_TRUE(d.result());
    ASSERT_FALSE(event.is_set());
  }
}

TEST(EventTest, releases_every_waiter_by_many_pulses_in_a_row) {
  Event event;
  for (int round = 0; round < rounds(50); ++round) {
    Call a([&] { return event.wait(); });
    Call b([&] { return event.wait(); });
    ASSERT_TRUE(falls_asleep(a, b));
    for (int pulse = 0; pulse < 1 + round % 5; ++pulse) {
      event.set();
      event.clear();
    }
    ASSERT_TRUE(a.result());
    ASSERT_TRUE(b.result());
  }
}

TEST(EventTest, does_not_release_by_a_pulse_who_comes_later) {
  Event event;
  for (int round = 0; round < 20; ++round) {
    event.set();
    event.clear();
    ASSERT_FALSE(event.wait(0s));
    Call late([&] { return event.wait(2ms); });
    ASSERT_FALSE(late.result());
  }
}

// A waiter that gave up must not leave a mark by which the event mistakes a later one.
TEST(EventTest, counts_pulses_right_after_waiters_gave_up) {
  Event event;
  for (int round = 0; round < rounds(100); ++round) {
    StopSource source;
    Call timed([&] { return event.wait(1ms); });
    Call stopped([&] { return event.wait(source.get_token()); });
    Call endless([&] { return event.wait(); });
    ASSERT_FALSE(timed.result());
    ASSERT_TRUE(falls_asleep(endless));
    source.request_stop();
    ASSERT_FALSE(stopped.result());
    event.set();
    event.clear();
    ASSERT_TRUE(endless.result());
  }
}

TEST(EventTest, publishes_what_was_written_before_it_was_set) {
  for (int round = 0; round < rounds(1000); ++round) {
    Event event;
    int plain = 0;  // not atomic: ThreadSanitizer checks the ordering for us
    Bunch writer(1, [&] {
      plain = 42;
      event.set();
    });
    if (round % 2 == 0) event.wait();
    else
      while (!event.is_set()) std::this_thread::yield();
    ASSERT_EQ(plain, 42);
  }
}

TEST(EventTest, publishes_what_was_written_before_a_pulse) {
  for (int round = 0; round < rounds(300); ++round) {
    Event event;
    int plain = 0;
    Call reader([&] {
      event.wait();
      return plain;
    });
    ASSERT_TRUE(falls_asleep(reader));
    plain = 42;
    event.set();
    event.clear();
    ASSERT_EQ(reader.result(), 42);
  }
}

TEST(EventTest, may_be_destroyed_by_the_thread_it_let_through) {
  for (int round = 0; round < rounds(2000); ++round) {
    auto event = std::make_unique<Event>();
    Bunch setter(1, [raw = event.get()] { raw->set(); });
    if (round % 2 == 0) event->wait();
    else EXPECT_TRUE(event->wait(1h));
    event.reset();
  }
}

// Also by one who was asleep when it was set.
TEST(EventTest, may_be_destroyed_by_the_sleeper_it_woke) {
  for (int round = 0; round < rounds(300); ++round) {
    auto event = std::make_unique<Event>();
    Call waiter([&] {
      event->wait();
      event.reset();
    });
    ASSERT_TRUE(falls_asleep(waiter));
    Event* const raw = event.get();
    raw->set();
    waiter.result();
  }
}

// Sets and clears race with every kind of wait, and everybody gets through them all.
TEST(EventTest, loses_no_waiter_under_stress) {
  Event event;
  std::atomic<int> finished = 0;
  Bunch waiters(14, [&](int index) {
    for (int i = 0; i < rounds(3000); ++i) {
      StopSource source;
      switch (index % 3) {
        case 0:
          ASSERT_TRUE(event.wait());
          break;
        case 1:
          static_cast<void>(event.wait(20us));
          break;
        default:
          ASSERT_TRUE(event.wait(1h, source.get_token()));
          break;
      }
    }
    ++finished;
  });
  Bunch setters(2, [&](int index) {
    while (finished < 14) {
      if (index == 0) event.set();
      else event.clear();
      std::this_thread::sleep_for(10us);
    }
  });
  setters.join();
  waiters.join();
}

}  // namespace
}  // namespace nogil::testing::event_test
