// nogil/platform/chrono.hpp -- durations, time points and clocks, without calendars.
//
// C++20 put calendars into <chrono>: a seventh of the whole cost of including
// threading.hpp. libstdc++ keeps the part from C++11 in a header of its own, which
// its <mutex> and <thread> include for the same reason; where that is missing, <chrono>.

#pragma once

#include <version>

#if defined(__GLIBCXX__) && __has_include(<bits/chrono.h>)
#include <bits/chrono.h>
#else
#include <chrono>
#endif
