// A lambda's captures cannot be asked for one by one: what its bytes do not hold is lost.
// expect: pass strings, vectors and the like as arguments

#include <string>

#include "nogil/multiprocessing/process.hpp"

nogil::mp::Process process([text = std::string("captured")] { return text.size(); });
