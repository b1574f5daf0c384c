// support/memory.hpp -- what a thread, a coroutine or a process holds that only waits.
//
//   const tour::Held held = tour::held_by_threads(1000);
//   tour::print(held.count, " threads: ", tour::kib(held.resident), " each");
//
// Pages of this process, as the system counts them. What the kernel keeps for each (for a
// thread 16 KiB of stack of its own, for one) is not in it. What was freed before in this
// process may be used again, and then does not count: measure first, or a lot.

#pragma once

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "nogil/asyncio.hpp"
#include "nogil/multiprocessing.hpp"
#include "nogil/threading.hpp"
#include "support/print.hpp"

namespace tour {

// A line of a file of /proc, in KiB; -1: there is none.
inline double kib_in(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(name)) return std::atof(line.c_str() + name.size());
  }
  return -1;
}

inline double resident_kib() {
  return kib_in("/proc/self/smaps_rollup", "Rss:");
}

// What nobody else has: pages that two processes share count for neither.
inline double private_kib(int pid) {
  const std::string path = text("/proc/", pid, "/smaps_rollup");
  const double clean = kib_in(path, "Private_Clean:"), dirty = kib_in(path, "Private_Dirty:");
  return clean < 0 || dirty < 0 ? -1 : clean + dirty;
}

// "8.5 KiB", "1.2 MiB"; -1 is "unknown".
inline std::string kib(double amount) {
  if (amount < 0) return "unknown";
  return amount < 1000 ? fixed(amount, 1) + " KiB" : fixed(amount / 1024, 1) + " MiB";
}

struct Held {
  int count = 0;         // that all waited at once
  double resident = -1;  // KiB, for each of them; -1: this system does not say
  double reserved = -1;  // addresses, which cost nothing until they are used
};

namespace detail {

inline double each(double before, double after, int count) {
  return before < 0 || after < before ? -1 : (after - before) / count;
}

inline nogil::asyncio::Coro<> wait_for(nogil::asyncio::Event& end, int& there) {
  ++there;
  co_await end.wait();
}

inline nogil::asyncio::Coro<Held> held_by_running_tasks(int count) {
  nogil::asyncio::Event end;
  std::vector<nogil::asyncio::Task<>> tasks;
  Held held;
  const double before = resident_kib();
  for (int i = 0; i < count; ++i) tasks.push_back(nogil::asyncio::create_task(wait_for(end, held.count)));
  while (held.count < count) co_await nogil::asyncio::yield();
  held.resident = each(before, resident_kib(), count);
  held.reserved = held.resident;
  end.set();
  for (nogil::asyncio::Task<>& task : tasks) co_await task;
  co_return held;
}

inline void wait_in_process(nogil::mp::Semaphore there, nogil::mp::Event end) {
  there.release();
  end.wait();
}

}  // namespace detail

inline Held held_by_tasks(int count) {
  return nogil::asyncio::run(detail::held_by_running_tasks(count));
}

inline Held held_by_threads(int count) {
  nogil::Semaphore there(0);
  nogil::Event end;
  std::vector<nogil::Thread> threads;
  Held held;
  const double before = resident_kib(), reserved_before = kib_in("/proc/self/status", "VmSize:");
  for (int i = 0; i < count; ++i) {
    threads
        .emplace_back([&] {
          there.release();
          end.wait();
        })
        .start();
  }
  while (held.count < count) held.count += there.acquire();
  held.resident = detail::each(before, resident_kib(), count);
  held.reserved = detail::each(reserved_before, kib_in("/proc/self/status", "VmSize:"), count);
  end.set();
  for (nogil::Thread& thread : threads) thread.join();
  return held;
}

inline Held held_by_processes(int count) {
  nogil::mp::Semaphore there(0);
  nogil::mp::Event end;
  std::vector<nogil::mp::Process> processes;
  for (int i = 0; i < count; ++i) processes.emplace_back(detail::wait_in_process, there, end).start();
  Held held{0, 0, 0};
  while (held.count < count) held.count += there.acquire();
  for (const nogil::mp::Process& process : processes) {
    const double its = private_kib(process.pid());
    if (its < 0) held.resident = -1;
    if (held.resident >= 0) held.resident += its / count;
    held.reserved += kib_in(text("/proc/", process.pid(), "/status"), "VmSize:") / count;
  }
  end.set();
  for (nogil::mp::Process& process : processes) process.join();
  return held;
}

}  // namespace tour
