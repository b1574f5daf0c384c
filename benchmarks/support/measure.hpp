// benchmarks/support/measure.hpp -- how a case is measured, the same way for every rival.
//
//   measure(state, body)                        one thread
//   measure_batches(state, size, body)          one thread, `size` turns in each body
//   measure_with(state, helpers, job, body)     one measured thread and its helpers
//   stream(state, threads, job)                 threads that share out all the turns
//   fight(state, turn)                          state.range(0) threads after one thing
//
// Each leaves counters beside the time:
//
//   cpu_wall   CPU time of the process / wall time: the cores that the case kept busy, and
//              so the price at which a short wait was bought
//   control    what cpu_wall is for two threads on two cores that do nothing but count,
//              just before and just after (the lower of the two). Near 2 means that two
//              cores were there to be used.
//   void       1 if the machine was not ours: control below kControlFloor or, with one
//              thread, cpu_wall below kBusyFloor. Void holds do not count.
//   share      fight(): turns of the slowest thread / turns of the fastest
//   p50_ns, p99_ns, worst_ns   measure_with(): of each eighth turn, looked at alone
//
// Threads are not pinned, unless --pin is given: thread i then stays on core i, modulo
// the cores there are; the measuring thread of measure_with() is number 0.

#pragma once

#include <benchmark/benchmark.h>
#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace bench {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

struct Options {
  bool pin = false;
  Seconds window{0.15};  // how long each fight() lasts
};

inline Options& options() {
  static Options the_options;
  return the_options;
}

// Two threads on cores of their own come to 1.9 and more, and one to nearly 1.
inline constexpr double kControlFloor = 1.6;
inline constexpr double kBusyFloor = 0.9;

// ---- Pinning -------------------------------------------------------------------------

// The cores that this process could use when it started.
inline const std::vector<int>& usable_cores() {
  static const std::vector<int> cores = [] {
    std::vector<int> usable;
    cpu_set_t set;
    CPU_ZERO(&set);
    if (::sched_getaffinity(0, sizeof set, &set) != 0) return usable;
    for (int core = 0; core < CPU_SETSIZE; ++core) {
      if (CPU_ISSET(static_cast<std::size_t>(core), &set)) usable.push_back(core);
    }
    return usable;
  }();
  return cores;
}

// Keeps the calling thread on one core for as long as it lives, if --pin was given.
class Pin {
 public:
  explicit Pin(int number, bool wanted = options().pin) {
    const std::vector<int>& cores = usable_cores();
    if (!wanted || cores.empty() || ::sched_getaffinity(0, sizeof before_, &before_) != 0) return;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<std::size_t>(cores[static_cast<std::size_t>(number) % cores.size()]), &one);
    pinned_ = ::sched_setaffinity(0, sizeof one, &one) == 0;
  }
  ~Pin() {
    if (pinned_) ::sched_setaffinity(0, sizeof before_, &before_);
  }
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;

 private:
  cpu_set_t before_;
  bool pinned_ = false;
};

// ---- CPU time ------------------------------------------------------------------------

// From here to cpu_per_wall(): how many cores the process kept busy.
class Usage {
 public:
  Usage() : cpu_(cpu_time()), wall_(Clock::now()) {}

  double cpu_per_wall() const {
    const Seconds wall = Clock::now() - wall_;
    return wall.count() > 0 ? (cpu_time() - cpu_) / wall.count() : 0;
  }

 private:
  static double seconds(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  }
  static double cpu_time() {
    rusage usage;
    ::getrusage(RUSAGE_SELF, &usage);
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
  }

  double cpu_;
  Clock::time_point wall_;
};

// Always pinned: it asks whether the cores are there, not where the scheduler puts threads.
inline double two_thread_control() {
  const Usage usage;
  const auto until = Clock::now() + std::chrono::milliseconds(10);
  const auto count = [until](int number) {
    const Pin pin(number, true);
    for (std::uint64_t n = 0; Clock::now() < until;) benchmark::DoNotOptimize(++n);
  };
  std::thread first(count, 0);
  std::thread second(count, 1);
  first.join();
  second.join();
  return usage.cpu_per_wall();
}

