// nogil/mpi.hpp -- several machines: MPIPoolExecutor and run(), as nogil::mpi.
//
// Needs an MPI implementation, in its C interface: <mpi.h> and its library, as mpicxx or CMake's
// find_package(MPI) bring them.

#pragma once

#include "nogil/mpi/mpi_pool_executor.hpp"
#include "nogil/mpi/run.hpp"
