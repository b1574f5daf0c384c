// nogil/asyncio/stream_reader.hpp -- StreamReader: the bytes that come in.
//
//   std::string line = co_await reader.readline();     // Python: line = await reader.readline()
//   std::string body = co_await reader.readexactly(n); //         body = await reader.readexactly(n)
//
// Waits      Until there is what was asked for, or no more will come. One task at a time;
//            another may write meanwhile.
// Cancel     A cancelled read loses no bytes: the next one finds them.
// Errors     std::system_error, once what came before was read: the connection broke.
//            RuntimeError if another task waits for bytes, if the loop is not the stream's,
//            or of a reader that was moved from. See each function, too.
// Lifetime   The connection ends when the reader and its writer are both gone, if it was
//            not closed before.
// Cost       A read that waits allocates nothing but the string that it gives. A stream on
//            which nothing has come keeps no buffer.
// Python     asyncio.StreamReader. Bytes are std::string. While nobody reads, what comes
//            stays with the system; Python reads ahead up to twice the limit.

#pragma once

#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "nogil/asyncio/detail/stream.hpp"
#include "nogil/asyncio/stream_errors.hpp"
#include "nogil/platform/errors.hpp"

namespace nogil::asyncio {

namespace detail {

inline constexpr std::size_t kWholeStream = std::numeric_limits<std::size_t>::max();

// The separator of readuntil() is looked for up to here, unless said otherwise.
inline constexpr std::size_t kStreamLimit = std::size_t{64} * 1024;

// Whatever has come, but not more than `most`; kWholeStream: all that comes.
class [[nodiscard]] ReadSome : public StreamRead {
 public:
  ReadSome(Owned<Stream> stream, std::size_t most) noexcept : StreamRead(std::move(stream), &enough), most_(most) {}

  std::string await_resume() {
    throw_if_cancelled();
    ByteQueue& bytes = stream().unread();
    if (stream().read_error() != 0 && (bytes.empty() || most_ == kWholeStream)) {
      platform::throw_errno("StreamReader.read", stream().read_error());
    }
    return bytes.take(most_);
  }

 private:
  static bool enough(StreamRead& read, const Stream& stream) noexcept {
    const std::size_t most = static_cast<ReadSome&>(read).most_;
    return stream.at_end() || most == 0 || (most != kWholeStream && !stream.unread().empty());
  }

  std::size_t most_;
};

class [[nodiscard]] ReadExactly : public StreamRead {
 public:
  ReadExactly(Owned<Stream> stream, std::size_t count) noexcept
      : StreamRead(std::move(stream), &enough), count_(count) {}

  std::string await_resume() {
    throw_if_cancelled();
    ByteQueue& bytes = stream().unread();
    if (bytes.size() >= count_) return bytes.take(count_);
    if (stream().read_error() != 0) platform::throw_errno("StreamReader.readexactly", stream().read_error());
    throw IncompleteReadError(bytes.take(kWholeStream), count_);
  }

 private:
  static bool enough(StreamRead& read, const Stream& stream) noexcept {
    return stream.at_end() || stream.unread().size() >= static_cast<ReadExactly&>(read).count_;
  }

  std::size_t count_;
};

// Up to a separator; or a line, which the end of the stream ends as well.
class [[nodiscard]] ReadUntil : public StreamRead {
 public:
  ReadUntil(Owned<Stream> stream, std::string_view separator, bool line)
      : StreamRead(std::move(stream), &enough), separator_(separator), line_(line) {}

  std::string await_resume() {
    throw_if_cancelled();
    ByteQueue& bytes = stream().unread();
    if (found_ && searched_ <= stream().limit()) return bytes.take(searched_ + separator_.size());
    if (found_) overrun("Separator is found, but chunk is longer than limit");
    if (searched_ > stream().limit()) overrun("Separator is not found, and chunk exceed the limit");
    if (stream().read_error() != 0) platform::throw_errno("StreamReader.readuntil", stream().read_error());
    std::string rest = bytes.take(kWholeStream);
    if (line_) return rest;
    throw IncompleteReadError(std::move(rest), std::nullopt);
  }

 private:
  static bool enough(StreamRead& read, const Stream& stream) noexcept {
    return static_cast<ReadUntil&>(read).search(stream);
  }

  bool search(const Stream& stream) noexcept {
    if (found_) return true;
    const std::string_view bytes = stream.unread().view();
    const std::size_t at = bytes.find(separator_, searched_);
    if (at != std::string_view::npos) {
      searched_ = at;
      return found_ = true;
    }
    if (bytes.size() >= separator_.size()) searched_ = bytes.size() + 1 - separator_.size();
    return stream.at_end() || searched_ > stream.limit();
  }

  // As in Python, readuntil() leaves the bytes where they are, and readline() drops them:
  // with the end of the line if that has come.
  [[noreturn]] void overrun(const char* what) {
    if (line_) stream().unread().drop(found_ ? searched_ + separator_.size() : stream().unread().size());
    throw LimitOverrunError(what, searched_);
  }

  std::string separator_;
  std::size_t searched_ = 0;  // no separator begins before; if found_, it is here
  bool found_ = false;
  bool line_;
};

struct StreamAccess;

}  // namespace detail

class StreamReader {
 public:
  StreamReader(StreamReader&&) = default;
  StreamReader& operator=(StreamReader&&) = default;

  // What has come, but at most n bytes: at least one, unless it is the end. Below zero, or
  // without a number: all up to the end.
  detail::ReadSome read(std::ptrdiff_t n = -1) const {
    return {stream("read"), n < 0 ? detail::kWholeStream : static_cast<std::size_t>(n)};
  }

  // A line with its '\n'; without one if the stream ends there; empty at the end. Throws
  // LimitOverrunError, and the line is lost, if it is longer than the limit.
  detail::ReadUntil readline() const { return {stream("readline"), "\n", true}; }

  // So many bytes. Throws IncompleteReadError, ValueError if n is negative.
  detail::ReadExactly readexactly(std::ptrdiff_t n) const {
    if (n < 0) throw ValueError("readexactly size can not be less than zero");
    return {stream("readexactly"), static_cast<std::size_t>(n)};
  }

  // All up to a separator, and that. Throws IncompleteReadError; LimitOverrunError if there
  // is none within the limit, and leaves the bytes; ValueError if it is empty.
  detail::ReadUntil readuntil(std::string_view separator = "\n") const {
    if (separator.empty()) throw ValueError("Separator should be at least one-byte string");
    return {stream("readuntil"), separator, false};
  }

  // Whether the end has come, and all before it was read. Never waits.
  [[nodiscard]] bool at_eof() const {
    const detail::Owned<detail::Stream> mine = stream("at_eof");
    mine->look();
    return mine->unread().empty() && mine->at_end() && mine->read_error() == 0;
  }

 private:
  friend struct detail::StreamAccess;

  explicit StreamReader(detail::Owned<detail::Stream> stream) noexcept : stream_(std::move(stream)) {}

  const detail::Owned<detail::Stream>& stream(const char* asked) const {
    if (!stream_) [[unlikely]]
      throw_empty(asked);
    return stream_;
  }
  [[noreturn, gnu::noinline, gnu::cold]] static void throw_empty(const char* asked) {
    throw RuntimeError((platform::Text() << "StreamReader." << asked << "(): it was moved from").take());
  }

  detail::Owned<detail::Stream> stream_;
};

}  // namespace nogil::asyncio
