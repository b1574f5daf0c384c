// nogil/asyncio/detail/connection.hpp -- makes a reader and a writer of a stream.

#pragma once

#include <utility>

#include "nogil/asyncio/stream_reader.hpp"
#include "nogil/asyncio/stream_writer.hpp"

namespace nogil::asyncio::detail {

struct StreamAccess {
  static StreamReader reader(Owned<Stream> stream) noexcept { return StreamReader(std::move(stream)); }
  static StreamWriter writer(Owned<Stream> stream) noexcept { return StreamWriter(std::move(stream)); }
  static Stream& stream(const StreamReader& reader) noexcept { return *reader.stream_; }

  // Whether there is a stream in it.
  template <class End>
  static bool valid(const End& end) noexcept {
    return static_cast<bool>(end.stream_);
  }
};

}  // namespace nogil::asyncio::detail
