// Who waits with a limit and does not look whether the wait was in vain has a bug.
// expect: ignoring return value

#include <chrono>

#include "nogil/threading/lock.hpp"

void in_vain(nogil::Lock& lock) {
  lock.acquire(std::chrono::seconds(1));
}
