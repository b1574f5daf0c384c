# Writes a C++ file that holds the demos' own source as strings.
#
#   cmake -D OUTPUT=sources.cpp -D DEMOS=<folder of demos/*.cpp> -P embed_sources.cmake

file(GLOB paths ${DEMOS}/*.cpp)
set(cases "")
foreach(path IN LISTS paths)
  get_filename_component(id ${path} NAME_WE)
  file(READ ${path} source)
  string(APPEND cases "  if (id == \"${id}\") return R\"nogil_source(${source})nogil_source\";\n")
endforeach()
file(WRITE ${OUTPUT} "// Generated from demos/*.cpp by embed_sources.cmake.

#include \"support/sources.hpp\"

namespace tour {

std::string_view source_of([[maybe_unused]] std::string_view id) {
${cases}  return {};
}

}  // namespace tour
")
