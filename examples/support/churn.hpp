// support/churn.hpp -- work that keeps a core busy and that no compiler can shorten.

#pragma once

#include <cstdint>

namespace tour {

// A step of a xorshift generator (Marsaglia, 2003), `steps` times: about a nanosecond or
// two each. Every step needs the one before. Returns what depends on all of them.
inline std::uint64_t churn(std::uint64_t seed, long steps) {
  std::uint64_t x = seed * 2 + 1;
  for (long i = 0; i < steps; ++i) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
  }
  return x;
}

}  // namespace tour
