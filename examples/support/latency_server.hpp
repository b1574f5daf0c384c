// support/latency_server.hpp -- a web server on this machine that takes its time.
//
//   tour::LatencyServer server({{"/index.html", 0.2s}, {"/faq.html", 0.1s}});
//   std::string page = tour::http_get(server.port(), "/index.html");     // after 0.2 s
//
// It stands in for pages far away: each one comes after its own, fixed time. Loopback
// only, at a port that the system chooses; no name is looked up and nothing leaves the
// machine.
//
// Bounds    At most kHandlers requests at once; more of them wait to be accepted. A
//           request of more than kLongestRequest bytes is refused, and so is one of which
//           nothing comes for kPatience.
// Lifetime  The destructor waits for the requests that are being answered.

#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "support/print.hpp"

namespace tour {

namespace detail {

// A socket of its own, closed at the end.
class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {
    if (fd < 0) throw std::system_error(errno, std::generic_category(), "socket");
  }
  ~Socket() { ::close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  static int stream() { return ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); }

  int fd() const { return fd_; }

  // Neither reading nor writing waits for longer than this.
  void limit_waiting(std::chrono::seconds patience) const {
    const timeval limit{patience.count(), 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  }

  bool send_all(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  // Adds what has come to `bytes`. False: the end, or nothing came in time.
  bool receive(std::string& bytes) const {
    char buffer[4096];
    ssize_t length = 0;
    do {
      length = ::recv(fd_, buffer, sizeof buffer, 0);
    } while (length < 0 && errno == EINTR);
    if (length <= 0) return false;
    bytes.append(buffer, static_cast<std::size_t>(length));
    return true;
  }

 private:
  const int fd_;
};

inline sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

}  // namespace detail

class LatencyServer {
 public:
  static constexpr int kHandlers = 32;
  static constexpr std::size_t kLongestRequest = 4096;
  static constexpr std::chrono::seconds kPatience{5};

  using Pages = std::map<std::string, std::chrono::duration<double>, std::less<>>;

  // Answers as soon as it is made. Throws std::system_error.
  explicit LatencyServer(Pages pages) : pages_(std::move(pages)), listener_(detail::Socket::stream()) {
    sockaddr_in address = detail::loopback(0);
    socklen_t size = sizeof address;
    if (::bind(listener_.fd(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(listener_.fd(), 128) != 0 ||
        ::getsockname(listener_.fd(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::system_error(errno, std::generic_category(), "LatencyServer");
    }
    port_ = ntohs(address.sin_port);
    for (int i = 0; i < kHandlers; ++i) handlers_.emplace_back([this] { serve(); });
  }

  ~LatencyServer() {
    ::shutdown(listener_.fd(), SHUT_RDWR);  // accept() fails from now on, also where it waits
    for (std::thread& handler : handlers_) handler.join();
  }

  LatencyServer(const LatencyServer&) = delete;
  LatencyServer& operator=(const LatencyServer&) = delete;

  std::uint16_t port() const { return port_; }

  // How many pages it has sent.
  int served() const { return served_; }

 private:
  // Each handler accepts for itself: no more requests at once than there are handlers.
  void serve() {
    for (;;) {
      const int fd = ::accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
      if (fd < 0) return;
      const detail::Socket connection(fd);
      connection.limit_waiting(kPatience);
      connection.send_all(answer(connection));
      ::shutdown(connection.fd(), SHUT_WR);
    }
  }

  std::string answer(const detail::Socket& connection) {
    std::string request;
    while (request.find("\r\n\r\n") == std::string::npos) {
      if (request.size() > kLongestRequest || !connection.receive(request)) return respond("400 Bad Request", {});
    }
    constexpr std::string_view kGet = "GET ";
    const std::size_t end = request.find(' ', kGet.size());
    if (!request.starts_with(kGet) || end == std::string::npos) return respond("400 Bad Request", {});
    const std::string path = request.substr(kGet.size(), end - kGet.size());
    const auto page = pages_.find(path);
    if (page == pages_.end()) return respond("404 Not Found", {});
    std::this_thread::sleep_for(page->second);
    ++served_;
    return respond("200 OK", text("<!doctype html>\n<!-- ", path, " -->\n", std::string(20'000, '.'), '\n'));
  }

  static std::string respond(std::string_view status, const std::string& body) {
    return text("HTTP/1.0 ", status, "\r\nContent-Type: text/html\r\nContent-Length: ", body.size(),
                "\r\nConnection: close\r\n\r\n", body);
  }

  const Pages pages_;
  const detail::Socket listener_;
  std::uint16_t port_ = 0;
  std::atomic<int> served_ = 0;
  std::vector<std::thread> handlers_;
};

// urllib.request.urlopen(url).read(), of a page on this machine. Throws
// std::runtime_error when it does not come, or is not whole.
inline std::string http_get(std::uint16_t port, const std::string& path) {
  const detail::Socket connection(detail::Socket::stream());
  connection.limit_waiting(std::chrono::seconds(30));
  const sockaddr_in address = detail::loopback(port);
  if (::connect(connection.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw std::system_error(errno, std::generic_category(), "connect");
  }
  connection.send_all(text("GET ", path, " HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n"));
  std::string answer;
  while (connection.receive(answer)) {
  }
  const std::size_t head = answer.find("\r\n\r\n");
  if (!answer.starts_with("HTTP/1.0 200 ") || head == std::string::npos) {
    throw std::runtime_error(text("GET ", path, ": ", answer.substr(0, answer.find('\r'))));
  }
  constexpr std::string_view kLength = "Content-Length: ";
  const std::size_t length = answer.find(kLength);
  std::string body = answer.substr(head + 4);
  if (length > head || std::stoul(answer.substr(length + kLength.size())) != body.size()) {
    throw std::runtime_error(text("GET ", path, ": it broke off"));
  }
  return body;
}

}  // namespace tour
