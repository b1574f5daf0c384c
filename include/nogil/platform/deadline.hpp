// nogil/platform/deadline.hpp -- a point on the monotonic clock, or never.
//
// Every timed wait turns its timeout into a Deadline once, at the public door.
// Inside, deadlines travel by value, so a wait that loops (a spurious wake-up, a
// lost race) never has to work out how much time is left.
//
// Contract   A Deadline is never earlier than what was asked, never overflows, and
//            is never before boot: hours::max() and infinity mean never(); zero,
//            negative and NaN mean immediate(), for which no clock is read.

#pragma once

#include <ctime>
#include <type_traits>

#include "nogil/platform/chrono.hpp"

namespace nogil::platform {

class Deadline {
 public:
  using Clock = std::chrono::steady_clock;  // CLOCK_MONOTONIC on Linux

  static constexpr Deadline never() noexcept { return Deadline(Clock::time_point::max()); }
  static constexpr Deadline immediate() noexcept { return Deadline(Clock::time_point::min()); }

  // `timeout` from now.
  template <class Rep, class Period>
  static Deadline after(std::chrono::duration<Rep, Period> timeout) {
    if (!(timeout > timeout.zero())) return immediate();
    if (too_long(timeout)) return never();
    const auto now = Clock::now();
    const auto length = std::chrono::ceil<Clock::duration>(timeout);
    return length < Clock::time_point::max() - now ? Deadline(now + length) : never();
  }

  // The moment `when`. A point on another clock is translated once, so who waits
  // for one asks that clock again before giving up: clocks may be set.
  template <class C, class Duration>
  static Deadline at(std::chrono::time_point<C, Duration> when) {
    if constexpr (std::is_same_v<C, Clock>) {
      const auto since = when.time_since_epoch();
      if (!(since > since.zero())) return immediate();
      if (too_long(since)) return never();
      return Deadline(Clock::time_point(std::chrono::ceil<Clock::duration>(since)));
    } else {
      // As double seconds, because the difference of two extreme points overflows. That
      // rounds; close to zero, where it could turn "not yet" into "over", it is exact.
      const auto now = C::now().time_since_epoch();
      const Seconds left = Seconds(when.time_since_epoch()) - Seconds(now);
      if (left > Seconds(1) || left < Seconds(-1)) return after(left);
      return after(when.time_since_epoch() - now);
    }
  }

  constexpr bool is_never() const noexcept { return when_ == Clock::time_point::max(); }
  constexpr bool is_immediate() const noexcept { return when_ == Clock::time_point::min(); }
  constexpr bool is_before(Deadline other) const noexcept { return when_ < other.when_; }
  bool passed() const noexcept { return is_immediate() || (!is_never() && Clock::now() >= when_); }

  // The absolute time as the kernel wants it. Meaningless for never().
  std::timespec to_timespec() const noexcept {
    if (is_immediate()) return {};
    const auto since = when_.time_since_epoch();
    const auto sec = std::chrono::floor<std::chrono::seconds>(since);
    return {static_cast<std::time_t>(sec.count()), static_cast<long>((since - sec).count())};
  }

 private:
  using Seconds = std::chrono::duration<double>;

  constexpr explicit Deadline(Clock::time_point when) noexcept : when_(when) {}

  // Half of what nanoseconds can count, 146 years: beyond it, sums could overflow.
  template <class Length>
  static constexpr bool too_long(Length length) noexcept {
    return Seconds(length) >= Seconds(Clock::duration::max()) / 2;
  }

  Clock::time_point when_;
};

}  // namespace nogil::platform
