# The tests of nogil/mpi.hpp are jobs. mpirun takes a second to start one: so all tests are one
# job for each number of ranks, and each way that messages take.

if(NOT MPI_CXX_FOUND)
  message(STATUS "MPI: not found, so nogil/mpi.hpp is not tested")
  return()
endif()

file(GLOB sources CONFIGURE_DEPENDS mpi/*.cpp)
nogil_program(mpi_test ${sources})
target_include_directories(mpi_test PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
target_link_libraries(mpi_test PRIVATE GTest::gtest MPI::MPI_CXX)

file(GLOB sources CONFIGURE_DEPENDS mpi/programs/*.cpp)
foreach(source IN LISTS sources)
  get_filename_component(name ${source} NAME_WE)
  nogil_program(mpi_${name} ${source})
  target_link_libraries(mpi_${name} PRIVATE MPI::MPI_CXX)
endforeach()

if(nogil_sanitized)
  return() # they find much in MPI itself
endif()

nogil_mpi_test(mpi.one_rank 1 mpi mpi_test --gtest_brief=1)
nogil_mpi_test(mpi.two_ranks 2 mpi mpi_test --gtest_brief=1)
nogil_mpi_test(mpi.four_ranks 4 mpi mpi_test --gtest_brief=1)
nogil_mpi_test(mpi.over_tcp 2 mpi mpi_test --gtest_brief=1)
nogil_mpi_test(mpi.one_thread_calls_mpi 2 mpi mpi_test --funneled --gtest_brief=1)
set(over_tcp OMPI_MCA_btl=tcp,self OMPI_MCA_btl_tcp_if_include=lo NOGIL_MPI_NEIGHBOURS=0)
set_property(TEST mpi.over_tcp APPEND PROPERTY ENVIRONMENT ${over_tcp})
add_test(NAME mpi.world_of_one COMMAND mpi_test --gtest_brief=1)
set_tests_properties(mpi.one_rank mpi.two_ranks mpi.four_ranks mpi.over_tcp mpi.one_thread_calls_mpi mpi.world_of_one
                     PROPERTIES TIMEOUT 120)
set_tests_properties(mpi.world_of_one PROPERTIES LABELS mpi ENVIRONMENT "${nogil_mpi_settings}" PROCESSORS 2)

# nogil_mpi_program(name code text command...): how it ends, and what it says.
function(nogil_mpi_program name code text)
  add_test(NAME mpi.${name} COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/mpi/support/expect.sh ${code} "${text}" ${ARGN})
  set_tests_properties(mpi.${name} PROPERTIES TIMEOUT 60 LABELS mpi ENVIRONMENT "${nogil_mpi_settings}")
endfunction()
set(two_ranks ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} 2)
set(one_rank ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} 1)
nogil_mpi_program(returns_what_main_returns 3 "" ${two_ranks} $<TARGET_FILE:mpi_returns_three>)
nogil_mpi_program(says_that_it_is_alone 3 "a world of one rank" $<TARGET_FILE:mpi_returns_three>)
nogil_mpi_program(ends_when_main_throws 1 "the main function threw std::runtime_error: enough"
                  ${two_ranks} $<TARGET_FILE:mpi_throws>)
nogil_mpi_program(ends_without_shutdown 0 "the last result is 49" ${two_ranks} $<TARGET_FILE:mpi_forgets_shutdown>)
nogil_mpi_program(refuses_mpi_without_threads 1 "has begun MPI without threads"
                  ${two_ranks} $<TARGET_FILE:mpi_without_threads>)
nogil_mpi_program(joins_mpi_that_has_begun 0 "round 1" ${two_ranks} $<TARGET_FILE:mpi_begins_mpi>)
nogil_mpi_program(refuses_an_executor_outside_of_run 4 "inside the function that nogil::mpi::run() calls"
                  $<TARGET_FILE:mpi_outside>)
nogil_mpi_program(refuses_different_programs 1 "all ranks must run the same program, but it is another one"
                  ${one_rank} $<TARGET_FILE:mpi_returns_three>
                  : ${MPIEXEC_NUMPROC_FLAG} 1 $<TARGET_FILE:mpi_forgets_shutdown>)

# A rank that is killed. mpirun ends the job and says who it was; if it is told to go on, which
# the fourth Open MPI can be, it is rank 0 that has to see it. The exit code is mpirun's.
nogil_mpi_program(ends_with_a_rank_that_is_killed any "process rank 1" ${two_ranks} $<TARGET_FILE:mpi_loses_a_rank>)
nogil_mpi_program(ends_over_tcp_with_a_rank_that_is_killed any "process rank 1"
                  ${two_ranks} $<TARGET_FILE:mpi_loses_a_rank>)
set_property(TEST mpi.ends_over_tcp_with_a_rank_that_is_killed APPEND PROPERTY ENVIRONMENT ${over_tcp})
execute_process(COMMAND ${MPIEXEC_EXECUTABLE} --version OUTPUT_VARIABLE version ERROR_QUIET)
if(version MATCHES "(Open MPI|OpenRTE). 4")
  set(three_ranks_that_go_on ${MPIEXEC_EXECUTABLE} --enable-recovery ${MPIEXEC_NUMPROC_FLAG} 3)
  nogil_mpi_program(names_a_rank_that_is_lost any "rank 1 was lost, which had this task: its process has ended"
                    ${three_ranks_that_go_on} $<TARGET_FILE:mpi_loses_a_rank>)
  nogil_mpi_program(goes_on_with_the_other_ranks any "then 6"
                    ${three_ranks_that_go_on} $<TARGET_FILE:mpi_loses_a_rank>)
endif()
