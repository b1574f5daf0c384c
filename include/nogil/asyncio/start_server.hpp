// nogil/asyncio/start_server.hpp -- start_server, start_unix_server: a coroutine for each connection that comes.
//
//   asyncio::Coro<> echo(asyncio::StreamReader reader, asyncio::StreamWriter writer) {
//     for (std::string line; !(line = co_await reader.readline()).empty();) {
//       writer.write(line);
//       co_await writer.drain();
//     }
//   }                                                      // the connection ends here
//
//   auto server = co_await asyncio::start_server(echo, "127.0.0.1", 8080);
//                                      // Python: server = await asyncio.start_server(echo, "127.0.0.1", 8080)
//
// Handler    Is called with (StreamReader, StreamWriter) and returns a Coro<>, which runs as
//            a task. It is kept until the last of these has ended: it may have captures, if
//            it is not itself a coroutine. What one throws goes to the excepthook, and ends
//            that connection.
// Host       A number or a name: all addresses that it has. Empty: every address of this
//            machine, IPv6 and IPv4. Port 0: one that is free; all addresses have the same.
// Errors     std::system_error: in use, or not allowed. Error: there is no such host.
// Python     asyncio.start_server and asyncio.start_unix_server. No TLS.

#pragma once

#include <netdb.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "nogil/asyncio/detail/resolve.hpp"
#include "nogil/asyncio/server.hpp"

namespace nogil::asyncio {

struct ServerOptions {
  std::size_t limit = detail::kStreamLimit;  // of StreamReader::readline() and readuntil()
  int backlog = 4096;                        // connections that wait to be accepted; the system may allow less
  bool reuse_port = false;                   // several servers may listen there, in several processes
};

namespace detail {

// Templates, so that a program pays for compiling them only if it calls them.

template <class = void>
bool listen_at(Listener& listener, const SocketAddress& address, const ServerOptions& options) {
  if (options.reuse_port) listener.set(SOL_SOCKET, SO_REUSEPORT, 1);
  return listener.listen(address, options.backlog);
}

// One socket for IPv6 and IPv4 both, or where there is no IPv6 for that.
template <class = void>
std::vector<Listener> listen_everywhere(int port, const ServerOptions& options) {
  if (port < 0 || port > 0xffff) throw ValueError("a port is a number from 0 to 65535");
  int error = 0;
  for (const char* const any : {"::", "0.0.0.0"}) {
    SocketAddress address;
    address.set_number(any, static_cast<std::uint16_t>(port));
    try {
      Listener listener(address.family());
      if (address.family() == AF_INET6) listener.set(IPPROTO_IPV6, IPV6_V6ONLY, 0);
      if (listen_at(listener, address, options)) {
        std::vector<Listener> one;
        one.push_back(std::move(listener));
        return one;
      }
      error = errno;
      if (error == EADDRINUSE) break;
    } catch (const std::system_error& no_family) {
      error = no_family.code().value();
    }
  }
  platform::throw_errno("start_server: listen", error);
}

// Where a name has several addresses, those that this machine has.
template <class = void>
std::vector<Listener> listen_at_all(std::vector<SocketAddress> addresses, const ServerOptions& options) {
  std::vector<Listener> listeners;
  std::string failed;
  int error = 0;
  for (SocketAddress& address : addresses) {
    if (address.port() == 0 && !listeners.empty()) address.set_port(listeners.front().port());
    Listener listener(address.family());
    if (address.family() == AF_INET6) listener.set(IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (listen_at(listener, address, options)) {
      listeners.push_back(std::move(listener));
      continue;
    }
    error = errno;
    failed = "start_server: listen at " + address.text();
    if (error != EADDRNOTAVAIL) platform::throw_errno(failed.c_str(), error);
  }
  if (listeners.empty()) platform::throw_errno(failed.c_str(), error);
  return listeners;
}

// In place of a socket that is there, but not of anything else. Python removes it as well.
template <class = void>
std::vector<Listener> listen_at_path(const std::string& path, const ServerOptions& options) {
  const SocketAddress address = SocketAddress::unix_path(path);
  struct stat found {};
  if (path[0] != '\0' && ::stat(path.c_str(), &found) == 0 && S_ISSOCK(found.st_mode)) ::unlink(path.c_str());
  std::vector<Listener> listeners;
  Listener& listener = listeners.emplace_back(AF_UNIX);
  if (!listen_at(listener, address, options)) {
    platform::throw_errno(("start_unix_server: listen at " + path).c_str());
  }
  if (path[0] != '\0') listener.remove_at_end(path);
  return listeners;
}

template <class Handler>
Server make_server(Handler handler, std::vector<Listener> listeners, const ServerOptions& options) {
  return Server(Owned<ServerState>(
      new HandlingServer<Handler>(running_loop(), std::move(listeners), options.limit, std::move(handler))));
}

}  // namespace detail

template <class Handler>
requires std::is_invocable_r_v<Coro<>, Handler&, StreamReader, StreamWriter> Coro<Server> start_server(
    Handler handler, std::string host, int port, ServerOptions options = {}) {
  if (host.empty())
    co_return detail::make_server(std::move(handler), detail::listen_everywhere(port, options), options);
  std::vector<detail::SocketAddress> addresses = co_await detail::resolve(std::move(host), port, AI_PASSIVE);
  co_return detail::make_server(std::move(handler), detail::listen_at_all(std::move(addresses), options), options);
}

template <class Handler>
requires std::is_invocable_r_v<Coro<>, Handler&, StreamReader, StreamWriter> Coro<Server> start_unix_server(
    Handler handler, std::string path, ServerOptions options = {}) {
  co_return detail::make_server(std::move(handler), detail::listen_at_path(path, options), options);
}

}  // namespace nogil::asyncio