// ---- Private work --------------------------------------------------------------------

// Arithmetic that touches no memory and cannot be left out.
inline void work(int rounds) {
  std::uint64_t x = 88172645463325252u;
  for (; rounds > 0; --rounds) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    benchmark::DoNotOptimize(x);
  }
}

// How many rounds of work() take this long, on this machine, undisturbed.
inline int rounds_for(std::chrono::nanoseconds length) {
  static const double ns_per_round = [] {
    constexpr int kRounds = 20'000;
    double best = 1e9;
    for (int attempt = 0; attempt < 50; ++attempt) {
      const auto start = Clock::now();
      work(kRounds);
      best = std::min(best, std::chrono::duration<double, std::nano>(Clock::now() - start).count() / kRounds);
    }
    return best;
  }();
  return std::max(1, static_cast<int>(static_cast<double>(length.count()) / ns_per_round));
}

// ---- Measuring -----------------------------------------------------------------------

// After the loop: the rival must have done what the case is about. A case that fails
// this has no time, and makes the program fail.
inline void check(benchmark::State& state, bool right, const char* what_is_wrong) {
  if (!right) state.SkipWithError(what_is_wrong);
}

// Leaves the counters of a hold that ran on more than one thread.
inline void report_control(benchmark::State& state, double before) {
  const double control = std::min(before, two_thread_control());
  state.counters["control"] = control;
  state.counters["void"] = control < kControlFloor ? 1 : 0;
}

// Leaves the counters of a hold that ran on this thread alone.
inline void report_usage(benchmark::State& state, const Usage& usage) {
  const double cpu = usage.cpu_per_wall();
  state.counters["cpu_wall"] = cpu;
  state.counters["void"] = cpu < kBusyFloor ? 1 : 0;
}

// Measures body(), which runs on this thread alone and never waits.
template <class Body>
void measure(benchmark::State& state, Body body) {
  const Usage usage;
  for (auto _ : state) body();
  report_usage(state, usage);
}

// Leaves the counters p50_ns, p99_ns and worst_ns of single turns.
inline void report_latency(benchmark::State& state, std::vector<double> turns_ns) {
  if (turns_ns.empty()) return;
  std::sort(turns_ns.begin(), turns_ns.end());
  const auto part = [&turns_ns](double of) {
    return turns_ns[static_cast<std::size_t>(of * static_cast<double>(turns_ns.size() - 1))];
  };
  state.counters["p50_ns"] = part(0.5);
  state.counters["p99_ns"] = part(0.99);
  state.counters["worst_ns"] = turns_ns.back();
}

// Measures body(), which may wait, and how long each eighth turn takes: two looks at the
// clock are some 50 ns.
template <class Body>
void measure_latency(benchmark::State& state, Body body) {
  constexpr std::size_t kEach = 8;
  std::vector<double> turns_ns;
  turns_ns.reserve(static_cast<std::size_t>(state.max_iterations) / kEach + 1);
  std::size_t turn = 0;
  const Usage usage;
  for (auto _ : state) {
    if (turn++ % kEach != 0) {
      body();
      continue;
    }
    const auto began = Clock::now();
    body();
    turns_ns.push_back(std::chrono::duration<double, std::nano>(Clock::now() - began).count());
  }
  report_usage(state, usage);
  report_latency(state, std::move(turns_ns));
}

// The same where one body() is `size` turns. The time reported is for one turn.
template <class Body>
void measure_batches(benchmark::State& state, int size, Body body) {
  const Usage usage;
  while (state.KeepRunningBatch(size)) body();
  report_usage(state, usage);
}

// Threads that run job(number), number from 1. They all run when the constructor
// returns, and have ended when the destructor does.
class Team {
 public:
  template <class Job>
  Team(int size, Job job) {
    for (int number = 1; number <= size; ++number) {
      threads_.emplace_back([this, number, job] {
        const Pin pin(number);
        running_.fetch_add(1);
        job(number);
      });
    }
    while (running_.load() < size) std::this_thread::yield();
  }
  ~Team() {
    for (std::thread& thread : threads_) thread.join();
  }
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

