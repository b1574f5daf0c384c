// A string keeps its text on the heap of one process.
// expect: its type must be trivially copyable

#include <string>

#include "nogil/multiprocessing/value.hpp"

nogil::mp::Value<std::string> text;
