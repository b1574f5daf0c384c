// What a std::function holds is known when it runs only.
// expect: Instead of std::function

#include <functional>

#include "nogil/multiprocessing/process.hpp"

std::function<void()> work;
nogil::mp::Process process(work);
