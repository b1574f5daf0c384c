// Tests of detail::WorkDeque, a worker's own tasks.

#include "nogil/futures/detail/work_deque.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <random>
#include <vector>

#include "nogil/platform/cpu.hpp"
#include "nogil/platform/native.hpp"
#include "support/threads.hpp"

namespace nogil::testing::work_deque_test {
namespace {

using Deque = detail::WorkDeque<int, platform::Native>;

TEST(WorkDeque, gives_its_owner_the_newest_and_thieves_the_oldest) {
  Deque deque;
  int items[3] = {};
  for (int& item : items) deque.push(&item);
  EXPECT_EQ(deque.steal(), &items[0]);
  EXPECT_EQ(deque.pop(), &items[2]);
  EXPECT_EQ(deque.size(), 1u);
  EXPECT_EQ(deque.pop(), &items[1]);
  EXPECT_EQ(deque.pop(), nullptr);
  EXPECT_EQ(deque.steal(), nullptr);
  EXPECT_TRUE(deque.empty());
}

TEST(WorkDeque, gives_a_certain_task_back_if_it_is_the_newest) {
  Deque deque;
  int items[3] = {};
  for (int& item : items) deque.push(&item);
  EXPECT_FALSE(deque.take_back(&items[1], 0));
  EXPECT_FALSE(deque.take_back(&items[2], 3));
  EXPECT_TRUE(deque.take_back(&items[2], 2));
  EXPECT_FALSE(deque.take_back(&items[2], 0));
  EXPECT_EQ(deque.steal(), &items[0]);
  EXPECT_EQ(deque.steal(), &items[1]);
  EXPECT_FALSE(deque.take_back(&items[1], 0)) << "its slot still names it";
  EXPECT_TRUE(deque.empty());
}

TEST(WorkDeque, gives_a_thief_several_if_it_is_long) {
  Deque deque;
  std::vector<int> items(100);
  int* stolen[Deque::kMostStolen];
  for (int i = 0; i < 20; ++i) deque.push(&items[static_cast<std::size_t>(i)]);
  EXPECT_EQ(deque.steal(stolen, Deque::kMostStolen), 1u);
  EXPECT_EQ(stolen[0], &items[0]);
  for (std::size_t i = 20; i < 100; ++i) deque.push(&items[i]);
  EXPECT_EQ(deque.steal(stolen, 5), 5u);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(stolen[i], &items[i + 1]);
  EXPECT_EQ(deque.steal(stolen, Deque::kMostStolen), Deque::kMostStolen);
  EXPECT_EQ(stolen[0], &items[6]);

  // What is left is the owner's, newest first, down to the last.
  for (std::size_t i = 100; i > 6 + Deque::kMostStolen; --i) ASSERT_EQ(deque.pop(), &items[i - 1]);
  EXPECT_EQ(deque.pop(), nullptr);
}

TEST(WorkDeque, numbers_what_lies_in_it) {
  Deque deque;
  int item = 0;
  EXPECT_EQ(deque.bottom(), 0);
  deque.push(&item);
  deque.push(&item);
  EXPECT_EQ(deque.bottom(), 2);
  deque.steal();
  EXPECT_EQ(deque.top(), 1);
  deque.pop();
  EXPECT_EQ(deque.bottom(), deque.top());
}

TEST(WorkDeque, grows) {
  Deque deque(2);
  std::vector<int> items(1000);
  for (int& item : items) deque.push(&item);
  for (std::size_t i = 0; i < 500; ++i) ASSERT_EQ(deque.steal(), &items[i]);
  for (std::size_t i = 1000; i > 500; --i) ASSERT_EQ(deque.pop(), &items[i - 1]);
  EXPECT_TRUE(deque.empty());
}

TEST(WorkDeque, uses_its_array_again_and_again) {
  Deque deque(4);
  std::vector<int> items(3);
  for (int round = 0; round < 1000; ++round) {
    for (int& item : items) deque.push(&item);
    ASSERT_EQ(deque.steal(), &items[0]);
    ASSERT_EQ(deque.pop(), &items[2]);
    ASSERT_EQ(deque.steal(), &items[1]);
  }
}

// Each item goes to exactly one: the owner, who pushes and pops at random, or a thief; and
// what the owner wrote before the push is there. `pauses`: of a thief, between two looks.
template <class AnyDeque>
void share_items(AnyDeque& deque, unsigned seed, int pauses) {
  constexpr std::size_t kItems = 20'000;
  std::vector<int> items(kItems);
  std::vector<std::atomic<int>> taken(kItems);
  std::atomic<std::size_t> left{kItems};
  const auto take = [&](int* item) {
    if (item == nullptr) return;
    const auto index = static_cast<std::size_t>(item - items.data());
    EXPECT_EQ(*item, static_cast<int>(index) + 1);
    ++taken[index];
    --left;
  };
  Bunch thieves(3, [&] {
    while (left != 0) {
      take(deque.steal());
      for (int i = 0; i < pauses; ++i) platform::cpu_relax();
    }
  });
  std::mt19937 random(seed);
  for (std::size_t i = 0; i < kItems;) {
    for (auto burst = random() % 8; burst != 0 && i < kItems; --burst, ++i) {
      items[i] = static_cast<int>(i) + 1;
      deque.push(&items[i]);
    }
    for (auto burst = random() % 8; burst != 0; --burst) take(deque.pop());
  }
  while (!deque.empty()) take(deque.pop());
  thieves.join();
  for (const auto& count : taken) ASSERT_EQ(count, 1);
}

// A tiny array, so that it grows under the thieves' hands.
TEST(WorkDeque, gives_each_item_to_one_thread) {
  for (int round = 0; round < rounds(20); ++round) {
    Deque deque(2);
    share_items(deque, static_cast<unsigned>(round), 0);
  }
}

// Thieves come seldom, so it is closed in between.
TEST(WorkDeque, gives_each_item_to_one_thread_when_it_is_closed_and_opened) {
  for (int round = 0; round < rounds(20); ++round) {
    detail::WorkDeque<int, platform::Native, 16, 64, 4> deque;
    share_items(deque, static_cast<unsigned>(round), 500);
  }
}

// The last item is where owner and thieves meet.
TEST(WorkDeque, gives_the_last_item_to_one_thread) {
  Deque deque;
  int item = 0;
  constexpr int kRounds = rounds(200'000);
  std::atomic<int> stolen{0};
  std::atomic<bool> over{false};
  int popped = 0;
  Bunch thieves(2, [&] {
    while (!over) {
      if (deque.steal() != nullptr) ++stolen;
    }
  });
  for (int i = 0; i < kRounds; ++i) {
    deque.push(&item);
    if (deque.pop() != nullptr) ++popped;
  }
  EXPECT_TRUE(eventually([&] { return deque.empty(); }));
  over = true;
  thieves.join();
  EXPECT_EQ(popped + stolen, kRounds);
}

}  // namespace
}  // namespace nogil::testing::work_deque_test
