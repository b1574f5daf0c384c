// A program that has begun MPI by itself, in the manner of long ago, is told what is wrong.

#include <cstdio>

#include "nogil/mpi.hpp"

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  const int code = nogil::mpi::run(argc, argv, [] { std::puts("not here"); });
  MPI_Finalize();
  return code;
}
