// A pool that nobody shuts down runs what it was given; then the job ends.

#include <chrono>
#include <cstdio>
#include <thread>

#include "nogil/mpi.hpp"

namespace {

nogil::mpi::MPIPoolExecutor* g_pool = nullptr;
nogil::Future<int> g_last;

}  // namespace

int main(int argc, char** argv) {
  const int code = nogil::mpi::run(argc, argv, [] {
    g_pool = new nogil::mpi::MPIPoolExecutor;
    for (int i = 0; i < 50; ++i) {
      g_last = g_pool->submit([](int x) { return std::this_thread::sleep_for(std::chrono::milliseconds(1)), x; }, i);
    }
  });
  if (g_pool == nullptr) return code;
  std::printf("the last result is %d\n", g_last.result());
  delete g_pool;
  return code;
}
