// An exception of the main function is the end of the job, also while ranks are at work.

#include <chrono>
#include <stdexcept>
#include <thread>

#include "nogil/mpi.hpp"

int main(int argc, char** argv) {
  return nogil::mpi::run(argc, argv, [](int, char**) {
    nogil::mpi::MPIPoolExecutor pool;
    for (int i = 0; i < 20; ++i) pool.submit([] { std::this_thread::sleep_for(std::chrono::milliseconds(5)); });
    throw std::runtime_error("enough");
  });
}
