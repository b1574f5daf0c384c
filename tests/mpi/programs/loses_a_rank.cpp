// A rank is killed while it has tasks. mpirun ends the job, as it does unless it is told not to;
// then rank 0 names who was lost, and the others go on, until the end of the main function.

#include <signal.h>

#include <cstdio>

#include "nogil/mpi.hpp"

int main(int argc, char** argv) {
  return nogil::mpi::run(argc, argv, [] {
    nogil::mpi::MPIPoolExecutor pool;
    const auto lost = pool.submit([] { ::raise(SIGKILL); });
    try {
      lost.result();
    } catch (const nogil::BrokenExecutor& error) {
      std::printf("%s\n", error.what());
    }
    if (pool.stats().ranks != 0) std::printf("then %d\n", pool.submit([](int x) { return x; }, 6).result());
    std::fflush(stdout);
  });
}
