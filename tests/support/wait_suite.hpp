// tests/support/wait_suite.hpp -- the grammar of waiting, as tests for anything that waits.
//
// verb(), verb(timeout), verb(deadline), verb(stop_token), verb(timeout, stop_token)
// mean the same everywhere, so their tests are written once, for a Door (support/doors.hpp),
// and each primitive's test file instantiates them for its own:
//
//   INSTANTIATE_TYPED_TEST_SUITE_P(Lock, TimedWait, LockDoor<nogil::Lock>);
//   INSTANTIATE_TYPED_TEST_SUITE_P(Lock, StoppableWait, LockDoor<nogil::Lock>);
//   INSTANTIATE_TYPED_TEST_SUITE_P(Lock, TimedStoppableWait, LockDoor<nogil::Lock>);
//   INSTANTIATE_TYPED_TEST_SUITE_P(Lock, WaitForWhatIsFree, LockDoor<nogil::Lock>);

#pragma once

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <ratio>
#include <stop_token>
#include <vector>

#include "nogil/platform/cpu.hpp"
#include "support/clocks.hpp"
#include "support/doors.hpp"
#include "support/threads.hpp"

namespace nogil::testing {

using namespace std::chrono_literals;
using std::chrono::steady_clock;
using std::chrono::system_clock;
using FloatSeconds = std::chrono::duration<double>;

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();
inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// A file that has no use for one of the suites says nothing about it.
#define NOGIL_WAIT_SUITE(name)            \
  template <class Door>                   \
  class name : public ::testing::Test {}; \
  TYPED_TEST_SUITE_P(name);               \
  GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(name)

// ---- Timeouts and deadlines ---------------------------------------------------------

NOGIL_WAIT_SUITE(TimedWait);

TYPED_TEST_P(TimedWait, gives_up_at_once_when_the_timeout_is_not_positive) {
  TypeParam door;
  EXPECT_FALSE(door.wait(0s));
  EXPECT_FALSE(door.wait(-1ns));
  EXPECT_FALSE(door.wait(-1h));
  EXPECT_FALSE(door.wait(std::chrono::nanoseconds::min()));
  EXPECT_FALSE(door.wait(std::chrono::hours::min()));
  EXPECT_FALSE(door.wait(FloatSeconds(-0.5)));
  EXPECT_FALSE(door.wait(FloatSeconds(-kInfinity)));
  EXPECT_FALSE(door.wait(std::chrono::duration<unsigned>(0)));
}

TYPED_TEST_P(TimedWait, takes_a_timeout_that_is_no_number_for_zero) {
  TypeParam door;
  EXPECT_FALSE(door.wait(FloatSeconds(kNaN)));
  EXPECT_FALSE(door.wait(std::chrono::duration<float, std::milli>(std::numeric_limits<float>::quiet_NaN())));
}

TYPED_TEST_P(TimedWait, gives_up_at_once_when_the_deadline_is_past) {
  TypeParam door;
  EXPECT_FALSE(door.wait(steady_clock::now()));
  EXPECT_FALSE(door.wait(steady_clock::now() - 1h));
  EXPECT_FALSE(door.wait(steady_clock::time_point{}));
  EXPECT_FALSE(door.wait(steady_clock::time_point::min()));
  EXPECT_FALSE(door.wait(system_clock::now()));
  EXPECT_FALSE(door.wait(system_clock::now() - 1h));
  EXPECT_FALSE(door.wait(system_clock::time_point{}));
  EXPECT_FALSE(door.wait(system_clock::time_point::min()));
  EXPECT_FALSE(door.wait(SlowClock::now() - 1h));
}

TYPED_TEST_P(TimedWait, gives_up_when_the_timeout_runs_out_and_never_before) {
  TypeParam door;
  const auto gives_up_after = [&](auto timeout) {
    const auto start = steady_clock::now();
    EXPECT_FALSE(door.wait(timeout));
    EXPECT_GE(FloatSeconds(steady_clock::now() - start), FloatSeconds(timeout));
  };
  gives_up_after(20ms);
  gives_up_after(FloatSeconds(0.02));
  gives_up_after(std::chrono::duration<float, std::milli>(20));
  gives_up_after(std::chrono::duration<unsigned, std::milli>(20));
  gives_up_after(std::chrono::duration<std::int64_t, std::pico>(10'000'000'001));
  for (const auto timeout : {1ns, 1000ns, 10'000ns, 100'000ns, 1'000'000ns, 3'000'000ns}) gives_up_after(timeout);
}

TYPED_TEST_P(TimedWait, gives_up_when_the_deadline_has_come_and_never_before) {
  TypeParam door;
  const auto gives_up_at = [&]<class Clock, class Duration>(std::chrono::time_point<Clock, Duration> deadline) {
    EXPECT_FALSE(door.wait(deadline));
    EXPECT_GE(Clock::now(), deadline);
  };
  gives_up_at(steady_clock::now() + 20ms);
  gives_up_at(system_clock::now() + 20ms);
  gives_up_at(std::chrono::ceil<std::chrono::milliseconds>(steady_clock::now() + 20ms));
  gives_up_at(std::chrono::ceil<std::chrono::milliseconds>(system_clock::now() + 20ms));
  gives_up_at(std::chrono::time_point<steady_clock, FloatSeconds>(steady_clock::now() + 20ms));
}

TYPED_TEST_P(TimedWait, waits_until_the_deadline_of_a_clock_that_runs_slower) {
  TypeParam door;
  const auto deadline = SlowClock::now() + 10ms;
  EXPECT_FALSE(door.wait(deadline));
  EXPECT_GE(SlowClock::now(), deadline);
}

TYPED_TEST_P(TimedWait, waits_as_long_as_the_clock_of_its_deadline_stands_still) {
  TypeParam door;
  const auto deadline = SettableClock::now() + 1ms;
  SettableClock::asked = 0;
  Call waiter([&] { return door.wait(deadline); });
  // Each time that its own reckoning says "now", it has to ask again.
  ASSERT_TRUE(eventually([&] { return SettableClock::asked >= 4 || waiter.returned(); }));
  EXPECT_FALSE(waiter.returned());
  SettableClock::time += 1;
  EXPECT_FALSE(waiter.result());
}

TYPED_TEST_P(TimedWait, may_be_let_through_while_the_clock_of_its_deadline_stands_still) {
  TypeParam door;
  Call waiter([&] { return door.wait(SettableClock::now() + 1h); });
  ASSERT_TRUE(falls_asleep(waiter));
  door.open();
  EXPECT_TRUE(waiter.result());
}

TYPED_TEST_P(TimedWait, waits_without_a_limit_until_it_is_let_through) {
  TypeParam door;
  Call waiter([&] { return door.wait(); });
  ASSERT_TRUE(falls_asleep(waiter));
  door.open();
  EXPECT_TRUE(waiter.result());
}

TYPED_TEST_P(TimedWait, takes_a_huge_timeout_or_deadline_for_endless) {
  const auto waits_on = [](auto limit) {
    TypeParam door;
    Call waiter([&] { return door.wait(limit); });
    ASSERT_TRUE(falls_asleep(waiter)) << "it gave up at once";
    door.open();
    EXPECT_TRUE(waiter.result());
  };
  using Years = std::chrono::duration<std::int64_t, std::ratio<31'556'952>>;
  using Centuries = std::chrono::duration<std::int64_t, std::ratio<3'155'695'200>>;
  waits_on(std::chrono::nanoseconds::max());
  waits_on(std::chrono::milliseconds::max());
  waits_on(std::chrono::hours::max());
  waits_on(Years(100));
  waits_on(Years(292));
  waits_on(Years(293));
  waits_on(Years::max());
  waits_on(Centuries(3));
  waits_on(Centuries::max());
  waits_on(FloatSeconds(kInfinity));
  waits_on(FloatSeconds::max());
  waits_on(std::chrono::duration<float>(1e30f));
  waits_on(std::chrono::duration<unsigned long, std::nano>::max());
  waits_on(steady_clock::time_point::max());
  waits_on(steady_clock::time_point::max() - 1ns);
  waits_on(system_clock::time_point::max());
  waits_on(std::chrono::time_point<system_clock, std::chrono::hours>::max());
  waits_on(std::chrono::time_point<steady_clock, FloatSeconds>(FloatSeconds(kInfinity)));
  waits_on(SlowClock::time_point::max());
}

TYPED_TEST_P(TimedWait, is_let_through_long_before_its_timeout) {
  for (int round = 0; round < rounds(50); ++round) {
    TypeParam door;
    Call waiter([&] { return door.wait(1h); });
    ASSERT_TRUE(falls_asleep(waiter));
    door.open();
    ASSERT_TRUE(waiter.result());
  }
}

TYPED_TEST_P(TimedWait, works_again_after_it_gave_up) {
  TypeParam door;
  for (int round = 0; round < 5; ++round) ASSERT_FALSE(door.wait(1ms));
  ASSERT_FALSE(door.wait(steady_clock::now() + 1ms));
  Call waiter([&] { return door.wait(); });
  ASSERT_TRUE(falls_asleep(waiter));
  door.open();
  EXPECT_TRUE(waiter.result());
}

TYPED_TEST_P(TimedWait, is_not_ended_by_a_signal) {
  struct sigaction nothing {};
  struct sigaction before {};
  nothing.sa_handler = [](int) {};  // and no SA_RESTART: system calls return EINTR
  ASSERT_EQ(sigaction(SIGUSR1, &nothing, &before), 0);
  {
    TypeParam door;
    Call endless([&] { return door.wait(); });
    ASSERT_TRUE(falls_asleep(endless));
    for (int signal = 0; signal < 10; ++signal) {
      pthread_kill(endless.native_handle(), SIGUSR1);
      ASSERT_TRUE(falls_asleep(endless));
    }
    door.open();
    EXPECT_TRUE(endless.result());
  }
  {
    TypeParam door;
    std::atomic<bool> waited_long_enough = false;
    Call timed([&] {
      const auto start = steady_clock::now();
      const bool through = door.wait(30ms);
      waited_long_enough = steady_clock::now() - start >= 30ms;
      return through;
    });
    while (!timed.returned()) {
      pthread_kill(timed.native_handle(), SIGUSR1);
      std::this_thread::sleep_for(1ms);
    }
    EXPECT_FALSE(timed.result());
    EXPECT_TRUE(waited_long_enough);
  }
  sigaction(SIGUSR1, &before, nullptr);
}

// Whoever is awake when the door opens gets through, also when its time is just over.
TYPED_TEST_P(TimedWait, either_gets_through_or_gives_up_when_the_opening_races_with_its_timeout) {
  for (int round = 0; round < rounds(300); ++round) {
    TypeParam door;
    if constexpr (TypeParam::kStays) {
      Call timed([&] {
        const bool through = door.wait(std::chrono::microseconds(50 + round % 100));
        if (through) door.done();
        return through;
      });
      Call endless([&] {
        const bool through = door.wait();
        door.done();
        return through;
      });
      if (round % 3 == 0) std::this_thread::sleep_for(std::chrono::microseconds(round % 200));
      door.open();
      ASSERT_TRUE(endless.result()) << "a wake-up was lost with the one that gave up";
      timed.result();
      ASSERT_TRUE(door.wait(0s));
      door.done();
    } else {
      Call timed([&] { return door.wait(std::chrono::microseconds(50 + round % 100)); });
      timed.result();
    }
  }
}

REGISTER_TYPED_TEST_SUITE_P(
    TimedWait, gives_up_at_once_when_the_timeout_is_not_positive, takes_a_timeout_that_is_no_number_for_zero,
    gives_up_at_once_when_the_deadline_is_past, gives_up_when_the_timeout_runs_out_and_never_before,
    gives_up_when_the_deadline_has_come_and_never_before, waits_until_the_deadline_of_a_clock_that_runs_slower,
    waits_as_long_as_the_clock_of_its_deadline_stands_still,
    may_be_let_through_while_the_clock_of_its_deadline_stands_still, waits_without_a_limit_until_it_is_let_through,
    takes_a_huge_timeout_or_deadline_for_endless, is_let_through_long_before_its_timeout, works_again_after_it_gave_up,
    is_not_ended_by_a_signal, either_gets_through_or_gives_up_when_the_opening_races_with_its_timeout);

// ---- Stop tokens --------------------------------------------------------------------

NOGIL_WAIT_SUITE(StoppableWait);

TYPED_TEST_P(StoppableWait, gives_up_at_once_when_the_stop_was_requested_before) {
  TypeParam door;
  EXPECT_FALSE(door.wait(stopped_token()));
  EXPECT_FALSE(door.wait(stopped_token()));
}

TYPED_TEST_P(StoppableWait, wakes_when_another_thread_requests_the_stop) {
  TypeParam door;
  StopSource source;
  Call waiter([&] { return door.wait(source.get_token()); });
  ASSERT_TRUE(falls_asleep(waiter));
  source.request_stop();
  EXPECT_FALSE(waiter.result());
}

TYPED_TEST_P(StoppableWait, is_let_through_when_no_stop_is_requested) {
  TypeParam door;
  StopSource source;
  Call waiter([&] { return door.wait(source.get_token()); });
  ASSERT_TRUE(falls_asleep(waiter));
  door.open();
  EXPECT_TRUE(waiter.result());
}

TYPED_TEST_P(StoppableWait, waits_on_with_a_token_that_nobody_can_stop) {
  TypeParam door;
  std::optional<StopSource> source(std::in_place);
  Call empty([&] {
    const bool through = door.wait(std::stop_token());
    door.done();
    return through;
  });
  Call orphan([&, token = source->get_token()] {
    const bool through = door.wait(token);
    door.done();
    return through;
  });
  ASSERT_TRUE(falls_asleep(empty, orphan));
  source.reset();
  EXPECT_TRUE(stays([&] { return empty.asleep() && orphan.asleep(); }));
  door.open();
  EXPECT_TRUE(empty.result());
  EXPECT_TRUE(orphan.result());
}

TYPED_TEST_P(StoppableWait, stops_everyone_who_waits_with_the_token) {
  TypeParam door;
  StopSource source;
  std::vector<std::unique_ptr<Call<bool>>> waiters;
  for (int i = 0; i < 5; ++i) {
    waiters.push_back(std::make_unique<Call<bool>>([&] { return door.wait(source.get_token()); }));
  }
  ASSERT_TRUE(falls_asleep(waiters));
  source.request_stop();
  for (auto& waiter : waiters) EXPECT_FALSE(waiter->result());
}

TYPED_TEST_P(StoppableWait, stops_only_the_one_whose_token_it_is) {
  TypeParam door;
  std::vector<StopSource> sources(5);
  std::vector<std::unique_ptr<Call<bool>>> waiters;
  for (auto& source : sources) {
    waiters.push_back(std::make_unique<Call<bool>>([&] {
      const bool through = door.wait(source.get_token());
      if (through) door.done();
      return through;
    }));
    ASSERT_TRUE(falls_asleep(*waiters.back()));
  }
  for (const std::size_t stopped : {std::size_t{2}, std::size_t{0}, std::size_t{4}}) {
    sources[stopped].request_stop();
    EXPECT_FALSE(waiters[stopped]->result());
  }
  EXPECT_TRUE(falls_asleep(*waiters[1], *waiters[3])) << "somebody else's stop is none of their business";
  door.open();
  EXPECT_TRUE(waiters[1]->result());
  EXPECT_TRUE(waiters[3]->result());
}

TYPED_TEST_P(StoppableWait, works_again_after_a_stop) {
  TypeParam door;
  for (int round = 0; round < 5; ++round) {
    StopSource source;
    Call waiter([&] { return door.wait(source.get_token()); });
    ASSERT_TRUE(falls_asleep(waiter));
    source.request_stop();
    ASSERT_FALSE(waiter.result());
  }
  Call waiter([&] { return door.wait(); });
  ASSERT_TRUE(falls_asleep(waiter));
  door.open();
  EXPECT_TRUE(waiter.result());
}

// The stop may come at any moment of the wait: before it begins, on its way to sleep, after.
TYPED_TEST_P(StoppableWait, notices_a_stop_at_whatever_moment_it_comes) {
  TypeParam door;
  for (int round = 0; round < rounds(500); ++round) {
    StopSource source;
    std::atomic<bool> go = false;
    Call waiter([&] {
      go = true;
      return door.wait(source.get_token());
    });
    while (!go) std::this_thread::yield();
    for (int pauses = round % 64; pauses > 0; --pauses) platform::cpu_relax();
    source.request_stop();
    ASSERT_FALSE(waiter.result());
  }
}

// The wake-up that the opening gave to a waiter who is being stopped must not be lost
// for the others.
TYPED_TEST_P(StoppableWait, loses_no_wake_up_when_a_stop_races_with_the_opening) {
  for (int round = 0; round < rounds(300); ++round) {
    TypeParam door;
    StopSource source;
    Call stopped([&] {
      const bool through = door.wait(source.get_token());
      if (through) door.done();
      return through;
    });
    Call endless([&] {
      const bool through = door.wait();
      door.done();
      return through;
    });
    if (!TypeParam::kStays || round % 2 == 0) {
      ASSERT_TRUE(falls_asleep(stopped, endless));
    }
    Call stopper([&] { return source.request_stop(); });
    door.open();
    ASSERT_TRUE(endless.result());
    stopped.result();
    ASSERT_TRUE(stopper.result());
    if constexpr (TypeParam::kStays) {
      ASSERT_TRUE(door.wait(0s)) << "the one who was stopped kept something";
      door.done();
    }
  }
}

TYPED_TEST_P(StoppableWait, survives_many_stops_of_many_waiters) {
  TypeParam door;
  std::atomic<int> stopped = 0;
  Call last([&] {
    const bool through = door.wait();
    door.done();
    return through;
  });
  Bunch waiters(4, [&] {
    for (int i = 0; i < rounds(100); ++i) {
      StopSource source;
      Call stopper([&] { source.request_stop(); });
      if (!door.wait(source.get_token())) ++stopped;
    }
  });
  waiters.join();
  EXPECT_EQ(stopped, 4 * rounds(100));
  ASSERT_TRUE(falls_asleep(last));
  door.open();
  EXPECT_TRUE(last.result());
}

REGISTER_TYPED_TEST_SUITE_P(StoppableWait, gives_up_at_once_when_the_stop_was_requested_before,
                            wakes_when_another_thread_requests_the_stop, is_let_through_when_no_stop_is_requested,
                            waits_on_with_a_token_that_nobody_can_stop, stops_everyone_who_waits_with_the_token,
                            stops_only_the_one_whose_token_it_is, works_again_after_a_stop,
                            notices_a_stop_at_whatever_moment_it_comes,
                            loses_no_wake_up_when_a_stop_races_with_the_opening, survives_many_stops_of_many_waiters);

// ---- Both at once -------------------------------------------------------------------

NOGIL_WAIT_SUITE(TimedStoppableWait);

TYPED_TEST_P(TimedStoppableWait, gives_up_at_the_timeout_when_no_stop_is_requested) {
  TypeParam door;
  StopSource source;
  for (const auto timeout : {1ms, 20ms}) {
    const auto start = steady_clock::now();
    EXPECT_FALSE(door.wait(timeout, source.get_token()));
    EXPECT_GE(steady_clock::now() - start, timeout);
  }
  const auto deadline = system_clock::now() + 10ms;
  EXPECT_FALSE(door.wait(deadline, source.get_token()));
  EXPECT_GE(system_clock::now(), deadline);
  EXPECT_FALSE(door.wait(0s, source.get_token()));
  EXPECT_FALSE(door.wait(-1h, source.get_token()));
  EXPECT_FALSE(door.wait(5ms, std::stop_token()));
}

TYPED_TEST_P(TimedStoppableWait, gives_up_at_the_stop_when_there_is_time_left) {
  const auto stops = [](auto limit) {
    TypeParam door;
    StopSource source;
    Call waiter([&] { return door.wait(limit, source.get_token()); });
    ASSERT_TRUE(falls_asleep(waiter));
    source.request_stop();
    EXPECT_FALSE(waiter.result());
  };
  stops(1h);
  stops(std::chrono::hours::max());
  stops(FloatSeconds(kInfinity));
  stops(steady_clock::now() + 1h);
  stops(system_clock::now() + 1h);
  stops(steady_clock::time_point::max());
  stops(SettableClock::now() + 1h);
}

TYPED_TEST_P(TimedStoppableWait, gives_up_at_once_when_the_stop_was_requested_before) {
  TypeParam door;
  EXPECT_FALSE(door.wait(1h, stopped_token()));
  EXPECT_FALSE(door.wait(std::chrono::hours::max(), stopped_token()));
  EXPECT_FALSE(door.wait(0s, stopped_token()));
}

TYPED_TEST_P(TimedStoppableWait, is_let_through_before_either) {
  TypeParam door;
  StopSource source;
  Call waiter([&] { return door.wait(1h, source.get_token()); });
  ASSERT_TRUE(falls_asleep(waiter));
  door.open();
  EXPECT_TRUE(waiter.result());
}

// A crowd in which each has another reason to leave: each leaves for its own, and the
// rest are let through.
TYPED_TEST_P(TimedStoppableWait, lets_each_of_many_waiters_leave_for_its_own_reason) {
  TypeParam door;
  StopSource source;
  std::atomic<int> gave_up = 0;
  std::atomic<int> through = 0;
  const auto count = [&](bool got_through) {
    if (got_through) door.done();
    ++(got_through ? through : gave_up);
  };
  Bunch waiters(16, [&](int index) {
    switch (index % 4) {
      case 0:
        return count(door.wait());
      case 1:
        return count(door.wait(std::chrono::milliseconds(1 + index), source.get_token()));
      case 2:
        return count(door.wait(1h, source.get_token()));
      default:
        return count(door.wait(1h));
    }
  });
  ASSERT_TRUE(eventually([&] { return gave_up == 4; })) << "those whose timeout is short";
  source.request_stop();
  ASSERT_TRUE(eventually([&] { return gave_up == 8; })) << "those who are stopped";
  EXPECT_TRUE(stays([&] { return gave_up == 8 && through == 0; }));
  // An opening may pass by who has not yet begun to wait: repeat it where it leaves nothing behind.
  if constexpr (TypeParam::kStays) door.open();
  else ASSERT_TRUE(eventually([&] { return door.open(), through == 8; }));
  waiters.join();
  EXPECT_EQ(through, 8);
}

REGISTER_TYPED_TEST_SUITE_P(TimedStoppableWait, gives_up_at_the_timeout_when_no_stop_is_requested,
                            gives_up_at_the_stop_when_there_is_time_left,
                            gives_up_at_once_when_the_stop_was_requested_before, is_let_through_before_either,
                            lets_each_of_many_waiters_leave_for_its_own_reason);

// ---- What is free is taken ----------------------------------------------------------

NOGIL_WAIT_SUITE(WaitForWhatIsFree);

TYPED_TEST_P(WaitForWhatIsFree, takes_it_without_a_limit) {
  TypeParam door;
  door.open();
  for (int round = 0; round < 3; ++round) {
    EXPECT_TRUE(door.wait());
    door.done();
  }
}

TYPED_TEST_P(WaitForWhatIsFree, takes_it_whatever_the_timeout) {
  TypeParam door;
  door.open();
  const auto takes = [&](auto... limits) {
    EXPECT_TRUE(door.wait(limits...));
    door.done();
  };
  takes(0s);
  takes(-1h);
  takes(std::chrono::hours::min());
  takes(std::chrono::hours::max());
  takes(FloatSeconds(-kInfinity));
  takes(FloatSeconds(kInfinity));
  takes(FloatSeconds(kNaN));
  takes(steady_clock::time_point{});
  takes(steady_clock::time_point::min());
  takes(steady_clock::time_point::max());
  takes(system_clock::time_point::min());
  takes(system_clock::time_point::max());
  takes(SlowClock::now() - 1h);
}

TYPED_TEST_P(WaitForWhatIsFree, takes_it_even_when_the_stop_was_requested_before) {
  TypeParam door;
  door.open();
  EXPECT_TRUE(door.wait(stopped_token()));
  door.done();
  if constexpr (TypeParam::kBoth) {
    EXPECT_TRUE(door.wait(0s, stopped_token()));
    door.done();
    EXPECT_TRUE(door.wait(-1h, stopped_token()));
    door.done();
    EXPECT_TRUE(door.wait(1h, stopped_token()));
    door.done();
    EXPECT_TRUE(door.wait(steady_clock::time_point::min(), stopped_token()));
    door.done();
  }
  EXPECT_TRUE(door.wait(std::stop_token()));
  door.done();
}

REGISTER_TYPED_TEST_SUITE_P(WaitForWhatIsFree, takes_it_without_a_limit, takes_it_whatever_the_timeout,
                            takes_it_even_when_the_stop_was_requested_before);

}  // namespace nogil::testing
