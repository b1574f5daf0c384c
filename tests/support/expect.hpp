// tests/support/expect.hpp -- EXPECT(condition), for programs that are tests by themselves.

#pragma once

#include <unistd.h>

#include <cstdio>

namespace nogil::testing {

// Ends the program, with the line on stdout, when something is not as it should be.
inline void expect(bool right, int line) {
  if (right) return;
  std::printf("line %d\n", line);
  std::fflush(stdout);
  ::_exit(1);
}

}  // namespace nogil::testing

#define EXPECT(condition) ::nogil::testing::expect(condition, __LINE__)
