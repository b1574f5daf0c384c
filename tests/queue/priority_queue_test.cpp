// Tests of nogil::PriorityQueue: what only it does. See any_queue_test.cpp. It waits as
// LifoQueue does.

#include "nogil/queue/priority_queue.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "queue/support/kinds.hpp"

namespace nogil::testing::priority_queue_test {
namespace {

TEST(PriorityQueue, gives_the_smallest_first) {
  PriorityQueue<std::pair<int, std::string>> tasks;
  tasks.put({2, "sleep"});
  tasks.put({1, "eat"});
  tasks.put({3, "code"});
  EXPECT_EQ(tasks.get().second, "eat");
  EXPECT_EQ(tasks.get().second, "sleep");
  EXPECT_EQ(tasks.get().second, "code");
}

TEST(PriorityQueue, sorts_every_permutation) {
  std::vector<int> values(7);
  std::iota(values.begin(), values.end(), 0);
  const std::vector<int> sorted = values;
  do {
    PriorityQueue<int> queue;
    queue.put_many(values);
    ASSERT_EQ(drain(queue), sorted);
  } while (std::next_permutation(values.begin(), values.end()));
}

TEST(PriorityQueue, sorts_many_with_equal_ones_among_them) {
  std::mt19937 random(3);
  for (const std::size_t size : {10u, 100u, 1000u, 10'000u}) {
    std::vector<int> values(size);
    for (int& value : values) value = static_cast<int>(random() % (size / 2));
    PriorityQueue<int> queue;
    queue.put_many(values);
    std::sort(values.begin(), values.end());
    EXPECT_EQ(drain(queue), values);
  }
}

TEST(PriorityQueue, orders_by_a_comparison_that_was_given) {
  PriorityQueue<int, std::greater<int>> largest;
  largest.put_many(std::vector{1, 3, 2});
  EXPECT_EQ(drain(largest), (std::vector{3, 2, 1}));

  // One with a state, and that no default makes.
  const std::vector<int> rank = {2, 0, 1};
  const auto by_rank = [&rank](int a, int b) {
    return rank[static_cast<std::size_t>(a)] < rank[static_cast<std::size_t>(b)];
  };
  PriorityQueue<int, decltype(by_rank)> ranked(0, by_rank);
  ranked.put_many(std::vector{0, 1, 2});
  EXPECT_EQ(drain(ranked), (std::vector{1, 2, 0}));
  ranked.put(1);
  ranked.shutdown(true);
  EXPECT_EQ(ranked.qsize(), 0u);

  PriorityQueue<std::unique_ptr<int>, bool (*)(const std::unique_ptr<int>&, const std::unique_ptr<int>&)> pointed(
      2, [](const auto& a, const auto& b) { return *a < *b; });
  pointed.put(std::make_unique<int>(2));
  pointed.put(std::make_unique<int>(1));
  EXPECT_EQ(*pointed.get(), 1);
}

}  // namespace
}  // namespace nogil::testing::priority_queue_test
