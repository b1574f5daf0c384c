// Calls into another process: nogil's pools, and what a pipe or a word in shared memory costs
// by hand. CPython's figures are those of python/multiprocessing_bench.py.

#include <benchmark/benchmark.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "multiprocessing/rivals.hpp"
#include "support/cases.hpp"
#include "support/measure.hpp"

namespace {

using namespace processes;

using Lines = bench::Rivals<Nogil, NogilPool, RawPipe, RawFutex, RawSpin>;
using TextLines = bench::Rivals<Nogil, NogilPool, RawPipe>;

constexpr int kTasks = 10'000;

// ---- Round trips -----------------------------------------------------------------------

// A call and its result, one after the other.
template <class R>
void mp_round_trip(benchmark::State& state) {
  typename R::Line line;
  int n = 0;
  bench::measure_with(
      state, 0, [](std::int64_t) {}, [&] { n = line.call(n); });
  bench::check(state, n == state.iterations() + 1, "a call was lost");
}

// Reports the median of `times` calls of body(), before each of which prepare() was called.
template <class Prepare, class Body>
void measure_median(benchmark::State& state, std::size_t times, Prepare prepare, Body body) {
  std::vector<double> seconds;
  for (auto _ : state) {
    const bench::Usage usage;
    for (std::size_t i = 0; i < times; ++i) {
      prepare();
      const auto began = bench::Clock::now();
      body();
      seconds.push_back(bench::Seconds(bench::Clock::now() - began).count());
    }
    const auto middle = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2);
    std::nth_element(seconds.begin(), middle, seconds.end());
    state.SetIterationTime(*middle);
    state.counters["cpu_wall"] = usage.cpu_per_wall();
  }
}

// The same after a millisecond in which nothing happened: everybody sleeps.
template <class R>
void mp_round_trip_cold(benchmark::State& state) {
  typename R::Line line;
  int n = 0;
  measure_median(
      state, 200, [] { std::this_thread::sleep_for(std::chrono::milliseconds(1)); }, [&] { n = line.call(n); });
}

// The same while as many threads as there are cores compute.
template <class R>
void mp_round_trip_busy(benchmark::State& state) {
  typename R::Line line;
  std::atomic<bool> stop{false};
  const bench::Team busy(static_cast<int>(bench::usable_cores().size()), [&stop](int) {
    const ::sched_param usual{};  // also where the benchmark itself runs with `chrt -r`
    ::sched_setscheduler(0, SCHED_OTHER, &usual);
    while (!stop.load(std::memory_order_relaxed)) bench::work(1000);
  });
  int n = 0;
  measure_median(
      state, 200, [] {}, [&] { n = line.call(n); });
  stop.store(true);
}

// ---- Many tasks ------------------------------------------------------------------------

// One thread submits 10,000 tasks, then asks each for its result.
template <class R>
void mp_tiny_tasks(benchmark::State& state) {
  nogil::mp::ProcessPoolExecutor pool(bench::usable_cores().size());
  std::vector<nogil::Future<int>> futures;
  futures.reserve(kTasks);
  std::int64_t got = 0;
  std::int64_t wanted = 0;
  const double before = bench::two_thread_control();
  const auto body = [&] {
    for (int i = 0; i < kTasks; ++i) futures.push_back(pool.submit(next, i));
    for (const auto& future : futures) got += future.result();
    futures.clear();
    wanted += std::int64_t{kTasks} * (kTasks + 1) / 2;
  };
  body();
  bench::measure_batches(state, kTasks, body);
  bench::report_control(state, before);
  bench::check(state, got == wanted, "not every task ran once");
}

std::int64_t sum_of_map(nogil::mp::Pool& pool, const std::vector<int>& numbers) {
  const std::vector<int> results = pool.map(next, numbers, 1000);
  return std::accumulate(results.begin(), results.end(), std::int64_t{0});
}

std::int64_t sum_of_map(nogil::mp::ProcessPoolExecutor& pool, const std::vector<int>& numbers) {
  std::int64_t sum = 0;
  for (const int result : pool.map({.chunksize = 1000}, next, numbers)) sum += result;
  return sum;
}

template <class R>
struct PoolOf;
template <>
struct PoolOf<Nogil> {
  nogil::mp::ProcessPoolExecutor pool{bench::usable_cores().size()};
};
template <>
struct PoolOf<NogilPool> {
  nogil::mp::Pool pool{bench::usable_cores().size()};
};

