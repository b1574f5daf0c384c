// A program may begin and end MPI by itself.

#include <cstdio>

#include "nogil/mpi.hpp"

int main(int argc, char** argv) {
  nogil::mp::freeze_support();
  int level = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level);
  for (int round = 0; round < 2; ++round) {
    const int code = nogil::mpi::run(argc, argv, [round] {
      nogil::mpi::MPIPoolExecutor pool;
      std::printf("round %d\n", pool.submit([](int x) { return x; }, round).result());
    });
    if (code != 0) return code;
  }
  return MPI_Finalize();
}