 private:
  std::atomic<int> running_{0};
  std::vector<std::thread> threads_;
};

// Measures body() while `helpers` threads run job(rounds) beside it: each job does its
// part of `rounds` calls of body(), then returns. One of them is a rehearsal, so that
// nobody's start is measured. Also, with no helpers, for a body that starts its own.
template <class Job, class Body>
void measure_with(benchmark::State& state, int helpers, Job job, Body body) {
  const double before = two_thread_control();
  {
    const Pin pin(0);
    const Team team(helpers, [job, rounds = state.max_iterations + 1](int) { job(rounds); });
    body();
    measure_latency(state, body);
  }
  report_control(state, before);
}

// How many turns the threads of a stream() do together: enough that starting them is no
// part of the figure.
inline std::int64_t stream_turns(const benchmark::State& state) {
  return std::max<std::int64_t>(state.max_iterations, 10'000);
}

// Measures how long `threads` threads take until the last of them has returned from
// job(number), `number` from 0. Together they do stream_turns(state) turns; the time
// reported is for one.
template <class Job>
void stream(benchmark::State& state, int threads, Job job) {
  const double before = two_thread_control();
  std::atomic<bool> start{false};
  std::optional<Team> team;
  team.emplace(threads, [&start, job](int number) {
    while (!start.load(std::memory_order_acquire)) std::this_thread::yield();
    job(number - 1);
  });
  const Usage usage;
  while (state.KeepRunningBatch(stream_turns(state))) {
    start.store(true, std::memory_order_release);
    team.reset();
  }
  report_usage(state, usage);
  report_control(state, before);
}

// What each thread of a fight counts, on a line of its own.
struct alignas(128) Turns {
  std::uint64_t count = 0;
};

// state.range(0) threads call turn(number, count) again and again for options().window;
// `number` from 0, `count` from 0. The time reported is wall time / turns of all threads.
// Returns how many turns there were. For Timing::kWindow.
template <class Turn>
std::uint64_t fight(benchmark::State& state, Turn turn) {
  const int threads = static_cast<int>(state.range(0));
  const double before = two_thread_control();
  std::uint64_t total = 0;
  for (auto _ : state) {
    std::vector<Turns> turns(static_cast<std::size_t>(threads));
    std::atomic<bool> start{false};
    alignas(128) std::atomic<bool> stop{false};
    Seconds elapsed{};
    {
      const Team team(threads, [&, turn](int number) {
        std::uint64_t count = 0;
        while (!start.load(std::memory_order_acquire)) std::this_thread::yield();
        for (; !stop.load(std::memory_order_relaxed); ++count) turn(number - 1, count);
        turns[static_cast<std::size_t>(number - 1)].count = count;
      });
      const Usage usage;
      const auto began = Clock::now();
      start.store(true, std::memory_order_release);
      std::this_thread::sleep_for(options().window);
      stop.store(true, std::memory_order_relaxed);
      elapsed = Clock::now() - began;
      state.counters["cpu_wall"] = usage.cpu_per_wall();
    }
    std::uint64_t slowest = turns[0].count;
    std::uint64_t fastest = 0;
    for (const Turns& of_thread : turns) {
      total += of_thread.count;
      slowest = std::min(slowest, of_thread.count);
      fastest = std::max(fastest, of_thread.count);
    }
    state.SetIterationTime(total > 0 ? elapsed.count() / static_cast<double>(total) : 1);
    state.counters["Mops"] = static_cast<double>(total) / elapsed.count() * 1e-6;
    state.counters["share"] = fastest > 0 ? static_cast<double>(slowest) / static_cast<double>(fastest) : 0;
  }
  report_control(state, before);
  check(state, total > 0, "no thread had a single turn");
  return total;
}

}  // namespace bench
