// tests/trace/support/pictures.hpp -- what the tests look for in a trace.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "nogil/trace.hpp"

namespace nogil::testing {

using trace::detail::Item;
using trace::detail::Picture;
using trace::detail::Process;
using trace::detail::Row;
using trace::detail::take_picture;
using trace::detail::TraceKind;

// A trace that runs as long as this lives, and what it looks like now.
class Recording {
 public:
  explicit Recording(const trace::Options& options = {}) { trace::start(options); }
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;
  ~Recording() { trace::stop(); }

  static Picture stop() {
    trace::stop();
    return take_picture();
  }
};

inline const Row* row_called(const Picture& picture, std::string_view name) {
  for (const Process& process : picture.processes) {
    for (const Row& row : process.rows) {
      if (row.name == name) return &row;
    }
  }
  return nullptr;
}

// Everything of that kind, and of that name if one is given.
inline std::vector<Item> items(const Picture& picture, TraceKind kind, std::string_view name = {}) {
  std::vector<Item> found;
  for (const Process& process : picture.processes) {
    for (const Row& row : process.rows) {
      for (const Item& item : row.items) {
        if (item.kind == kind && (name.empty() || item.name == name)) found.push_back(item);
      }
    }
  }
  return found;
}

}  // namespace nogil::testing
