// submit-vs-map -- the same five jobs, one by one or all at once.
//
// submit() takes any function with any arguments and gives a Future for each call: ask
// it, cancel it, take the results in the order in which they are ready. One job that
// fails is one future that holds an exception. map() takes one function and many
// arguments and gives the results in the order of the arguments, so the first one, which
// takes longest here, holds up the others; where a job failed, its exception comes out
// in place of the result, and the loop ends.
//
// Python:
//
//     with ThreadPoolExecutor(5) as executor:
//         futures = [executor.submit(job, n) for n in range(5)]
//         for future in as_completed(futures):
//             try:
//                 print(future.result())
//             except ValueError as error:
//                 print(error)
//
//     with ThreadPoolExecutor(5) as executor:
//         for result in executor.map(job, range(5)):
//             print(result)

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "nogil/errors.hpp"
#include "nogil/futures.hpp"
#include "nogil/threading.hpp"
#include "support/tour.hpp"

namespace {

using namespace std::chrono_literals;

constexpr std::array<tour::Seconds, 5> kDelays{0.5s, 0.1s, 0.4s, 0.2s, 0.3s};
constexpr int kJobs = static_cast<int>(kDelays.size()), kFails = 3;

// Sleeps, and returns the square; one of the jobs fails.
int job(tour::Run& run, tour::Lane& lane, int n) {
  lane.begin(tour::Paint::work, tour::text("job ", n));
  run.sleep(kDelays[static_cast<std::size_t>(n)]);
  if (n == kFails) {
    lane.mark(tour::Paint::error, "ValueError");
    throw nogil::ValueError(tour::text("job ", n, " does not work"));
  }
  lane.end();
  return n * n;
}

struct Collected {
  std::vector<int> results;  // in the order in which they came
  int errors = 0;
};

Collected with_submit(tour::Run& run) {
  Collected collected;
  nogil::ThreadPoolExecutor executor(kJobs);
  std::vector<nogil::Future<int>> futures;
  for (int n = 0; n < kJobs; ++n) {
    futures.push_back(
        executor.submit(job, std::ref(run), std::ref(run.timeline.lane(tour::text("submit, job ", n))), n));
  }
  for (nogil::Future<int> future : nogil::as_completed(futures)) {
    try {
      collected.results.push_back(future.result());
      tour::print("  ready: ", collected.results.back());
    } catch (const nogil::ValueError& error) {
      tour::print("  ready: ValueError: ", error.what());
      ++collected.errors;
    }
  }
  return collected;
}

Collected with_map(tour::Run& run) {
  Collected collected;
  std::vector<tour::Lane*> lanes;
  for (int n = 0; n < kJobs; ++n) lanes.push_back(&run.timeline.lane(tour::text("map, job ", n)));
  nogil::ThreadPoolExecutor executor(kJobs);
  try {
    const auto numbered = [&](int n) { return job(run, *lanes[static_cast<std::size_t>(n)], n); };
    for (const int result : executor.map(numbered, std::vector<int>{0, 1, 2, 3, 4})) {
      collected.results.push_back(result);
      tour::print("  next: ", result);
    }
  } catch (const nogil::ValueError& error) {
    tour::print("  next: ValueError: ", error.what());
    ++collected.errors;
  }
  return collected;
}

void submit_vs_map(tour::Run& run) {
  run.timeline.legend(tour::Paint::work, "works");
  run.timeline.legend(tour::Paint::error, "fails");

  tour::print("submit and as_completed: whatever is ready");
  Collected submitted = with_submit(run);
  tour::print("map: one after the other, up to the one that failed");
  const Collected mapped = with_map(run);
  run.timeline.print_text();

  // What only submit can do: other functions, other types, and a second thought.
  nogil::ThreadPoolExecutor executor(1);
  nogil::Event let_go;
  const auto busy = executor.submit([&] { let_go.wait(); });
  const auto power = executor.submit([](double base, int exponent) { return std::pow(base, exponent); }, 2.0, 10);
  const auto words = executor.submit([](const std::string& name) { return "hello, " + name; }, "pool");
  auto unwanted = executor.submit([] { return 0; });
  const bool cancelled = unwanted.cancel();
  let_go.set();
  tour::print("submit(pow, 2, 10) -> ", tour::shortest(power.result()), "; submit(hello, 'pool') -> ", words.result(),
              "; cancelled before it began: ", cancelled);

  run.expect("errors: submit", submitted.errors, 1);
  run.expect("map", mapped.errors, 1);
  std::sort(submitted.results.begin(), submitted.results.end());
  run.expect("results of submit", submitted.results.size(), 4);
  run.check(submitted.results == std::vector<int>{0, 1, 4, 16}, "submit gives every square but one");
  run.expect("results of map before the error", mapped.results.size(), 3);
  run.check(mapped.results == std::vector<int>{0, 1, 4}, "map gives the squares in order");
  run.check(power.result() == 1024 && words.result() == "hello, pool", "any function with any arguments");
  run.check(cancelled && unwanted.cancelled(), "what has not begun can be cancelled");
}

const tour::Demo registered({.id = "submit-vs-map",
                             .cell = "1.3",
                             .seconds = 1,
                             .teaches = "futures as they are ready, or results in order; what an exception does"},
                            submit_vs_map);

}  // namespace
