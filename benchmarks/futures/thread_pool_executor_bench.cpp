// Pools side by side: nogil, a queue with a mutex and a condition, Asio, oneTBB, std::async.

#include <benchmark/benchmark.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "futures/rivals.hpp"
#include "support/cases.hpp"
#include "support/measure.hpp"

#ifdef _OPENMP
#include <omp.h>
#endif

namespace {

using namespace pools;

using WithFutures = bench::Rivals<Nogil, ByHand, Asio, Tbb>;
using AllPools = bench::Rivals<Nogil, ByHand, Asio, Tbb, Async>;

constexpr int kTasks = 1000;

// Measures body(), which is kTasks turns on a pool of its own making.
template <class Body>
void measure_tasks(benchmark::State& state, Body body) {
  const double before = bench::two_thread_control();
  body();
  bench::measure_batches(state, kTasks, body);
  bench::report_control(state, before);
}

// ---- Throughput ------------------------------------------------------------------------

// One thread submits 1000 tasks, then asks each for its result: the price of a task with
// a future.
template <class R>
void pool_submit_get(benchmark::State& state) {
  typename R::Pool pool(static_cast<int>(state.range(0)));
  std::vector<decltype(pool.submit([] { return 1; }))> futures;
  futures.reserve(kTasks);
  std::int64_t got = 0;
  std::int64_t wanted = 0;
  measure_tasks(state, [&] {
    for (int i = 0; i < kTasks; ++i) futures.push_back(pool.submit([i] { return i; }));
    for (auto& future : futures) got += future.get();
    futures.clear();
    wanted += std::int64_t{kTasks} * (kTasks - 1) / 2;
  });
  bench::check(state, got == wanted, "not every task ran once");
}

// Waits for kTasks calls of done(). Outlives the pool, whose last task may still be in done().
class Countdown {
 public:
  void start() {
    left_.store(kTasks, std::memory_order_relaxed);
    all_done_.store(false, std::memory_order_relaxed);
  }
  void done() {
    if (left_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    all_done_.store(true, std::memory_order_release);
    all_done_.notify_one();
  }
  void wait() { all_done_.wait(false); }

 private:
  alignas(128) std::atomic<int> left_{0};
  std::atomic<bool> all_done_{false};
};

// One thread posts 1000 tasks, and waits for the last of them: the price without a future.
template <class R>
void pool_post(benchmark::State& state) {
  Countdown tasks;
  typename R::Pool pool(static_cast<int>(state.range(0)));
  measure_tasks(state, [&] {
    tasks.start();
    for (int i = 0; i < kTasks; ++i) pool.post([&tasks] { tasks.done(); });
    tasks.wait();
  });
}

// A task posts 1000 others: the price of work that is found while working.
template <class R>
void pool_fan_out(benchmark::State& state) {
  Countdown tasks;
  typename R::Pool pool(static_cast<int>(state.range(0)));
  measure_tasks(state, [&] {
    tasks.start();
    pool.post([&] {
      for (int i = 0; i < kTasks; ++i) pool.post([&tasks] { tasks.done(); });
    });
    tasks.wait();
  });
}

// ---- Fork and join ---------------------------------------------------------------------

constexpr int kFib = 20;

// Calls of fib() that fork, for fib(n).
constexpr int forks(int n) {
  return n < 2 ? 0 : 1 + forks(n - 1) + forks(n - 2);
}

struct NogilFib {
  static constexpr const char* kName = "nogil::ThreadPoolExecutor";

  explicit NogilFib(int workers) : pool(static_cast<std::size_t>(workers)) {}

  int run(int n) {
    return pool.submit([this, n] { return fib(n); }).result();
  }
  int fib(int n) {
    if (n < 2) return n;
    int first = 0;
    int second = 0;
    pool.invoke([this, n, &first] { first = fib(n - 1); }, [this, n, &second] { second = fib(n - 2); });
    return first + second;
  }

  nogil::ThreadPoolExecutor pool;
};

// With a future for one half.
struct NogilFutureFib {
  static constexpr const char* kName = "nogil::Future";

  explicit NogilFutureFib(int workers) : pool(static_cast<std::size_t>(workers)) {}

  int run(int n) {
    return pool.submit([this, n] { return fib(n); }).result();
  }
  int fib(int n) {
    if (n < 2) return n;
    auto first = pool.submit([this, n] { return fib(n - 1); });
    const int second = fib(n - 2);
    return second + first.result();
  }

  nogil::ThreadPoolExecutor pool;
};

#ifdef NOGIL_HAVE_TBB
struct TbbFib {
  static constexpr const char* kName = "tbb::task_group";

  explicit TbbFib(int workers) : arena(workers) {}

  int run(int n) {
    return arena.execute([this, n] { return fib(n); });
  }
  int fib(int n) {
    if (n < 2) return n;
    int first = 0;
    tbb::task_group group;
    group.run([this, n, &first] { first = fib(n - 1); });
    const int second = fib(n - 2);
    group.wait();
    return second + first;
  }

  tbb::task_arena arena;
};
#else
struct TbbFib : bench::Absent {
  static constexpr const char* kName = "tbb::task_group";
};
#endif

#ifdef _OPENMP
struct OpenMpFib {
  static constexpr const char* kName = "OpenMP task";

  explicit OpenMpFib(int workers) : workers_(workers) {}

