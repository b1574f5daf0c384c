// tests/asyncio/open_connection_test.cpp

#include "nogil/asyncio/open_connection.hpp"

#include <gtest/gtest.h>
#include <netinet/tcp.h>

#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

#include "asyncio/support/streams.hpp"
#include "nogil/asyncio/start_server.hpp"

namespace nogil::asyncio {
namespace {

using namespace std::chrono_literals;
using testing::rounds_of_the_loop;

Coro<> echo(StreamReader reader, StreamWriter writer) {
  for (std::string bytes; !(bytes = co_await reader.read(1000)).empty();) {
    writer.write(bytes);
    co_await writer.drain();
  }
}

// What open_connection() throws, or 0.
Coro<int> error_of(Coro<Connection> connection) {
  try {
    co_await std::move(connection);
  } catch (const std::system_error& error) {
    co_return error.code().value();
  }
  co_return 0;
}

// A port at which nobody listens.
int free_port() {
  const platform::Fd fd = detail::make_socket(AF_INET);
  detail::SocketAddress address;
  address.set_number("127.0.0.1", 0);
  EXPECT_EQ(::bind(fd.get(), address.get(), address.size), 0);
  address.size = sizeof address.storage;
  EXPECT_EQ(::getsockname(fd.get(), address.get(), &address.size), 0);
  return address.port();
}

TEST(OpenConnection, talks_to_who_listens_there) {
  const auto amain = []() -> Coro<> {
    const Server server = co_await start_server(echo, "127.0.0.1", 0);
    auto connection = co_await open_connection("127.0.0.1", server.port());
    auto& [reader, writer] = connection;
    writer.write("hello");
    EXPECT_EQ(co_await reader.readexactly(5), "hello");
    EXPECT_EQ(writer.peername(), server.sockname());
    EXPECT_TRUE(writer.sockname().starts_with("127.0.0.1:"));
    EXPECT_NE(writer.sockname(), writer.peername());
    writer.close();
    co_await writer.wait_closed();
    EXPECT_EQ(writer.peername(), "");
  };
  run(amain());
}

TEST(OpenConnection, looks_up_a_name_while_others_run) {
  if (!testing::localhost_is_known()) GTEST_SKIP() << "no name is known here, not even localhost";
  const auto amain = []() -> Coro<> {
    const Server server = co_await start_server(echo, "localhost", 0);
    auto connection = co_await open_connection("localhost", server.port());
    auto& [reader, writer] = connection;
    writer.write("hello");
    writer.write_eof();
    EXPECT_EQ(co_await reader.read(), "hello");
  };
  run(amain());
}

TEST(OpenConnection, talks_over_ipv6) {
  const auto amain = []() -> Coro<> {
    std::optional<Server> server;
    try {
      server = co_await start_server(echo, "::1", 0);
    } catch (const std::system_error&) {
      co_return;  // there is none here
    }
    auto connection = co_await open_connection("::1", server->port());
    EXPECT_TRUE(connection.writer.sockname().starts_with("[::1]:"));
    connection.writer.write("x");
    EXPECT_EQ(co_await connection.reader.readexactly(1), "x");
  };
  run(amain());
}

TEST(OpenConnection, sends_small_writes_at_once) {
  const auto amain = []() -> Coro<> {
    const Server server = co_await start_server(echo, "127.0.0.1", 0);
    const auto connection = co_await open_connection("127.0.0.1", server.port());
    int on = 0;
    socklen_t size = sizeof on;
    ::getsockopt(detail::StreamAccess::stream(connection.reader).fd(), IPPROTO_TCP, TCP_NODELAY, &on, &size);
    EXPECT_NE(on, 0);
  };
  run(amain());
}

TEST(OpenConnection, says_that_nobody_listens) {
  const auto amain = []() -> Coro<> {
    EXPECT_EQ(co_await error_of(open_connection("127.0.0.1", free_port())), ECONNREFUSED);
    if (testing::localhost_is_known()) {
      EXPECT_EQ(co_await error_of(open_connection("localhost", free_port())), ECONNREFUSED);
    }
  };
  run(amain());
}

TEST(OpenConnection, says_that_there_is_no_such_host) {
  const auto amain = []() -> Coro<> {
    std::string what;
    try {
      co_await open_connection("no such host", 1);
    } catch (const Error& error) {
      what = error.what();
    }
    EXPECT_NE(what.find("no such host"), std::string::npos);
  };
  run(amain());
}

TEST(OpenConnection, checks_the_port) {
  const auto amain = [](int port) -> Coro<> { co_await open_connection("127.0.0.1", port); };
  EXPECT_THROW(run(amain(-1)), ValueError);
  EXPECT_THROW(run(amain(65536)), ValueError);
}

TEST(OpenConnection, is_cancelled_while_it_waits) {
  const auto amain = []() -> Coro<> {
    // A listener whose queue is full does not answer.
    detail::Listener listener(AF_INET);
    detail::SocketAddress address;
    address.set_number("127.0.0.1", 0);
    EXPECT_TRUE(listener.listen(address, 0));
    std::vector<Task<Connection>> tasks;
    for (int i = 0; i < 8; ++i) tasks.push_back(create_task(open_connection("127.0.0.1", listener.port())));
    while (!tasks.front().done()) co_await sleep(1ms);
    EXPECT_FALSE(tasks.back().done());
    tasks.back().cancel();
    co_await rounds_of_the_loop(1);
    EXPECT_TRUE(tasks.back().cancelled());
  };
  run(amain());
}

TEST(OpenConnection, sets_the_limit) {
  const auto amain = []() -> Coro<> {
    const Server server = co_await start_server(echo, "127.0.0.1", 0);
    StreamOptions options;
    options.limit = 3;
    auto connection = co_await open_connection("127.0.0.1", server.port(), options);
    connection.writer.write("long line\n");
    bool refused = false;
    try {
      co_await connection.reader.readline();
    } catch (const LimitOverrunError&) {
      refused = true;
    }
    EXPECT_TRUE(refused);
  };
  run(amain());
}

TEST(OpenUnixConnection, talks_to_who_listens_there) {
  const std::string path = ::testing::TempDir() + "nogil-open-" + std::to_string(::getpid());
  const auto amain = [](const std::string& at) -> Coro<> {
    const Server server = co_await start_unix_server(echo, at);
    auto connection = co_await open_unix_connection(at);
    auto& [reader, writer] = connection;
    EXPECT_EQ(writer.peername(), at);
    EXPECT_EQ(writer.sockname(), "");
    writer.write("hello");
    EXPECT_EQ(co_await reader.readexactly(5), "hello");
  };
  run(amain(path));
}

TEST(OpenUnixConnection, says_that_there_is_no_such_path) {
  const auto amain = [](std::string path) -> Coro<> { co_await open_unix_connection(path); };
  EXPECT_THROW(run(amain("/no/such/path")), FileNotFoundError);
  EXPECT_THROW(run(amain(std::string(200, 'x'))), ValueError);
  EXPECT_THROW(run(amain("")), ValueError);
}

}  // namespace
}  // namespace nogil::asyncio
