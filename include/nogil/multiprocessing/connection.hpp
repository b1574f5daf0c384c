// nogil/multiprocessing/connection.hpp -- Connection: one end of a Pipe.
//
//   auto [here, there] = nogil::mp::Pipe<std::string>();      // Python: here, there = Pipe()
//   nogil::mp::Process worker(serve, there);
//   worker.start();
//   there.close();                                            // it is the worker's now
//   here.send("hello");
//   std::string answer = here.recv();                         // EndOfFile if the worker is gone
//
// Messages are whatever can be sent (serialize.hpp), also what holds a Lock, a Queue or
// another Connection. They stay whole, whatever their size.
//
// A Connection is a handle to its end: copies, also those that other processes get, are the same
// end. It is closed when the last of them is, in all processes, however they end. Only then
// does the other side get EndOfFile: so a process that gives an end away closes its own.
//
// Threads    Every member from any number of threads and processes at once, but close(): not
//            while another thread uses this very handle. Of several that receive, each
//            message goes to one.
// Ordering   Messages of one sender come in order, and what was done before send() is visible to
//            who receives.
// Dying      A message is sent as a whole or not at all. One that was received dies with the
//            receiver.
// Fork       A child that was started by fork has of its parent's Connections only those that
//            it was given as arguments; to use another is a RuntimeError.
// Errors     EndOfFile: nobody has the other end any more. TimeoutError. RuntimeError: the wrong
//            direction, or closed. What serialize() throws, DecodeError, std::system_error.
// Cost       A file descriptor. A system call for each message, and the two copies of the
//            kernel; for more than 128 KiB a file in memory, of which each thread that sends
//            keeps two of up to 32 MiB for its next messages. send() waits when so many messages lie there that nobody
//            has received (some 200 KiB, or 270 messages).
// Python     multiprocessing.connection.Connection. send_bytes() and its like: send a
//            std::vector<std::byte>.

#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "nogil/errors.hpp"
#include "nogil/multiprocessing/detail/identity.hpp"
#include "nogil/multiprocessing/detail/pipe_end.hpp"
#include "nogil/multiprocessing/serialize.hpp"
#include "nogil/platform/wait.hpp"

namespace nogil::multiprocessing {

template <class T>
class Connection;

template <class T>
std::pair<Connection<T>, Connection<T>> Pipe(bool duplex = true);

template <class T>
class Connection {
  static_assert(sizeof(detail::Refused<T>) != 0);

 public:
  using value_type = T;

  // Waits while too much lies there that nobody has received. Throws EndOfFile.
  void send(const T& message) const {
    const detail::PipeEnd& end = this->end("send");
    if (!writable_) throw RuntimeError("Connection.send: this end of the Pipe only receives");
    detail::ReusedFrame frame(&detail::Lender::here());
    OutputArchive out(*frame);
    detail::save<T>(out, message);
    end.send(*frame);
  }

  // Waits for a message for as long as it takes. Throws EndOfFile.
  T recv() const { return *required(receive("recv")); }

  // recv(timeout | deadline): throws TimeoutError when that is reached first.
  template <platform::TimeLimit Time>
  T recv(const Time& limit) const {
    return *required(receive("recv", limit));
  }

  // Empty: there is none (in time). Throws EndOfFile.
  [[nodiscard]] std::optional<T> try_recv() const { return receive("try_recv", std::chrono::seconds(0)); }
  template <platform::TimeLimit Time>
  [[nodiscard]] std::optional<T> try_recv(const Time& limit) const {
    return receive("try_recv", limit);
  }

  // Whether recv() would not wait: there is a message, or the other end is gone. With a limit,
  // a timeout or a deadline, waits for that to come true.
  [[nodiscard]] bool poll() const { return poll(std::chrono::seconds(0)); }
  template <platform::TimeLimit Time>
  [[nodiscard]] bool poll(const Time& limit) const {
    return readable("poll").poll(limit);
  }

  // Lets go of the end, in this handle.
  void close() noexcept { end_ = {}; }

  // A file descriptor that is readable when recv() would not wait, for poll() and its like; the
  // Connection's own.
  [[nodiscard]] int fileno() const { return end("fileno").fd(); }

  [[nodiscard]] bool closed() const noexcept { return !end_; }
  [[nodiscard]] bool readable() const noexcept { return readable_; }
  [[nodiscard]] bool writable() const noexcept { return writable_; }

 private:
  friend std::pair<Connection<T>, Connection<T>> Pipe<T>(bool duplex);
  friend struct detail::Adapter<Connection>;

  using End = nogil::detail::Ref<detail::PipeEnd>;

  Connection(End end, bool readable, bool writable) noexcept
      : end_(std::move(end)), readable_(readable), writable_(writable) {}

  const detail::PipeEnd& end(const char* verb) const {
    if (end_ && end_->usable()) [[likely]]
      return *end_;
    throw RuntimeError(
        std::string("Connection.") + verb +
        (end_ ? ": it is the parent's: a child that was forked has those that it got as arguments" : ": it is closed"));
  }
  const detail::PipeEnd& readable(const char* verb) const {
    const detail::PipeEnd& end = this->end(verb);
    if (!readable_) throw RuntimeError(std::string("Connection.") + verb + ": this end of the Pipe only sends");
    return end;
  }

  template <class... Limit>
  std::optional<T> receive(const char* verb, const Limit&... limit) const {
    using Heard = detail::PipeEnd::Heard;
    detail::Message message;
    const Heard heard = readable(verb).receive(message, limit...);
    if (heard == Heard::kNothing) return std::nullopt;
    if (heard == Heard::kEnd) throw EndOfFile("Connection.recv: nobody has the other end any more");
    InputArchive in = message.archive();
    return std::optional<T>(detail::load<T>(in));
  }

  static std::optional<T> required(std::optional<T> message) {
    if (!message) throw TimeoutError("Connection.recv: no message came in time");
    return message;
  }

  End end_;  // null after close()
  bool readable_;
  bool writable_;
};

template <class T>
struct detail::Adapter<Connection<T>> {
  static void save(OutputArchive& out, const Connection<T>& connection) {
    out.write_raw(kType);
    out.write_raw(static_cast<std::uint8_t>(connection.readable_ | connection.writable_ << 1));
    out.write_file(connection.end("send").fd());
  }
  static Connection<T> load(InputArchive& in) {
    if (in.read_raw<std::uint64_t>() != kType) throw DecodeError("serialize: a Connection is of another type");
    const auto directions = in.read_raw<std::uint8_t>();
    platform::Fd socket = in.read_file();
    return Connection<T>(nogil::detail::Ref<PipeEnd>(new PipeEnd(std::move(socket))), (directions & 1) != 0,
                         (directions & 2) != 0);
  }

 private:
  static constexpr std::uint64_t kType = type_hash<Connection<T>>();
};

}  // namespace nogil::multiprocessing
