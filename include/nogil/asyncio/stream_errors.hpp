// nogil/asyncio/stream_errors.hpp -- what reading a stream throws: IncompleteReadError, LimitOverrunError.
//
//   try {
//     header = co_await reader.readexactly(8);
//   } catch (const asyncio::IncompleteReadError& end) {   // Python: except asyncio.IncompleteReadError as end:
//     rest = end.partial();                               //             rest = end.partial
//   }
//
// Python   asyncio.IncompleteReadError, an EOFError, and asyncio.LimitOverrunError. What
//          readline() throws is a ValueError there; so LimitOverrunError is one here.

#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "nogil/platform/errors.hpp"
#include "nogil/platform/text.hpp"

namespace nogil::asyncio {

// The stream ended before as much came as was asked for.
class IncompleteReadError : public EndOfFile {
 public:
  // `expected`: how many bytes were asked for; nothing when that was up to a separator.
  IncompleteReadError(std::string partial, std::optional<std::size_t> expected)
      : EndOfFile(text_of(partial.size(), expected)), partial_(std::move(partial)), expected_(expected) {}

  // What came before the end.
  [[nodiscard]] const std::string& partial() const noexcept { return partial_; }
  [[nodiscard]] std::optional<std::size_t> expected() const noexcept { return expected_; }

 private:
  static std::string text_of(std::size_t partial, std::optional<std::size_t> expected) {
    platform::Text text;
    text << std::uint64_t{partial} << " bytes read on a total of ";
    if (expected) text << std::uint64_t{*expected};
    else text << "an unknown number of";
    return (text << " expected bytes").take();
  }

  std::string partial_;
  std::optional<std::size_t> expected_;
};

// No separator within the limit of the stream.
class LimitOverrunError : public ValueError {
 public:
  LimitOverrunError(const char* what, std::size_t consumed) : ValueError(what), consumed_(consumed) {}

  // How many bytes lie there in which the separator does not begin.
  [[nodiscard]] std::size_t consumed() const noexcept { return consumed_; }

 private:
  std::size_t consumed_;
};

}  // namespace nogil::asyncio
