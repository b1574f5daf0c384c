// Tests of nogil::platform::Deadline.

#include "nogil/platform/deadline.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <ratio>

#include "support/clocks.hpp"
#include "support/watchdog.hpp"

namespace nogil::testing::deadline_test {
namespace {

using namespace std::chrono_literals;
using platform::Deadline;
using std::chrono::steady_clock;
using std::chrono::system_clock;
using FloatSeconds = std::chrono::duration<double>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// A Deadline as the kernel would see it.
std::chrono::nanoseconds kernel_time(const Deadline& deadline) {
  const std::timespec when = deadline.to_timespec();
  return std::chrono::seconds(when.tv_sec) + std::chrono::nanoseconds(when.tv_nsec);
}

constexpr bool is_plain(const Deadline& deadline) {
  return !deadline.is_never() && !deadline.is_immediate();
}

TEST(DeadlineTest, never_is_never_passed) {
  EXPECT_TRUE(Deadline::never().is_never());
  EXPECT_FALSE(Deadline::never().is_immediate());
  EXPECT_FALSE(Deadline::never().passed());
}

TEST(DeadlineTest, immediate_is_passed_and_a_time_that_the_kernel_takes) {
  EXPECT_TRUE(Deadline::immediate().is_immediate());
  EXPECT_FALSE(Deadline::immediate().is_never());
  EXPECT_TRUE(Deadline::immediate().passed());
  EXPECT_EQ(kernel_time(Deadline::immediate()), 0ns);
}

TEST(DeadlineTest, lies_after_now_by_the_timeout) {
  const auto lies = [](auto timeout) {
    const auto before = steady_clock::now().time_since_epoch();
    const Deadline deadline = Deadline::after(timeout);
    const auto after = steady_clock::now().time_since_epoch();
    EXPECT_TRUE(is_plain(deadline));
    const auto length = std::chrono::ceil<std::chrono::nanoseconds>(timeout);
    EXPECT_GE(kernel_time(deadline), before + length);
    EXPECT_LE(kernel_time(deadline), after + length);
  };
  lies(1ns);
  lies(1us);
  lies(1ms);
  lies(1500ms);
  lies(1h);
  lies(std::chrono::duration<std::uint8_t>(200));
  lies(FloatSeconds(0.25));
  lies(std::chrono::duration<float, std::milli>(0.5f));
  lies(std::chrono::hours(24 * 365 * 100));
}

TEST(DeadlineTest, is_rounded_up_and_never_down) {
  using Picoseconds = std::chrono::duration<std::int64_t, std::pico>;
  const auto before = steady_clock::now().time_since_epoch();
  EXPECT_TRUE(is_plain(Deadline::after(Picoseconds(1))));
  EXPECT_GE(kernel_time(Deadline::after(Picoseconds(1))), before + 1ns);
  EXPECT_GE(kernel_time(Deadline::after(FloatSeconds(1e-12))), before + 1ns);
  const std::chrono::time_point<steady_clock, Picoseconds> when(Picoseconds(1'000'000'000'001));
  EXPECT_EQ(kernel_time(Deadline::at(when)), 1'000'000'001ns);
}

TEST(DeadlineTest, is_immediate_for_a_timeout_that_is_not_positive) {
  EXPECT_TRUE(Deadline::after(0s).is_immediate());
  EXPECT_TRUE(Deadline::after(-1ns).is_immediate());
  EXPECT_TRUE(Deadline::after(-1h).is_immediate());
  EXPECT_TRUE(Deadline::after(std::chrono::nanoseconds::min()).is_immediate());
  EXPECT_TRUE(Deadline::after(std::chrono::hours::min()).is_immediate());
  EXPECT_TRUE(Deadline::after(std::chrono::duration<unsigned>(0)).is_immediate());
  EXPECT_TRUE(Deadline::after(FloatSeconds(-kInfinity)).is_immediate());
  EXPECT_TRUE(Deadline::after(FloatSeconds(std::numeric_limits<double>::quiet_NaN())).is_immediate());
}

TEST(DeadlineTest, is_never_for_a_timeout_too_long_to_count) {
  EXPECT_TRUE(Deadline::after(std::chrono::nanoseconds::max()).is_never());
  EXPECT_TRUE(Deadline::after(std::chrono::microseconds::max()).is_never());
  EXPECT_TRUE(Deadline::after(std::chrono::hours::max()).is_never());
  EXPECT_TRUE(Deadline::after(std::chrono::duration<std::uint64_t, std::nano>::max()).is_never());
  EXPECT_TRUE(Deadline::after(std::chrono::duration<std::int64_t, std::ratio<3'155'695'200>>::max()).is_never());
  EXPECT_TRUE(Deadline::after(FloatSeconds(kInfinity)).is_never());
  EXPECT_TRUE(Deadline::after(FloatSeconds::max()).is_never());
  EXPECT_TRUE(Deadline::after(std::chrono::duration<long double, std::ratio<31'556'952>>(292.3L)).is_never());
}

// Whatever the length, the result is never and not a time that wrapped round.
TEST(DeadlineTest, never_overflows) {
  const auto now = steady_clock::now().time_since_epoch();
  for (std::int64_t length = 1; length > 0 && length < std::numeric_limits<std::int64_t>::max() / 2; length *= 2) {
    for (const std::int64_t off : {-1, 0, 1}) {
      const std::chrono::nanoseconds timeout(length + off);
      const Deadline deadline = Deadline::after(timeout);
      if (timeout <= 0ns) EXPECT_TRUE(deadline.is_immediate());
      else EXPECT_TRUE(deadline.is_never() || kernel_time(deadline) >= now + timeout) << timeout.count();
      const Deadline seconds = Deadline::after(std::chrono::seconds(length + off));
      EXPECT_TRUE(seconds.is_never() || seconds.is_immediate() || kernel_time(seconds) >= now);
    }
  }
}

TEST(DeadlineTest, at_a_steady_time_is_that_time) {
  const auto when = steady_clock::now() + 1h;
  EXPECT_EQ(kernel_time(Deadline::at(when)), when.time_since_epoch());
  EXPECT_FALSE(Deadline::at(when).passed());
  EXPECT_TRUE(Deadline::at(steady_clock::now()).passed());
  EXPECT_TRUE(Deadline::at(steady_clock::now() - 1h).passed());
  EXPECT_TRUE(Deadline::at(steady_clock::time_point{}).is_immediate());
  EXPECT_TRUE(Deadline::at(steady_clock::time_point(-1ns)).is_immediate());
  EXPECT_TRUE(Deadline::at(steady_clock::time_point::min()).is_immediate());
  EXPECT_TRUE(Deadline::at(steady_clock::time_point::max()).is_never());
  EXPECT_TRUE(Deadline::at(steady_clock::time_point::max() - 1ns).is_never());
  EXPECT_TRUE(Deadline::at(std::chrono::time_point<steady_clock, std::chrono::hours>::max()).is_never());
  EXPECT_TRUE(Deadline::at(std::chrono::time_point<steady_clock, FloatSeconds>(FloatSeconds(kInfinity))).is_never());
}

TEST(DeadlineTest, at_a_time_of_another_clock_is_as_far_from_now) {
  const auto before = steady_clock::now().time_since_epoch();
  const Deadline deadline = Deadline::at(system_clock::now() + 1h);
  const auto after = steady_clock::now().time_since_epoch();
  EXPECT_GE(kernel_time(deadline), before + 1h - 1ms);
  EXPECT_LE(kernel_time(deadline), after + 1h + 1ms);
  EXPECT_TRUE(Deadline::at(system_clock::now() - 1h).is_immediate());
  EXPECT_TRUE(Deadline::at(system_clock::time_point{}).is_immediate());
  EXPECT_TRUE(Deadline::at(system_clock::time_point::min()).is_immediate());
  EXPECT_TRUE(Deadline::at(system_clock::time_point::max()).is_never());
  EXPECT_TRUE(Deadline::at(std::chrono::time_point<system_clock, std::chrono::hours>::max()).is_never());
  EXPECT_TRUE(Deadline::at(std::chrono::time_point<system_clock, std::chrono::hours>::min()).is_immediate());
  EXPECT_TRUE(Deadline::at(SlowClock::time_point::max()).is_never());
  EXPECT_TRUE(Deadline::at(SlowClock::time_point::min()).is_immediate());
}

TEST(DeadlineTest, is_not_early_by_a_rounding_of_what_is_left) {
  EXPECT_FALSE(Deadline::at(AncientClock::now() + 1ns).is_immediate());
  EXPECT_FALSE(Deadline::at(AncientClock::now() + 100ns).is_immediate());
  EXPECT_TRUE(Deadline::at(AncientClock::now()).is_immediate());
  EXPECT_TRUE(Deadline::at(AncientClock::now() - 1ns).is_immediate());
  const auto before = steady_clock::now().time_since_epoch();
  EXPECT_GE(kernel_time(Deadline::at(AncientClock::now() + 1'000'001ns)), before + 1'000'001ns);
}

TEST(DeadlineTest, passes_when_its_time_has_come) {
  const Deadline deadline = Deadline::after(2ms);
  EXPECT_FALSE(Deadline::after(1h).passed());
  while (!deadline.passed()) {
  }
  EXPECT_GE(steady_clock::now().time_since_epoch(), kernel_time(deadline));
}

}  // namespace
}  // namespace nogil::testing::deadline_test
