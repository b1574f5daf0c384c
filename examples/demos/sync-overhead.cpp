// sync-overhead -- what it costs to agree at every step.
//
// Several threads count together. With one lock, taken for each step, they spend their
// time on the lock, and more threads make it worse: there is one counter, so one of them
// can go on at a time. An atomic counter is cheaper, but its cache line still travels
// from core to core. If each counts for itself and the sums are added once at the end,
// there is nothing to agree about, and the threads really share the work.
//
// Python:
//
//     def hot(steps):
//         global counter
//         for _ in range(steps):
//             with lock:
//                 counter += 1
//
//     def own(steps):
//         global counter
//         mine = 0
//         for _ in range(steps):
//             mine += 1
//         with lock:
//             counter += mine

#include <atomic>
#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "nogil/futures.hpp"
#include "nogil/threading.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

// Lets `workers` tasks share the steps: each calls count(its share). Says what a step
// costs, and returns how many steps were counted.
template <class Count, class Counted>
long share(std::string_view how, int workers, long steps, Count count, Counted counted) {
  nogil::ThreadPoolExecutor executor(static_cast<std::size_t>(workers));
  const tour::Stopwatch watch;
  std::vector<nogil::Future<void>> futures;
  for (int i = 0; i < workers; ++i) {
    futures.push_back(executor.submit(count, steps * (i + 1) / workers - steps * i / workers));
  }
  for (const nogil::Future<void>& future : futures) future.result();
  const double each = watch.wall().count() / static_cast<double>(steps) * 1e9;
  tour::print(tour::pad_left(std::to_string(workers), 7), "  ", tour::pad_right(std::string(how), 24), watch.both(),
              tour::pad_left(tour::fixed(each, 2), 9), " ns a step");
  return counted();
}

void sync_overhead(tour::Run& run) {
  const long steps = run.size(2'000'000);
  const std::vector<int> worker_counts{1, 2, 4, run.threads(8)};
  long right = 0, merged = 0;
  double done = 0;
  tour::print("threads  how");
  for (const int workers : worker_counts) {
    nogil::Lock lock;
    long guarded = 0;
    right += share(
                 "a lock for each step", workers, steps,
                 [&](long mine) {
                   for (long i = 0; i < mine; ++i) {
                     const std::scoped_lock guard(lock);
                     ++guarded;
                   }
                 },
                 [&] { return guarded; }) == steps;

    std::atomic<long> atomic = 0;
    right += share(
                 "an atomic counter", workers, steps,
                 [&](long mine) {
                   for (long i = 0; i < mine; ++i) atomic.fetch_add(1, std::memory_order_relaxed);
                 },
                 [&] { return atomic.load(); }) == steps;

    merged = 0;
    right += share(
                 "own counts, one sum", workers, steps,
                 [&](long mine) {
                   volatile long own = 0;  // volatile: or the compiler would not count, but add once
                   for (long i = 0; i < mine; ++i) own = own + 1;
                   const std::scoped_lock guard(lock);
                   merged += own;
                 },
                 [&] { return merged; }) == steps;
    run.progress(done += 0.25);
  }
  run.expect("steps", merged, steps);
  run.expect("exact counts", right, 3 * worker_counts.size());
}

const tour::Demo registered({.id = "sync-overhead",
                             .cell = "0.17c",
                             .seconds = 0.3,
                             .teaches = "one lock for every step, or one for every thread"},
                            sync_overhead);

}  // namespace
