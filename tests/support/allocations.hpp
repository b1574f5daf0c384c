// tests/support/allocations.hpp -- what this thread takes from operator new.
//
// The test program's operator new and delete (counting_new.hpp) keep these counts for each
// thread apart, and can be told to fail. Under a sanitizer, which has its own, the counts
// stay zero and nothing fails.

#pragma once

#include <cstddef>

#include "support/threads.hpp"

namespace nogil::testing {

inline constexpr bool kCountsAllocations = !kSanitized;

struct Allocations {
  std::ptrdiff_t made = 0;   // calls of operator new
  std::ptrdiff_t live = 0;   // minus calls of operator delete
  std::ptrdiff_t bytes = 0;  // in those that live
};

// Of this thread, so far.
Allocations allocations() noexcept;

// The n-th operator new of this thread from now on throws std::bad_alloc; 0: none does.
void fail_allocation(int n) noexcept;

}  // namespace nogil::testing
