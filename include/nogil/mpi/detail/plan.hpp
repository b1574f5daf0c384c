// nogil/mpi/detail/plan.hpp -- what the ranks are told of a pool, when it is opened.

#pragma once

#include <cstddef>
#include <cstdint>

#include "nogil/mpi/detail/packet.hpp"
#include "nogil/multiprocessing/serialize.hpp"

namespace nogil::mpi {

// What runs the tasks of a pool in each rank.
enum class RunIn : std::uint8_t {
  threads,    // of the rank itself: fast; a task that crashes takes down the job
  processes,  // that the rank starts: one that crashes fails its task, and is replaced
};

namespace detail {

struct PoolPlan {
  RunIn run_in = RunIn::threads;
  std::uint64_t workers = 1;              // in each rank; 0: as many as it has cores
  std::uint64_t max_tasks_per_child = 0;  // of a process
  Frame initializer{};                    // a call, or nothing
};

inline void save_plan(multiprocessing::OutputArchive& out, const PoolPlan& plan) {
  out(plan.run_in, plan.workers, plan.max_tasks_per_child, std::uint64_t{plan.initializer.bytes.size()});
  out.write(plan.initializer.bytes.data(), plan.initializer.bytes.size());
}

inline PoolPlan load_plan(multiprocessing::InputArchive& in) {
  PoolPlan plan;
  std::uint64_t size = 0;
  in(plan.run_in, plan.workers, plan.max_tasks_per_child, size);
  const std::byte* const bytes = in.read(static_cast<std::size_t>(size));
  if (size != 0) std::memcpy(plan.initializer.bytes.extend(static_cast<std::size_t>(size)), bytes, size);
  return plan;
}

}  // namespace detail
}  // namespace nogil::mpi
