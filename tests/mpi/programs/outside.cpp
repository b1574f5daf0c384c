// An executor outside of run() is refused.

#include <cstdio>

#include "nogil/mpi.hpp"

int main() {
  try {
    const nogil::mpi::MPIPoolExecutor pool;
  } catch (const nogil::RuntimeError& error) {
    std::printf("%s\n", error.what());
    return 4;
  }
  return 0;
}
