// support/single_mpi.cpp -- makes a program for mpirun of one demo. Rank 0 runs it, the others
// work for its executors. Without mpirun it is a world of one.

#include "nogil/mpi.hpp"
#include "support/single.hpp"

int main(int argc, char** argv) {
  return nogil::mpi::run(argc, argv, tour::run_single);
}
