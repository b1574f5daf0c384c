// Somebody may be waiting at the address of the lock.
// expect: deleted

#include <utility>

#include "nogil/threading/lock.hpp"

nogil::Lock original;
nogil::Lock moved(std::move(original));
