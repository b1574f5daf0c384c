// Tests of nogil::Queue: the order of its elements. How its verbs wait is in
// queue_waits_test.cpp, what it shares with the others in any_queue_test.cpp.

#include "nogil/queue/queue.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <thread>
#include <vector>

#include "nogil/platform/event_count.hpp"
#include "nogil/platform/wait.hpp"
#include "nogil/queue/detail/index_lock.hpp"
#include "nogil/queue/detail/wait_until.hpp"
#include "queue/support/race.hpp"
#include "support/allocations.hpp"
#include "support/threads.hpp"

namespace nogil::testing::queue_test {
namespace {

using namespace std::chrono_literals;

// Two producers who put in turn, each only when it has seen that the other's put returned:
// so there is one order, and it must come out.
TEST(Queue, keeps_the_order_of_producers_who_take_turns) {
  std::atomic<int> total = rounds(200'000);  // fewer on a machine that is busy
  const auto late = std::chrono::steady_clock::now() + race_time(1500ms);
  Queue<int> queue;
  std::atomic<int> turn = 0;
  Bunch producers(2, [&](int index) {
    for (int value = index; value < total; value += 2) {
      for (int looks = 0; turn.load(std::memory_order_acquire) != value;) {
        if (++looks > 100) std::this_thread::yield();
      }
      if (value >= total) return;
      queue.put(value);
      if (value % 1024 == 0 && std::chrono::steady_clock::now() > late) total = value + 1;
      turn.store(value + 1, std::memory_order_release);
    }
  });
  int inversions = 0;
  int next = 0;
  Bunch consumer(1, [&] {
    for (const int value : queue) inversions += value != next++;
  });
  producers.join();
  queue.shutdown();
  consumer.join();
  EXPECT_EQ(inversions, 0);
  EXPECT_EQ(next, total);
}

TEST(Queue, keeps_the_order_of_each_producer) {
  constexpr int kProducers = 4;
  const int each = rounds(20'000);
  for (const int maxsize : {0, 1, 7}) {
    Queue<int> queue(maxsize);
    std::atomic<int> disorder = 0;
    Bunch producers(kProducers, [&](int index) {
      for (int i = 0; i < each / (maxsize == 1 ? 10 : 1); ++i) queue.put(i * kProducers + index);
    });
    Bunch consumers(2, [&] {
      std::vector<int> last(kProducers, -1);
      for (const int item : queue) {
        int& before = last[static_cast<std::size_t>(item % kProducers)];
        disorder += item <= before;
        before = item;
      }
    });
    producers.join();
    queue.shutdown();
    consumers.join();
    EXPECT_EQ(disorder, 0);
  }
}

// One who puts in bulk is not interrupted while there is room.
TEST(Queue, keeps_together_what_was_put_at_once) {
  Queue<int> queue;
  const int batches = rounds(2000);
  Bunch producers(3, [&](int index) {
    for (int i = 0; i < batches; ++i) queue.put_many(std::vector(5, index));
  });
  producers.join();
  int torn = 0;
  for (int i = 0; i < 3 * batches; ++i) {
    std::vector<int> batch;
    while (batch.size() < 5) queue.get_many(std::back_inserter(batch), 5 - batch.size());
    for (const int item : batch) torn += item != batch.front();
  }
  EXPECT_EQ(torn, 0);
}

TEST(Queue, counts_exactly_while_others_put_and_get) {
  Queue<int> queue;
  queue.put(1);
  std::atomic<bool> over = false;
  // Each adds one at most: the size is always between 1 and 4.
  Bunch others(3, [&] {
    while (!over) {
      queue.put(1);
      queue.get();
    }
  });
  int wrong = 0;
  const auto end = std::chrono::steady_clock::now() + 200ms;
  while (std::chrono::steady_clock::now() < end) {
    const std::size_t size = queue.qsize();
    wrong += size < 1 || size > 4 || queue.empty();
  }
  over = true;
  others.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(queue.qsize(), 1u);
}

TEST(Queue, gives_its_memory_back_while_it_is_drained) {
  Queue<std::array<char, 64>> queue;
  const auto before = allocations();
  for (int i = 0; i < 64 * 100; ++i) queue.put({});
  for (int blocks = 100; blocks > 0; --blocks) {
    ASSERT_LE(allocations().live - before.live, blocks + 2);
    for (int i = 0; i < 64; ++i) queue.get();
  }
  EXPECT_LE(allocations().live - before.live, 2);
}

// ---- The wait that all queues share ------------------------------------------------------------

// A put that ends between a waiter's last look and its announcement has seen nobody to wake.
TEST(WaitUntil, looks_again_after_it_has_announced_itself) {
  platform::EventCount sleepers;
  detail::IndexLock<platform::Native> lock;
  platform::Wait wait(10s);
  EXPECT_TRUE(detail::wait_until(sleepers, lock, wait, [&] { return sleepers.waiting() != 0; }));
  EXPECT_EQ(sleepers.waiting(), 0u) << "and takes the announcement back";
}

// Who holds the lock may have looked for sleepers before this one announced itself.
TEST(WaitUntil, does_not_sleep_long_while_the_lock_is_held) {
  platform::EventCount sleepers;
  detail::IndexLock<platform::Native> lock;
  lock.lock();
  platform::Wait wait(1h);
  EXPECT_TRUE(detail::wait_until(sleepers, lock, wait, [] { return false; })) << "look again";
  lock.unlock(1);
  platform::Wait moment(1ms);
  EXPECT_FALSE(detail::wait_until(sleepers, lock, moment, [] { return false; }));
}

}  // namespace
}  // namespace nogil::testing::queue_test
