// An end of a queue that one thread uses alone belongs to that thread, until another comes.

#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "nogil/queue.hpp"
#include "queue/support/race.hpp"
#include "support/threads.hpp"

namespace nogil::testing::owner_test {
namespace {

// More turns than it takes to own an end.
constexpr int kMany = 3 * static_cast<int>(detail::kTurnsToOwn);

struct Numbered {
  int producer;
  int number;
};

TEST(QueueOwnerTest, loses_nothing_when_an_end_changes_hands) {
  race([](unsigned seed) {
    Queue<Numbered> queue(seed % 3 == 0 ? 7 : 0);
    Queue<Numbered> all;
    Bunch bunch(4, [&](int index) {
      // The second producer and the second consumer come a little later.
      for (unsigned wait = 0; index % 2 == 1 && wait < seed % 40; ++wait) std::this_thread::yield();
      for (int number = 0; number < kMany; ++number) {
        if (index < 2) queue.put({index, number});
        else all.put(queue.get());
      }
    });
    bunch.join();
    std::vector<bool> seen(2 * kMany);
    for (int count = 0; count < 2 * kMany; ++count) {
      const Numbered got = all.get();
      const auto place = static_cast<std::size_t>(got.producer * kMany + got.number);
      EXPECT_FALSE(seen[place]);
      seen[place] = true;
    }
    EXPECT_TRUE(all.empty() && queue.empty());
  });
}

TEST(QueueOwnerTest, keeps_the_order_of_each_producer) {
  race([](unsigned seed) {
    Queue<Numbered> queue;
    Bunch bunch(2, [&](int index) {
      for (unsigned wait = 0; index == 1 && wait < seed % 40; ++wait) std::this_thread::yield();
      for (int number = 0; number < kMany; ++number) queue.put({index, number});
    });
    int next[2] = {0, 0};
    for (int count = 0; count < 2 * kMany; ++count) {
      const Numbered got = queue.get();
      EXPECT_EQ(got.number, next[got.producer]++);
    }
    bunch.join();
  });
}

TEST(QueueOwnerTest, may_be_destroyed_by_who_got_the_owners_last_element) {
  race([](unsigned) {
    auto queue = std::make_unique<Queue<int>>();
    Bunch bunch(1, [raw = queue.get()](int) {
      for (int number = 1; number <= kMany; ++number) raw->put(number);
    });
    while (queue->get() != kMany) {
    }
    queue.reset();
    bunch.join();
  });
}

// The owner gives its end back unchanged, again and again; then another one has it.
TEST(QueueOwnerTest, gives_its_end_back_when_it_is_refused_and_finds_nothing) {
  Queue<std::optional<int>> queue(1);
  for (int count = 0; count < kMany; ++count) {
    EXPECT_TRUE(queue.try_put(count));
    EXPECT_FALSE(queue.try_put(count));
    EXPECT_EQ(queue.get(), count);
    EXPECT_FALSE(queue.try_get().has_value());
  }
  std::thread([&queue] {
    EXPECT_TRUE(queue.try_put(1));
    EXPECT_FALSE(queue.try_put(2));
    EXPECT_EQ(queue.get(), 1);
  }).join();
  EXPECT_TRUE(queue.empty());
  queue.shutdown();
  EXPECT_THROW(queue.put(1), ShutDown);
}

TEST(QueueOwnerTest, puts_many_at_once_across_blocks) {
  Queue<int> queue;
  const std::vector<int> some(100, 7);
  for (int count = 0; count < kMany; ++count) {
    EXPECT_EQ(queue.put_many(some), some.size());
    std::vector<int> got(some.size());
    EXPECT_EQ(queue.get_many(got.begin(), got.size()), some.size());
    EXPECT_EQ(got, some);
  }
  std::thread([&queue, &some] { EXPECT_EQ(queue.put_many(some), some.size()); }).join();
  EXPECT_EQ(queue.qsize(), some.size());
}

TEST(QueueOwnerTest, is_taken_over_from_a_thread_that_has_ended) {
  Queue<int> queue;
  std::thread([&queue] {
    for (int count = 0; count < kMany; ++count) queue.put(count);
  }).join();
  queue.put(kMany);
  for (int count = 0; count <= kMany; ++count) EXPECT_EQ(queue.get(), count);
}

}  // namespace
}  // namespace nogil::testing::owner_test
