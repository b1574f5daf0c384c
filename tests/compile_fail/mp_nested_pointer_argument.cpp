// Nor does one that hides in a container.
// expect: cannot be sent to another process

#include <map>
#include <string>
#include <vector>

#include "nogil/multiprocessing/process.hpp"

void count(const std::map<std::string, std::vector<int*>>& counters);
const std::map<std::string, std::vector<int*>> counters;
nogil::mp::Process process(count, counters);
