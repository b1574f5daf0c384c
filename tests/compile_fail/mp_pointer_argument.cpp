// An address means nothing in another process.
// expect: cannot be sent to another process

#include "nogil/multiprocessing/process.hpp"

void count(int* counter);
int counter = 0;
nogil::mp::Process process(count, &counter);
