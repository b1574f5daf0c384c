// nogil/asyncio/open_connection.hpp -- open_connection, open_unix_connection: a stream to somewhere else.
//
//   auto [reader, writer] = co_await asyncio::open_connection("example.org", 80);
//                           // Python: reader, writer = await asyncio.open_connection("example.org", 80)
//   writer.write("GET / HTTP/1.0\r\n\r\n");
//   std::string page = co_await reader.read();
//
// Waits      Until there is a connection. A host's addresses are tried one after another.
// Names      Are looked up in a thread of the loop's. Numbers need none.
// Errors     std::system_error: refused, unreachable; of the last address that was tried.
//            Error: there is no such host. FileNotFoundError: no such path. ValueError.
// Python     asyncio.open_connection and asyncio.open_unix_connection. No TLS.

#pragma once

#include <cstddef>
#include <exception>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "nogil/asyncio/detail/connection.hpp"
#include "nogil/asyncio/detail/fd_state.hpp"
#include "nogil/asyncio/detail/resolve.hpp"

namespace nogil::asyncio {

struct StreamOptions {
  std::size_t limit = detail::kStreamLimit;  // of StreamReader::readline() and readuntil()
};

// auto [reader, writer] = …
struct Connection {
  StreamReader reader;
  StreamWriter writer;
};

namespace detail {

inline Connection make_connection(platform::Fd fd, const StreamOptions& options) {
  Owned<Stream> stream = Stream::open(running_loop(), std::move(fd), Stream::Type::kSocket, options.limit);
  Owned<Stream> same = stream;
  return {StreamAccess::reader(std::move(stream)), StreamAccess::writer(std::move(same))};
}

[[noreturn, gnu::noinline, gnu::cold]] inline void throw_connect(const SocketAddress& address, int error) {
  const std::string asked = "connect to " + address.text();
  if (error == ENOENT) throw FileNotFoundError(asked + ": there is no such path");
  platform::throw_errno(asked.c_str(), error);
}

// Coroutines that are no templates are compiled by every file that includes them.
template <class = void>
Coro<Connection> connect(SocketAddress address, StreamOptions options) {
  platform::Fd fd = make_socket(address.family());
  if (::connect(fd.get(), address.get(), address.size) != 0) {
    if (errno != EINPROGRESS && errno != EINTR) throw_connect(address, errno);
    FdState state(running_loop(), fd.get());
    state.writable = false;
    co_await FdWait(state, FdWait::kToWrite);
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) throw_connect(address, error);
  }
  set_no_delay(fd.get(), address.family());
  Connection made = make_connection(platform::Fd(fd.release()), options);
  co_return made;  // g++ 11 takes a local only, in a template
}

}  // namespace detail

template <class = void>
Coro<Connection> open_connection(std::string host, int port, StreamOptions options = {}) {
  const std::vector<detail::SocketAddress> addresses = co_await detail::resolve(std::move(host), port, 0);
  std::exception_ptr last;
  for (const detail::SocketAddress& address : addresses) {
    try {
      Connection connection = co_await detail::connect(address, options);
      co_return connection;
    } catch (const std::system_error&) {
      last = std::current_exception();
    }
  }
  std::rethrow_exception(last);
}

template <class = void>
Coro<Connection> open_unix_connection(std::string path, StreamOptions options = {}) {
  const detail::SocketAddress address = detail::SocketAddress::unix_path(path);
  Connection connection = co_await detail::connect(address, options);
  co_return connection;
}

}  // namespace nogil::asyncio
