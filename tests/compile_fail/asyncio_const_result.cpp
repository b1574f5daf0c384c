// expect: an object that is not const

#include "nogil/asyncio/coro.hpp"

nogil::asyncio::Coro<const int> answer() {
  co_return 42;
}
