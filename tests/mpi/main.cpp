// The tests of this folder are the main function of an MPI job: rank 0 runs them, the others
// serve. `--funneled` as the first argument: MPI is asked for no more threads than are needed.

#include <gtest/gtest.h>

#include <string_view>

#include "nogil/mpi/run.hpp"

namespace {

int run_tests(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  nogil::mp::detail::g_own_threads.fetch_add(1);  // the watchdog's thread
  return RUN_ALL_TESTS();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && argv[1] == std::string_view("--funneled")) {
    return nogil::mpi::detail::run_at(MPI_THREAD_FUNNELED, argc, argv, run_tests);
  }
  return nogil::mpi::run(argc, argv, run_tests);
}
