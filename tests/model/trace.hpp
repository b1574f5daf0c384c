// tests/model/trace.hpp -- the steps of one execution, for people.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace nogil::model {

class Trace {
 public:
  void clear() { lines_.clear(); }
  const std::vector<std::string>& lines() const noexcept { return lines_; }

  // As printf.
  template <class... Arguments>
  void note(std::size_t thread, const char* format, Arguments... arguments) {
    char line[256];
    std::snprintf(line, sizeof line, format, arguments...);
    lines_.push_back("thread " + std::to_string(thread) + "  " + line);
  }
  void note(std::size_t thread, const char* text) {
    lines_.push_back("thread " + std::to_string(thread) + "  " + text);
  }

 private:
  std::vector<std::string> lines_;
};

inline unsigned long long print(std::uint64_t value) noexcept {
  return value;
}

inline const char* name(std::memory_order order) noexcept {
  switch (order) {
    case std::memory_order_relaxed:
      return "relaxed";
    case std::memory_order_acquire:
      return "acquire";
    case std::memory_order_release:
      return "release";
    case std::memory_order_acq_rel:
      return "acq_rel";
    case std::memory_order_seq_cst:
      return "seq_cst";
    default:
      return "consume";
  }
}

}  // namespace nogil::model
