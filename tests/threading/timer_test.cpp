// Tests of nogil::Timer, after CPython's test_threading.TimerTests.
// A test's name completes the sentence "a timer ...".

#include "nogil/threading/timer.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <stop_token>
#include <thread>
#include <vector>

#include "nogil/threading/current_thread.hpp"
#include "nogil/threading/event.hpp"
#include "support/threads.hpp"

namespace timer_test {
namespace {

using namespace std::chrono_literals;
using nogil::Event;
using nogil::RuntimeError;
using nogil::Timer;
using nogil::testing::Bunch;
using nogil::testing::rounds;
using FloatSeconds = std::chrono::duration<double>;

TEST(TimerTest, calls_after_its_interval) {
  std::chrono::steady_clock::time_point called;
  Timer timer(30ms, [&called] { called = std::chrono::steady_clock::now(); });
  const auto started = std::chrono::steady_clock::now();
  timer.start();
  timer.join();
  EXPECT_GE(called - started, 30ms);
}

TEST(TimerTest, counts_from_its_start) {
  Timer timer(20ms, [] {});
  std::this_thread::sleep_for(25ms);
  const auto started = std::chrono::steady_clock::now();
  timer.start();
  timer.join();
  EXPECT_GE(std::chrono::steady_clock::now() - started, 20ms);
}

TEST(TimerTest, calls_at_once_when_the_interval_is_not_positive) {
  for (const FloatSeconds interval : {FloatSeconds(0), FloatSeconds(-3600), FloatSeconds(-INFINITY),
                                      FloatSeconds(std::numeric_limits<double>::quiet_NaN())}) {
    std::atomic<int> calls = 0;
    Timer timer(interval, [&calls] { ++calls; });
    timer.start();
    timer.join();
    EXPECT_EQ(calls, 1);
  }
}

TEST(TimerTest, passes_its_arguments_on) {
  int sum = 0;
  Timer timer(
      1ms, [&sum](std::unique_ptr<int> a, int b) { sum = *a + b; }, std::make_unique<int>(1), 2);
  timer.start();
  timer.join();
  EXPECT_EQ(sum, 3);
}

TEST(TimerTest, gives_its_stop_token_to_who_takes_one) {
  Event begun;
  bool stopped = false;
  Timer timer({.name = "alarm"}, 0s, [&](std::stop_token token) {
    begun.set();
    while (!token.stop_requested()) std::this_thread::yield();
    stopped = true;
  });
  EXPECT_EQ(timer.name(), "alarm");
  timer.start();
  begun.wait();
  timer.request_stop();
  timer.join();
  EXPECT_TRUE(stopped);
  EXPECT_FALSE(timer.cancel()) << "it was called";
}

TEST(TimerTest, can_be_cancelled_while_it_waits) {
  Timer timer(1h, [] { FAIL(); });
  timer.start();
  EXPECT_TRUE(timer.cancel());
  EXPECT_TRUE(timer.join());
  EXPECT_TRUE(timer.cancel()) << "the call will still never be made";
}

TEST(TimerTest, waits_for_ever_when_the_interval_is_endless) {
  Timer longest(std::chrono::hours::max(), [] { FAIL(); });
  Timer infinite(FloatSeconds(INFINITY), [] { FAIL(); });
  longest.start();
  infinite.start();
  EXPECT_FALSE(longest.join(5ms));
  EXPECT_FALSE(infinite.join(5ms));
  EXPECT_TRUE(longest.cancel());
  EXPECT_TRUE(infinite.cancel());
}

TEST(TimerTest, can_be_cancelled_before_its_start) {
  Timer timer(0s, [] { FAIL(); });
  EXPECT_TRUE(timer.cancel());
  timer.start();
  EXPECT_TRUE(timer.join());
}

TEST(TimerTest, cannot_be_cancelled_once_it_has_called) {
  Timer timer(0s, [] {});
  timer.start();
  timer.join();
  EXPECT_FALSE(timer.cancel());
}

TEST(TimerTest, cannot_be_cancelled_by_its_own_call) {
  Timer* self = nullptr;
  bool in_time = true;
  Timer timer(0s, [&] { in_time = self->cancel(); });
  self = &timer;
  timer.start();
  timer.join();
  EXPECT_FALSE(in_time);
}

TEST(TimerTest, is_cancelled_by_a_request_to_stop) {
  Timer timer(1h, [] { FAIL(); });
  timer.start();
  timer.request_stop();
  EXPECT_TRUE(timer.join());
  EXPECT_TRUE(timer.cancel());
}

TEST(TimerTest, is_cancelled_by_its_destructor) {
  Timer timer(1h, [] { FAIL(); });
  timer.start();
}

TEST(TimerTest, tells_exactly_whether_the_cancel_was_in_time) {
  int in_time = 0;
  for (int round = 0; round < rounds(500); ++round) {
    std::atomic<int> calls = 0;
    std::atomic<int> cancelled = 0;
    Timer timer(std::chrono::microseconds(round % 60), [&calls] { ++calls; });
    timer.start();
    {
      Bunch cancellers(2, [&] { cancelled += timer.cancel() ? 1 : 0; });
    }
    timer.join();
    ASSERT_NE(cancelled, 1) << "both ask about the same call";
    ASSERT_EQ(calls, cancelled == 0 ? 1 : 0);
    in_time += cancelled / 2;
  }
  RecordProperty("in_time", in_time);
}

TEST(TimerTest, is_a_thread) {
  std::uint64_t ident = 0;
  Timer timer(1ms, [&ident] { ident = nogil::get_ident(); });
  EXPECT_THROW(timer.join(), RuntimeError);
  timer.start();
  EXPECT_THROW(timer.start(), RuntimeError);
  timer.join();
  EXPECT_EQ(timer.ident(), ident);
}

TEST(TimerTest, can_be_kept_in_a_vector) {
  std::vector<Timer> timers;
  for (int i = 0; i < 10; ++i) {
    timers.emplace_back(1h, [] { FAIL(); });
    timers.back().start();
  }
  for (Timer& timer : timers) EXPECT_TRUE(timer.cancel());
  Timer moved = std::move(timers.front());
  EXPECT_FALSE(timers.front().cancel());
  EXPECT_TRUE(moved.join());
  moved = Timer(0s, [] {});
  moved.start();
  moved.join();
  EXPECT_FALSE(moved.cancel());
}

}  // namespace
}  // namespace timer_test
