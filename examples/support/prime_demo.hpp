// support/prime_demo.hpp -- primes counted by any executor: threads, processes, an MPI job.

#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "support/primes.hpp"
#include "support/tour.hpp"

namespace tour {

// Those up to `last`, in 64 small parts for whoever is free: in two halves the second takes
// longer, since large numbers do.
template <class Executor>
int count_primes_by(Executor& executor, int last) {
  const int chunk = std::max(1, last / 64);
  std::vector<decltype(executor.submit(count_primes, 2, last))> parts;
  for (int from = 2; from <= last; from += chunk) {
    parts.push_back(executor.submit(count_primes, from, std::min(from + chunk, last + 1)));
  }
  int count = 0;
  for (const auto& part : parts) count += part.result();
  return count;
}

// "2 threads, halves        0.301 s wall, 0.598 s CPU  148933".
inline void print_count(const std::string& how, const std::string& took, int count) {
  print(pad_right(how, 28), took, "  ", count);
}

// What the two halves and the 64 parts must come to: the notebook's figures, and a sieve's.
inline void expect_primes(Run& run, int last, int sequential, int first_half, int second_half, int in_chunks) {
  const int half = last / 2;
  const std::string by_sieve = text(count_by_sieve(2, half + 1), '+', count_by_sieve(half + 1, last + 1));
  run.expect("halves", text(first_half, '+', second_half), last == 2'000'000 ? "78498+70435" : by_sieve);
  run.expect("in chunks", in_chunks, count_by_sieve(2, last + 1));
  run.check(sequential == in_chunks, "however it is divided, the count is the same");
}

}  // namespace tour
