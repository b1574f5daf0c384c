// support/sources.hpp -- the demos' own source, for `nogil-tour show`.
//
// embed_sources.cmake writes the definition when the tour is built.

#pragma once

#include <string_view>

namespace tour {

// The text of demos/<id>.cpp; empty if there is none.
std::string_view source_of(std::string_view id);

}  // namespace tour
