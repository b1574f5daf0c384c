// four-models -- the notebook's table of the four models, with what was measured in it.
//
// The notebook ends with a table: sequential, threads, async, processes, with what each
// needs, when to use it and what it is good at. Its last row is shifted by a column, and two
// of its answers come from the GIL: "threads: one core", and "computing: processes". Here is
// the table again, where what can be measured is measured.
//
// Python:
//
//     for number in range(16):                              # sequential
//         wait(number)
//
//     with ThreadPoolExecutor(16) as executor:              # threads
//         list(executor.map(wait, range(16)))
//
//     await asyncio.gather(*map(wait_async, range(16)))     # async
//
//     with ProcessPoolExecutor(16) as executor:             # processes
//         list(executor.map(wait, range(16)))

#include <array>
#include <chrono>
#include <cstddef>
#include <string>
#include <thread>
#include <vector>

#include "nogil/asyncio.hpp"
#include "nogil/multiprocessing.hpp"
#include "nogil/threading.hpp"
#include "support/memory.hpp"
#include "support/models.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

namespace asyncio = nogil::asyncio;
using namespace std::chrono_literals;

constexpr int kWaits = 16;

struct Wait {
  long long ns;
  int operator()(int number) const {
    std::this_thread::sleep_for(std::chrono::nanoseconds(ns));
    return number;
  }
};

asyncio::Coro<int> wait_async(std::chrono::nanoseconds length, int number) {
  co_await asyncio::sleep(length);
  co_return number;
}

// To start one that does nothing, and to wait for its end: on average.
template <class F>
std::string start_and_end(long times, F f) {
  const tour::Stopwatch watch;
  for (long i = 0; i < times; ++i) f();
  const double us = watch.wall().count() * 1e6 / static_cast<double>(times);
  return us < 1000 ? tour::fixed(us, us < 10 ? 2 : 0) + " us" : tour::fixed(us / 1000, 1) + " ms";
}

void nothing() {}

asyncio::Coro<> async_nothing() {
  co_return;
}

asyncio::Coro<std::string> start_and_end_of_tasks(long times) {
  const tour::Stopwatch watch;
  for (long i = 0; i < times; ++i) co_await asyncio::create_task(async_nothing());
  co_return tour::fixed(watch.wall().count() * 1e6 / static_cast<double>(times), 2) + " us";
}

// A row; words that are too many for a column go on in the next line.
void print_row(const std::string& aspect, const std::array<std::string, tour::kModels>& cells) {
  constexpr std::size_t kAspect = 26, kColumn = 15;
  std::array<std::vector<std::string>, tour::kModels> wrapped;
  std::size_t lines = 1;
  for (std::size_t model = 0; model < tour::kModels; ++model) {
    std::vector<std::string>& column = wrapped[model];
    column.emplace_back();
    std::string left = cells[model] + ' ';
    for (std::size_t end; (end = left.find(' ')) != std::string::npos; left.erase(0, end + 1)) {
      if (!column.back().empty() && column.back().size() + 1 + end > kColumn - 2) column.emplace_back();
      column.back() += (column.back().empty() ? "" : " ") + left.substr(0, end);
    }
    if (column.size() > lines) lines = column.size();
  }
  for (std::size_t i = 0; i < lines; ++i) {
    std::string line = tour::pad_right(i == 0 ? aspect : "", kAspect);
    for (const std::vector<std::string>& column : wrapped) {
      line += tour::pad_right(i < column.size() ? column[i] : "", kColumn);
    }
    tour::print(line.substr(0, line.find_last_not_of(' ') + 1));
  }
}

template <class Cell>
void print_measured(const std::string& aspect, Cell cell) {
  print_row(aspect, {cell(tour::kSequential), cell(tour::kThreads), cell(tour::kAsync), cell(tour::kProcesses)});
}

void four_models(tour::Run& run) {
  const long tasks = run.size(10'000, 2'000);
  const tour::Held task = tour::held_by_tasks(static_cast<int>(tasks));
  const tour::Held thread = tour::held_by_threads(static_cast<int>(run.size(500, 50)));
  const tour::Held process = tour::held_by_processes(4);

  const std::string start_task = asyncio::run(start_and_end_of_tasks(tasks));
  const std::string start_thread = start_and_end(run.size(200, 20), [] {
    nogil::Thread t(nothing);
    t.start();
    t.join();
  });
  const std::string start_process = start_and_end(run.size(50, 5), [] {
    nogil::mp::Process p(nothing);
    p.start();
    p.join();
  });
  run.progress(0.1);

  const auto length = run.scaled(100ms);
  const auto waits = tour::by_each_model(kWaits, kWaits, Wait{length.count()},
                                         [length](int number) { return wait_async(length, number); });
  run.progress(0.8);
  const int last = static_cast<int>(run.size(1'000'000, 200'000));
  const auto cores = static_cast<std::size_t>(run.threads(static_cast<int>(nogil::cpu_count())));
  const auto primes = tour::count_by_each_model(last, 32, cores);

  print_row("", {"sequential", "threads", "async", "processes"});
  print_measured("cores that compute", [&](tour::Model model) { return tour::fixed(tour::cores(primes, model), 1); });
  print_measured(tour::text("primes below ", last),
                 [&](tour::Model model) { return tour::seconds(primes.wall[model], 3); });
  print_measured(tour::text(kWaits, " waits of ", tour::seconds(length, 3)),
                 [&](tour::Model model) { return tour::seconds(waits.wall[model], 3); });
  print_row("to start one, to its end", {"-", start_thread, start_task, start_process});
  print_row("memory of one that waits",
            {"-", tour::kib(thread.resident), tour::kib(task.resident), tour::kib(process.resident)});
  print_row("a crash takes along", {"the program", "the program", "the program", "its own task"});
  print_row("use it for", {"what goes step by step", "computing; waits by the hundred", "waits by the thousand",
                           "what may crash, or must share nothing"});
  print_row("for example", {"one file", "many files, pictures", "a web server", "code of others"});
  print_row("good at it", {"nothing to get wrong", "shared data, all cores, plain code", "one thread: hardly a lock",
                           "isolation, limits, all cores"});

  const int expected = tour::count_by_sieve(2, last);
  bool right = true, in_order = true;
  for (std::size_t model = 0; model < tour::kModels; ++model) {
    right = right && tour::primes_in(primes.results[model]) == expected;
    in_order = in_order && waits.results[model] == waits.results[tour::kSequential];
    run.check(waits.wall[model] >= length, "no wait is over before its time");
  }
  run.expect("primes", tour::primes_in(primes.results[tour::kProcesses]), expected);
  run.expect("in each model", right, true);
  run.expect("waits", waits.results[tour::kAsync].size(), kWaits);
  run.expect("results in order in each model", in_order, true);
  run.check(task.count == tasks && thread.count > 0 && process.count == 4, "all of them waited at once");
  run.check(waits.wall[tour::kSequential] >= kWaits * length, "one by one, all waits add up");
}

const tour::Demo registered({.id = "four-models",
                             .cell = "2.4a",
                             .seconds = 3.5,
                             .teaches = "sequential, threads, async, processes: the notebook's table, measured"},
                            four_models);

}  // namespace
