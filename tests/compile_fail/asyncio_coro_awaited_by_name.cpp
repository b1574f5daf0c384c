// It can be awaited once, so it must be given away: co_await std::move(page).
// expect: deleted

#include "nogil/asyncio/coro.hpp"

nogil::asyncio::Coro<int> fetch();
nogil::asyncio::Coro<int> twice() {
  auto page = fetch();
  co_return co_await page;
}
