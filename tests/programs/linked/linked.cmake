# One program with processes, linked in all the ways that change where its code lies, or what
# tells it from another: it is compiled once, but for -no-pie.

include(CheckCXXSourceCompiles)
set(silent ${CMAKE_CURRENT_SOURCE_DIR}/support/silent.sh)

# linked_program(way objects option...): program.linked_<way>, if the linker can do it.
function(linked_program way objects)
  set(CMAKE_REQUIRED_FLAGS "-pthread")
  set(CMAKE_REQUIRED_LINK_OPTIONS ${ARGN})
  if(way STREQUAL "no_pie")
    string(APPEND CMAKE_REQUIRED_FLAGS " -fno-pie")
  endif()
  check_cxx_source_compiles("#include <string>\nint main(int n, char**) { return std::string(5, 'x').size() == std::size_t(n); }"
                            NOGIL_LINKS_${way})
  if(NOT NOGIL_LINKS_${way})
    return()
  endif()
  nogil_program(program_linked_${way} $<TARGET_OBJECTS:${objects}>)
  set_target_properties(program_linked_${way} PROPERTIES LINKER_LANGUAGE CXX)
  target_link_options(program_linked_${way} PRIVATE ${ARGN})
  add_test(NAME program.linked_${way} COMMAND ${silent} $<TARGET_FILE:program_linked_${way}>)
  set_tests_properties(program.linked_${way} PROPERTIES TIMEOUT 60 LABELS program)
endfunction()

foreach(objects IN ITEMS pie no_pie)
  add_library(linked_${objects} OBJECT EXCLUDE_FROM_ALL programs/linked/linked.cpp)
  target_link_libraries(linked_${objects} PRIVATE nogil_dev)
endforeach()
target_compile_options(linked_pie PRIVATE -O0 -fPIE)
target_compile_options(linked_no_pie PRIVATE -O0 -fno-pie)

linked_program(pie linked_pie -pie)
linked_program(without_build_id linked_pie -pie -Wl,--build-id=none)
linked_program(stripped linked_pie -pie -s)
if(NOT "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_RELWITHDEBINFO}" MATCHES "-fsanitize") # they want to lie where they choose
  linked_program(no_pie linked_no_pie -no-pie)
  linked_program(static linked_pie -static)
  linked_program(static_pie linked_pie -static-pie)
  linked_program(static_stripped_without_build_id linked_pie -static -s -Wl,--build-id=none)
endif()

add_library(linked_library MODULE programs/linked/library.cpp)
nogil_program(program_library_that_goes programs/linked/library_that_goes.cpp)
target_include_directories(program_library_that_goes PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
target_compile_options(program_library_that_goes PRIVATE -O0)
target_link_libraries(program_library_that_goes PRIVATE ${CMAKE_DL_LIBS})
add_test(NAME program.library_that_goes
         COMMAND ${silent} $<TARGET_FILE:program_library_that_goes> $<TARGET_FILE:linked_library>)
set_tests_properties(program.library_that_goes PROPERTIES TIMEOUT 60 LABELS program)
