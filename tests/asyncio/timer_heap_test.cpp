// tests/asyncio/timer_heap_test.cpp

#include "nogil/asyncio/detail/timer_heap.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <tuple>
#include <vector>

#include "support/watchdog.hpp"

namespace nogil::asyncio::detail {
namespace {

struct Alarm : Timer {
  explicit Alarm(std::int64_t at, int number_ = 0) : Timer([](Ready&) noexcept {}), number(number_) { when = at; }
  int number;
};

TEST(TimerHeap, gives_timers_in_the_order_of_their_moments) {
  Alarm late(30), early(10), middle(20);
  TimerHeap heap;
  for (Alarm* alarm : {&late, &early, &middle}) heap.push(*alarm);
  EXPECT_EQ(heap.first(), 10);
  EXPECT_EQ(&heap.pop(), &early);
  EXPECT_EQ(&heap.pop(), &middle);
  EXPECT_EQ(&heap.pop(), &late);
  EXPECT_TRUE(heap.empty());
}

TEST(TimerHeap, keeps_the_order_of_timers_of_the_same_moment) {
  std::vector<std::unique_ptr<Alarm>> alarms;
  TimerHeap heap;
  for (int i = 0; i < 100; ++i) heap.push(*alarms.emplace_back(std::make_unique<Alarm>(i % 3, i)));
  std::vector<int> order[3];
  while (!heap.empty()) {
    auto& alarm = static_cast<Alarm&>(heap.pop());
    order[alarm.when].push_back(alarm.number);
  }
  for (const auto& numbers : order) {
    EXPECT_GE(numbers.size(), 33u);
    EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end()));
  }
}

TEST(TimerHeap, knows_where_a_timer_is) {
  Alarm alarm(1);
  TimerHeap heap;
  EXPECT_EQ(alarm.place, Ready::Place::kNowhere);
  heap.push(alarm);
  EXPECT_EQ(alarm.place, Ready::Place::kHeap);
  heap.remove(alarm);
  EXPECT_EQ(alarm.place, Ready::Place::kNowhere);
  EXPECT_TRUE(heap.empty());
  heap.push(alarm);
  heap.pop();
  EXPECT_EQ(alarm.place, Ready::Place::kNowhere);
}

// Against a sorted list: pushes, removals from anywhere, and pops, at random.
TEST(TimerHeap, agrees_with_a_sorted_list) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    TimerHeap heap;
    std::vector<std::unique_ptr<Alarm>> waiting;
    const auto earliest = [&] {
      return std::min_element(waiting.begin(), waiting.end(), [](const auto& a, const auto& b) {
        return std::tuple(a->when, a->number) < std::tuple(b->when, b->number);
      });
    };
    for (int step = 0; step < 300; ++step) {
      const auto what = random() % 8;
      if (what < 4) {
        heap.push(*waiting.emplace_back(std::make_unique<Alarm>(random() % 20, step)));
      } else if (what < 6 && !waiting.empty()) {
        const auto chosen = waiting.begin() + static_cast<std::ptrdiff_t>(random() % waiting.size());
        heap.remove(**chosen);
        waiting.erase(chosen);
      } else if (!waiting.empty()) {
        const auto expected = earliest();
        ASSERT_EQ(&heap.pop(), expected->get());
        waiting.erase(expected);
      }
      ASSERT_EQ(heap.size(), waiting.size());
    }
  }
}

TEST(ReadyRing, gives_nodes_in_the_order_of_their_coming_however_many) {
  std::vector<Alarm> nodes(1000, Alarm(0));
  ReadyRing ring;
  std::size_t next_in = 0;
  std::size_t next_out = 0;
  while (next_out < nodes.size()) {
    for (int i = 0; i < 7 && next_in < nodes.size(); ++i) ring.push(nodes[next_in++]);
    for (int i = 0; i < 3 && !ring.empty(); ++i) ASSERT_EQ(ring.pop(), &nodes[next_out++]);
  }
  EXPECT_TRUE(ring.empty());
}

TEST(ReadyRing, leaves_out_what_was_removed_even_after_it_has_grown) {
  std::vector<Alarm> nodes(600, Alarm(0));
  ReadyRing ring;
  for (int i = 0; i < 100; ++i) {
    ring.push(nodes[0]);
    ring.pop();
  }
  for (Alarm& node : nodes) ring.push(node);
  for (std::size_t i = 0; i < nodes.size(); i += 2) ring.remove(nodes[i]);
  for (std::size_t i = 0; i < nodes.size(); ++i) ASSERT_EQ(ring.pop(), i % 2 == 0 ? nullptr : &nodes[i]);
}

}  // namespace
}  // namespace nogil::asyncio::detail
