// What the main function returns is the exit code of the job.

#include "nogil/mpi.hpp"

int main(int argc, char** argv) {
  return nogil::mpi::run(argc, argv, [] {
    nogil::mpi::MPIPoolExecutor pool;
    return pool.submit([](int x) { return x + 1; }, 2).result();
  });
}
