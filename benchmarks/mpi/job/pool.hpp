// benchmarks/mpi/job/pool.hpp -- the cases on MPIPoolExecutor. Rank 0 alone comes here.

#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "job/job.hpp"
#include "nogil/mpi.hpp"

namespace pool {

using job::Figures;
using job::Order;
using nogil::mpi::MPIPoolExecutor;

inline std::uint64_t echo_number(std::uint64_t number) {
  return number;
}

inline std::string echo(std::string text) {
  return text;
}

// One call after the other, each with so many bytes there and as many back.
inline Figures round_trip(MPIPoolExecutor& executor, const Order& order) {
  if (order.size == sizeof(std::uint64_t)) {
    std::uint64_t number = 0;
    std::uint64_t calls = 0;
    const Figures figures = job::measure_turns(order, [&] {
      number = executor.submit(echo_number, number + 1).result();
      ++calls;
    });
    job::expect(number == calls, "a call was lost");
    return figures;
  }
  const std::string text(order.size, 'x');
  bool right = true;
  const Figures figures = job::measure_turns(order, [&] {
    const auto future = executor.submit(echo, text);
    right = right && future.result().size() == text.size();
  });
  job::expect(right, "the text that came back is another");
  return figures;
}

inline Figures tiny_tasks(MPIPoolExecutor& executor, const Order& order) {
  std::vector<nogil::Future<int>> futures;
  futures.reserve(job::kTasks);
  bool right = true;
  const Figures figures = job::measure(order, job::kTasks, [&] {
    for (int i = 0; i < job::kTasks; ++i) futures.push_back(executor.submit(job::next, i));
    std::int64_t sum = 0;
    for (const auto& future : futures) sum += future.result();
    futures.clear();
    right = right && sum == std::int64_t{job::kTasks} * (job::kTasks + 1) / 2;
  });
  job::expect(right, "a wrong sum");
  return figures;
}

inline Figures map(MPIPoolExecutor& executor, const Order& order) {
  std::vector<std::uint32_t> numbers(job::kItems);
  std::iota(numbers.begin(), numbers.end(), 0U);
  std::vector<std::uint32_t> results;
  results.reserve(numbers.size());
  const Figures figures = job::measure(order, 1, [&] {
    results.clear();
    for (const std::uint32_t result : executor.map(job::mix, numbers)) results.push_back(result);
  });
  job::expect(results.size() == numbers.size() && results.back() == job::mix(numbers.back()), "a wrong result");
  return figures;
}

// ---- Nothing to do ------------------------------------------------------------------------

inline double cpu_seconds() {
  std::timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// 100 ms after a burst of tasks: the CPU time that rank 0 and rank 1 use meanwhile. It is this
// that is reported as the time.
inline Figures idle(MPIPoolExecutor& executor) {
  using namespace std::chrono_literals;
  for (int i = 0; i < 1000; ++i) executor.submit(job::next, i);
  executor.submit(job::next, 0).result();
  std::this_thread::sleep_for(20ms);
  const auto both = [&] { return cpu_seconds() + executor.submit(cpu_seconds).result(); };
  const double before = both();
  const auto began = job::Clock::now();
  std::this_thread::sleep_for(100ms);
  const double cpu = both() - before;
  return {.ns = cpu * 1e9, .cpu_per_wall = cpu * 1e9 / job::ns_since(began)};
}

// -------------------------------------------------------------------------------------------

inline Figures run(const Order& order) {
  using nogil::mpi::RunIn;
  MPIPoolExecutor executor(
      MPIPoolExecutor::Options{.run_in = order.rival == "nogil_processes" ? RunIn::processes : RunIn::threads});
  if (order.what == "round_trip") return round_trip(executor, order);
  if (order.what == "tiny_tasks") return tiny_tasks(executor, order);
  if (order.what == "map") return map(executor, order);
  if (order.what == "idle") return idle(executor);
  throw std::runtime_error("there is no case " + order.what + " of " + order.rival);
}

}  // namespace pool
