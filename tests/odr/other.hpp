// tests/odr/other.hpp -- what odr_test.cpp asks of the other file.

#pragma once

#include <cstddef>
#include <cstdint>

namespace nogil {
class Lock;
}

namespace other {

std::uint64_t ident();
std::size_t active_count();
void acquire(nogil::Lock& lock);
void release(nogil::Lock& lock);

}  // namespace other
