// Tests of what the queues have in common: Queue, LifoQueue, PriorityQueue, and SimpleQueue
// for what it has. After the scenarios of CPython's test_queue.py, and our own.
//
// What only one of them does is in its own file; elements in elements_test.cpp, those that
// fail in failing_test.cpp, the bound in bound_test.cpp, task_done() and bulk in
// work_test.cpp, shutting down in shutdown_test.cpp, races in races_test.cpp.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <limits>
#include <memory>
#include <numeric>
#include <optional>
#include <random>
#include <stop_token>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "nogil/queue.hpp"
#include "queue/support/kinds.hpp"
#include "queue/support/race.hpp"
#include "support/clocks.hpp"
#include "support/threads.hpp"

namespace nogil::testing::any_queue_test {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

static_assert(!std::is_copy_constructible_v<Queue<int>> && !std::is_move_constructible_v<Queue<int>>);
static_assert(!std::is_convertible_v<int, Queue<int>> && !std::is_convertible_v<int, PriorityQueue<int>>);
static_assert(std::is_same_v<decltype(std::declval<Queue<std::string>&>().get()), std::string>);
static_assert(std::is_same_v<decltype(std::declval<Queue<int>&>().try_get(1ms)), std::optional<int>>);
static_assert(std::is_same_v<decltype(std::declval<const Queue<int>&>().qsize()), std::size_t>);
static_assert(std::is_same_v<decltype(std::declval<const Queue<int>&>().maxsize()), std::ptrdiff_t>);

// ---- All four ------------------------------------------------------------------------

template <class Kind>
class AnyQueue : public ::testing::Test {};
TYPED_TEST_SUITE(AnyQueue, AllKinds, KindName);

template <class Kind>
using Ints = typename Kind::template Of<int>;

TYPED_TEST(AnyQueue, is_empty_when_it_is_new) {
  Ints<TypeParam> queue;
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.qsize(), 0u);
  EXPECT_EQ(queue.try_get(), std::nullopt);
}

TYPED_TEST(AnyQueue, gives_its_elements_in_its_order) {
  Ints<TypeParam> queue;
  for (int again = 0; again < 2; ++again) {
    for (const int value : {111, 333, 222}) queue.put(value);
    EXPECT_EQ(drain(queue), in_order<TypeParam>({111, 333, 222}));
  }
  std::vector<int> values(1000);
  std::iota(values.begin(), values.end(), 0);
  std::shuffle(values.begin(), values.end(), std::mt19937(1));
  for (const int value : values) queue.put(value);
  EXPECT_EQ(drain(queue), in_order<TypeParam>(values));
}

TYPED_TEST(AnyQueue, keeps_its_order_whatever_the_mixture_of_puts_and_gets) {
  std::mt19937 random(2);
  Ints<TypeParam> queue;
  Model<TypeParam> model;
  for (int step = 0, bias = 50; step < 20'000; ++step) {
    if (step % 500 == 0) bias = 20 + static_cast<int>(random() % 60);
    if (static_cast<int>(random() % 100) < bias) {
      const int value = static_cast<int>(random() % 10'000);
      queue.put(value);
      model.put(value);
    } else if (!model.empty()) {
      ASSERT_EQ(queue.get(), model.get());
    } else {
      ASSERT_EQ(queue.try_get(), std::nullopt);
    }
    ASSERT_EQ(queue.qsize(), model.size());
  }
}

TYPED_TEST(AnyQueue, counts_its_elements) {
  Ints<TypeParam> queue;
  queue.put(1);
  EXPECT_FALSE(queue.empty());
  EXPECT_EQ(queue.qsize(), 1u);
  queue.put(2);
  queue.put_nowait(3);
  queue.put(4);
  EXPECT_EQ(queue.qsize(), 4u);
  queue.get();
  EXPECT_EQ(queue.qsize(), 3u);
  queue.get_nowait();
  EXPECT_TRUE(queue.try_get().has_value());
  EXPECT_EQ(queue.qsize(), 1u);
  queue.get(100ms);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.qsize(), 0u);
}

