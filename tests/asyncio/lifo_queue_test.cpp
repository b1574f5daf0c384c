// tests/asyncio/lifo_queue_test.cpp -- what all queues share is in queue_test.cpp.

#include "nogil/asyncio/lifo_queue.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "asyncio/support/steps.hpp"

namespace nogil::asyncio {
namespace {

using namespace testing;

TEST(AsyncLifoQueue, gives_the_youngest_first) {
  const auto amain = []() -> Coro<> {
    LifoQueue<int> queue;
    for (const int n : {1, 3, 2}) co_await queue.put(n);
    EXPECT_EQ(co_await queue.get(), 2);
    EXPECT_EQ(co_await queue.get(), 3);
    EXPECT_EQ(co_await queue.get(), 1);
  };
  in_virtual_time(amain());
}

TEST(AsyncLifoQueue, holds_what_can_only_be_moved) {
  LifoQueue<std::unique_ptr<int>> queue;
  queue.put_nowait(std::make_unique<int>(1));
  queue.put_nowait(std::make_unique<int>(2));
  EXPECT_EQ(*queue.get_nowait(), 2);
}

}  // namespace
}  // namespace nogil::asyncio
