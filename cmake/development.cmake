# What tests, examples and benchmarks share. None of it reaches a user of nogil::nogil.

# Our warnings, and each header once more for `all_verify_interface_header_sets`,
# which compiles them one by one: each must include all that it uses.
add_library(nogil_dev INTERFACE)
target_link_libraries(nogil_dev INTERFACE nogil::nogil)
target_compile_options(nogil_dev INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion)
option(NOGIL_WARNINGS_AS_ERRORS "Refuse to build our own programs with a warning" ON)
if(NOGIL_WARNINGS_AS_ERRORS)
  target_compile_options(nogil_dev INTERFACE -Werror)
endif()
find_package(CURL QUIET) # for nogil/asyncio/curl.hpp
include(${CMAKE_CURRENT_LIST_DIR}/mpi.cmake)
if(CMAKE_VERSION VERSION_GREATER_EQUAL 3.24)
  set(headers_to_verify ${nogil_headers})
  find_path(NOGIL_CEREAL cereal/cereal.hpp DOC "Where cereal is, for nogil/multiprocessing/cereal.hpp")
  if(NOT NOGIL_CEREAL)
    list(FILTER headers_to_verify EXCLUDE REGEX nogil/multiprocessing/cereal.hpp)
  endif()
  if(CURL_FOUND)
    target_include_directories(nogil_dev SYSTEM INTERFACE ${CURL_INCLUDE_DIRS})
  else()
    list(FILTER headers_to_verify EXCLUDE REGEX nogil/asyncio/curl.hpp)
  endif()
  if(MPI_CXX_FOUND)
    target_include_directories(nogil_dev SYSTEM INTERFACE ${MPI_CXX_INCLUDE_DIRS})
  else()
    list(FILTER headers_to_verify EXCLUDE REGEX nogil/mpi)
  endif()
  target_sources(nogil_dev INTERFACE FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/include FILES ${headers_to_verify})
  set_target_properties(nogil_dev PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
endif()

find_program(NOGIL_CCACHE ccache DOC "Compiler cache, used when it is there")
if(NOGIL_CCACHE AND nogil_is_top_level AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${NOGIL_CCACHE})
endif()

set(CMAKE_CXX_EXTENSIONS OFF)
set(NOGIL_OPTIMISED "" CACHE STRING "Compile these folders of tests with -O1, whatever the build type says")
string(REGEX MATCH "-fsanitize" nogil_sanitized "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_RELWITHDEBINFO}")

# nogil_program(name source...): an executable with our warnings.
function(nogil_program name)
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE nogil_dev)
endfunction()

# nogil_precompile(target header...) or (target FROM other): these headers are read once for
# all its files. Not with a compiler cache, which keeps little of what was made so; nor where
# all is optimised, which takes so long that nothing is gained.
function(nogil_precompile target)
  if(NOGIL_CCACHE OR CMAKE_BUILD_TYPE STREQUAL Release)
    return()
  elseif(ARGV1 STREQUAL FROM)
    target_precompile_headers(${target} REUSE_FROM ${ARGV2})
  else()
    target_precompile_headers(${target} PRIVATE ${ARGN})
  endif()
endfunction()

# nogil_modules(result pattern): the folders here that hold a file of that pattern.
function(nogil_modules result pattern)
  file(GLOB files CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} */${pattern})
  list(TRANSFORM files REPLACE "/.*" "")
  list(REMOVE_DUPLICATES files)
  set(${result} ${files} PARENT_SCOPE)
endfunction()

include(FetchContent)

# nogil_fetch(name repository tag): for who has no package of it, but the internet.
macro(nogil_fetch name repository tag)
  message(STATUS "${name}: no package found, so it is fetched: ${repository} ${tag}")
  FetchContent_Declare(${name} GIT_REPOSITORY ${repository} GIT_TAG ${tag} GIT_SHALLOW ON)
  FetchContent_MakeAvailable(${name})
endmacro()
