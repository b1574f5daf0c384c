// nogil/futures/detail/pace.hpp -- how many elements to take at a time, by what they have cost.
//
// Elements of a row are handed out in chunks. A chunk that is too small costs more to hand
// out than to do; one that is too large leaves the others without work at the end. So each
// worker begins with one element, and takes more as long as a chunk takes it less than
// 20 us; and never more than its part of a half of what is left.

#pragma once

#include <cstdint>

#include "nogil/platform/deadline.hpp"

namespace nogil::detail {

class Pace {
 public:
  // `fixed`: the size of all chunks; 0: by measuring.
  Pace(std::uint64_t fixed, std::uint32_t workers) noexcept : fixed_(fixed), parts_(2 * std::uint64_t{workers}) {}

  // The size of the next chunk, when so many elements are left.
  std::uint64_t next(std::uint64_t left) noexcept {
    if (fixed_ != 0) return fixed_ < left ? fixed_ : left;
    const std::uint64_t share = left / parts_;
    if (size_ <= share) return size_;
    return share == 0 ? 1 : share;
  }

  // Before the first chunk, and after each.
  void begin() noexcept {
    if (fixed_ == 0) began_ = Clock::now();
  }
  void done(std::uint64_t count) noexcept {
    if (fixed_ != 0) return;
    const auto now = Clock::now();
    last_ = now - began_;
    began_ = now;
    if (last_ < kShort) {
      if (count == size_) size_ *= last_ < kShort / 8 ? 8 : 2;
    } else if (last_ > kLong && size_ > 1) {
      size_ /= 2;
    }
  }

  // How long the last chunk has taken. Zero if sizes are fixed.
  using Length = platform::Deadline::Clock::duration;
  Length last() const noexcept { return last_; }

 private:
  using Clock = platform::Deadline::Clock;

  static constexpr std::chrono::microseconds kShort{20};
  static constexpr std::chrono::microseconds kLong{100};

  const std::uint64_t fixed_;
  const std::uint64_t parts_;
  std::uint64_t size_ = 1;
  Length last_{};
  Clock::time_point began_;
};

}  // namespace nogil::detail
