// tests/asyncio/curl_test.cpp -- against a server of our own streams.

#include "nogil/asyncio/curl.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "nogil/asyncio/run.hpp"
#include "nogil/asyncio/sleep.hpp"
#include "nogil/asyncio/start_server.hpp"
#include "support/watchdog.hpp"

namespace nogil::asyncio {
namespace {

using namespace std::chrono_literals;

// What the server has seen, and does.
struct Site {
  int connections = 0;
  int requests = 0;
  int broken = 0;  // connections that ended in the middle of a request
  std::string last;
  int at_once = 0;
  int most_at_once = 0;
};

std::string answer(std::string_view status, std::string_view body, std::string_view more = "") {
  return "HTTP/1.1 " + std::string(status) + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         std::string(more) + "\r\n" + std::string(body);
}

// /text/<words>, /slow, /large, /moved, /never, /broken, POST
Coro<> serve(Site& site, StreamReader reader, StreamWriter writer) {
  ++site.connections;
  for (;;) {
    std::string head;
    try {
      head = co_await reader.readuntil("\r\n\r\n");
    } catch (const IncompleteReadError&) {
      co_return;
    }
    ++site.requests;
    site.last = head;
    const std::string path = head.substr(head.find(' ') + 1, head.find(' ', head.find(' ') + 1) - head.find(' ') - 1);
    if (head.starts_with("POST")) {
      const auto length = head.find("Content-Length: ");
      const std::string body = co_await reader.readexactly(std::stol(head.substr(length + 16)));
      writer.write(answer("201 Created", "got " + body));
    } else if (path == "/slow") {
      site.most_at_once = std::max(site.most_at_once, ++site.at_once);
      co_await sleep(20ms);
      --site.at_once;
      writer.write(answer("200 OK", "at last"));
    } else if (path == "/large") {
      writer.write(answer("200 OK", std::string(3'000'000, 'x')));
    } else if (path == "/moved") {
      writer.write(answer("302 Found", "", "Location: /text/here\r\nX-Which: first\r\n"));
    } else if (path == "/never") {
      const std::string rest = co_await reader.read();
      ++site.broken;
      co_return;
    } else if (path == "/broken") {
      writer.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nnot all");
      co_return;
    } else if (path.starts_with("/text/")) {
      writer.write(answer("200 OK", path.substr(6), "X-Which: second\r\nX-Empty:\r\n"));
    } else {
      writer.write(answer("404 Not Found", "no " + path));
    }
    co_await writer.drain();
  }
}

// Runs a test's coroutine with a server and a session.
template <class Test>
Coro<> with_site(Test test) {
  Site site;
  auto handler = [&site](StreamReader reader, StreamWriter writer) {
    return serve(site, std::move(reader), std::move(writer));
  };
  const Server server = co_await start_server(handler, "127.0.0.1", 0);
  const std::string url = "http://127.0.0.1:" + std::to_string(server.port());
  co_await test(site, url);
}

TEST(ClientSession, gets_a_page) {
  const auto test = [](Site& site, const std::string& url) -> Coro<> {
    ClientSession session;
    const Response page = co_await session.get(url + "/text/hello");
    EXPECT_EQ(page.status, 200);
    EXPECT_EQ(page.body, "hello");
    EXPECT_EQ(page.text(), "hello");
    EXPECT_EQ(page.url, url + "/text/hello");
    EXPECT_EQ(page.header("content-length"), "5");
    EXPECT_EQ(page.header("x-EMPTY"), "");
    EXPECT_EQ(page.header("no-such"), "");
    EXPECT_EQ(page.headers.size(), 3u);
    EXPECT_EQ(site.requests, 1);
  };
  run(with_site(test));
}

TEST(ClientSession, gives_a_status_that_is_no_success) {
  const auto test = [](Site&, const std::string& url) -> Coro<> {
    ClientSession session;
    const Response page = co_await session.get(url + "/nothing");
    EXPECT_EQ(page.status, 404);
    EXPECT_EQ(page.body, "no /nothing");
  };
  run(with_site(test));
}

TEST(ClientSession, gets_a_large_page) {
  const auto test = [](Site&, const std::string& url) -> Coro<> {
    ClientSession session;
    const Response page = co_await session.get(url + "/large");
    EXPECT_EQ(page.body, std::string(3'000'000, 'x'));
  };
  run(with_site(test));
}

TEST(ClientSession, follows_a_redirect) {
  const auto test = [](Site& site, const std::string& url) -> Coro<> {
    ClientSession session;
    const Response page = co_await session.get(url + "/moved");
    EXPECT_EQ(page.body, "here");
    EXPECT_EQ(page.url, url + "/text/here");
    EXPECT_EQ(page.header("X-Which"), "second");
    EXPECT_EQ(site.requests, 2);
  };
  run(with_site(test));
}

TEST(ClientSession, uses_its_connection_again) {
  const auto test = [](Site& site, const std::string& url) -> Coro<> {
    ClientSession session;
    for (int i = 0; i < 5; ++i) {
      const Response page = co_await session.get(url + "/text/" + std::to_string(i));
      EXPECT_EQ(page.body, std::to_string(i));
    }
    EXPECT_EQ(site.connections, 1);
  };
  run(with_site(test));
}

TEST(ClientSession, sends_headers_and_a_body) {
  const auto test = [](Site& site, const std::string& url) -> Coro<> {
    ClientSession session;
    const Headers headers{{"X-Mine", "something"}, {"Content-Type", "text/plain"}};
    const Response page = co_await session.post(url + "/", std::string("bo\0dy", 5), headers);
    EXPECT_EQ(page.status, 201);
    EXPECT_EQ(page.body, std::string("got bo\0dy", 9));
    EXPECT_NE(site.last.find("X-Mine: something\r\n"), std::string::npos);
    EXPECT_NE(site.last.find("Content-Type: text/plain\r\n"), std::string::npos);
  };
  run(with_site(test));
}

TEST(ClientSession, gets_many_pages_at_once) {
  const auto test = [](Site& site, const std::string& url) -> Coro<> {
    constexpr int kCount = 20;
    ClientSession session;
    std::vector<Task<Response>> tasks;
    for (int i = 0; i < kCount; ++i) tasks.push_back(create_task(session.get(url + "/slow")));
    for (const Task<Response>& task : tasks) {
      const Response& page = co_await task;
      EXPECT_EQ(page.body, "at last");
    }
    EXPECT_GT(site.most_at_once, kCount / 2);
  };
  run(with_site(test));
}

TEST(ClientSession, is_cancelled_in_the_middle) {
  const auto test = [](Site& site, const std::string& url) -> Coro<> {
    ClientSession session;
    const auto task = create_task(session.get(url + "/never"));
    while (site.requests == 0) co_await sleep(1ms);
    task.cancel();
    while (!task.done()) co_await sleep(0s);
    EXPECT_TRUE(task.cancelled());
    while (site.broken == 0) co_await sleep(1ms);
    const Response page = co_await session.get(url + "/text/again");
    EXPECT_EQ(page.body, "again");
  };
  run(with_site(test));
}

TEST(ClientSession, may_go_while_a_request_runs) {
  const auto test = [](Site&, const std::string& url) -> Coro<> {
    std::optional<ClientSession> session(std::in_place);
    const auto task = create_task(session->get(url + "/slow"));
    co_await sleep(0s);
    session.reset();
    const Response& page = co_await task;
    EXPECT_EQ(page.body, "at last");
  };
  run(with_site(test));
}

TEST(ClientSession, ends_with_its_loop_while_a_request_runs) {
  std::unique_ptr<ClientSession> kept;
  const auto amain = [](std::unique_ptr<ClientSession>& session) -> Coro<> {
    Site site;
    auto handler = [&site](StreamReader reader, StreamWriter writer) {
      return serve(site, std::move(reader), std::move(writer));
    };
    const Server server = co_await start_server(handler, "127.0.0.1", 0);
    session = std::make_unique<ClientSession>();
    create_task(session->get("http://127.0.0.1:" + std::to_string(server.port()) + "/never"));
    while (site.requests == 0) co_await sleep(1ms);
  };
  run(amain(kept));
  const auto other = [](const ClientSession& session) -> Coro<> { co_await session.get("http://127.0.0.1:1/"); };
  EXPECT_THROW(run(other(*kept)), RuntimeError);
  kept.reset();
}

// What get() throws.
Coro<CURLcode> error_of(Coro<Response> response) {
  try {
    co_await std::move(response);
  } catch (const ClientError& error) {
    EXPECT_NE(std::string(error.what()), "");
    co_return error.code();
  }
  co_return CURLE_OK;
}

TEST(ClientSession, says_what_went_wrong) {
  const auto test = [](Site&, const std::string& url) -> Coro<> {
    ClientSession session;
    EXPECT_EQ(co_await error_of(session.get(url + "/broken")), CURLE_PARTIAL_FILE);
    EXPECT_EQ(co_await error_of(session.get("http://127.0.0.1:1/")), CURLE_COULDNT_CONNECT);
    EXPECT_EQ(co_await error_of(session.get("file:///etc/passwd")), CURLE_UNSUPPORTED_PROTOCOL);
    EXPECT_NE(co_await error_of(session.get("not a url")), CURLE_OK);
  };
  run(with_site(test));
}

TEST(ClientSession, needs_a_loop) {
  EXPECT_THROW(ClientSession(), RuntimeError);
}

}  // namespace
}  // namespace nogil::asyncio
