// support/models.hpp -- the notebooks' four models of computing, with the same job each.
//
//   const auto squares = tour::by_each_model(8, workers, square, async_square);
//   squares.results[tour::kThreads]                 // 0, 1, 4, …
//   squares.wall[tour::kAsync]                      // how long coroutines took
//
// The job is a number of calls, f(0), f(1), … in any order. Pools are made for the job, and
// their start is part of its time.

#pragma once

#include <array>
#include <cstddef>
#include <ctime>
#include <utility>
#include <vector>

#include "nogil/asyncio.hpp"
#include "nogil/futures.hpp"
#include "nogil/multiprocessing.hpp"
#include "support/primes.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace tour {

enum Model : std::size_t { kSequential, kThreads, kAsync, kProcesses };
inline constexpr std::size_t kModels = 4;
inline constexpr std::array<const char*, kModels> kModelNames{"sequential", "threads", "async", "processes"};

template <class R>
struct ByModel {
  std::array<Seconds, kModels> wall{};
  std::array<std::vector<R>, kModels> results;
};

namespace detail {

template <class R>
nogil::asyncio::Coro<std::vector<R>> all_of(std::vector<nogil::asyncio::Coro<R>> calls) {
  co_return co_await nogil::asyncio::gather(std::move(calls));
}

}  // namespace detail

// `f` can be sent to a process; `coroutine` does the same, and waits without blocking.
template <class F, class G>
auto by_each_model(int calls, std::size_t workers, F f, G coroutine) {
  using R = decltype(f(0));
  std::vector<int> numbers;
  for (int i = 0; i < calls; ++i) numbers.push_back(i);
  ByModel<R> outcome;
  const auto measure = [&](Model model, auto job) {
    const Stopwatch watch;
    job(outcome.results[model]);
    outcome.wall[model] = watch.wall();
  };

  measure(kSequential, [&](std::vector<R>& results) {
    for (const int i : numbers) results.push_back(f(i));
  });
  measure(kThreads, [&](std::vector<R>& results) {
    nogil::ThreadPoolExecutor executor(workers);
    for (R result : executor.map({.chunksize = 1}, f, numbers)) results.push_back(std::move(result));
  });
  measure(kAsync, [&](std::vector<R>& results) {
    std::vector<nogil::asyncio::Coro<R>> coroutines;
    for (const int i : numbers) coroutines.push_back(coroutine(i));
    results = nogil::asyncio::run(detail::all_of(std::move(coroutines)));
  });
  measure(kProcesses, [&](std::vector<R>& results) {
    nogil::mp::ProcessPoolExecutor executor(workers);
    for (R result : executor.map({.chunksize = 1}, f, numbers)) results.push_back(std::move(result));
  });
  return outcome;
}

// ---- A job that computes: the primes below `last`, in parts ----

struct Counted {
  int primes;
  double cpu;  // seconds that it computed

  friend bool operator==(const Counted& a, const Counted& b) { return a.primes == b.primes; }
};

struct CountPart {
  int last, parts;

  Counted operator()(int part) const {
    const auto bound = [this](int i) { return static_cast<int>(static_cast<long>(last) * i / parts); };
    std::timespec before{}, after{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
    const int primes = count_primes(part == 0 ? 2 : bound(part), bound(part + 1));
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
    return {primes, static_cast<double>(after.tv_sec - before.tv_sec) +
                        static_cast<double>(after.tv_nsec - before.tv_nsec) * 1e-9};
  }
};

// In the loop's only thread: it gives the others their turn before it begins.
inline nogil::asyncio::Coro<Counted> count_part_async(CountPart count, int part) {
  co_await nogil::asyncio::yield();
  co_return count(part);
}

inline ByModel<Counted> count_by_each_model(int last, int parts, std::size_t workers) {
  const CountPart count{last, parts};
  return by_each_model(parts, workers, count, [count](int part) { return count_part_async(count, part); });
}

inline int primes_in(const std::vector<Counted>& parts) {
  int all = 0;
  for (const Counted& part : parts) all += part.primes;
  return all;
}

// How many cores computed at a time, on average.
inline double cores(const ByModel<Counted>& counted, Model model) {
  double cpu = 0;
  for (const Counted& part : counted.results[model]) cpu += part.cpu;
  return cpu / counted.wall[model].count();
}

}  // namespace tour
