// tests/asyncio/priority_queue_test.cpp -- what all queues share is in queue_test.cpp.

#include "nogil/asyncio/priority_queue.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "asyncio/support/steps.hpp"

namespace nogil::asyncio {
namespace {

using namespace testing;

TEST(AsyncPriorityQueue, gives_the_smallest_first) {
  const auto amain = []() -> Coro<> {
    PriorityQueue<std::pair<int, std::string>> queue;
    co_await queue.put({2, "sleep"});
    co_await queue.put({1, "eat"});
    co_await queue.put({3, "work"});
    const auto first = co_await queue.get();
    EXPECT_EQ(first.second, "eat");
    EXPECT_EQ(queue.get_nowait().second, "sleep");
  };
  in_virtual_time(amain());
}

TEST(AsyncPriorityQueue, takes_another_order) {
  PriorityQueue<int, std::greater<int>> queue;
  for (const int n : {1, 3, 2}) queue.put_nowait(n);
  EXPECT_EQ(queue.get_nowait(), 3);
}

TEST(AsyncPriorityQueue, sorts_many) {
  PriorityQueue<int> queue;
  for (int i = 0; i < 1000; ++i) queue.put_nowait(i * 7919 % 1000);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(queue.get_nowait(), i);
}

// What is given to one who waits is the smallest when it runs, not when it was woken.
TEST(AsyncPriorityQueue, gives_one_who_waits_the_smallest_that_there_is_by_then) {
  const auto gets = [](PriorityQueue<int>& queue) -> Coro<int> { co_return co_await queue.get(); };
  const auto amain = [](auto get) -> Coro<> {
    PriorityQueue<int> queue;
    const Task<int> task = create_task(get(queue));
    co_await yield();
    queue.put_nowait(5);
    queue.put_nowait(1);
    EXPECT_EQ(co_await task, 1);
  };
  in_virtual_time(amain(gets));
}

struct Shy {
  int number;
  friend bool operator<(const Shy& a, const Shy& b) {
    if (a.number < 0 || b.number < 0) throw std::domain_error("compared");
    return a.number < b.number;
  }
};

TEST(AsyncPriorityQueue, stays_whole_when_a_comparison_throws) {
  PriorityQueue<Shy> queue;
  for (const int n : {3, 1, 2}) queue.put_nowait(Shy{n});
  EXPECT_THROW(queue.put_nowait(Shy{-1}), std::domain_error);
  EXPECT_EQ(queue.qsize(), 3u);
  EXPECT_EQ(queue.unfinished_tasks(), 3u);
  for (const int n : {1, 2, 3}) EXPECT_EQ(queue.get_nowait().number, n);
}

}  // namespace
}  // namespace nogil::asyncio
