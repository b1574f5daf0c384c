# Checks that the tables of README.md and the demos say the same: each demo has a row with its
# cell and its command, and each row has a demo. Of what the notebooks hold, nothing is missing,
# and each demo has its Python beside it.
#
#   cmake -D TOUR=nogil-tour -D README=README.md -P inventory_test.cmake

# What the five notebooks show, in their order. Only cell 4.0, a stray f'{4:x}', is left out.
set(inventory
  thread-workers asyncio-blocking-sleep process-workers url-fetch-async io-vs-cpu pool-factorial lock-counter
  rlock-recursive semaphore-2-of-5 event-3s deadlock-with-timeout queue-producer-consumer bounded-semaphore
  condition-prodcons barrier-3 safe-three-ways dependency-chain diminishing-returns sync-overhead gil-limits amdahl
  barista primes-threadpool submit-vs-map thread-vs-process primes-processpool hello-asyncio never-awaited event-loop
  email-worker await-sequential create-task gather
  switch-interval countdown-daemon url-fetch-async-3 cpu-pool4 four-models memory
  syrniki grayscale-halves preemptive-vs-cooperative weather-api prime-count-processes prime-count-queue
  prime-count-threads process-isolation race-interleaving race-sleep race-sleep-lock deadlock self-deadlock
  semaphore-3-of-7
  thread-class thread-function oversubscription race-100ms race-100ms-lock url-fetch pi-sync pi-args pi-threads
  pi-processes nested-submit worker-crash)

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
list(TRANSFORM demos REPLACE ".* " "" OUTPUT_VARIABLE ids)
foreach(id IN LISTS inventory)
  if(NOT id IN_LIST ids)
    message("no demo of what a notebook shows: ${id}")
    math(EXPR failures "${failures} + 1")
  endif()
endforeach()
get_filename_component(folder ${README} DIRECTORY)
foreach(id IN LISTS ids)
  if(NOT EXISTS ${folder}/python/${id}.py)
    message("no Python beside: ${id}")
    math(EXPR failures "${failures} + 1")
  endif()
endforeach()
list(LENGTH demos count)
if(failures OR count EQUAL 0)
  message(FATAL_ERROR "${count} demos, ${failures} differences")
endif()
