// nogil/platform/less.hpp -- std::less, without the rest of <functional>.
//
// <functional> brings hash tables and searchers. libstdc++ keeps the comparisons in a
// header of its own, which its <string> and <map> include for the same reason; where that
// is missing, <functional>.

#pragma once

#include <version>

#if defined(__GLIBCXX__) && __has_include(<bits/stl_function.h>)
#include <bits/stl_function.h>
#else
#include <functional>
#endif
