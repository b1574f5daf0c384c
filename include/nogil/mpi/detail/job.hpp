// nogil/mpi/detail/job.hpp -- the hub of the job that this process is rank 0 of.

#pragma once

#include <atomic>

#include "nogil/errors.hpp"

namespace nogil::mpi::detail {

class Hub;

// Null: run() has not begun, or is over, or this is another rank.
[[gnu::visibility("default")]] inline constinit std::atomic<Hub*> g_hub{nullptr};

// Throws RuntimeError if there is none.
inline Hub& hub_of_this_job() {
  Hub* const hub = g_hub.load(std::memory_order_acquire);
  if (hub == nullptr) {
    throw RuntimeError(
        "MPIPoolExecutor: it works inside the function that nogil::mpi::run() calls, in rank 0: int main(int argc, "
        "char** argv) { return nogil::mpi::run(argc, argv, [] { … }); }");
  }
  return *hub;
}

}  // namespace nogil::mpi::detail
