// acquire(5) is Python's for five seconds, and could be taken for five of anything.
// expect: no matching (member )?function

#include "nogil/threading/lock.hpp"

bool five(nogil::Lock& lock) {
  return lock.acquire(5);
}
