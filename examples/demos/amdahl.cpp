// amdahl -- how much faster can it get?
//
// If a share P of the work can be done by N at once, and the rest by one, it gets faster
// by S = 1 / ((1 - P) + P / N): at most 1 / (1 - P), with any number of threads. One
// tenth that stays serial makes ten the limit.
//
// First the table that the law predicts. Then the same measured: 64 equal chunks for a
// pool, and before them a part that runs alone, as large as P says. Beyond the number of
// cores the law promises more than the machine has. `--svg DIR` draws both.
//
// Python:
//
//     def speed_up(p, n):
//         return 1 / ((1 - p) + p / n)
//
//     for p in (0.5, 0.75, 0.9, 0.95, 0.99, 1):
//         print(p, *(f"{speed_up(p, n):.2f}" for n in (1, 2, 4, 8, 16, 64)))

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

#include "nogil/futures.hpp"
#include "nogil/threading.hpp"
#include "support/churn.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

constexpr double kShares[] = {0.5, 0.75, 0.9, 0.95, 0.99, 1};
constexpr int kChunks = 64, kRepeats = 5;

double speed_up(double p, double n) {
  return 1 / ((1 - p) + p / n);
}

void print_law() {
  std::string heading = "   P";
  for (const int n : {1, 2, 4, 8, 16, 64, 1024}) heading += tour::pad_left(tour::text("N = ", n), 9);
  tour::print(heading, "    limit");
  for (const double p : kShares) {
    std::string row = tour::fixed(p, 2);
    for (const int n : {1, 2, 4, 8, 16, 64, 1024}) row += tour::pad_left(tour::fixed(speed_up(p, n), 2), 9);
    tour::print(row, tour::pad_left(p == 1 ? "none" : tour::fixed(1 / (1 - p), 2), 9));
  }
}

// What N threads did, and how long it took at best: the law knows nothing of what else
// the machine has to do.
struct Measured {
  explicit Measured(int workers) : threads(workers), executor(static_cast<std::size_t>(workers)) {}

  // The part that stays serial, then the chunks.
  void work(double p, long steps) {
    const long chunk = std::lround(static_cast<double>(steps) * p / kChunks);
    const tour::Stopwatch watch;
    result = tour::churn(kChunks, steps - chunk * kChunks);
    std::vector<nogil::Future<std::uint64_t>> futures;
    for (std::uint64_t i = 0; i < kChunks; ++i) futures.push_back(executor.submit(tour::churn, i, chunk));
    nogil::wait(futures);  // all of them at once: one wake-up, not one for each
    for (const nogil::Future<std::uint64_t>& future : futures) result ^= future.result();
    best_wall = std::min(best_wall, watch.wall().count());
  }

  const int threads;
  double best_wall = std::numeric_limits<double>::infinity();
  std::uint64_t result = 0;

 private:
  nogil::ThreadPoolExecutor executor;
};

void amdahl(tour::Run& run) {
  tour::print("predicted: times as fast, by N threads, if a share P of the work can be done by all");
  print_law();

  const int cores = static_cast<int>(nogil::cpu_count());
  const int most = run.threads(std::min(2 * cores, 16));
  run.chart.axes("N: threads", "S: times as fast as one thread");
  run.chart.legend("predicted", tour::text("measured, ", cores, cores == 1 ? " core" : " cores"));
  tour::print("measured, best of ", kRepeats, ": a serial part, then ", kChunks, " chunks; ", cores, " cores for us");
  tour::print("   P        N   predicted   measured   efficiency");
  const long steps = run.size(8'000'000, 64'000);
  std::size_t agreeing = 0, rows = 0;
  double done = 0;
  for (const double p : kShares) {
    tour::Chart::Series& series = run.chart.add("P = " + tour::fixed(p, 2));
    for (const double n : {1, 2, 4, 8, 16, 32, 64}) series.line.push_back({n, speed_up(p, n)});

    std::deque<Measured> all;
    for (int n = 1; n < most; n *= 2) all.emplace_back(n);
    all.emplace_back(most);
    for (int repeat = 0; repeat < kRepeats; ++repeat) {  // in turns: who disturbs, disturbs them all
      for (Measured& measured : all) measured.work(p, steps);
      run.progress(done += 1.0 / static_cast<double>(kRepeats * std::size(kShares)));
    }
    for (const Measured& measured : all) {
      const double s = all.front().best_wall / measured.best_wall;
      const int n = measured.threads;
      if (n <= cores) series.dots.push_back({static_cast<double>(n), s});
      tour::print(tour::fixed(p, 2), tour::pad_left(std::to_string(n), 9),
                  tour::pad_left(tour::fixed(speed_up(p, n), 2), 12), tour::pad_left(tour::fixed(s, 2), 11),
                  tour::pad_left(tour::fixed(s / n, 2), 13), n > cores ? "   more threads than cores" : "");
      agreeing += measured.result == all.front().result;
      ++rows;
    }
  }

  run.expect("S for P = 0.9 and 1024 threads", tour::fixed(speed_up(0.9, 1024), 2), "9.91");
  run.check(speed_up(1, 64) == 64 && speed_up(0.5, 1) == 1, "all parallel: N; one thread: 1");
  run.expect("runs with the same result", agreeing, rows);
}

const tour::Demo registered({.id = "amdahl",
                             .cell = "0.18",
                             .seconds = 1.1,
                             .teaches = "Amdahl's law: what it promises, and what this machine keeps of it"},
                            amdahl);

}  // namespace
