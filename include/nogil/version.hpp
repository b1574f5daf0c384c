// nogil/version.hpp -- which nogil this is. CMake and pkg-config read it from here.

#pragma once

#define NOGIL_VERSION_MAJOR 0
#define NOGIL_VERSION_MINOR 1
#define NOGIL_VERSION_PATCH 0

// For the preprocessor to compare: 0.1.0 is 100, 1.2.3 is 10203.
#define NOGIL_VERSION (NOGIL_VERSION_MAJOR * 10000 + NOGIL_VERSION_MINOR * 100 + NOGIL_VERSION_PATCH)

// "0.1.0"
#define NOGIL_VERSION_STRING NOGIL_DETAIL_DOTTED(NOGIL_VERSION_MAJOR, NOGIL_VERSION_MINOR, NOGIL_VERSION_PATCH)
#define NOGIL_DETAIL_DOTTED(a, b, c) NOGIL_DETAIL_QUOTED(a) "." NOGIL_DETAIL_QUOTED(b) "." NOGIL_DETAIL_QUOTED(c)
#define NOGIL_DETAIL_QUOTED(number) #number