TYPED_TEST(AnyQueue, says_that_it_is_empty) {
  Ints<TypeParam> queue;
  for (int again = 0; again < 3; ++again) {
    EXPECT_THROW(queue.get_nowait(), Empty);
    EXPECT_THROW(queue.get(1ms), Empty);
    EXPECT_THROW(queue.get(0s), Empty);
    EXPECT_THROW(queue.get(-1h), Empty) << "Python throws ValueError here; our timeouts all mean the same";
    EXPECT_THROW(queue.get(steady_clock::now() - 1h), Empty);
    EXPECT_EQ(queue.try_get(), std::nullopt);
    EXPECT_EQ(queue.try_get(1ms), std::nullopt);
    EXPECT_EQ(queue.try_get(-1ms), std::nullopt);
    EXPECT_EQ(queue.try_get(stopped_token()), std::nullopt);
    EXPECT_EQ(queue.try_get(1h, stopped_token()), std::nullopt);
    queue.put(1);
    EXPECT_EQ(queue.get(), 1);
  }
  EXPECT_THROW(queue.get_nowait(), Error);
}

TYPED_TEST(AnyQueue, gives_what_is_there_whatever_the_limit) {
  Ints<TypeParam> queue;
  for (int i = 0; i < 9; ++i) queue.put(7);
  EXPECT_EQ(queue.get(0s), 7);
  EXPECT_EQ(queue.get(-1h), 7);
  EXPECT_EQ(queue.get(std::chrono::hours::max()), 7);
  EXPECT_EQ(queue.get(steady_clock::time_point::min()), 7);
  EXPECT_EQ(queue.get(std::chrono::duration<double>(std::numeric_limits<double>::infinity())), 7);
  EXPECT_EQ(queue.try_get(0s), 7);
  EXPECT_EQ(queue.try_get(stopped_token()), 7);
  EXPECT_EQ(queue.try_get(-1ns, stopped_token()), 7);
  EXPECT_EQ(queue.try_get(std::stop_token()), 7);
  EXPECT_TRUE(queue.empty());
}

TYPED_TEST(AnyQueue, asks_no_clock_for_what_is_there) {
  Ints<TypeParam> queue;
  queue.put(1);
  queue.put(2);
  const auto deadline = SettableClock::now() + 1ms;
  SettableClock::asked = 0;
  queue.get(deadline);
  EXPECT_TRUE(queue.try_get(deadline).has_value());
  EXPECT_EQ(SettableClock::asked, 0);
}

TYPED_TEST(AnyQueue, lets_a_get_wait_for_a_put) {
  Ints<TypeParam> queue;
  for (int again = 0; again < 3; ++again) {
    Call endless([&] { return queue.get(); });
    ASSERT_TRUE(falls_asleep(endless));
    queue.put(5);
    EXPECT_EQ(endless.result(), 5);
    Call timed([&] { return queue.get(1h); });
    ASSERT_TRUE(falls_asleep(timed));
    queue.put(6);
    EXPECT_EQ(timed.result(), 6);
  }
}

TYPED_TEST(AnyQueue, lets_each_put_wake_one_get) {
  constexpr int kGetters = 5;
  Ints<TypeParam> queue;
  std::atomic<int> got = 0;
  std::vector<std::unique_ptr<Call<int>>> getters;
  for (int i = 0; i < kGetters; ++i) {
    getters.push_back(std::make_unique<Call<int>>([&] {
      const int value = queue.get();
      ++got;
      return value;
    }));
  }
  ASSERT_TRUE(falls_asleep(getters));
  for (int i = 1; i <= kGetters; ++i) {
    queue.put(i);
    ASSERT_TRUE(eventually([&] { return got == i; }));
  }
  std::vector<int> values;
  for (auto& getter : getters) values.push_back(getter->result());
  std::sort(values.begin(), values.end());
  EXPECT_EQ(values, (std::vector{1, 2, 3, 4, 5}));
  EXPECT_TRUE(queue.empty());
}

TYPED_TEST(AnyQueue, wakes_as_many_as_there_are_puts_when_they_come_at_once) {
  for (int round = 0; round < rounds(100); ++round) {
    Ints<TypeParam> queue;
    Bunch getters(4, [&] { queue.get(); });
    for (int i = 0; i < 4; ++i) queue.put(i);
    getters.join();
    ASSERT_TRUE(queue.empty());
  }
}

TYPED_TEST(AnyQueue, does_not_lose_the_wake_up_of_one_that_gives_up) {
  for (int round = 0; round < rounds(200); ++round) {
    Ints<TypeParam> queue;
    std::stop_source source;
    std::atomic<int> got = 0;
    Call timed([&] { got += queue.try_get(std::chrono::microseconds(20 + round % 150)).has_value(); });
    Call stopped([&] { got += queue.try_get(source.get_token()).has_value(); });
    Call endless([&] {
      queue.get();
      ++got;
    });
    if (round % 4 == 0) {
      ASSERT_TRUE(eventually([&] { return endless.asleep(); }));
    }
    Call stopper([&] { source.request_stop(); });
    queue.put(1);
    // Whoever took it, it is gone, or the endless one has it.
    ASSERT_TRUE(eventually([&] { return got == 1; })) << "an element that nobody was woken for";
    stopper.result();
    timed.result();
    stopped.result();
    if (!endless.returned()) queue.put(2);
    endless.result();
    while (queue.try_get()) {
    }
  }
}

