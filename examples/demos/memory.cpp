// memory -- what a thread, a task and a process hold that only wait.
//
// The notebook has it that each thread needs about 8 MB of memory. It reserves that much: an
// address range for its stack, which costs nothing until it is used. What it really takes
// are the pages that it has touched, a few KiB. A task of asyncio has no stack, only the
// variables that it still needs: some hundred bytes. A process has everything of its own
// that it has changed.
//
// Python:
//
//     threads = [Thread(target=end.wait) for _ in range(1000)]
//     tasks = [asyncio.create_task(wait_for(end)) for _ in range(10_000)]
//     processes = [Process(target=end.wait) for _ in range(8)]
//
//     psutil.Process().memory_info().rss        # before and after, here from /proc

#include <string>

#include "support/memory.hpp"
#include "support/tour.hpp"

namespace {

// How many there would be room for in a GiB.
std::string in_a_gib(double kib) {
  return kib > 0 ? tour::fixed(1024.0 * 1024 / kib, 0) : "unknown";
}

void print_row(const std::string& what, const tour::Held& held) {
  tour::print("  ", tour::pad_right(what, 12), tour::pad_left(tour::text(held.count), 8),
              tour::pad_left(tour::kib(held.resident), 14), tour::pad_left(tour::kib(held.reserved), 14),
              tour::pad_left(in_a_gib(held.resident), 14));
}

void memory(tour::Run& run) {
  const int tasks = static_cast<int>(run.size(10'000, 2'000)), threads = static_cast<int>(run.size(1'000, 100));
  constexpr int kProcesses = 8;

  // Tasks first: they would fit into what threads have freed.
  const tour::Held task = tour::held_by_tasks(tasks);
  const tour::Held thread = tour::held_by_threads(threads);
  const tour::Held process = tour::held_by_processes(kProcesses);
  tour::print("  ", tour::pad_right("each", 12), tour::pad_left("at once", 8), tour::pad_left("takes", 14),
              tour::pad_left("reserves", 14), tour::pad_left("in a GiB", 14));
  print_row("a task", task);
  print_row("a thread", thread);
  print_row("a process", process);

  run.expect("tasks that waited", task.count, tasks);
  run.expect("threads that waited", thread.count, threads);
  run.expect("processes that waited", process.count, kProcesses);
}

const tour::Demo registered({.id = "memory",
                             .cell = "2.4b",
                             .seconds = 0.3,
                             .teaches = "what one that waits takes: a task, a thread, a process"},
                            memory);

}  // namespace
