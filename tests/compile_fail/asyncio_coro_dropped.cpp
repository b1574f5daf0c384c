// A coroutine that nobody awaits never runs.
// expect: nodiscard|unused-value|unused-result

#include "nogil/asyncio/coro.hpp"

nogil::asyncio::Coro<> save();
void forget() {
  save();
}
