# The code in README.md and docs/ that a line `<!-- run` marks is compiled and run.
#
#   <!-- run
#   std::vector<int> numbers{1, 2, 3};      what the block needs and the page does not show
#   -->
#   ```cpp
#   for (int n : numbers) …                 the block
#   ```
#
# Where the block begins with `#include` it is a program of its own: it must end with 0. Other
# blocks go together into one program, each in a function of a namespace of its own, behind
# what it needs; lines that begin with #include go to the top of the file. A program that
# includes <nogil/mpi.hpp> runs with three ranks, where there is an MPI. To mark a block
# that shows parts, write them all as one needs them: `<!-- compile` keeps it from being run.

file(GLOB pages CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/docs/*.md)
set(folder ${CMAKE_CURRENT_BINARY_DIR}/docs)
set(includes "")
set(functions "")
set(calls "")
set(count 0)

# take(result until): moves what stands in `rest` before `until` to `result`.
macro(take result until)
  string(FIND "${rest}" "${until}" at)
  if(at EQUAL -1)
    message(FATAL_ERROR "${page}: a marked block without ${until}")
  endif()
  string(SUBSTRING "${rest}" 0 ${at} ${result})
  string(LENGTH "${until}" length)
  math(EXPR at "${at} + ${length}")
  string(SUBSTRING "${rest}" ${at} -1 rest)
endmacro()

foreach(page IN LISTS pages)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${page})
  get_filename_component(name ${page} NAME_WE)
  string(REGEX REPLACE "[^A-Za-z0-9]" "_" name "${name}")
  file(READ ${page} rest)
  set(number 0)
  while(rest MATCHES "\n<!-- (run|compile)")
    set(kind ${CMAKE_MATCH_1})
    take(before "\n<!-- ${kind}")
    take(needs "-->")
    take(gap "```cpp\n")
    take(block "\n```")
    math(EXPR number "${number} + 1")
    math(EXPR count "${count} + 1")
    string(REGEX REPLACE "[ \t]+//[^\n]*…[^\n]*" "" block "${block}")
    if(block MATCHES "nogil/mpi.hpp" AND NOT MPI_CXX_FOUND)
      continue()
    endif()
    if(block MATCHES "^#include")
      file(CONFIGURE OUTPUT ${folder}/${name}_${number}.cpp CONTENT "@needs@\n@block@\n" @ONLY)
      nogil_program(docs_${name}_${number} ${folder}/${name}_${number}.cpp)
      if(block MATCHES "nogil/mpi.hpp")
        target_link_libraries(docs_${name}_${number} PRIVATE MPI::MPI_CXX)
        nogil_mpi_test(docs.${name}_${number} 3 docs docs_${name}_${number})
      else()
        add_test(NAME docs.${name}_${number} COMMAND docs_${name}_${number})
        set_tests_properties(docs.${name}_${number} PROPERTIES TIMEOUT 60 LABELS docs)
      endif()
    else()
      string(REGEX MATCHALL "#include[^\n]*\n" needed "${needs}")
      list(JOIN needed "" needed)
      string(APPEND includes "${needed}")
      string(REGEX REPLACE "#include[^\n]*\n" "" needs "${needs}")
      string(APPEND functions "\n// ${name}.md, block ${number}\nnamespace ${name}_${number} {\n${needs}\n[[maybe_unused]] void show() {\n${block}\n}\n}\n")
      if(kind STREQUAL "run")
        string(APPEND calls "  ${name}_${number}::show();\n")
      endif()
    endif()
  endwhile()
endforeach()

set(source "#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include <nogil/nogil.hpp>

${includes}
using namespace std::chrono_literals;

namespace {
${functions}
}

int main() {
${calls}}
")
file(CONFIGURE OUTPUT ${folder}/blocks.cpp CONTENT "@source@" @ONLY)
nogil_program(docs_blocks ${folder}/blocks.cpp)
# Of the file, so that they come last: clang takes -Wall for a wish to have all of these again.
set_source_files_properties(${folder}/blocks.cpp PROPERTIES COMPILE_OPTIONS "-O0;-Wno-unused;-Wno-unused-result;-Wno-shadow")
add_test(NAME docs.blocks COMMAND docs_blocks)
set_tests_properties(docs.blocks PROPERTIES TIMEOUT 60 LABELS docs)
message(STATUS "Code in README.md and docs/: ${count} blocks are tested")
