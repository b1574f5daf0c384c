// thread-vs-process -- the notebook's table, measured.
//
// "Threads share memory, processes do not; processes are heavier": by how much? What one
// costs to start, what a call and its result cost, also with a large argument, and how much
// memory one holds that does nothing. The three ways to start a process differ most in the
// memory of the parent: fork copies its page tables, forkserver and spawn do not look at it.
//
// Python:
//
//     x = 0
//
//     def set_x():
//         global x
//         x = 5
//
//     t = Thread(target=set_x); t.start(); t.join()
//     print(x)                                            # 5
//     p = Process(target=set_x); p.start(); p.join()
//     print(x)                                            # what it was before

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "nogil/futures.hpp"
#include "nogil/multiprocessing.hpp"
#include "nogil/threading.hpp"
#include "support/child.hpp"
#include "support/memory.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

using nogil::mp::StartMethod;

constexpr std::size_t kMebibyte = std::size_t{1} << 20;

std::atomic<int> x{0};  // global

void set_x() {
  x = 5;
}

void nothing() {}

int same(int n) {
  return n;
}

std::size_t length(const std::string& text) {
  return text.size();
}

// The median of some runs, in microseconds: others may be busy.
template <class F>
double median_us(long times, F f) {
  std::vector<double> all;
  for (long i = 0; i < times; ++i) {
    const tour::Stopwatch watch;
    f();
    all.push_back(watch.wall().count() * 1e6);
  }
  std::sort(all.begin(), all.end());
  return all[all.size() / 2];
}

double start_and_join_process(long times, StartMethod method) {
  return median_us(times, [method] {
    nogil::mp::Process p({.start_method = method}, nothing);
    p.start();
    p.join();
  });
}

std::string row(const std::string& what, double us) {
  return tour::text("  ", tour::pad_right(what, 44), tour::pad_left(tour::fixed(us, 1), 10), " us");
}

// In a process of its own, which has no other threads: fork would copy the locks they hold.
int start_with_fork(tour::Run& run) {
  const long times = run.size(50, 5);
  tour::print(row("a process, fork", start_and_join_process(times, StartMethod::fork)));
  std::vector<char> memory(static_cast<std::size_t>(run.size(256)) * kMebibyte);
  std::memset(memory.data(), 1, memory.size());
  const std::string much = tour::text("a process, fork, parent of ", memory.size() / kMebibyte, " MiB");
  tour::print(row(much, start_and_join_process(times, StartMethod::fork)));
  return memory[memory.size() / 2] == 1 ? 0 : 1;
}

void print_memory(const std::string& what, double kib) {
  tour::print("  ", tour::pad_right(what, 44), tour::pad_left(kib < 0 ? "unknown" : tour::fixed(kib, 1), 10), " KiB");
}

void thread_vs_process(tour::Run& run) {
  tour::print("whose x?");
  nogil::mp::Process process(set_x);
  process.start();
  process.join();
  const int after_process = x;
  nogil::Thread thread(set_x);
  thread.start();
  thread.join();
  const int after_thread = x;
  tour::print("  a process sets x = 5, the parent sees ", after_process, "; a thread sets it: ", after_thread);

  tour::print("to start one, and to wait for its end:");
  const long times = run.size(50, 5);
  tour::print(row("a thread", median_us(times, [] {
                    nogil::Thread t(nothing);
                    t.start();
                    t.join();
                  })));
  tour::print(row("a process, forkserver", start_and_join_process(times, StartMethod::forkserver)));
  tour::print(row("a process, spawn", start_and_join_process(times, StartMethod::spawn)));
  const tour::ChildReport forked = tour::run_child(run, "thread-vs-process/fork", "", tour::Seconds(1200));

  tour::print("to have a call made, and to get its result:");
  long right = 0;
  const long calls = run.size(2'000, 100);
  nogil::ThreadPoolExecutor threads(1);
  nogil::mp::ProcessPoolExecutor processes(1);
  processes.submit(same, 0).result();  // now its worker is there
  tour::print(row("by a thread of a pool", median_us(calls, [&] { right += threads.submit(same, 1).result(); })));
  tour::print(row("by a process of a pool", median_us(calls, [&] { right += processes.submit(same, 1).result(); })));
  const std::string large(kMebibyte, 'x');
  std::size_t bytes = 0;
  tour::print(
      row("by a thread, 1 MiB copied", median_us(times, [&] { bytes += threads.submit(length, large).result(); })));
  tour::print(row("by a process, 1 MiB", median_us(times, [&] { bytes += processes.submit(length, large).result(); })));

  tour::print("memory of one that does nothing:");
  print_memory("a thread", tour::held_by_threads(64).resident);
  const std::vector<int> pids = processes.worker_pids();
  print_memory("a worker process, forkserver", pids.empty() ? -1 : tour::private_kib(pids.front()));

  run.expect("x after a process", after_process, 0);
  run.expect("x after a thread", after_thread, 5);
  run.expect("right results", right, 2 * calls);
  run.expect("bytes", bytes, 2 * static_cast<std::size_t>(times) * kMebibyte);
  run.check(forked.exit_code == 0 && forked.count("fork") == 2, "fork was measured");
}

const tour::Part registered_part("thread-vs-process/fork", start_with_fork);
const tour::Demo registered({.id = "thread-vs-process",
                             .cell = "1.4",
                             .seconds = 2,
                             .teaches = "what a thread and a process cost: to start, to call, to keep"},
                            thread_vs_process);

}  // namespace
