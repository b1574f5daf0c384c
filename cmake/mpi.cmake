# MPI, for <nogil/mpi.hpp>: MPI_CXX_FOUND and MPI::MPI_CXX, and tests that mpirun runs.

set(MPI_CXX_SKIP_MPICXX ON CACHE BOOL "Leave out MPI's own C++ bindings, which are of the past")
find_package(MPI QUIET COMPONENTS CXX)

# Open MPI is told to run as root, in a container, with more ranks than cores, and over shared
# memory alone. Others do not look at it.
set(nogil_mpi_settings
  OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
  OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_mpi_yield_when_idle=1
  OMPI_MCA_pml=ob1 OMPI_MCA_btl=^tcp,openib OMPI_MCA_btl_vader_single_copy_mechanism=none)

# nogil_mpi_test(name ranks label program argument...): mpirun -n ranks program argument...
# Sanitizers find much in MPI itself, so not with them.
function(nogil_mpi_test name ranks label program)
  if("${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_RELWITHDEBINFO}" MATCHES "-fsanitize")
    return()
  endif()
  add_test(NAME ${name} COMMAND ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} ${ranks} $<TARGET_FILE:${program}> ${ARGN})
  set_tests_properties(${name} PROPERTIES TIMEOUT 60 LABELS "${label}" ENVIRONMENT "${nogil_mpi_settings}" PROCESSORS 2)
endfunction()
