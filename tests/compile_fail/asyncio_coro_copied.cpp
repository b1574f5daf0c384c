// Two could await it.
// expect: deleted

#include "nogil/asyncio/coro.hpp"

nogil::asyncio::Coro<> twice(const nogil::asyncio::Coro<>& coro) {
  return coro;
}
