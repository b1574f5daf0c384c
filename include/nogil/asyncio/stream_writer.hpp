// nogil/asyncio/stream_writer.hpp -- StreamWriter: the bytes that go out.
//
//   writer.write("hello\n");           // Python: writer.write(b"hello\n")
//   co_await writer.drain();           //         await writer.drain()
//   writer.close();                    //         writer.close()
//   co_await writer.wait_closed();     //         await writer.wait_closed()
//
// write() never waits: what the system does not take at once is kept, and sent as it takes
// more. Who writes much waits in drain() now and then, while more than 64 KiB are kept, until
// there are 16 or less.
//
// Errors     drain() and wait_closed() throw what went wrong with a write, std::system_error.
//            write() does not: what is written to a connection that is lost, or closed, goes
//            nowhere, as in Python. RuntimeError of a writer that was moved from.
// Lifetime   The connection ends when the writer and its reader are both gone: after what
//            was written has gone out, or when the loop ends.
// Python     asyncio.StreamWriter. get_extra_info("peername") is peername(), as text.

#pragma once

#include <coroutine>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "nogil/asyncio/detail/socket.hpp"
#include "nogil/asyncio/detail/stream.hpp"
#include "nogil/platform/errors.hpp"

namespace nogil::asyncio {

namespace detail {

class [[nodiscard]] Drain : public ListedWaiter {
 public:
  explicit Drain(Owned<Stream> stream) noexcept : ListedWaiter(kKind), stream_(std::move(stream)) {}

  bool await_ready() const noexcept { return !stream_->paused(); }
  void await_suspend(std::coroutine_handle<> awaiting) { suspend_in(stream_->drained(), awaiting); }
  void await_resume() const {
    throw_if_cancelled();
    if (stream_->read_error() != 0) platform::throw_errno("StreamWriter.drain", stream_->read_error());
    if (stream_->write_error() != 0) platform::throw_errno("StreamWriter.drain", stream_->write_error());
    if (stream_->ended()) platform::throw_errno("StreamWriter.drain: it is closed", ECONNRESET);
  }

 private:
  static constexpr Kind kKind = {&cancel, "StreamWriter.drain"};

  Owned<Stream> stream_;
};

class [[nodiscard]] WaitClosed : public ListedWaiter {
 public:
  explicit WaitClosed(Owned<Stream> stream) noexcept : ListedWaiter(kKind), stream_(std::move(stream)) {}

  bool await_ready() const noexcept { return stream_->ended(); }
  void await_suspend(std::coroutine_handle<> awaiting) { suspend_in(stream_->closed(), awaiting); }
  void await_resume() const {
    throw_if_cancelled();
    if (stream_->write_error() != 0) platform::throw_errno("StreamWriter.wait_closed", stream_->write_error());
  }

 private:
  static constexpr Kind kKind = {&cancel, "StreamWriter.wait_closed"};

  Owned<Stream> stream_;
};

struct StreamAccess;

}  // namespace detail

class StreamWriter {
 public:
  StreamWriter(StreamWriter&&) = default;
  StreamWriter& operator=(StreamWriter&&) = default;

  // ---- Write ------------------------------------------------------------------------------

  // Sends, or keeps to be sent. RuntimeError after write_eof().
  void write(std::string_view bytes) { stream("write")->write(bytes); }

  // A range of them, together.
  template <class Range>
  void writelines(const Range& lines) {
    std::string together;
    for (const auto& line : lines) together += line;
    write(together);
  }

  // Waits until little enough is kept: not at all, mostly.
  detail::Drain drain() const { return detail::Drain(stream("drain")); }

  // ---- End --------------------------------------------------------------------------------

  // Tells the other side that no more comes, after what was written. One may read on.
  void write_eof() { stream("write_eof")->write_eof(); }
  [[nodiscard]] static constexpr bool can_write_eof() noexcept { return true; }

  // Ends the connection, both ways, after what was written has gone out.
  void close() { stream("close")->close(); }

  // The same at once.
  void abort() { stream("abort")->abort(); }

  // Whether it was closed, or is lost.
  [[nodiscard]] bool is_closing() const { return stream("is_closing")->closing(); }

  // Waits until it has ended, after close().
  detail::WaitClosed wait_closed() const { return detail::WaitClosed(stream("wait_closed")); }

  // ---- Look -------------------------------------------------------------------------------

  // "127.0.0.1:8080", "[::1]:8080", or a path: of the other end, and of this one. Empty when
  // it has ended, and of what is no socket.
  [[nodiscard]] std::string peername() const { return detail::socket_name(stream("peername")->fd(), &::getpeername); }
  [[nodiscard]] std::string sockname() const { return detail::socket_name(stream("sockname")->fd(), &::getsockname); }

  // How many bytes are kept. Python: writer.transport.get_write_buffer_size().
  [[nodiscard]] std::size_t write_buffer_size() const { return stream("write_buffer_size")->unsent(); }

 private:
  friend struct detail::StreamAccess;

  explicit StreamWriter(detail::Owned<detail::Stream> stream) noexcept : stream_(std::move(stream)) {}

  const detail::Owned<detail::Stream>& stream(const char* asked) const {
    if (!stream_) [[unlikely]]
      throw_empty(asked);
    return stream_;
  }
  [[noreturn, gnu::noinline, gnu::cold]] static void throw_empty(const char* asked) {
    throw RuntimeError((platform::Text() << "StreamWriter." << asked << "(): it was moved from").take());
  }

  detail::Owned<detail::Stream> stream_;
};

}  // namespace nogil::asyncio
