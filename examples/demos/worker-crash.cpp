// worker-crash -- a segmentation fault in one task, and the pool goes on.
//
// In CPython the whole pool is lost when a worker dies: ProcessPoolExecutor fails every
// task that it has, and takes no other for ever (BrokenProcessPool); with Pool the get() of
// that task waits for ever. Here the task that crashed fails with WorkerDied, which says by
// which signal. Its worker is replaced, and all other tasks have their results, also those
// that waited behind the crash. OnWorkerDeath::break_pool does as Python does.
//
// Python:
//
//     def work(n):
//         if n == 7:
//             ctypes.string_at(0)                         # a segmentation fault
//         return n * n
//
//     with ProcessPoolExecutor(2) as executor:
//         futures = [executor.submit(work, n) for n in range(20)]
//         for future in futures:
//             try:
//                 print(future.result())
//             except BrokenProcessPool:
//                 print("lost")                           # 7, and most of those behind it
//         executor.submit(work, 1)                        # BrokenProcessPool

#include <signal.h>

#include <string>
#include <vector>

#include "nogil/multiprocessing.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

constexpr int kBad = 7;

int work(int n) {
  if (n == kBad) {
    ::signal(SIGSEGV, SIG_DFL);  // no handler of a sanitizer's
    ::raise(SIGSEGV);            // what *(int*)0 = 1 comes to
  }
  return n * n;
}

struct Outcome {
  int right = 0, died = 0, lost = 0;
  bool takes_more = false;
  int signal = 0;
};

// Twenty tasks, one of which crashes; then one more.
Outcome twenty_tasks(nogil::mp::OnWorkerDeath policy) {
  Outcome outcome;
  nogil::mp::ProcessPoolExecutor executor({.max_workers = 2, .on_worker_death = policy});
  std::vector<nogil::Future<int>> futures;
  try {
    for (int n = 0; n < 20; ++n) futures.push_back(executor.submit(work, n));
  } catch (const nogil::BrokenProcessPool&) {
    outcome.lost = 20 - static_cast<int>(futures.size());  // it broke while they were handed over
  }
  for (int n = 0; n < static_cast<int>(futures.size()); ++n) {
    try {
      outcome.right += futures[static_cast<std::size_t>(n)].result() == n * n;
    } catch (const nogil::WorkerDied& error) {
      tour::print("task ", n, ": WorkerDied: ", error.what());
      ++outcome.died;
      outcome.signal = error.signal().value_or(0);
    } catch (const nogil::BrokenProcessPool&) {
      ++outcome.lost;
    }
  }
  try {
    outcome.takes_more = executor.submit(work, 30).result() == 900;
  } catch (const nogil::BrokenProcessPool&) {
  }
  tour::print(outcome.right, " right, ", outcome.died, " died, ", outcome.lost, " lost; ",
              outcome.takes_more ? "the pool takes more tasks" : "the pool is broken for good");
  return outcome;
}

void worker_crash(tour::Run& run) {
  tour::print("fail_task, the default:");
  const Outcome ours = twenty_tasks(nogil::mp::OnWorkerDeath::fail_task);
  tour::print("break_pool, as in Python:");
  const Outcome pythons = twenty_tasks(nogil::mp::OnWorkerDeath::break_pool);

  // A task that crashes each time, again and again: how long until its future says so.
  nogil::mp::ProcessPoolExecutor executor(1);
  const int crashes = static_cast<int>(run.size(100, 5));
  int told = 0;
  const tour::Stopwatch watch;
  for (int i = 0; i < crashes; ++i) {
    try {
      executor.submit(work, kBad).result();
    } catch (const nogil::WorkerDied&) {
      ++told;
    }
  }
  tour::print(crashes,
              " crashes in a row, each with a new worker: ", tour::fixed(watch.wall().count() / crashes * 1e3, 2),
              " ms each");

  run.expect("right", ours.right, 19);
  run.expect("WorkerDied", ours.died, 1);
  run.expect("signal", ours.signal, SIGSEGV);
  run.expect("takes more tasks", ours.takes_more, true);
  run.expect("as in Python", pythons.takes_more, false);
  run.check(pythons.right + pythons.died + pythons.lost == 20 && pythons.died >= 1,
            "Python's way ends every task, too");
  run.check(told == crashes, "each crash was told of");
}

const tour::Demo registered({.id = "worker-crash",
                             .cell = "4.19",
                             .seconds = 0.3,
                             .teaches = "a segfault fails its own task; Python's pool would be lost"},
                            worker_crash);

}  // namespace
