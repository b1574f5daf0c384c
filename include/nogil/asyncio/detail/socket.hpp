// nogil/asyncio/detail/socket.hpp -- addresses of sockets, and sockets as streams want them.

#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "nogil/platform/errors.hpp"
#include "nogil/platform/fd.hpp"
#include "nogil/platform/text.hpp"

namespace nogil::asyncio::detail {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);

  sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
  const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const noexcept { return storage.ss_family; }

  // Of an internet address.
  std::uint16_t port() const noexcept {
    return ntohs(family() == AF_INET6 ? as<sockaddr_in6>().sin6_port : as<sockaddr_in>().sin_port);
  }
  void set_port(std::uint16_t port) noexcept {
    if (family() == AF_INET6) as<sockaddr_in6>().sin6_port = htons(port);
    else as<sockaddr_in>().sin_port = htons(port);
  }

  // "127.0.0.1:80", "[::1]:80", a path; "" of a socket without a name.
  std::string text() const {
    char host[INET6_ADDRSTRLEN] = {};
    if (family() == AF_INET) {
      ::inet_ntop(AF_INET, &as<sockaddr_in>().sin_addr, host, sizeof host);
      return (platform::Text() << host << ":" << std::uint64_t{port()}).take();
    }
    if (family() == AF_INET6) {
      ::inet_ntop(AF_INET6, &as<sockaddr_in6>().sin6_addr, host, sizeof host);
      return (platform::Text() << "[" << host << "]:" << std::uint64_t{port()}).take();
    }
    if (family() != AF_UNIX || size <= offsetof(sockaddr_un, sun_path)) return {};
    const sockaddr_un& local = as<sockaddr_un>();
    std::string path(local.sun_path, size - offsetof(sockaddr_un, sun_path));
    if (path[0] == '\0') path[0] = '@';  // Linux: a name that is no file
    else path.resize(std::strlen(path.c_str()));
    return path;
  }

  // Throws ValueError if it is too long for the system.
  static SocketAddress unix_path(const std::string& path) {
    SocketAddress address;
    auto& local = address.as<sockaddr_un>();
    if (path.empty() || path.size() >= sizeof local.sun_path) {
      throw ValueError((platform::Text() << "the path of a Unix socket has 1 to "
                                         << std::uint64_t{sizeof local.sun_path - 1} << " bytes")
                           .take());
    }
    local.sun_family = AF_UNIX;
    std::memcpy(local.sun_path, path.data(), path.size());
    address.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
    return address;
  }

  // False: `host` is a name, not a number.
  bool set_number(const std::string& host, std::uint16_t number) noexcept {
    if (::inet_pton(AF_INET, host.c_str(), &as<sockaddr_in>().sin_addr) == 1) {
      storage.ss_family = AF_INET;
      size = sizeof(sockaddr_in);
    } else if (::inet_pton(AF_INET6, host.c_str(), &as<sockaddr_in6>().sin6_addr) == 1) {
      storage.ss_family = AF_INET6;
      size = sizeof(sockaddr_in6);
    } else {
      return false;
    }
    set_port(number);
    return true;
  }

 private:
  template <class Kind>
  Kind& as() noexcept {
    return reinterpret_cast<Kind&>(storage);
  }
  template <class Kind>
  const Kind& as() const noexcept {
    return reinterpret_cast<const Kind&>(storage);
  }
};

// Of its own end, or of the other. "" when there is none any more.
inline std::string socket_name(int fd, int (*ask)(int, sockaddr*, socklen_t*) noexcept) {
  SocketAddress address;
  return fd >= 0 && ask(fd, address.get(), &address.size) == 0 ? address.text() : std::string();
}

inline platform::Fd make_socket(int family) {
  platform::Fd fd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) platform::throw_errno("socket");
  return fd;
}

// Small writes go out at once: who writes much at a time needs no help. Python does so, too.
inline void set_no_delay(int fd, int family) noexcept {
  const int on = 1;
  if (family == AF_INET || family == AF_INET6) ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace nogil::asyncio::detail
