// tests/asyncio/queue_elements_test.cpp -- what asyncio's queues do with their elements.

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "asyncio/support/steps.hpp"
#include "nogil/asyncio/lifo_queue.hpp"
#include "nogil/asyncio/queue.hpp"

namespace nogil::asyncio {
namespace {

using namespace testing;

TEST(AsyncQueue, gives_in_the_order_in_which_was_put) {
  Queue<std::string> queue;
  std::vector<std::string> got;
  int next = 0;
  for (int round = 0; round < 40; ++round) {  // so that its ring turns, and grows meanwhile
    for (int i = 0; i < 7; ++i) queue.put_nowait("number " + std::to_string(next++));
    for (int i = 0; i < 5; ++i) got.push_back(queue.get_nowait());
  }
  while (auto item = queue.try_get()) got.push_back(*std::move(item));
  ASSERT_EQ(got.size(), 280u);
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_EQ(got[i], "number " + std::to_string(i));
}

TEST(AsyncQueue, holds_what_can_only_be_moved) {
  const auto amain = []() -> Coro<> {
    Queue<std::unique_ptr<int>> queue(1);
    auto one = std::make_unique<int>(1);
    co_await queue.put(std::move(one));
    auto two = std::make_unique<int>(2);
    EXPECT_FALSE(queue.try_put(std::move(two)));
    EXPECT_NE(two, nullptr);  // untouched
    EXPECT_THROW(queue.put_nowait(std::move(two)), Full);
    EXPECT_NE(two, nullptr);
    const std::unique_ptr<int> got = co_await queue.get();
    EXPECT_EQ(*got, 1);
  };
  in_virtual_time(amain());
}

TEST(AsyncQueue, destroys_what_is_left) {
  const auto item = std::make_shared<int>(1);
  {
    Queue<std::shared_ptr<int>> queue;
    for (int i = 0; i < 20; ++i) queue.put_nowait(item);
    static_cast<void>(queue.get_nowait());
    EXPECT_EQ(item.use_count(), 20);
  }
  EXPECT_EQ(item.use_count(), 1);
  Queue<std::shared_ptr<int>> shut;
  for (int i = 0; i < 20; ++i) shut.put_nowait(item);
  shut.shutdown(true);
  EXPECT_EQ(item.use_count(), 1);
}

struct Moody {
  explicit Moody(int n) : number(n) {}
  Moody(const Moody&) = default;
  Moody(Moody&& other) : number(other.number) {
    if (moves_fail) throw std::domain_error("moved");
  }
  int number;
  static inline bool moves_fail = false;
};

template <class Q>
class AnyAsyncQueueOfMoody : public ::testing::Test {};
using Kinds = ::testing::Types<Queue<Moody>, LifoQueue<Moody>>;
TYPED_TEST_SUITE(AnyAsyncQueueOfMoody, Kinds);

TYPED_TEST(AnyAsyncQueueOfMoody, loses_no_element_whose_move_throws) {
  TypeParam queue;
  for (int i = 0; i < 20; ++i) queue.put_nowait(Moody(i));
  Moody::moves_fail = true;
  EXPECT_THROW(static_cast<void>(queue.get_nowait()), std::domain_error);
  EXPECT_THROW(static_cast<void>(queue.try_get()), std::domain_error);
  EXPECT_THROW(queue.put_nowait(Moody(20)), std::domain_error);
  EXPECT_EQ(queue.qsize(), 20u);
  EXPECT_EQ(queue.unfinished_tasks(), 20u);
  Moody::moves_fail = false;
  int sum = 0;
  while (const auto item = queue.try_get()) sum += item->number;
  EXPECT_EQ(sum, 190);
}

}  // namespace
}  // namespace nogil::asyncio
