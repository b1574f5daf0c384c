// nogil/mpi/detail/mpi.hpp -- <mpi.h>, without the C++ bindings that MPI itself has given up.

#pragma once

#ifndef OMPI_SKIP_MPICXX
#define OMPI_SKIP_MPICXX 1
#endif
#ifndef MPICH_SKIP_MPICXX
#define MPICH_SKIP_MPICXX 1
#endif
#include <mpi.h>
