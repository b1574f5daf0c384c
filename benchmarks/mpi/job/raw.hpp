// benchmarks/mpi/job/raw.hpp -- the cases on bare MPI: what the library is measured against.
//
// One thread for each rank, MPI_Init(), blocking calls where there is nothing else to do.

#pragma once

#include <mpi.h>
#include <sched.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "job/job.hpp"

namespace raw {

using job::Figures;
using job::Order;

class World {
 public:
  World(int& argc, char**& argv) { MPI_Init(&argc, &argv); }
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World() { MPI_Finalize(); }

  static int rank() {
    int rank = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    return rank;
  }
  static int size() {
    int size = 0;
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    return size;
  }
};

enum Tag : int { kTask = 1, kResult, kStop };

inline void send(const void* data, std::size_t size, int to, int tag) {
  MPI_Send(data, static_cast<int>(size), MPI_BYTE, to, tag, MPI_COMM_WORLD);
}

inline MPI_Status receive(void* data, std::size_t size, int from, int tag) {
  MPI_Status status;
  MPI_Recv(data, static_cast<int>(size), MPI_BYTE, from, tag, MPI_COMM_WORLD, &status);
  return status;
}

inline void stop_all() {
  for (int rank = 1; rank < World::size(); ++rank) send(nullptr, 0, rank, kStop);
}

// ---- Round trips: so many bytes there, and as many back ----------------------------------

inline Figures round_trip(const Order& order) {
  std::vector<char> there(order.size, 'x');
  std::vector<char> back(order.size);
  const Figures figures = job::measure_turns(order, [&] {
    send(there.data(), there.size(), 1, kTask);
    receive(back.data(), back.size(), 1, kResult);
  });
  stop_all();
  job::expect(back == there, "the bytes that came back are others");
  return figures;
}

inline void echo(const Order& order) {
  std::vector<char> buffer(order.size);
  while (receive(buffer.data(), buffer.size(), 0, MPI_ANY_TAG).MPI_TAG != kStop) {
    send(buffer.data(), buffer.size(), 0, kResult);
  }
}

// ---- A dispatcher with one task in flight for each rank ----------------------------------

// mpi4py.futures' way: look for a message, and sleep when there is none, for longer each time
// up to a millisecond. With a longest sleep of zero it looks all the time.
class Backoff {
 public:
  explicit Backoff(std::chrono::nanoseconds longest) : longest_(longest) {}

  void reset() { next_ = std::chrono::nanoseconds(0); }
  void sleep() {
    if (longest_.count() == 0) return;
    if (next_.count() == 0) ::sched_yield();
    else std::this_thread::sleep_for(next_);
    next_ = std::clamp(next_ * 2, longest_ / 1024, longest_);
  }

 private:
  const std::chrono::nanoseconds longest_;
  std::chrono::nanoseconds next_{0};
};

// What mpi4py would pickle for a small function and its argument is of about this size.
struct Task {
  int argument;
  char name[60];
};

class Dispatcher {
 public:
  explicit Dispatcher(Backoff backoff) : backoff_(backoff) {
    for (int rank = 1; rank < World::size(); ++rank) idle_.push_back(rank);
    requests_.resize(static_cast<std::size_t>(World::size()));
  }

  // The sum of the results.
  std::int64_t run(int tasks) {
    std::int64_t sum = 0;
    std::vector<Task> sent(requests_.size());
    backoff_.reset();
    for (int submitted = 0, pending = 0; submitted < tasks || pending > 0;) {
      if (submitted < tasks && !idle_.empty()) {
        backoff_.reset();
        const int rank = idle_.back();
        idle_.pop_back();
        const auto to = static_cast<std::size_t>(rank);
        sent[to] = {submitted++, "next"};
        MPI_Issend(&sent[to], sizeof(Task), MPI_BYTE, rank, kTask, MPI_COMM_WORLD, &requests_[to]);
        ++pending;
      }
      int there = 0;
      MPI_Status status;
      MPI_Iprobe(MPI_ANY_SOURCE, kResult, MPI_COMM_WORLD, &there, &status);
      if (there != 0) {
        backoff_.reset();
        int result = 0;
        receive(&result, sizeof result, status.MPI_SOURCE, kResult);
        MPI_Wait(&requests_[static_cast<std::size_t>(status.MPI_SOURCE)], MPI_STATUS_IGNORE);
        idle_.push_back(status.MPI_SOURCE);
        sum += result;
        --pending;
      }
      backoff_.sleep();
    }
    return sum;
  }

