# Checks that the tables of README.md and the demos say the same: each demo has a row with its
# cell and its command, and each row has a demo.
#
#   cmake -D TOUR=nogil-tour -D README=README.md -P inventory_test.cmake

execute_process(COMMAND ${TOUR} list OUTPUT_VARIABLE list COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "\n[a-z0-9-]+ +[0-9]\\.[0-9a-z]+ " demos "${list}")
list(TRANSFORM demos REPLACE "\n([a-z0-9-]+) +([0-9.a-z]+) " "\\2 \\1")

file(STRINGS ${README} rows REGEX "^\\| [0-9]\\.[0-9a-z]+ \\|.*`nogil-tour run [a-z0-9-]+`")
list(TRANSFORM rows REPLACE "^\\| ([0-9.a-z]+) \\|.*`nogil-tour run ([a-z0-9-]+)`.*" "\\1 \\2")

cmake_policy(SET CMP0057 NEW)  # IN_LIST
set(failures 0)
foreach(demo IN LISTS demos)
  if(NOT demo IN_LIST rows)
    message("README.md has no row for: ${demo}")
    math(EXPR failures "${failures} + 1")
  endif()
endforeach()
foreach(row IN LISTS rows)
  if(NOT row IN_LIST demos)
    message("there is no demo for the row: ${row}")
    math(EXPR failures "${failures} + 1")
  endif()
endforeach()
list(LENGTH demos count)
if(failures OR count EQUAL 0)
  message(FATAL_ERROR "${count} demos, ${failures} differences")
endif()
