// support/http_async.hpp -- a page of this machine, without a thread for it.
//
//   std::string page = co_await tour::http_get_async(server.port(), "/index.html");
//
// http_get() of latency_server.hpp, as a coroutine: aiohttp's session.get(url).

#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

#include "nogil/asyncio/open_connection.hpp"
#include "support/print.hpp"

namespace tour {

// Throws std::exception when it does not come, or is not whole.
inline nogil::asyncio::Coro<std::string> http_get_async(std::uint16_t port, std::string path) {
  auto connection = co_await nogil::asyncio::open_connection("127.0.0.1", port);
  auto& [reader, writer] = connection;
  writer.write(text("GET ", path, " HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n"));
  const std::string head = co_await reader.readuntil("\r\n\r\n");
  if (!head.starts_with("HTTP/1.0 200 ")) {
    throw std::runtime_error(text("GET ", path, ": ", head.substr(0, head.find('\r'))));
  }
  const std::string length_name = "Content-Length: ";
  const std::size_t length = head.find(length_name);
  if (length == std::string::npos) co_return co_await reader.read();
  co_return co_await reader.readexactly(std::stol(head.substr(length + length_name.size())));
}

}  // namespace tour