  static void serve(Backoff backoff) {
    for (;;) {
      int there = 0;
      MPI_Status status;
      for (backoff.reset();; backoff.sleep()) {
        MPI_Iprobe(0, MPI_ANY_TAG, MPI_COMM_WORLD, &there, &status);
        if (there != 0) break;
      }
      Task task{};
      receive(&task, sizeof task, 0, status.MPI_TAG);
      if (status.MPI_TAG == kStop) return;
      const int result = job::next(task.argument);
      MPI_Request request;
      MPI_Issend(&result, sizeof result, MPI_BYTE, 0, kResult, MPI_COMM_WORLD, &request);
      int done = 0;
      for (backoff.reset();; backoff.sleep()) {
        MPI_Test(&request, &done, MPI_STATUS_IGNORE);
        if (done != 0) break;
      }
    }
  }

 private:
  Backoff backoff_;
  std::vector<int> idle_;
  std::vector<MPI_Request> requests_;
};

inline Backoff backoff_of(const Order& order) {
  return Backoff(std::chrono::milliseconds(order.rival == "backoff" ? 1 : 0));
}

inline Figures tiny_tasks(const Order& order) {
  Dispatcher dispatcher(backoff_of(order));
  bool right = true;
  const Figures figures = job::measure(order, job::kTasks, [&] {
    right = right && dispatcher.run(job::kTasks) == std::int64_t{job::kTasks} * (job::kTasks + 1) / 2;
  });
  stop_all();
  job::expect(right, "a wrong sum");
  return figures;
}

// ---- A map over a million numbers ---------------------------------------------------------

inline std::vector<std::uint32_t> numbers() {
  std::vector<std::uint32_t> all(job::kItems);
  std::iota(all.begin(), all.end(), 0U);
  return all;
}

// One rank computes all, the others sleep. The time reported is that part of it which falls
// to each of order.size workers.
inline Figures loop(const Order& order) {
  const std::vector<std::uint32_t> all = numbers();
  std::vector<std::uint32_t> results(all.size());
  const Figures figures = job::measure(order, static_cast<double>(order.size),
                                       [&] { std::transform(all.begin(), all.end(), results.begin(), job::mix); });
  stop_all();
  job::expect(results.back() == job::mix(all.back()), "a wrong result");
  return figures;
}

inline void sleep_until_stopped() {
  for (int there = 0; there == 0;) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    MPI_Iprobe(0, kStop, MPI_COMM_WORLD, &there, MPI_STATUS_IGNORE);
  }
  receive(nullptr, 0, 0, kStop);
}

// Equal shares, without a library: the numbers are sent, and the results collected, once.
// All ranks are in it, so it lasts one round, whatever the window.
inline Figures scatter() {
  const bool first = World::rank() == 0;
  const std::size_t share = job::kItems / static_cast<std::size_t>(World::size());
  const std::vector<std::uint32_t> all = first ? numbers() : std::vector<std::uint32_t>();
  std::vector<std::uint32_t> mine(share);
  std::vector<std::uint32_t> results(first ? all.size() : 0);
  const int count = static_cast<int>(share);
  const auto round = [&] {
    MPI_Scatter(all.data(), count, MPI_UINT32_T, mine.data(), count, MPI_UINT32_T, 0, MPI_COMM_WORLD);
    std::transform(mine.begin(), mine.end(), mine.begin(), job::mix);
    MPI_Gather(mine.data(), count, MPI_UINT32_T, results.data(), count, MPI_UINT32_T, 0, MPI_COMM_WORLD);
  };
  round();
  const auto began = job::Clock::now();
  round();
  Figures figures;
  figures.ns = job::ns_since(began);
  job::expect(!first || results[share] == job::mix(all[share]), "a wrong result");
  return figures;
}

// Every rank: rank 0 gives the figures, the others serve until it has them.
inline Figures run(const Order& order) {
  const bool first = World::rank() == 0;
  if (order.what == "round_trip") {
    if (first) return round_trip(order);
    if (World::rank() == 1) echo(order);
  } else if (order.what == "tiny_tasks") {
    if (first) return tiny_tasks(order);
    Dispatcher::serve(backoff_of(order));
  } else if (order.what == "map" && order.rival == "scatter") {
    return scatter();
  } else if (order.what == "map") {
    if (first) return loop(order);
    sleep_until_stopped();
  } else {
    throw std::runtime_error("there is no case " + order.what + " of " + order.rival);
  }
  return {};
}

}  // namespace raw
