// diminishing-returns -- the same work by 1, 2, 4, 10 and 100 threads.
//
// As long as there are cores, more threads are faster; after that they only cost: each
// has to be started and joined, and each wakes up to find that another has the core.
// How much that matters depends on the size of the tasks. Of the large ones a hundred
// threads do nearly as many in a second as a few; of the tiny ones, which are over sooner
// than they are handed out, even the second thread may be one too many.
//
// Python:
//
//     for workers in (1, 2, 4, 10, 100):
//         start = time.perf_counter()
//         with ThreadPoolExecutor(workers) as executor:
//             results = list(executor.map(churn, range(TASKS)))
//         print(workers, time.perf_counter() - start)

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "nogil/futures.hpp"
#include "nogil/threading.hpp"
#include "support/churn.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

constexpr int kRepeats = 3;  // the best of so many: what else the machine does is of no interest

struct Outcome {
  double wall, cpu;
  std::uint64_t result;
};

// A pool of `workers`, made and ended, and one submit() for each task.
Outcome work(int workers, long tasks, long steps) {
  const tour::Stopwatch watch;
  std::vector<nogil::Future<std::uint64_t>> futures;
  futures.reserve(static_cast<std::size_t>(tasks));
  {
    nogil::ThreadPoolExecutor executor(static_cast<std::size_t>(workers));  // with ThreadPoolExecutor(…) as executor:
    for (long i = 0; i < tasks; ++i) {
      futures.push_back(executor.submit(tour::churn, static_cast<std::uint64_t>(i), steps));
    }
  }  // waits until all is done
  std::uint64_t result = 0;
  for (const nogil::Future<std::uint64_t>& future : futures) result ^= future.result();
  return {watch.wall().count(), watch.cpu().count(), result};
}

void diminishing_returns(tour::Run& run) {
  struct Size {
    const char* name;
    long tasks, steps;
  };
  const Size sizes[] = {{"large tasks", run.size(10'000), 5'000}, {"tiny tasks", run.size(200'000), 1}};
  const int cores = static_cast<int>(nogil::cpu_count());
  const std::vector<int> thread_counts{1, 2, 4, 10, run.threads(100)};

  run.chart.axes("threads", "times as fast as one thread");
  run.chart.legend("one for each core, at best", "measured");
  std::size_t agreeing = 0;
  double done = 0;
  for (const Size& size : sizes) {
    tour::Chart::Series& series = run.chart.add(size.name);
    tour::print(size.tasks, ' ', size.name, " of ", size.steps, size.steps == 1 ? " step; " : " steps; ", cores,
                " cores for us");
    tour::print("threads     wall        CPU   us a task   times as fast");
    Outcome alone{};
    for (const int threads : thread_counts) {
      Outcome outcome = work(threads, size.tasks, size.steps);
      for (int again = 1; again < kRepeats; ++again) {
        const Outcome other = work(threads, size.tasks, size.steps);
        if (other.wall < outcome.wall) outcome = other;
      }
      if (threads == 1) alone = outcome;
      const double faster = alone.wall / outcome.wall;
      series.dots.push_back({static_cast<double>(threads), faster});
      tour::print(tour::pad_left(std::to_string(threads), 7), tour::pad_left(tour::fixed(outcome.wall, 3), 9),
                  tour::pad_left(tour::fixed(outcome.cpu, 3), 11),
                  tour::pad_left(tour::fixed(outcome.wall / static_cast<double>(size.tasks) * 1e6, 2), 12),
                  tour::pad_left(tour::fixed(faster, 2), 16));
      agreeing += outcome.result == alone.result;
      run.progress(done += 0.1);
    }
  }
  tour::Chart::Series& at_best = run.chart.add("");
  for (const int threads : {1, 2, 4, 8, 16, 32, 64, 128}) {
    at_best.line.push_back({static_cast<double>(threads), static_cast<double>(std::min(threads, cores))});
  }

  run.expect("runs with the same result", agreeing, 2 * thread_counts.size());
}

const tour::Demo registered({.id = "diminishing-returns",
                             .cell = "0.17b",
                             .seconds = 1.5,
                             .teaches = "1 to 100 threads for the same tasks: what one more is worth"},
                            diminishing_returns);

}  // namespace
