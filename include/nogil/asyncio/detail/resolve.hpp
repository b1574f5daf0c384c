// nogil/asyncio/detail/resolve.hpp -- the addresses of a host.

#pragma once

#include <netdb.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "nogil/asyncio/detail/socket.hpp"
#include "nogil/asyncio/to_thread.hpp"
#include "nogil/platform/errors.hpp"

namespace nogil::asyncio::detail {

// Waits for the network: not in a loop's thread.
// (Templates, so that a program pays for compiling them only if it calls them.)
template <class = void>
std::vector<SocketAddress> look_up(const std::string& host, std::uint16_t port, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (error != 0) {
    throw Error((platform::Text() << "no address of the host '" << host << "': " << ::gai_strerror(error)).take());
  }
  std::vector<SocketAddress> addresses;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    if (one->ai_family != AF_INET && one->ai_family != AF_INET6) continue;
    SocketAddress& address = addresses.emplace_back();
    std::memcpy(&address.storage, one->ai_addr, one->ai_addrlen);
    address.size = one->ai_addrlen;
    address.set_port(port);
  }
  ::freeaddrinfo(found);
  return addresses;
}

// At least one. A number is known at once; a name is looked up in a thread of the loop's.
// Throws Error, ValueError.
// A template, so that only who calls it compiles it.
template <class = void>
Coro<std::vector<SocketAddress>> resolve(std::string host, int port, int flags) {
  if (port < 0 || port > 0xffff) throw ValueError("a port is a number from 0 to 65535");
  const auto number = static_cast<std::uint16_t>(port);
  SocketAddress address;
  std::vector<SocketAddress> addresses;
  if (address.set_number(host, number)) addresses.push_back(address);
  else addresses = co_await to_thread(&look_up<>, host, number, flags);
  if (addresses.empty()) throw Error("no address of the host '" + host + "'");
  co_return addresses;
}

}  // namespace nogil::asyncio::detail