// ---- Threads -----------------------------------------------------------------------------

// As in CPython: feeders take numbers from one list, and each ends with a sentinel;
// consumers collect until they find one.
template <class Q, class Get>
void feed_and_consume(int threads, int count, Get get) {
  constexpr int kSentinel = std::numeric_limits<int>::max();  // the last in any order
  Q queue;
  std::atomic<int> next = 0;
  std::atomic<int> feeding = threads;
  std::vector<std::atomic<int>> seen(static_cast<std::size_t>(count));
  {
    Bunch consumers(threads, [&] {
      for (;;) {
        const int value = get(queue);
        if (value == kSentinel) return;
        ++seen[static_cast<std::size_t>(value)];
      }
    });
    Bunch feeders(threads, [&](int index) {
      std::mt19937 random(static_cast<unsigned>(index));
      for (int value; (value = next++) < count;) {
        queue.put(value);
        if (random() % 64 == 0) std::this_thread::sleep_for(std::chrono::microseconds(random() % 100));
      }
      // All sentinels behind all values, also where the order is another.
      if (--feeding == 0) {
        while (!queue.empty()) std::this_thread::yield();
        for (int i = 0; i < threads; ++i) queue.put(kSentinel);
      }
    });
  }
  EXPECT_TRUE(queue.empty());
  EXPECT_TRUE(std::all_of(seen.begin(), seen.end(), [](const auto& times) { return times == 1; }));
}

TYPED_TEST(AnyQueue, serves_many_threads) {
  feed_and_consume<Ints<TypeParam>>(50, rounds(20'000), [](auto& queue) { return queue.get(); });
}

TYPED_TEST(AnyQueue, serves_many_threads_that_do_not_wait) {
  feed_and_consume<Ints<TypeParam>>(20, rounds(10'000), [](auto& queue) {
    for (;;) {
      try {
        return queue.get_nowait();
      } catch (const Empty&) {
        std::this_thread::sleep_for(10us);
      }
    }
  });
}

TYPED_TEST(AnyQueue, serves_many_threads_with_timeouts) {
  feed_and_consume<Ints<TypeParam>>(50, rounds(5'000), [](auto& queue) {
    for (;;) {
      if (const auto value = queue.try_get(10us)) return *value;
    }
  });
}

// After a thread's own put the queue holds at least as many elements as there are threads
// between their put and their get: so a get finds one.
TYPED_TEST(AnyQueue, never_says_empty_when_it_is_not) {
  Ints<TypeParam> queue;
  std::atomic<int> lies = 0;
  Bunch threads(6, [&](int index) {
    const auto end = steady_clock::now() + 300ms;
    while (steady_clock::now() < end) {
      for (int i = 0; i < 50; ++i) {
        queue.put(index);
        lies += queue.empty();
        if (i % 2 == 0) {
          if (queue.try_get()) continue;
          ++lies;
        }
        queue.get();
      }
    }
  });
  threads.join();
  EXPECT_EQ(lies, 0);
  EXPECT_TRUE(queue.empty());
}

// ---- Lifetime --------------------------------------------------------------------------------

// The reply pattern: the answer comes through a queue on the asker's stack, which is gone
// as soon as the answer is there, while the other's put may not have returned yet.
TYPED_TEST(AnyQueue, may_be_destroyed_by_the_thread_that_got_its_last_element) {
  using Q = Ints<TypeParam>;
  const int most = repetitions(1'000'000);
  std::atomic<Q*> asked = nullptr;
  std::atomic<bool> over = false;
  Bunch server(1, [&] {
    for (int idle = 0; !over;) {
      if (Q* const reply = asked.exchange(nullptr)) {
        reply->put(42);
        idle = 0;
      } else if (++idle > 200) {
        std::this_thread::yield();
      }
    }
  });
  const auto end = steady_clock::now() + race_time(700ms);
  int wrong = 0;
  for (int round = 0; round < most && (round % 64 != 0 || steady_clock::now() < end); ++round) {
    Q reply;
    asked = &reply;
    wrong += reply.get() != 42;
  }
  over = true;
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace nogil::testing::any_queue_test
