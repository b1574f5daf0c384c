// tests/asyncio/support/streams.hpp -- a stream whose other end is in the test's own hands.
//
//   Line line;                          // in a coroutine
//   line.send("hello\n");
//   co_await line.reader.readline();

#pragma once

#include <gtest/gtest.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "nogil/asyncio/open_connection.hpp"
#include "nogil/asyncio/run.hpp"
#include "nogil/asyncio/sleep.hpp"
#include "nogil/asyncio/task.hpp"
#include "support/watchdog.hpp"

namespace nogil::testing {

// Lets the loop look at its descriptors so many times, at least.
inline asyncio::Coro<> rounds_of_the_loop(int count) {
  for (int i = 0; i < count; ++i) co_await asyncio::sleep(std::chrono::microseconds(1));
}

// Not in a file system with nothing in it: the name stands in /etc/hosts.
inline bool localhost_is_known() {
  addrinfo* found = nullptr;
  if (::getaddrinfo("localhost", nullptr, nullptr, &found) != 0) return false;
  ::freeaddrinfo(found);
  return true;
}

class Line {
 public:
  explicit Line(std::size_t limit = asyncio::StreamOptions().limit) : Line(make_pair(), limit) {}

  // To the stream; at once, as much as the system takes.
  std::size_t send(std::string_view bytes) const {
    const ssize_t sent = ::send(other.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent < 0 ? 0 : static_cast<std::size_t>(sent);
  }

  // From the stream; what there is now.
  std::string receive() const {
    std::string all;
    char some[4096];
    for (ssize_t got; (got = ::recv(other.get(), some, sizeof some, MSG_DONTWAIT)) > 0;) {
      all.append(some, static_cast<std::size_t>(got));
    }
    return all;
  }

  // Whether the stream has told that no more comes.
  bool at_eof() const {
    char one;
    return ::recv(other.get(), &one, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
  }

  void end() { other.reset(); }
  void end_sending() const { ::shutdown(other.get(), SHUT_WR); }

 private:
  using Pair = std::pair<platform::Fd, platform::Fd>;

  Line(Pair ends, std::size_t limit) : Line(open(std::move(ends.first), limit), std::move(ends.second)) {}
  Line(asyncio::Connection connection, platform::Fd end)
      : reader(std::move(connection.reader)), writer(std::move(connection.writer)), other(std::move(end)) {}

  static Pair make_pair() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    return {platform::Fd(ends[0]), platform::Fd(ends[1])};
  }
  static asyncio::Connection open(platform::Fd fd, std::size_t limit) {
    asyncio::StreamOptions options;
    options.limit = limit;
    return asyncio::detail::make_connection(std::move(fd), options);
  }

 public:
  asyncio::StreamReader reader;
  asyncio::StreamWriter writer;
  platform::Fd other;
};

}  // namespace nogil::testing
