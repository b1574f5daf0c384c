// What a trace costs: the same, with one that runs and with none.

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "nogil/futures/thread_pool_executor.hpp"
#include "nogil/threading/lock.hpp"
#include "nogil/trace.hpp"
#include "support/cases.hpp"
#include "support/measure.hpp"

namespace {

// ---- The rivals: a trace that lives as long as they do ------------------------------------

struct Off {
  static constexpr const char* kName = "nogil::trace,off";
};

struct On {
  static constexpr const char* kName = "nogil::trace,on";
  On() { nogil::trace::start(); }
  On(const On&) = delete;
  On& operator=(const On&) = delete;
  ~On() { nogil::trace::stop(); }
};

// The price of a look at the clock, of which a span needs two.
struct Clock {
  static constexpr const char* kName = "std::chrono::steady_clock,twice";
};

// ---- The cases ---------------------------------------------------------------------------

// One thread begins and ends a span. Every 100,000 spans a trace that runs is begun anew,
// which is part of the figure.
template <class Trace>
void span(benchmark::State& state) {
  constexpr int kEach = 100'000;
  bench::measure_batches(state, kEach, [] {
    [[maybe_unused]] const Trace trace;
    for (int i = 0; i < kEach; ++i) const nogil::trace::Span one = nogil::trace::span("a span");
  });
}
template <>
void span<Clock>(benchmark::State& state) {
  bench::measure(state, [] {
    benchmark::DoNotOptimize(std::chrono::steady_clock::now());
    benchmark::DoNotOptimize(std::chrono::steady_clock::now());
  });
}

// One thread takes and releases a lock that nobody else wants: no point is on that way.
template <class Trace>
void lock_uncontended(benchmark::State& state) {
  [[maybe_unused]] const Trace trace;
  nogil::Lock lock;
  std::int64_t count = 0;
  bench::measure(state, [&] {
    const std::scoped_lock guard(lock);
    benchmark::DoNotOptimize(++count);
  });
}

// A pool of two runs 1,000 tasks that do nothing, and their futures are awaited: for each.
// Every 100,000 tasks a trace that runs is begun anew, so that it has room for all.
template <class Trace>
void task(benchmark::State& state) {
  constexpr int kTasks = 1000, kBatches = 100;
  std::optional<Trace> trace;
  nogil::ThreadPoolExecutor pool(2);
  std::vector<nogil::Future<void>> futures(kTasks);
  bench::measure_batches(state, kTasks, [&, batch = 0]() mutable {
    if (batch++ % kBatches == 0) {
      trace.reset();
      trace.emplace();
    }
    for (nogil::Future<void>& future : futures) future = pool.submit([] {});
    for (const nogil::Future<void>& future : futures) future.result();
  });
}

[[maybe_unused]] const bool registered = [] {
  bench::compare(bench::Rivals<Off, On, Clock>(), BENCH_CASE(span));
  bench::compare(bench::Rivals<Off, On>(), BENCH_CASE(lock_uncontended));
  bench::compare(bench::Rivals<Off, On>(), BENCH_CASE(task));
  return true;
}();

}  // namespace
