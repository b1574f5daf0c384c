# Compiles SOURCE with COMPILER, which must refuse it and say what the source's
# comment `// expect: regex` asks for.

file(STRINGS ${SOURCE} expect REGEX "^// expect: ")
string(REPLACE "// expect: " "" expect "${expect}")
if(expect STREQUAL "")
  message(FATAL_ERROR "${SOURCE} has no line `// expect: regex`")
endif()

set(ENV{LC_ALL} C)
execute_process(COMMAND ${COMPILER} -std=c++20 -fsyntax-only -Werror=unused-result -I ${INCLUDE} ${SOURCE}
                RESULT_VARIABLE status ERROR_VARIABLE said)
if(status EQUAL 0)
  message(FATAL_ERROR "${SOURCE} compiles, and must not")
endif()
if(NOT said MATCHES "error: [^\n]*(${expect})")
  message(FATAL_ERROR "no error about `${expect}`. The compiler said:\n${said}")
endif()