  int run(int n) const {
    int result = 0;
#pragma omp parallel num_threads(workers_)
#pragma omp single
    result = fib(n);
    return result;
  }
  static int fib(int n) {
    if (n < 2) return n;
    int first = 0;
#pragma omp task shared(first)
    first = fib(n - 1);
    const int second = fib(n - 2);
#pragma omp taskwait
    return second + first;
  }

 private:
  int workers_;
};
#else
struct OpenMpFib : bench::Absent {
  static constexpr const char* kName = "OpenMP task";
};
#endif

// fib(20) with a task for each call but the smallest: the price of a fork and its join.
template <class R>
void pool_fork_join_fib(benchmark::State& state) {
  R rival(static_cast<int>(state.range(0)));
  const double before = bench::two_thread_control();
  bool right = true;
  const auto body = [&] { right &= rival.run(kFib) == 6765; };
  body();
  bench::measure_batches(state, forks(kFib), body);
  bench::report_control(state, before);
  bench::check(state, right, "not the 20th Fibonacci number");
}

// ---- Latency ---------------------------------------------------------------------------

// Submit a task, wait for its result, again and again: the price of a task that somebody
// waits for, when the pool has just worked.
template <class R>
void pool_round_trip_hot(benchmark::State& state) {
  typename R::Pool pool(2);
  std::int64_t got = 0;
  bench::measure_with(
      state, 0, [](std::int64_t) {}, [&] { got += pool.submit([] { return 1; }).get(); });
  bench::check(state, got == state.iterations() + 1, "not every task ran once");
}

// The same after 300 us in which nothing happened: the workers sleep. The median of 300.
template <class R>
void pool_round_trip_cold(benchmark::State& state) {
  typename R::Pool pool(2);
  pool.submit([] { return 1; }).get();
  std::vector<double> seconds;
  for (auto _ : state) {
    const bench::Usage usage;
    for (int i = 0; i < 300; ++i) {
      std::this_thread::sleep_for(std::chrono::microseconds(300));
      const auto began = bench::Clock::now();
      pool.submit([] { return 1; }).get();
      seconds.push_back(bench::Seconds(bench::Clock::now() - began).count());
    }
    std::nth_element(seconds.begin(), seconds.begin() + 150, seconds.end());
    state.SetIterationTime(seconds[150]);
    state.counters["cpu_wall"] = usage.cpu_per_wall();
  }
  for (double& each : seconds) each *= 1e9;
  bench::report_latency(state, std::move(seconds));
}

// ---- Nothing to do ---------------------------------------------------------------------

// The CPU time of all threads of the process, to the moment. (getrusage() lags by up to a tick
// for those that are running, which is more than there is to measure.)
bench::Seconds cpu_time_of_threads() {
  bench::Seconds sum{};
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
    const auto thread = static_cast<unsigned>(std::stoul(entry.path().filename()));
    timespec time{};
    // The kernel's number for the clock of a thread: CPUCLOCK_PERTHREAD_MASK | CPUCLOCK_SCHED.
    if (::clock_gettime(static_cast<clockid_t>(~thread << 3 | 6), &time) != 0) continue;
    sum += std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  }
  return sum;
}

// 100 ms after a burst of tasks: the CPU time that the whole process uses meanwhile. It is
// this that is reported as the time. (About 0.05 ms of it is the measuring.)
template <class R>
void pool_idle(benchmark::State& state) {
  typename R::Pool pool(2);
  for (auto _ : state) {
    for (int i = 0; i < kTasks; ++i) pool.submit([i] { return i; }).get();
    const auto began = bench::Clock::now();
    const bench::Seconds before = cpu_time_of_threads();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    const bench::Seconds cpu = cpu_time_of_threads() - before;
    state.SetIterationTime(cpu.count());
    state.counters["cpu_wall"] = cpu / bench::Seconds(bench::Clock::now() - began);
  }
}

[[maybe_unused]] const bool registered = [] {
  const std::vector<int> sizes = {2, 4, 8};
  bench::compare(AllPools(), BENCH_CASE(pool_submit_get),
                 {.threads = sizes, .goals = {bench::at_most(0.25, bench::kBestPeer)}});
  bench::compare(WithFutures(), BENCH_CASE(pool_post),
                 {.threads = sizes, .goals = {bench::at_most(0.67, bench::kBestPeer)}});
  bench::compare(WithFutures(), BENCH_CASE(pool_fan_out),
                 {.threads = sizes, .goals = {bench::at_most(0.67, bench::kBestPeer)}});
  bench::compare(bench::Rivals<NogilFib, NogilFutureFib, TbbFib, OpenMpFib>(), BENCH_CASE(pool_fork_join_fib),
                 {.threads = sizes, .goals = {bench::at_most(0.2, TbbFib::kName)}});
  bench::compare(AllPools(), BENCH_CASE(pool_round_trip_hot), {.goals = {bench::at_most(0.2, bench::kBestPeer)}});
  bench::compare(AllPools(), BENCH_CASE(pool_round_trip_cold),
                 {.timing = bench::Timing::kWindow, .goals = {bench::at_most(1.3, ByHand::kName)}});
  bench::compare(WithFutures(), BENCH_CASE(pool_idle),
                 {.timing = bench::Timing::kWindow, .goals = {bench::cpu_at_most(0.01)}});
  bench::size_of<nogil::ThreadPoolExecutor>("nogil::ThreadPoolExecutor");
  return true;
}();

}  // namespace
