// tests/support/wait_suite_cases.hpp -- the bodies of support/wait_suite.hpp.
//
// One file of a test program includes this, and nothing else.

#pragma once

#include <cxxabi.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "nogil/platform/cpu.hpp"
#include "support/clocks.hpp"
#include "support/threads.hpp"
#include "support/wait_suite.hpp"

namespace nogil::testing {

// A new door of this kind.
class Door {
 public:
  explicit Door(const DoorKind& kind) : door_(kind.make()) {}

  template <class... Limits>
  bool wait(const Limits&... limits) {
    return door_->wait(limits...);
  }
  void done() { door_->done(); }
  void open() { door_->open(); }

 private:
  std::unique_ptr<AnyDoor> door_;
};

#define NOGIL_WAIT_CASE(name) \
  { #name, name }

// ---- Timeouts and deadlines ---------------------------------------------------------

namespace timed_wait {

inline void gives_up_at_once_when_the_timeout_is_not_positive(const DoorKind& kind) {
  Door door(kind);
  EXPECT_FALSE(door.wait(0s));
  EXPECT_FALSE(door.wait(-1ns));
  EXPECT_FALSE(door.wait(-1h));
  EXPECT_FALSE(door.wait(std::chrono::nanoseconds::min()));
  EXPECT_FALSE(door.wait(std::chrono::hours::min()));
  EXPECT_FALSE(door.wait(FloatSeconds(-0.5)));
  EXPECT_FALSE(door.wait(FloatSeconds(-kInfinity)));
  EXPECT_FALSE(door.wait(std::chrono::duration<unsigned>(0)));
}

inline void takes_a_timeout_that_is_no_number_for_zero(const DoorKind& kind) {
  Door door(kind);
  EXPECT_FALSE(door.wait(FloatSeconds(kNaN)));
  EXPECT_FALSE(door.wait(std::chrono::duration<float, std::milli>(std::numeric_limits<float>::quiet_NaN())));
}

inline void gives_up_at_once_when_the_deadline_is_past(const DoorKind& kind) {
  Door door(kind);
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

inline void gives_up_when_the_timeout_runs_out_and_never_before(const DoorKind& kind) {
  Door door(kind);
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

inline void gives_up_when_the_deadline_has_come_and_never_before(const DoorKind& kind) {
  Door door(kind);
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

inline void waits_until_the_deadline_of_a_clock_that_runs_slower(const DoorKind& kind) {
  Door door(kind);
  const auto deadline = SlowClock::now() + 10ms;
  EXPECT_FALSE(door.wait(deadline));
  EXPECT_GE(SlowClock::now(), deadline);
}

inline void waits_as_long_as_the_clock_of_its_deadline_stands_still(const DoorKind& kind) {
  Door door(kind);
  const auto deadline = SettableClock::now() + 1ms;
  SettableClock::asked = 0;
  Call waiter([&] { return door.wait(deadline); });
  // Each time that its own reckoning says "now", it has to ask again.
  ASSERT_TRUE(eventually([&] { return SettableClock::asked >= 4 || waiter.returned(); }));
  EXPECT_FALSE(waiter.returned());
  SettableClock::time += 1;
  EXPECT_FALSE(waiter.result());
}

inline void may_be_let_through_while_the_clock_of_its_deadline_stands_still(const DoorKind& kind) {
  Door door(kind);
  Call waiter([&] { return door.wait(SettableClock::now() + 1h); });
  ASSERT_TRUE(falls_asleep(waiter));
  door.open();
  EXPECT_TRUE(waiter.result());
}

inline void waits_without_a_limit_until_it_is_let_through(const DoorKind& kind) {
  Door door(kind);
  Call waiter([&] { return door.wait(); });
  ASSERT_TRUE(falls_asleep(waiter));
  door.open();
  EXPECT_TRUE(waiter.result());
}

inline void takes_a_huge_timeout_or_deadline_for_endless(const DoorKind& kind) {
  const auto waits_on = [&](auto limit) {
    Door door(kind);
    Call waiter([&] { return door.wait(limit); });
    ASSERT_TRUE(falls_asleep(waiter)) << "it gave up at once";
    door.open();
    EXPECT_TRUE(waiter.result());
  };
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

inline void is_let_through_long_before_its_timeout(const DoorKind& kind) {
  for (int round = 0; round < rounds(50); ++round) {
    Door door(kind);
    Call waiter([&] { return door.wait(1h); });
    ASSERT_TRUE(falls_asleep(waiter));
    door.open();
    ASSERT_TRUE(waiter.result());
  }
}

inline void works_again_after_it_gave_up(const DoorKind& kind) {
  Door door(kind);
  for (int round = 0; round < 5; ++round) ASSERT_FALSE(door.wait(1ms));
  ASSERT_FALSE(door.wait(steady_clock::now() + 1ms));
  Call waiter([&] { return door.wait(); });
  ASSERT_TRUE(falls_asleep(waiter));
  door.open();
  EXPECT_TRUE(waiter.result());
}

inline void is_not_ended_by_a_signal(const DoorKind& kind) {
  struct sigaction nothing {};
  struct sigaction before {};
  nothing.sa_handler = [](int) {};  // and no SA_RESTART: system calls return EINTR
  ASSERT_EQ(sigaction(SIGUSR1, &nothing, &before), 0);
  {
    Door door(kind);
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
    Door door(kind);
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
inline void either_gets_through_or_gives_up_when_the_opening_races_with_its_timeout(const DoorKind& kind) {
  for (int round = 0; round < rounds(300); ++round) {
    Door door(kind);
    if (kind.stays) {
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

inline constexpr WaitCase kCases[] = {
    NOGIL_WAIT_CASE(gives_up_at_once_when_the_timeout_is_not_positive),
    NOGIL_WAIT_CASE(takes_a_timeout_that_is_no_number_for_zero),
    NOGIL_WAIT_CASE(gives_up_at_once_when_the_deadline_is_past),
    NOGIL_WAIT_CASE(gives_up_when_the_timeout_runs_out_and_never_before),
    NOGIL_WAIT_CASE(gives_up_when_the_deadline_has_come_and_never_before),
    NOGIL_WAIT_CASE(waits_until_the_deadline_of_a_clock_that_runs_slower),
    NOGIL_WAIT_CASE(waits_as_long_as_the_clock_of_its_deadline_stands_still),
    NOGIL_WAIT_CASE(may_be_let_through_while_the_clock_of_its_deadline_stands_still),
    NOGIL_WAIT_CASE(waits_without_a_limit_until_it_is_let_through),
    NOGIL_WAIT_CASE(takes_a_huge_timeout_or_deadline_for_endless),
    NOGIL_WAIT_CASE(is_let_through_long_before_its_timeout),
    NOGIL_WAIT_CASE(works_again_after_it_gave_up),
    NOGIL_WAIT_CASE(is_not_ended_by_a_signal),
    NOGIL_WAIT_CASE(either_gets_through_or_gives_up_when_the_opening_races_with_its_timeout),
};

}  // namespace timed_wait

// ---- Stop tokens --------------------------------------------------------------------

namespace stoppable_wait {

inline void gives_up_at_once_when_the_stop_was_requested_before(const DoorKind& kind) {
  Door door(kind);
  EXPECT_FALSE(door.wait(stopped_token()));
  EXPECT_FALSE(door.wait(stopped_token()));
}

inline void wakes_when_another_thread_requests_the_stop(const DoorKind& kind) {
  Door door(kind);
  StopSource source;
  Call waiter([&] { return door.wait(source.get_token()); });
  ASSERT_TRUE(falls_asleep(waiter));
  source.request_stop();
  EXPECT_FALSE(waiter.result());
}

inline void is_let_through_when_no_stop_is_requested(const DoorKind& kind) {
  Door door(kind);
  StopSource source;
  Call waiter([&] { return door.wait(source.get_token()); });
  ASSERT_TRUE(falls_asleep(waiter));
  door.open();
  EXPECT_TRUE(waiter.result());
}

inline void waits_on_with_a_token_that_nobody_can_stop(const DoorKind& kind) {
  Door door(kind);
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

inline void stops_everyone_who_waits_with_the_token(const DoorKind& kind) {
  Door door(kind);
  StopSource source;
  std::vector<std::unique_ptr<Call<bool>>> waiters;
  for (int i = 0; i < 5; ++i) {
    waiters.push_back(std::make_unique<Call<bool>>([&] { return door.wait(source.get_token()); }));
  }
  ASSERT_TRUE(falls_asleep(waiters));
  source.request_stop();
  for (auto& waiter : waiters) EXPECT_FALSE(waiter->result());
}

inline void stops_only_the_one_whose_token_it_is(const DoorKind& kind) {
  Door door(kind);
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

inline void works_again_after_a_stop(const DoorKind& kind) {
  Door door(kind);
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
inline void notices_a_stop_at_whatever_moment_it_comes(const DoorKind& kind) {
  Door door(kind);
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
inline void loses_no_wake_up_when_a_stop_races_with_the_opening(const DoorKind& kind) {
  for (int round = 0; round < rounds(300); ++round) {
    Door door(kind);
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
    if (!kind.stays || round % 2 == 0) {
      ASSERT_TRUE(falls_asleep(stopped, endless));
    }
    Call stopper([&] { return source.request_stop(); });
    door.open();
    ASSERT_TRUE(endless.result());
    stopped.result();
    ASSERT_TRUE(stopper.result());
    if (kind.stays) {
      ASSERT_TRUE(door.wait(0s)) << "the one who was stopped kept something";
      door.done();
    }
  }
}

inline void survives_many_stops_of_many_waiters(const DoorKind& kind) {
  Door door(kind);
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

inline constexpr WaitCase kCases[] = {
    NOGIL_WAIT_CASE(gives_up_at_once_when_the_stop_was_requested_before),
    NOGIL_WAIT_CASE(wakes_when_another_thread_requests_the_stop),
    NOGIL_WAIT_CASE(is_let_through_when_no_stop_is_requested),
    NOGIL_WAIT_CASE(waits_on_with_a_token_that_nobody_can_stop),
    NOGIL_WAIT_CASE(stops_everyone_who_waits_with_the_token),
    NOGIL_WAIT_CASE(stops_only_the_one_whose_token_it_is),
    NOGIL_WAIT_CASE(works_again_after_a_stop),
    NOGIL_WAIT_CASE(notices_a_stop_at_whatever_moment_it_comes),
    NOGIL_WAIT_CASE(loses_no_wake_up_when_a_stop_races_with_the_opening),
    NOGIL_WAIT_CASE(survives_many_stops_of_many_waiters),
};

}  // namespace stoppable_wait

// ---- Both at once -------------------------------------------------------------------

namespace timed_stoppable_wait {

inline void gives_up_at_the_timeout_when_no_stop_is_requested(const DoorKind& kind) {
  Door door(kind);
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

inline void gives_up_at_the_stop_when_there_is_time_left(const DoorKind& kind) {
  const auto stops = [&](auto limit) {
    Door door(kind);
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

inline void gives_up_at_once_when_the_stop_was_requested_before(const DoorKind& kind) {
  Door door(kind);
  EXPECT_FALSE(door.wait(1h, stopped_token()));
  EXPECT_FALSE(door.wait(std::chrono::hours::max(), stopped_token()));
  EXPECT_FALSE(door.wait(0s, stopped_token()));
}

inline void is_let_through_before_either(const DoorKind& kind) {
  Door door(kind);
  StopSource source;
  Call waiter([&] { return door.wait(1h, source.get_token()); });
  ASSERT_TRUE(falls_asleep(waiter));
  door.open();
  EXPECT_TRUE(waiter.result());
}

// A crowd in which each has another reason to leave: each leaves for its own, and the
// rest are let through.
inline void lets_each_of_many_waiters_leave_for_its_own_reason(const DoorKind& kind) {
  Door door(kind);
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
  if (kind.stays) door.open();
  else ASSERT_TRUE(eventually([&] { return door.open(), through == 8; }));
  waiters.join();
  EXPECT_EQ(through, 8);
}

inline constexpr WaitCase kCases[] = {
    NOGIL_WAIT_CASE(gives_up_at_the_timeout_when_no_stop_is_requested),
    NOGIL_WAIT_CASE(gives_up_at_the_stop_when_there_is_time_left),
    NOGIL_WAIT_CASE(gives_up_at_once_when_the_stop_was_requested_before),
    NOGIL_WAIT_CASE(is_let_through_before_either),
    NOGIL_WAIT_CASE(lets_each_of_many_waiters_leave_for_its_own_reason),
};

}  // namespace timed_stoppable_wait

// ---- What is free is taken ----------------------------------------------------------

namespace wait_for_what_is_free {

inline void takes_it_without_a_limit(const DoorKind& kind) {
  Door door(kind);
  door.open();
  for (int round = 0; round < 3; ++round) {
    EXPECT_TRUE(door.wait());
    door.done();
  }
}

inline void takes_it_whatever_the_timeout(const DoorKind& kind) {
  Door door(kind);
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

inline void takes_it_even_when_the_stop_was_requested_before(const DoorKind& kind) {
  Door door(kind);
  door.open();
  EXPECT_TRUE(door.wait(stopped_token()));
  door.done();
  if (kind.both) {
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

inline constexpr WaitCase kCases[] = {
    NOGIL_WAIT_CASE(takes_it_without_a_limit),
    NOGIL_WAIT_CASE(takes_it_whatever_the_timeout),
    NOGIL_WAIT_CASE(takes_it_even_when_the_stop_was_requested_before),
};

}  // namespace wait_for_what_is_free

// ---- As tests -----------------------------------------------------------------------

class WaitTest : public ::testing::Test {
 public:
  WaitTest(const WaitCase& one, const DoorKind& door) : case_(one), door_(door) {}
  void TestBody() override { case_.run(door_); }

 private:
  const WaitCase& case_;
  const DoorKind& door_;
};

inline std::span<const WaitCase> cases_of(WaitSuite suite) {
  switch (suite) {
    case WaitSuite::TimedWait:
      return timed_wait::kCases;
    case WaitSuite::StoppableWait:
      return stoppable_wait::kCases;
    case WaitSuite::TimedStoppableWait:
      return timed_stoppable_wait::kCases;
    default:
      return wait_for_what_is_free::kCases;
  }
}

bool add_wait_tests(const char* prefix, const char* name, WaitSuite suite, const std::vector<const DoorKind*>& doors,
                    const char* file, int line) {
  for (std::size_t number = 0; number < doors.size(); ++number) {
    const DoorKind& door = *doors[number];
    const std::string full = std::string(prefix) + "/" + name + "/" + std::to_string(number);
    const std::unique_ptr<char, decltype(&std::free)> type(
        abi::__cxa_demangle(door.type.name(), nullptr, nullptr, nullptr), &std::free);
    for (const WaitCase& one : cases_of(suite)) {
      ::testing::RegisterTest(full.c_str(), one.name, type.get(), nullptr, file, line,
                              [&one, &door]() -> ::testing::Test* { return new WaitTest(one, door); });
    }
  }
  return true;
}

}  // namespace nogil::testing
