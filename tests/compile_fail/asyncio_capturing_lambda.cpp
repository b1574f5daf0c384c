// Captures live in the lambda, which is gone when the body runs.
// expect: must not have captures

#include "nogil/asyncio/coro.hpp"

auto make(int number) {
  return [number]() -> nogil::asyncio::Coro<int> { co_return number; };
}
