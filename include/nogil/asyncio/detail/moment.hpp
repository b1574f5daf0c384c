// nogil/asyncio/detail/moment.hpp -- points on a loop's clock, in nanoseconds.
//
// What a loop computes with: its clock may be another one than the machine's (in tests),
// so lengths are added to what it says. Nothing overflows: very long is never.

#pragma once

#include <cstdint>
#include <limits>
#include <type_traits>

#include "nogil/platform/chrono.hpp"

namespace nogil::asyncio::detail {

using Moment = std::int64_t;
inline constexpr Moment kNever = std::numeric_limits<std::int64_t>::max();

// At least as long as asked for. Zero for zero, a negative length and NaN.
template <class Rep, class Period>
constexpr std::int64_t nanoseconds(const std::chrono::duration<Rep, Period>& length) {
  if (!(length > length.zero())) return 0;
  if (std::chrono::duration<double>(length) >= std::chrono::duration<double>(std::chrono::nanoseconds::max()) / 2) {
    return kNever;
  }
  return std::chrono::ceil<std::chrono::nanoseconds>(length).count();
}

constexpr Moment after(Moment now, std::int64_t length) noexcept {
  return length >= kNever - now ? kNever : now + length;
}

// A point on the machine's steady clock is one on the loop's.
template <class Clock, class Duration>
Moment moment_of(Moment now, const std::chrono::time_point<Clock, Duration>& when) {
  if constexpr (std::is_same_v<Clock, std::chrono::steady_clock>) return nanoseconds(when.time_since_epoch());
  else
    return after(now, nanoseconds(std::chrono::duration<double>(when.time_since_epoch()) -
                                  std::chrono::duration<double>(Clock::now().time_since_epoch())));
}

inline std::chrono::steady_clock::time_point time_point_of(Moment moment) noexcept {
  return std::chrono::steady_clock::time_point(
      std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::chrono::nanoseconds(moment)));
}

}  // namespace nogil::asyncio::detail
