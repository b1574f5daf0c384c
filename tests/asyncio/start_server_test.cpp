// tests/asyncio/start_server_test.cpp -- where a server listens. What it does then: server_test.cpp.

#include "nogil/asyncio/start_server.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

#include "asyncio/support/streams.hpp"

namespace nogil::asyncio {
namespace {

// Sends back how many bytes it took to see that a line was too long, or "ok".
Coro<> measure(StreamReader reader, StreamWriter writer) {
  bool too_long = false;
  try {
    static_cast<void>(co_await reader.readline());
  } catch (const ValueError&) {
    too_long = true;
  }
  writer.write(too_long ? "too long" : "ok");
}

Coro<std::string> answer_of(Connection connection, std::string question) {
  connection.writer.write(question);
  co_return co_await connection.reader.read();
}

TEST(StartServer, looks_up_the_name_of_a_host) {
  if (!testing::localhost_is_known()) GTEST_SKIP() << "no name is known here, not even localhost";
  const auto amain = []() -> Coro<> {
    const Server server = co_await start_server(measure, "localhost", 0);
    EXPECT_NE(server.port(), 0);
    Connection connection = co_await open_connection("localhost", server.port());
    EXPECT_EQ(co_await answer_of(std::move(connection), "line\n"), "ok");
  };
  run(amain());
}

TEST(StartServer, gives_its_limit_to_the_readers) {
  const auto amain = []() -> Coro<> {
    ServerOptions options;
    options.limit = 10;
    const Server server = co_await start_server(measure, "127.0.0.1", 0, options);
    Connection connection = co_await open_connection("127.0.0.1", server.port());
    EXPECT_EQ(co_await answer_of(std::move(connection), std::string(100, 'x') + "\n"), "too long");
  };
  run(amain());
}

TEST(StartServer, checks_the_port) {
  EXPECT_THROW(static_cast<void>(run(start_server(measure, "127.0.0.1", -1))), ValueError);
  EXPECT_THROW(static_cast<void>(run(start_server(measure, "127.0.0.1", 65536))), ValueError);
  EXPECT_THROW(static_cast<void>(run(start_server(measure, "", 65536))), ValueError);
}

TEST(StartServer, says_that_the_address_is_not_one_of_this_machine) {
  EXPECT_THROW(static_cast<void>(run(start_server(measure, "203.0.113.1", 0))), std::system_error);
}

TEST(StartUnixServer, listens_at_a_path_and_takes_the_place_of_an_old_socket) {
  const std::string path =
      (std::filesystem::temp_directory_path() / ("nogil-start-server-" + std::to_string(::getpid()))).string();
  const auto amain = [](std::string at) -> Coro<> {
    const Server first = co_await start_unix_server(measure, at);
    const Server second = co_await start_unix_server(measure, at);
    Connection connection = co_await open_unix_connection(at);
    EXPECT_EQ(co_await answer_of(std::move(connection), "line\n"), "ok");
  };
  run(amain(path));
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(StartUnixServer, checks_the_path) {
  EXPECT_THROW(static_cast<void>(run(start_unix_server(measure, ""))), ValueError);
  EXPECT_THROW(static_cast<void>(run(start_unix_server(measure, std::string(200, 'x')))), ValueError);
  EXPECT_THROW(static_cast<void>(run(start_unix_server(measure, "/no/such/folder/socket"))), std::system_error);
}

}  // namespace
}  // namespace nogil::asyncio
