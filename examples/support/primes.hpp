// support/primes.hpp -- the notebook's way to count primes, and another to check it.

#pragma once

#include <cstddef>
#include <vector>

namespace tour {

inline bool is_prime(int number) {
  for (int i = 2; i * i <= number; ++i)
    if (number % i == 0) return false;
  return true;
}

// How many there are from `from` on, below `end`.
inline int count_primes(int from, int end) {
  int count = 0;
  for (int i = from; i < end; ++i) count += is_prime(i);
  return count;
}

// The same by crossing out multiples.
inline int count_by_sieve(int from, int end) {
  std::vector<bool> composite(static_cast<std::size_t>(end));
  int count = 0;
  for (std::size_t i = 2; i < composite.size(); ++i) {
    if (composite[i]) continue;
    count += i >= static_cast<std::size_t>(from);
    for (std::size_t multiple = i * i; multiple < composite.size(); multiple += i) composite[multiple] = true;
  }
  return count;
}

}  // namespace tour
