// cpu-pool4 -- the same sum four times: in a loop, by threads, by processes.
//
// Each task adds up the numbers below 50,000,000: nothing but computing, where threads gain
// nothing in CPython. Here threads and processes are equally fast, and the pool of processes
// costs its start. A compiler that knows Gauss replaces the loop by n * (n - 1) / 2; so the
// sum is hidden from it at each step, or the task would take no time at all.
//
// Python:
//
//     def cpu_bound_task(n):
//         total = 0
//         for i in range(50_000_000):
//             total += i
//         return total
//
//     if __name__ == "__main__":
//         with Pool(4) as pool:
//             results = pool.map(cpu_bound_task, range(4))
//         print(results)                                  # [1249999975000000, …]

#include <cstddef>
#include <string>
#include <vector>

#include "nogil/futures.hpp"
#include "nogil/multiprocessing.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

long long cpu_bound_task(int number_of_task, long n) {
  static_cast<void>(number_of_task);  // nor does the notebook use it
  long long total = 0;
  for (long i = 0; i < n; ++i) {
    total += i;
    asm volatile("" : "+r"(total));  // it may be anything now, as far as the compiler knows
  }
  return total;
}

// What pool.map() calls: the notebook's function takes one argument.
struct Task {
  long n;
  long long operator()(int number) const { return cpu_bound_task(number, n); }
};

using Results = std::vector<long long>;

void report(const std::string& how, const tour::Stopwatch& watch, const Results& results) {
  tour::print(tour::pad_right(how, 24), tour::seconds(watch.wall(), 3), "  ", results.size(), " times ",
              results.front());
}

void cpu_pool4(tour::Run& run) {
  const Task task{run.size(50'000'000, 1000)};
  const int count = run.threads(4);
  const std::vector<int> numbers{0, 1, 2, 3};  // range(4)

  const tour::Stopwatch alone;
  Results in_a_loop;
  for (const int number : numbers) in_a_loop.push_back(task(number));
  report("a loop", alone, in_a_loop);

  const tour::Stopwatch threaded;
  Results by_threads;
  {
    nogil::ThreadPoolExecutor threads(static_cast<std::size_t>(count));
    for (const long long sum : threads.map(task, numbers)) by_threads.push_back(sum);
  }
  report(tour::text("ThreadPoolExecutor(", count, ")"), threaded, by_threads);

  const tour::Stopwatch in_processes;
  Results by_processes;
  {
    nogil::mp::Pool pool(static_cast<std::size_t>(count));  // with Pool(4) as pool:
    by_processes = pool.map(task, numbers);
  }
  report(tour::text("Pool(", count, ")"), in_processes, by_processes);

  const long long n = task.n;
  run.expect("each sum", by_processes.front(), n == 50'000'000 ? 1249999975000000 : n * (n - 1) / 2);
  run.expect("four times", by_processes.size(), 4);
  run.check(by_threads == in_a_loop && by_processes == in_a_loop, "the same results in every way");
  for (const long long sum : by_processes) run.check(sum == n * (n - 1) / 2, "each sum is right");
}

const tour::Demo registered({.id = "cpu-pool4",
                             .cell = "2.3",
                             .seconds = 0.4,
                             .teaches = "1249999975000000 four times: a loop, threads, processes"},
                            cpu_pool4);

}  // namespace
