// nogil/multiprocessing/detail/crowd.hpp -- whether others want the cores that we would wait on.
//
// To look again and again, with yields in between, is much faster than to sleep and be woken:
// as long as nobody else computes. When somebody does, a yield gives him a whole slice of the
// scheduler, some ms; while one who sleeps is woken at once, ahead of those that compute. A
// wait between processes then takes a thousand times as long with yields as without.
//
// So yields are timed. After two that took long, not far apart (one may be an interrupt, or the
// host of a virtual machine), this process does without them for thirty times as long: so it
// costs a thirtieth to ask again whether it is still so.

#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "nogil/platform/backoff.hpp"

namespace nogil::multiprocessing::detail {

class Crowd {
 public:
  // On the monotonic clock, in ns.
  static std::int64_t clock() noexcept {
    return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
  }

  // Whether to do without yields at `now`.
  static bool expected(std::int64_t now) noexcept { return now < until().load(std::memory_order_relaxed); }
  static bool expected() noexcept { return until().load(std::memory_order_relaxed) != 0 && expected(clock()); }

  // A yield that ended at `now` took so long.
  static void yielded(std::int64_t now, std::int64_t took) noexcept {
    if (took <= kLong) return;
    static constinit std::atomic<std::int64_t> last_long{-kNotFar};
    if (now - last_long.exchange(now, std::memory_order_relaxed) > kNotFar) return;
    until().store(now + (took < kMost ? took : kMost) * 30, std::memory_order_relaxed);
  }

 private:
  static constexpr std::int64_t kLong = 100'000;
  static constexpr std::int64_t kMost = 5'000'000;
  static constexpr std::int64_t kNotFar = 200'000'000;  // more than 30 * kMost: so in a crowd one is enough

  static std::atomic<std::int64_t>& until() noexcept {
    static constinit std::atomic<std::int64_t> the_end{0};
    return the_end;
  }
};

// BasicBackoff that ends at once in a crowd.
template <class Platform, class Policy = platform::WaitPolicy>
class CrowdBackoff {
 public:
  template <class Wait>
  explicit CrowdBackoff(const Wait& wait) noexcept : backoff_(wait) {}

  bool again() noexcept {
    if constexpr (!Platform::kSpins) return false;
    const int round = round_++;
    if (round == 0 && Crowd::expected()) round_ = kOver;
    if (round_ >= kOver) return false;
    if (round >= kEarly && round < Policy::kPauseRounds) return backoff_.again();
    const std::int64_t before = Crowd::clock();
    const bool again = backoff_.again();
    const std::int64_t now = Crowd::clock();
    Crowd::yielded(now, now - before);
    return again && (round < Policy::kPauseRounds || !Crowd::expected(now));
  }

 private:
  static constexpr int kEarly = 2;  // QueuePolicy yields once among the first pauses
  static constexpr int kOver = 1 << 30;

  platform::BasicBackoff<Platform, Policy> backoff_;
  int round_ = 0;
};

}  // namespace nogil::multiprocessing::detail
