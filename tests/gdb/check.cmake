# Asks gdb to show some objects, and looks at what it says. With the printers that the program
# carries, or those that are sourced.
#
#   cmake -D GDB=gdb -D PROGRAM=gdb_objects -D WAY=found|sourced -D SCRIPT=nogil_gdb.py -P check.cmake

cmake_path(GET PROGRAM PARENT_PATH folder)
if(WAY STREQUAL "found")
  set(load -iex "add-auto-load-safe-path ${folder}")
else()
  set(load -ex "source ${SCRIPT}")
endif()

# What is printed, and what gdb must say of it.
set(objects
  "free_lock|nogil::Lock free"
  "held_lock|nogil::Lock held by 'MainThread' \\(LWP [0-9]+\\)"
  "rlock|nogil::RLock held by 'MainThread' \\(LWP [0-9]+\\), 3 times"
  "free_rlock|nogil::RLock free"
  "semaphore|nogil::Semaphore with 1 free"
  "bounded|nogil::BoundedSemaphore with 2 free, 3 at most"
  "queue|nogil::Queue<int> of 3, 200 at most = {127, 128, 129}"
  "empty|nogil::Queue<int> of 0, 1 waiting for an element"
  "simple|nogil::SimpleQueue<std::string> of 1 = {.*\"one\""
  "lifo|nogil::LifoQueue<int> of 2 = {2, 1}"
  "priority|nogil::PriorityQueue<int, std::less<int> ?> of 1 = {7}"
  "pending|nogil::Future<int> pending"
  "failed|nogil::Future<int> failed = {exception = \"?std::runtime_error: broken"
  "nothing|nogil::Future<int> empty"
  "finished|nogil::Future<std::string> finished = {result = .*\"done\"")
set(commands -ex "break look" -ex "run" -ex "up")
foreach(object IN LISTS objects)
  string(REGEX REPLACE "\\|.*" "" name "${object}")
  list(APPEND commands -ex "print ${name}")
endforeach()

list(APPEND commands -ex "break look_at_task" -ex "continue" -ex "print task")
list(APPEND objects "task|nogil::asyncio::Task<int> 'Masha' [wr]")

execute_process(COMMAND ${GDB} -nx -batch ${load} ${commands} ${PROGRAM} OUTPUT_VARIABLE said ERROR_VARIABLE complaint
                TIMEOUT 50)
if("${said}${complaint}" MATCHES "ptrace|Operation not permitted|Python scripting is not supported")
  message("skipped: gdb may not debug a program here, or has no Python\n${complaint}")
  return()
endif()
set(failures 0)
foreach(object IN LISTS objects)
  string(REGEX REPLACE ".*\\|" "" expected "${object}")
  if(NOT said MATCHES "${expected}")
    message("gdb should say: ${expected}")
    math(EXPR failures "${failures} + 1")
  endif()
endforeach()
if(failures)
  message(FATAL_ERROR "${failures} missing in\n${said}\n${complaint}")
endif()
