// A number is not a semaphore: where one is wanted, it must be asked for.
// expect: invalid initialization|no matching function

#include "nogil/threading/semaphore.hpp"

void enter(const nogil::Semaphore& semaphore);

void slip() {
  enter(3);
}
