// nogil/asyncio/server.hpp -- Server: what start_server() gives.
//
//   asyncio::Server server = co_await asyncio::start_server(greet, "127.0.0.1", 8080);
//   co_await server.serve_forever();      // Python: async with server: await server.serve_forever()
//
// Lifetime   It accepts from the beginning, until close() or the end of its Server object.
//            The connections that there are by then go on.
// Python     asyncio.Server. It accepts at once, so there is no start_serving().

#pragma once

#include <coroutine>
#include <cstdint>
#include <string>
#include <utility>

#include "nogil/asyncio/cancelled_error.hpp"
#include "nogil/asyncio/detail/server_state.hpp"
#include "nogil/platform/errors.hpp"

namespace nogil::asyncio {

namespace detail {

class [[nodiscard]] ServerStopped : public ListedWaiter {
 public:
  explicit ServerStopped(Owned<ServerState> server) noexcept : ListedWaiter(kKind), server_(std::move(server)) {}

  bool await_ready() const noexcept { return !server_->listening(); }
  void await_suspend(std::coroutine_handle<> awaiting) { suspend_in(server_->stopped(), awaiting); }
  void await_resume() const { throw_if_cancelled(); }

 private:
  static constexpr Kind kKind = {&cancel, "Server.serve_forever"};

  Owned<ServerState> server_;
};

class [[nodiscard]] ServerOver : public ListedWaiter {
 public:
  explicit ServerOver(Owned<ServerState> server) noexcept : ListedWaiter(kKind), server_(std::move(server)) {}

  bool await_ready() const noexcept { return !server_->listening() && server_->size() == 0; }
  void await_suspend(std::coroutine_handle<> awaiting) { suspend_in(server_->over(), awaiting); }
  void await_resume() const { throw_if_cancelled(); }

 private:
  static constexpr Kind kKind = {&cancel, "Server.wait_closed"};

  Owned<ServerState> server_;
};

// A template, so that only who calls it compiles it.
template <class = void>
Coro<> serve_forever(Owned<ServerState> server) {
  if (server->being_served) throw RuntimeError("the server is already being awaited on serve_forever()");
  if (!server->listening()) throw RuntimeError("the server is closed");
  server->being_served = true;
  try {
    co_await ServerStopped(server);
  } catch (const CancelledError&) {
  }
  server->being_served = false;
  server->close();
  server->close_all();
  co_await ServerOver(server);
  throw CancelledError();
}

}  // namespace detail

class [[nodiscard]] Server {
 public:
  explicit Server(detail::Owned<detail::ServerState> state) noexcept : state_(std::move(state)) {}
  Server(Server&&) = default;
  Server& operator=(Server&& other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~Server() { close(); }

  // Where it listens; 0 of a Unix socket. Still known when it is closed.
  [[nodiscard]] std::uint16_t port() const { return state().port(); }

  // "127.0.0.1:8080", or a path. Empty when it is closed.
  [[nodiscard]] std::string sockname() const { return state().sockname(); }

  // Whether it accepts.
  [[nodiscard]] bool is_serving() const { return state().listening(); }

  // Accepts nobody any more; nothing, if it is closed. Never waits.
  void close() noexcept {
    if (state_) state_->close();
  }

  // Closes the connections, too, or ends them at once.
  void close_clients() { state().close_all(); }
  void abort_clients() { state().abort_all(); }

  // Waits until it is closed, and all its connections are.
  detail::ServerOver wait_closed() const { return detail::ServerOver(shared()); }

  // Waits until it is cancelled or closed; then closes it and its connections, and throws
  // CancelledError. RuntimeError if it is closed already, or somebody waits here.
  template <class = void>
  Coro<> serve_forever() const {
    return detail::serve_forever(shared());
  }

 private:
  detail::ServerState& state() const {
    if (!state_) [[unlikely]]
      throw RuntimeError("Server: it was moved from");
    return *state_;
  }
  detail::Owned<detail::ServerState> shared() const {
    static_cast<void>(state());
    return state_;
  }

  detail::Owned<detail::ServerState> state_;
};

}  // namespace nogil::asyncio
