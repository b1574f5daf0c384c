// What it refers to is gone when the body runs.
// expect: must not take an rvalue reference

#include "nogil/asyncio/coro.hpp"

struct Request {};
nogil::asyncio::Coro<> handle(Request&&) {
  co_return;
}
