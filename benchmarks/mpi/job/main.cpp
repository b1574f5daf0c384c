// benchmarks/mpi/job/main.cpp -- the program that mpirun runs for each hold.

#include <mpi.h>

#include <cstdio>
#include <exception>

#include "job/far_ranks.hpp"
#include "job/job.hpp"
#include "job/pool.hpp"
#include "job/raw.hpp"
#include "nogil/mpi.hpp"

namespace {

int run(int argc, char** argv) {
  const job::Order order = job::Order::of(argc, argv);
  if (order.what == "far_ranks") {
    job::print(far_ranks::run(order));
    return 0;
  }
  if (order.rival.starts_with("nogil")) {
    return nogil::mpi::run(argc, argv, [&order] { job::print(pool::run(order)); });
  }
  const raw::World world(argc, argv);
  const job::Figures figures = raw::run(order);
  if (raw::World::rank() == 0) job::print(figures);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  nogil::mp::freeze_support();  // the processes of a rank are this program, started anew
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "nogil-mpi-bench: %s\n", error.what());
    return 1;
  }
}
