// benchmarks/mpi/job/job.hpp -- what a job is asked to measure, and how it answers.
//
//   mpirun -n 2 nogil-mpi-bench round_trip raw 8 0.15
//
// runs one case of one rival, of that size and for about so many seconds, and rank 0 writes
// one line: ns for a turn, then the median, the 99 % and the worst of single turns, and what
// part of its time the processes were busy; 0 for what the case does not measure. An exit
// code other than 0 says that something was wrong.

#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace job {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

struct Order {
  std::string what;
  std::string rival;
  std::size_t size;
  Seconds window;

  static Order of(int argc, char** argv) {
    if (argc != 5) throw std::runtime_error("usage: nogil-mpi-bench CASE RIVAL SIZE SECONDS (see ./dev bench mpi)");
    return {argv[1], argv[2], static_cast<std::size_t>(std::strtoull(argv[3], nullptr, 10)),
            Seconds(std::strtod(argv[4], nullptr))};
  }
};

struct Figures {
  double ns = 0;
  std::vector<double> turns_ns = {};
  double cpu_per_wall = 0;
};

inline void print(Figures figures) {
  std::sort(figures.turns_ns.begin(), figures.turns_ns.end());
  const auto part = [&turns = figures.turns_ns](double of) {
    return turns.empty() ? 0 : turns[static_cast<std::size_t>(of * static_cast<double>(turns.size() - 1))];
  };
  std::printf("%.1f %.1f %.1f %.1f %.4f\n", figures.ns, part(0.5), part(0.99), part(1), figures.cpu_per_wall);
  std::fflush(stdout);
}

inline double ns_since(Clock::time_point began) {
  return std::chrono::duration<double, std::nano>(Clock::now() - began).count();
}

// Calls body(), which is `size` turns, until the window is over, once before it, and at
// least once in it.
template <class Body>
Figures measure(const Order& order, double size, Body body) {
  body();
  Figures figures;
  double turns = 0;
  const auto began = Clock::now();
  do {
    body();
    turns += size;
  } while (Clock::now() - began < order.window);
  figures.ns = ns_since(began) / turns;
  return figures;
}

// The same for a body of a microsecond or so: each eighth call is looked at alone, and the
// first hundred do not count.
template <class Body>
Figures measure_turns(const Order& order, Body body) {
  for (int i = 0; i < 100; ++i) body();
  std::vector<double> turns_ns;
  turns_ns.reserve(1 << 20);
  Figures figures = measure(order, 8, [&] {
    for (int i = 0; i < 7; ++i) body();
    const auto began = Clock::now();
    body();
    turns_ns.push_back(ns_since(began));
  });
  figures.turns_ns = std::move(turns_ns);
  return figures;
}

// ---- What all rivals compute -------------------------------------------------------------

inline constexpr int kTasks = 10'000;
inline constexpr int kItems = 1'000'000;

inline int next(int n) {
  return n + 1;
}

inline void expect(bool right, const char* what_is_wrong) {
  if (!right) throw std::runtime_error(what_is_wrong);
}

// About a microsecond of arithmetic, which no compiler does for several numbers at once.
[[gnu::noinline]] inline std::uint32_t mix(std::uint32_t n) {
  std::uint32_t x = n | 1;
  for (int round = 0; round < 500; ++round) {
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
  }
  return x;
}

}  // namespace job
