// tests/model/clock.hpp -- vector clocks: who knows of whom, and up to which moment.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace nogil::model {

// The scenario itself is thread 0; it may start the others.
inline constexpr std::size_t kThreads = 5;

// The moments of one thread, from 1; 0 is before its first.
using Time = std::uint32_t;

class Clock {
 public:
  Time operator[](std::size_t thread) const noexcept { return times_[thread]; }
  void set(std::size_t thread, Time time) noexcept { times_[thread] = time; }

  // Learns all that `other` knows.
  void join(const Clock& other) noexcept {
    for (std::size_t i = 0; i < kThreads; ++i) {
      if (times_[i] < other.times_[i]) times_[i] = other.times_[i];
    }
  }

  // Whether the moment `time` of `thread` is known here. Moment 0 is nothing to know.
  bool knows(std::size_t thread, Time time) const noexcept { return time <= times_[thread]; }

 private:
  std::array<Time, kThreads> times_{};
};

}  // namespace nogil::model
