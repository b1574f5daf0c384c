// A copy of a lock would be another lock: the mistake that looks most innocent.
// expect: deleted

#include "nogil/threading/lock.hpp"

nogil::Lock original;
nogil::Lock copy = original;
