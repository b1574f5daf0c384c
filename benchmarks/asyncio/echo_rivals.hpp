// benchmarks/asyncio/echo_rivals.hpp -- servers that send back what they get, all in the same way.
//
//   struct Rival {
//     Rival();                            // listens at a free port of 127.0.0.1
//     std::uint16_t port() const;
//     void run();                         // serves, until
//     void stop();                        // is called by another thread
//   };
//
// Each reads as much as there is, up to 4 KiB, writes it, and reads on.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>

#include "nogil/asyncio/event_loop.hpp"
#include "nogil/asyncio/start_server.hpp"
#include "support/cases.hpp"

#ifdef NOGIL_HAVE_ASIO
#include <asio.hpp>
#endif
#ifdef NOGIL_HAVE_LIBUV
#include <uv.h>
#endif

namespace echo {

inline constexpr std::size_t kMost = 4096;

class Nogil {
 public:
  static constexpr const char* kName = "nogil::asyncio";

  Nogil() : server_(loop_.run_until_complete(nogil::asyncio::start_server(&serve, "127.0.0.1", 0))) {}

  std::uint16_t port() const { return server_.port(); }
  void run() { loop_.run_forever(); }
  void stop() { loop_.stop(); }

 private:
  static nogil::asyncio::Coro<> serve(nogil::asyncio::StreamReader reader, nogil::asyncio::StreamWriter writer) {
    for (;;) {
      const std::string bytes = co_await reader.read(kMost);
      if (bytes.empty()) co_return;
      writer.write(bytes);
      co_await writer.drain();
    }
  }

  nogil::asyncio::EventLoop loop_;
  nogil::asyncio::Server server_;
};

#ifdef NOGIL_HAVE_ASIO
class Asio {
 public:
  static constexpr const char* kName = "asio";

  Asio() { asio::co_spawn(context_, listen(), asio::detached); }

  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  void run() { context_.run(); }
  void stop() { context_.stop(); }

 private:
  using Tcp = asio::ip::tcp;

  asio::awaitable<void> listen() {
    for (;;) {
      Tcp::socket socket = co_await acceptor_.async_accept(asio::use_awaitable);
      socket.set_option(Tcp::no_delay(true));
      asio::co_spawn(context_, serve(std::move(socket)), asio::detached);
    }
  }
  static asio::awaitable<void> serve(Tcp::socket socket) {
    try {
      char bytes[kMost];
      for (;;) {
        const std::size_t got = co_await socket.async_read_some(asio::buffer(bytes), asio::use_awaitable);
        co_await asio::async_write(socket, asio::buffer(bytes, got), asio::use_awaitable);
      }
    } catch (const std::exception&) {  // the end of the connection
    }
  }

  asio::io_context context_{1};
  Tcp::acceptor acceptor_{context_, Tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0)};
};
#else
struct Asio : bench::Absent {
  static constexpr const char* kName = "asio";
};
#endif

#ifdef NOGIL_HAVE_LIBUV
class Libuv {
 public:
  static constexpr const char* kName = "libuv";

  Libuv() {
    sockaddr_in address;
    check(uv_loop_init(&loop_));
    check(uv_async_init(&loop_, &stopper_, [](uv_async_t* async) { uv_stop(async->loop); }));
    check(uv_tcp_init(&loop_, &server_));
    check(uv_ip4_addr("127.0.0.1", 0, &address));
    check(uv_tcp_bind(&server_, reinterpret_cast<const sockaddr*>(&address), 0));
    check(uv_listen(reinterpret_cast<uv_stream_t*>(&server_), 4096, &on_connection));
  }
  ~Libuv() {
    uv_walk(
        &loop_,
        [](uv_handle_t* handle, void*) {
          if (uv_is_closing(handle) == 0) uv_close(handle, nullptr);
        },
        nullptr);
    uv_run(&loop_, UV_RUN_DEFAULT);
    uv_loop_close(&loop_);
  }
  Libuv(const Libuv&) = delete;
  Libuv& operator=(const Libuv&) = delete;

  std::uint16_t port() const {
    sockaddr_in address;
    int size = sizeof address;
    check(uv_tcp_getsockname(&server_, reinterpret_cast<sockaddr*>(&address), &size));
    return ntohs(address.sin_port);
  }
  void run() { uv_run(&loop_, UV_RUN_DEFAULT); }
  void stop() { uv_async_send(&stopper_); }

 private:
  struct Client {
    uv_tcp_t tcp;
    uv_write_t write;
    char bytes[kMost];
  };

  static void check(int error) {
    if (error < 0) std::abort();
  }
  static void on_connection(uv_stream_t* server, int status) {
    check(status);
    auto* const client = new Client;
    check(uv_tcp_init(server->loop, &client->tcp));
    client->tcp.data = client;
    check(uv_accept(server, reinterpret_cast<uv_stream_t*>(&client->tcp)));
    uv_tcp_nodelay(&client->tcp, 1);
    uv_read_start(reinterpret_cast<uv_stream_t*>(&client->tcp), &on_room, &on_bytes);
  }
  static void on_room(uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
    *buffer = uv_buf_init(static_cast<Client*>(handle->data)->bytes, kMost);
  }
  // The client does not send again before it has its answer, so the buffer may wait.
  static void on_bytes(uv_stream_t* stream, ssize_t got, const uv_buf_t*) {
    auto* const client = static_cast<Client*>(stream->data);
    if (got < 0) {
      uv_close(reinterpret_cast<uv_handle_t*>(&client->tcp),
               [](uv_handle_t* handle) { delete static_cast<Client*>(handle->data); });
    } else if (got > 0) {
      uv_buf_t buffer = uv_buf_init(client->bytes, static_cast<unsigned>(got));
      check(uv_write(&client->write, stream, &buffer, 1, nullptr));
    }
  }

  uv_loop_t loop_;
  uv_async_t stopper_;
  uv_tcp_t server_;
};
#else
struct Libuv : bench::Absent {
  static constexpr const char* kName = "libuv";
};
#endif

}  // namespace echo
