// A predicate is called without arguments.
// expect: no matching (member )?function

#include "nogil/threading/condition.hpp"

void wait(nogil::Condition& condition) {
  condition.wait([](int) { return true; });
}
