// benchmarks/futures/work.hpp -- what the tasks compute, the same for every rival.

#pragma once

#include <cstdint>

namespace work {

// By trial division up to the square root.
inline bool is_prime(std::int64_t n) {
  if (n < 2) return false;
  for (std::int64_t divisor = 2; divisor * divisor <= n; ++divisor) {
    if (n % divisor == 0) return false;
  }
  return true;
}

// The part of pi/4 that the midpoint rule with `steps` strips gives for strips [begin, end).
inline double pi_strips(std::int64_t begin, std::int64_t end, std::int64_t steps) {
  const double width = 1.0 / static_cast<double>(steps);
  double sum = 0;
  for (std::int64_t i = begin; i < end; ++i) {
    const double x = (static_cast<double>(i) + 0.5) * width;
    sum += 1.0 / (1.0 + x * x);
  }
  return sum * width;
}

}  // namespace work
