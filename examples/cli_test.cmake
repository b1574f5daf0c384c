# Checks the command lines of the tour and of a single demo: exit codes and answers.
#
#   cmake -D TOUR=nogil-tour -D NAME=bounded-semaphore -D SINGLE=bounded-semaphore -P cli_test.cmake

set(failures 0)

# expect(exit_code regex program argument...): what it prints, on either stream, matches.
function(expect code regex)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE printed ERROR_VARIABLE complaint TIMEOUT 60)
  if(NOT result STREQUAL code OR NOT "${printed}${complaint}" MATCHES "${regex}")
    list(JOIN ARGN " " line)
    message("${line}\n  exit code ${result} (expected ${code})\n  should match: ${regex}\n${printed}${complaint}")
    math(EXPR failures "${failures} + 1")
    set(failures ${failures} PARENT_SCOPE)
  endif()
endfunction()

expect(0 "usage: nogil-tour list" ${TOUR} --help)
expect(2 "usage: nogil-tour list" ${TOUR})
foreach(command list show run all)
  expect(0 "usage: nogil-tour ${command}" ${TOUR} ${command} --help)
endforeach()
expect(2 "no command 'rnu'.*Did you mean run" ${TOUR} rnu)

expect(0 "semaphore-2-of-5 .*0\\.9 .*race-100ms " ${TOUR} list)
expect(0 "race-100ms-lock" ${TOUR} list --seed 4)
expect(0 "barista .*1\\.1 .*primes-threadpool" ${TOUR} list --notebook 1)
expect(2 "from 0 to 4" ${TOUR} list --seed 5)

expect(0 "threading.BoundedSemaphore\\(2\\).*nogil::BoundedSemaphore" ${TOUR} show bounded-semaphore)
expect(0 "Python +. C\\+\\+\n" ${CMAKE_COMMAND} -E env COLUMNS=300 ${TOUR} show 0.13)
expect(2 "name of one demo" ${TOUR} show)
expect(2 "Did you mean deadlock" ${TOUR} show deadlok)

expect(0 "\nOK  bounded-semaphore " ${TOUR} run bounded-semaphore --fast)
expect(0 "\nOK  2 of 2 demos" ${TOUR} run 0.13 race-interleaving --scale=0.05)
expect(0 "^OK  bounded-semaphore [^\n]*\n$" ${TOUR} run bounded-semaphore --fast --quiet)
expect(2 "which demo" ${TOUR} run)
expect(2 "no demo 'semaphore-2-of-6'.*Did you mean semaphore-2-of-5" ${TOUR} run semaphore-2-of-6)
expect(2 "unknown option '--fats'.*Did you mean --fast" ${TOUR} run deadlock --fats)
expect(2 "takes a number from 0.001 to 100, not 'x'" ${TOUR} all --scale x)
expect(2 "takes a number from 0.001 to 100, not '0'" ${TOUR} all --scale 0)
expect(2 "takes a number from 0.001 to 100, not 'nan'" ${TOUR} all --scale nan)
expect(2 "whole number" ${TOUR} all --threads 1.5)
expect(2 "--svg needs a value" ${TOUR} all --svg)
expect(2 "cannot make the folder" ${TOUR} all --svg /dev/null/pictures)
expect(2 "--fast takes no value" ${TOUR} all --fast=1)

expect(0 "usage: ${NAME} " ${SINGLE} --help)
expect(0 "\nOK  ${NAME} " ${SINGLE} --fast)
expect(2 "unexpected 'word'" ${SINGLE} word)
expect(2 "unknown option" ${SINGLE} --seed 1)

if(failures)
  message(FATAL_ERROR "${failures} failed")
endif()