// map() over 100,000 numbers, 1000 at a time.
template <class R>
void mp_map_1000(benchmark::State& state) {
  PoolOf<R> workers;
  std::vector<int> numbers(100'000);
  std::iota(numbers.begin(), numbers.end(), 0);
  const std::int64_t wanted = std::int64_t{100'000} * 100'001 / 2;
  bool right = sum_of_map(workers.pool, numbers) == wanted;
  const double before = bench::two_thread_control();
  bench::measure_batches(state, 100'000, [&] { right = right && sum_of_map(workers.pool, numbers) == wanted; });
  bench::report_control(state, before);
  bench::check(state, right, "a wrong sum");
}

// ---- Large arguments -------------------------------------------------------------------

// 1 MiB goes there, its length comes back.
template <class R>
void mp_argument_1mib(benchmark::State& state) {
  typename R::Line line;
  const std::string text(std::size_t{1} << 20, 'x');
  bool right = true;
  bench::measure_with(
      state, 0, [](std::int64_t) {}, [&] { right = right && line.length(text) == text.size(); });
  bench::check(state, right, "a wrong length");
}

// ---- Death -----------------------------------------------------------------------------

struct ForkAndWait {
  static constexpr const char* kName = "waitpid()";
};

void die() {
  ::raise(SIGKILL);
}

// From the submit() of a task that kills its worker, which is there and sleeps, until its
// future says so.
template <class R>
void mp_crash_told(benchmark::State& state) {
  if constexpr (std::is_same_v<R, ForkAndWait>) {
    int ends[2];
    if (::pipe(ends) != 0) std::abort();
    std::unique_ptr<int> pid = std::make_unique<int>(0);
    measure_median(
        state, 50,
        [&] {
          *pid = ::fork();
          if (*pid != 0) return;
          char go = 0;
          read_all(ends[0], &go, 1);
          ::raise(SIGKILL);
        },
        [&] {
          write_all(ends[1], "x", 1);
          ::waitpid(*pid, nullptr, 0);
        });
    ::close(ends[0]);
    ::close(ends[1]);
  } else {
    nogil::mp::ProcessPoolExecutor pool(1);
    int told = 0;
    measure_median(
        state, 50, [&] { pool.submit(next, 1).result(); },
        [&] {
          try {
            pool.submit(die).result();
          } catch (const nogil::WorkerDied&) {
            ++told;
          }
        });
    bench::check(state, told % 50 == 0 && told > 0, "a death was not told of");
  }
}

// ---- Nothing to do ---------------------------------------------------------------------

double cpu_seconds_of(int pid) {
  ::clockid_t clock;
  ::timespec time{};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &time) != 0) return 0;
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// 100 ms after a burst of tasks: the CPU time that the parent and its workers use meanwhile.
// It is this that is reported as the time.
template <class R>
void mp_idle(benchmark::State& state) {
  nogil::mp::ProcessPoolExecutor pool(2);
  for (auto _ : state) {
    for (int i = 0; i < 1000; ++i) pool.submit(next, i);
    pool.submit(next, 0).result();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    const auto all = [&] {
      double seconds = cpu_seconds_of(::getpid());
      for (const int pid : pool.worker_pids()) seconds += cpu_seconds_of(pid);
      return seconds;
    };
    const double before = all();
    const auto began = bench::Clock::now();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    const double cpu = all() - before;
    state.SetIterationTime(cpu);
    state.counters["cpu_wall"] = cpu / bench::Seconds(bench::Clock::now() - began).count();
  }
}

[[maybe_unused]] const bool registered = [] {
  using bench::Timing;
  bench::compare(Lines(), BENCH_CASE(mp_round_trip), {.goals = {bench::at_most(0.1, RawPipe::kName)}});
  bench::compare(Lines(), BENCH_CASE(mp_round_trip_cold),
                 {.timing = Timing::kWindow, .goals = {bench::at_most(2, RawPipe::kName)}});
  bench::compare(bench::Rivals<Nogil, NogilPool, RawPipe, RawFutex>(), BENCH_CASE(mp_round_trip_busy),
                 {.timing = Timing::kWindow, .goals = {bench::at_most(2, RawPipe::kName)}});
  bench::compare(bench::Rivals<Nogil>(), BENCH_CASE(mp_tiny_tasks));
  bench::compare(bench::Rivals<NogilPool, Nogil>(), BENCH_CASE(mp_map_1000));
  bench::compare(TextLines(), BENCH_CASE(mp_argument_1mib), {.goals = {bench::at_most(1, RawPipe::kName)}});
  bench::compare(bench::Rivals<Nogil, ForkAndWait>(), BENCH_CASE(mp_crash_told), {.timing = Timing::kWindow});
  bench::compare(bench::Rivals<Nogil>(), BENCH_CASE(mp_idle),
                 {.timing = Timing::kWindow, .goals = {bench::cpu_at_most(0.01)}});
  return true;
}();

}  // namespace
