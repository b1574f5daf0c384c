// tests/asyncio/server_test.cpp

#include "nogil/asyncio/server.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "asyncio/support/excepthook.hpp"
#include "asyncio/support/streams.hpp"
#include "nogil/asyncio/start_server.hpp"
#include "support/files.hpp"
#include "support/threads.hpp"

namespace nogil::asyncio {
namespace {

using namespace std::chrono_literals;
using testing::rounds_of_the_loop;

Coro<> echo(StreamReader reader, StreamWriter writer) {
  for (std::string line; !(line = co_await reader.readline()).empty();) {
    writer.write(line);
    co_await writer.drain();
  }
}

Coro<std::string> ask(int port, std::string question) {
  auto connection = co_await open_connection("127.0.0.1", port);
  auto& [reader, writer] = connection;
  writer.write(question);
  writer.write_eof();
  co_return co_await reader.read();
}

TEST(Server, listens_at_a_port_of_its_own) {
  const auto amain = []() -> Coro<> {
    const Server server = co_await start_server(echo, "127.0.0.1", 0);
    EXPECT_NE(server.port(), 0);
    EXPECT_EQ(server.sockname(), "127.0.0.1:" + std::to_string(server.port()));
    EXPECT_TRUE(server.is_serving());
    EXPECT_EQ(co_await ask(server.port(), "a\nb\n"), "a\nb\n");
  };
  run(amain());
}

TEST(Server, listens_at_every_address_without_a_host) {
  const auto amain = []() -> Coro<> {
    const Server server = co_await start_server(echo, "", 0);
    EXPECT_EQ(co_await ask(server.port(), "x\n"), "x\n");
  };
  run(amain());
}

TEST(Server, runs_a_task_for_each_connection) {
  const auto amain = []() -> Coro<> {
    const Server server = co_await start_server(echo, "127.0.0.1", 0);
    std::vector<Task<std::string>> tasks;
    for (int i = 0; i < 200; ++i) tasks.push_back(create_task(ask(server.port(), std::to_string(i) + "\n")));
    for (int i = 0; i < 200; ++i) EXPECT_EQ(co_await tasks[static_cast<std::size_t>(i)], std::to_string(i) + "\n");
  };
  run(amain());
}

TEST(Server, takes_a_handler_with_captures) {
  const auto greet = [](StreamWriter writer, std::string greeting) -> Coro<> {
    writer.write(greeting);
    co_await writer.drain();
  };
  const auto amain = [](auto greeter) -> Coro<> {
    std::string greeting = "a greeting that is too long for the string itself";
    auto handler = [greeter, greeting](StreamReader, StreamWriter writer) {
      return greeter(std::move(writer), greeting);
    };
    const Server server = co_await start_server(std::move(handler), "127.0.0.1", 0);
    EXPECT_EQ(co_await ask(server.port(), ""), greeting);
  };
  run(amain(greet));
}

TEST(Server, reports_what_a_handler_throws_and_ends_that_connection) {
  testing::Reported reported;
  const auto amain = []() -> Coro<> {
    const auto fail = [](StreamReader reader, StreamWriter) -> Coro<> {
      if (co_await reader.readline() == "fail\n") throw std::runtime_error("handler failed");
    };
    const Server server = co_await start_server(fail, "127.0.0.1", 0);
    EXPECT_EQ(co_await ask(server.port(), "fail\n"), "");
    EXPECT_EQ(co_await ask(server.port(), "fine\n"), "");
  };
  run(amain());
  ASSERT_EQ(reported.texts.size(), 1u);
  EXPECT_NE(reported.texts[0].find("handler failed"), std::string::npos);
}

TEST(Server, says_nothing_when_a_handler_is_cancelled) {
  testing::Reported reported;
  const auto amain = []() -> Coro<> {
    const auto cancelled = [](StreamReader reader, StreamWriter writer) -> Coro<> {
      co_await reader.read();
      writer.close();
      current_task().cancel();
      co_await sleep(1h);
    };
    const Server server = co_await start_server(cancelled, "127.0.0.1", 0);
    EXPECT_EQ(co_await ask(server.port(), "fail\n"), "");
    while (all_tasks().size() > 1) co_await rounds_of_the_loop(1);
  };
  run(amain());
  EXPECT_TRUE(reported.texts.empty());
}

TEST(Server, accepts_nobody_when_it_is_closed) {
  const auto amain = []() -> Coro<> {
    Server server = co_await start_server(echo, "127.0.0.1", 0);
    auto connection = co_await open_connection("127.0.0.1", server.port());
    connection.writer.write("a\n");
    EXPECT_EQ(co_await connection.reader.readline(), "a\n");
    server.close();
    server.close();
    EXPECT_FALSE(server.is_serving());
    EXPECT_EQ(server.sockname(), "");
    bool refused = false;
    try {
      co_await ask(server.port(), "x");
    } catch (const std::system_error& error) {
      refused = error.code().value() == ECONNREFUSED;
    }
    EXPECT_TRUE(refused);
    connection.writer.write("b\n");
    EXPECT_EQ(co_await connection.reader.readline(), "b\n") << "who was there stays";
  };
  run(amain());
}

TEST(Server, is_closed_by_its_end) {
  const auto amain = []() -> Coro<> {
    int port = 0;
    {
      const Server server = co_await start_server(echo, "127.0.0.1", 0);
      port = server.port();
    }
    bool refused = false;
    try {
      co_await ask(port, "x");
    } catch (const std::system_error&) {
      refused = true;
    }
    EXPECT_TRUE(refused);
  };
  run(amain());
}

// bpo-120866 and gh-79033: until the connections are closed, too.
TEST(Server, waits_until_it_and_its_connections_are_closed) {
  const auto amain = []() -> Coro<> {
    Server server = co_await start_server(echo, "127.0.0.1", 0);
    const auto closed = create_task(server.wait_closed());
    co_await rounds_of_the_loop(2);
    EXPECT_FALSE(closed.done());
    auto connection = co_await open_connection("127.0.0.1", server.port());
    connection.writer.write("a\n");
    EXPECT_EQ(co_await connection.reader.readline(), "a\n");
    server.close();
    co_await rounds_of_the_loop(2);
    EXPECT_FALSE(closed.done());
    connection.writer.close();
    co_await closed;
    co_await server.wait_closed();
  };
  run(amain());
}

// CPython: a regression in 3.12.0. The last connection ends as the server is closed.
TEST(Server, waits_until_it_is_closed_whatever_ends_first) {
  const auto amain = [](bool server_first) -> Coro<> {
    Server server = co_await start_server(echo, "127.0.0.1", 0);
    const auto closed = create_task(server.wait_closed());
    auto connection = co_await open_connection("127.0.0.1", server.port());
    EventLoop& loop = get_running_loop();
    if (server_first) loop.call_soon([&] { server.close(); });
    loop.call_soon([&] { connection.writer.close(); });
    if (!server_first) loop.call_soon([&] { server.close(); });
    co_await server.wait_closed();
    co_await closed;
  };
  for (const bool server_first : {true, false}) run(amain(server_first));
}

TEST(Server, aborts_a_connection_with_much_to_send) {
  const auto amain = []() -> Coro<> {
    static bool closed;
    closed = false;
    const auto floods = [](StreamReader, StreamWriter writer) -> Coro<> {
      for (int i = 0; i < 1000 && writer.write_buffer_size() == 0; ++i) writer.write(std::string(100'000, 'x'));
      EXPECT_GT(writer.write_buffer_size(), 0u);
      closed = true;
      co_await writer.wait_closed();
    };
    Server server = co_await start_server(floods, "127.0.0.1", 0);
    auto connection = co_await open_connection("127.0.0.1", server.port());
    while (!closed) co_await rounds_of_the_loop(1);
    server.close();
    const auto over = create_task(server.wait_closed());
    co_await rounds_of_the_loop(1);
    EXPECT_FALSE(over.done());
    server.abort_clients();
    co_await over;
  };
  run(amain());
}

TEST(Server, waits_not_at_all_when_nobody_has_come) {
  const auto amain = []() -> Coro<> {
    Server server = co_await start_server(echo, "127.0.0.1", 0);
    const auto closed = create_task(server.wait_closed());
    co_await rounds_of_the_loop(1);
    server.close();
    co_await closed;
  };
  run(amain());
}

TEST(Server, closes_its_connections_when_asked_to) {
  const auto amain = []() -> Coro<> {
    Server server = co_await start_server(echo, "127.0.0.1", 0);
    auto connection = co_await open_connection("127.0.0.1", server.port());
    auto other = co_await open_connection("127.0.0.1", server.port());
    connection.writer.write("a\n");
    EXPECT_EQ(co_await connection.reader.readline(), "a\n");
    server.close();
    server.close_clients();
    EXPECT_EQ(co_await connection.reader.read(), "");
    server.abort_clients();
    co_await server.wait_closed();
  };
  run(amain());
}

TEST(Server, serves_for_ever_until_it_is_cancelled) {
  const auto amain = []() -> Coro<> {
    Server server = co_await start_server(echo, "127.0.0.1", 0);
    const auto serving = create_task(server.serve_forever());
    auto connection = co_await open_connection("127.0.0.1", server.port());
    connection.writer.write("a\n");
    EXPECT_EQ(co_await connection.reader.readline(), "a\n");
    bool refused = false;
    try {
      co_await server.serve_forever();
    } catch (const RuntimeError&) {
      refused = true;
    }
    EXPECT_TRUE(refused) << "twice at the same time";
    serving.cancel();
    EXPECT_EQ(co_await connection.reader.read(), "");
    while (!serving.done()) co_await rounds_of_the_loop(1);
    EXPECT_TRUE(serving.cancelled());
    EXPECT_FALSE(server.is_serving());
  };
  run(amain());
}

TEST(Server, ends_serve_forever_when_it_is_closed) {
  const auto amain = []() -> Coro<> {
    Server server = co_await start_server(echo, "127.0.0.1", 0);
    const auto serving = create_task(server.serve_forever());
    co_await rounds_of_the_loop(1);
    server.close();
    while (!serving.done()) co_await rounds_of_the_loop(1);
    EXPECT_TRUE(serving.cancelled()) << "as in Python";
    bool closed = false;
    try {
      co_await server.serve_forever();
    } catch (const RuntimeError&) {
      closed = true;
    }
    EXPECT_TRUE(closed);
  };
  run(amain());
}

TEST(Server, says_that_the_port_is_in_use) {
  const auto amain = []() -> Coro<> {
    const Server server = co_await start_server(echo, "127.0.0.1", 0);
    int error = 0;
    std::string what;
    try {
      const Server second = co_await start_server(echo, "127.0.0.1", server.port());
    } catch (const std::system_error& refused) {
      error = refused.code().value();
      what = refused.what();
    }
    EXPECT_EQ(error, EADDRINUSE);
    EXPECT_NE(what.find(server.sockname()), std::string::npos);
  };
  run(amain());
}

TEST(Server, shares_a_port_when_asked_to) {
  const auto amain = []() -> Coro<> {
    ServerOptions options;
    options.reuse_port = true;
    const Server server = co_await start_server(echo, "127.0.0.1", 0, options);
    const Server second = co_await start_server(echo, "127.0.0.1", server.port(), options);
    EXPECT_EQ(second.port(), server.port());
  };
  run(amain());
}

TEST(Server, may_outlive_its_loop) {
  std::optional<Server> kept;
  const auto amain = [](std::optional<Server>& server) -> Coro<> {
    server.emplace(co_await start_server(echo, "127.0.0.1", 0));
  };
  run(amain(kept));
  EXPECT_FALSE(kept->is_serving());
  kept->close();
}

// Every descriptor is in use: nobody is accepted for a second, and then he is.
TEST(Server, goes_on_when_descriptors_were_short) {
  if (testing::kSanitized) GTEST_SKIP() << "sanitizers need descriptors themselves";
  int reports = 0;
  set_excepthook([&reports](const ExceptHookArgs&) { ++reports; });  // which must do without descriptors
  const auto amain = [](const int& reported) -> Coro<> {
    const Server server = co_await start_server(echo, "127.0.0.1", 0);
    auto early = co_await open_connection("127.0.0.1", server.port());
    early.writer.write("a\n");
    EXPECT_EQ(co_await early.reader.readline(), "a\n");
    platform::Fd client = detail::make_socket(AF_INET);
    std::optional<testing::NoFilesLeft> none(std::in_place);
    detail::SocketAddress address;
    address.set_number("127.0.0.1", server.port());
    ::connect(client.get(), address.get(), address.size);
    auto late = detail::make_connection(std::move(client), {});
    late.writer.write("b\n");
    while (reported == 0) co_await sleep(1ms);
    none.reset();
    EXPECT_EQ(co_await late.reader.readline(), "b\n");
  };
  run(amain(reports));
  set_excepthook(nullptr);
  EXPECT_EQ(reports, 1);
}

TEST(UnixServer, removes_its_socket_at_the_end) {
  const std::string path = ::testing::TempDir() + "nogil-server-" + std::to_string(::getpid());
  const auto amain = [](const std::string& at) -> Coro<> {
    {
      const Server server = co_await start_unix_server(echo, at);
      EXPECT_EQ(server.port(), 0);
      EXPECT_EQ(server.sockname(), at);
      EXPECT_TRUE(std::filesystem::is_socket(at));
      const Server heir = co_await start_unix_server(echo, at);
      EXPECT_EQ(heir.sockname(), at);
    }
    EXPECT_FALSE(std::filesystem::exists(at));
  };
  run(amain(path));
}

TEST(UnixServer, does_not_remove_what_another_has_put_there) {
  const std::string path = ::testing::TempDir() + "nogil-server2-" + std::to_string(::getpid());
  const auto amain = [](const std::string& at) -> Coro<> {
    Server first = co_await start_unix_server(echo, at);
    const Server heir = co_await start_unix_server(echo, at);
    first.close();
    EXPECT_TRUE(std::filesystem::is_socket(at));
    auto connection = co_await open_unix_connection(at);
    connection.writer.write("x\n");
    EXPECT_EQ(co_await connection.reader.readline(), "x\n");
  };
  run(amain(path));
}

}  // namespace
}  // namespace nogil::asyncio
