// tests/mpi/support/kinds.hpp -- tests that are run with the tasks in threads, and once more in processes.

#pragma once

#include <gtest/gtest.h>

#include <string>

#include "nogil/mpi/mpi_pool_executor.hpp"

namespace nogil::testing {

class InEveryKind : public ::testing::TestWithParam<mpi::RunIn> {
 protected:
  static mpi::MPIPoolExecutor::Options options() { return {.run_in = GetParam()}; }
};

#define NOGIL_IN_EVERY_KIND(suite)                                                                            \
  INSTANTIATE_TEST_SUITE_P(In, suite, ::testing::Values(mpi::RunIn::threads, mpi::RunIn::processes),          \
                           [](const ::testing::TestParamInfo<mpi::RunIn>& kind) {                             \
                             return std::string(kind.param == mpi::RunIn::threads ? "threads" : "processes"); \
                           })

}  // namespace nogil::testing
