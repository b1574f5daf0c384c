// The bound of a queue: maxsize, full(), puts that wait for room, and set_maxsize().

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include "nogil/queue.hpp"
#include "queue/support/kinds.hpp"
#include "support/allocations.hpp"
#include "support/clocks.hpp"
#include "support/threads.hpp"

namespace nogil::testing::bound_test {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

template <class Kind>
class AnyBoundedQueue : public ::testing::Test {};
TYPED_TEST_SUITE(AnyBoundedQueue, EngineKinds, KindName);

template <class Kind>
using Ints = typename Kind::template Of<int>;

TYPED_TEST(AnyBoundedQueue, has_the_bound_that_it_was_given) {
  EXPECT_EQ(Ints<TypeParam>(5).maxsize(), 5);
  EXPECT_EQ(Ints<TypeParam>().maxsize(), 0);
  EXPECT_EQ(Ints<TypeParam>(-3).maxsize(), -3);
  for (const int maxsize : {1, 2, 3, 10, 63, 64, 65, 1000}) {
    Ints<TypeParam> queue(maxsize);
    for (int again = 0; again < 3; ++again) {
      for (int i = 0; i < maxsize; ++i) {
        EXPECT_FALSE(queue.full());
        ASSERT_TRUE(queue.try_put(i));
      }
      EXPECT_TRUE(queue.full());
      EXPECT_FALSE(queue.try_put(0));
      EXPECT_EQ(queue.qsize(), static_cast<std::size_t>(maxsize));
      drain(queue);
      EXPECT_FALSE(queue.full());
    }
  }
}

TYPED_TEST(AnyBoundedQueue, has_no_bound_when_maxsize_is_zero_or_less) {
  for (const std::ptrdiff_t maxsize :
       {std::ptrdiff_t{0}, std::ptrdiff_t{-1}, std::numeric_limits<std::ptrdiff_t>::min()}) {
    Ints<TypeParam> queue(maxsize);
    for (int i = 0; i < 5000; ++i) ASSERT_TRUE(queue.try_put(i));
    EXPECT_FALSE(queue.full());
  }
}

TYPED_TEST(AnyBoundedQueue, allocates_nothing_beforehand) {
  const auto before = allocations();
  {
    Ints<TypeParam> huge(std::numeric_limits<std::ptrdiff_t>::max());
    Ints<TypeParam> large(1'000'000'000);
    EXPECT_EQ(allocations().made, before.made);
    large.put(1);
    huge.put(1);
    EXPECT_LE(allocations().bytes - before.bytes, 16'384);
  }
  EXPECT_EQ(allocations().live, before.live);
}

// CPython's basic_queue_test.
TYPED_TEST(AnyBoundedQueue, does_the_basic_things_again_and_again) {
  constexpr int kSize = 5;
  Ints<TypeParam> queue(kSize);
  for (int again = 0; again < 2; ++again) {
    for (int i = 0; i < kSize - 1; ++i) queue.put(i);
    EXPECT_FALSE(queue.full());
    queue.put(2 * kSize);
    EXPECT_TRUE(queue.full());
    EXPECT_FALSE(queue.empty());
    const int more = 6 * kSize;
    EXPECT_THROW(queue.put_nowait(more), Full);
    EXPECT_THROW(queue.put(more, 10ms), Full);
    EXPECT_THROW(queue.put(more, -1s), Full);
    EXPECT_THROW(queue.put(more, steady_clock::now()), Full);
    EXPECT_FALSE(queue.try_put(more));
    EXPECT_FALSE(queue.try_put(more, 1ms));
    EXPECT_FALSE(queue.try_put(more, stopped_token()));
    EXPECT_FALSE(queue.try_put(more, 1h, stopped_token()));
    EXPECT_EQ(queue.qsize(), static_cast<std::size_t>(kSize));
    {
      Call put([&] { queue.put(more); });
      ASSERT_TRUE(falls_asleep(put));
      queue.get();
      put.result();
    }
    {
      Call put([&] { queue.put(more, 10s); });
      ASSERT_TRUE(falls_asleep(put));
      queue.get();
      put.result();
    }
    for (int i = 0; i < kSize; ++i) queue.get();
    EXPECT_TRUE(queue.empty());
    EXPECT_THROW(queue.get_nowait(), Empty);
    EXPECT_THROW(queue.get(10ms), Empty);
  }
}

TYPED_TEST(AnyBoundedQueue, takes_what_there_is_room_for_whatever_the_limit) {
  Ints<TypeParam> queue(7);
  const auto deadline = SettableClock::now();
  SettableClock::asked = 0;
  queue.put(1, 0s);
  queue.put(1, -1h);
  queue.put(1, deadline);
  EXPECT_TRUE(queue.try_put(1, deadline));
  EXPECT_TRUE(queue.try_put(1, stopped_token()));
  EXPECT_TRUE(queue.try_put(1, -1ns, stopped_token()));
  EXPECT_TRUE(queue.try_put(1, std::chrono::hours::max()));
  EXPECT_TRUE(queue.full());
  EXPECT_EQ(SettableClock::asked, 0) << "there was room, and no need for a clock";
}

TYPED_TEST(AnyBoundedQueue, leaves_the_argument_of_a_put_that_fails_as_it_was) {
  typename TypeParam::template Of<std::unique_ptr<int>> queue(1);
  queue.put(std::make_unique<int>(1));
  auto item = std::make_unique<int>(2);
  const auto intact = [&] { return item != nullptr && *item == 2; };
  EXPECT_FALSE(queue.try_put(std::move(item)));
  EXPECT_TRUE(intact());
  EXPECT_FALSE(queue.try_put(std::move(item), 1ms));
  EXPECT_TRUE(intact());
  EXPECT_FALSE(queue.try_put(std::move(item), stopped_token()));
  EXPECT_TRUE(intact());
  EXPECT_THROW(queue.put_nowait(std::move(item)), Full);
  EXPECT_TRUE(intact());
  EXPECT_THROW(queue.put(std::move(item), 1ms), Full);
  EXPECT_TRUE(intact());
  queue.get();
  queue.shutdown();
  EXPECT_THROW(queue.put(std::move(item)), ShutDown);
  EXPECT_TRUE(intact());
  EXPECT_FALSE(queue.try_put(std::move(item), 1ms));
  EXPECT_TRUE(intact());
}

TYPED_TEST(AnyBoundedQueue, lets_each_get_wake_one_put) {
  constexpr int kPutters = 5;
  Ints<TypeParam> queue(1);
  queue.put(0);
  std::atomic<int> in = 0;
  std::vector<std::unique_ptr<Call<void>>> putters;
  for (int i = 1; i <= kPutters; ++i) {
    putters.push_back(std::make_unique<Call<void>>([&, i] {
      queue.put(i);
      ++in;
    }));
  }
  ASSERT_TRUE(falls_asleep(putters));
  std::vector<int> values;
  for (int i = 1; i <= kPutters; ++i) {
    values.push_back(queue.get());
    ASSERT_TRUE(eventually([&] { return in == i; }));
    EXPECT_EQ(queue.qsize(), 1u);
  }
  values.push_back(queue.get());
  std::sort(values.begin(), values.end());
  EXPECT_EQ(values, (std::vector{0, 1, 2, 3, 4, 5}));
}

TYPED_TEST(AnyBoundedQueue, is_never_longer_than_its_bound) {
  for (const int maxsize : {1, 3, 64}) {
    Ints<TypeParam> queue(maxsize);
    std::atomic<bool> over = false;
    std::atomic<int> too_long = 0;
    const int each = rounds(1000);
    Bunch watcher(1, [&] {
      while (!over) {
        for (int i = 0; i < 100; ++i) too_long += queue.qsize() > static_cast<std::size_t>(maxsize);
        std::this_thread::yield();
      }
    });
    Bunch putters(3, [&] {
      for (int i = 0; i < each; ++i) queue.put(i);
    });
    Bunch getters(3, [&] {
      for (int i = 0; i < each; ++i) queue.get();
    });
    putters.join();
    getters.join();
    over = true;
    watcher.join();
    EXPECT_EQ(too_long, 0);
    EXPECT_TRUE(queue.empty());
  }
}

// Each of six threads takes one out before it puts one back: there is always room.
TYPED_TEST(AnyBoundedQueue, never_says_full_when_it_is_not) {
  Ints<TypeParam> queue(6);
  for (int i = 0; i < 6; ++i) queue.put(i);
  std::atomic<int> lies = 0;
  Bunch threads(6, [&](int index) {
    const auto end = steady_clock::now() + 300ms;
    while (steady_clock::now() < end) {
      for (int i = 0; i < 50; ++i) {
        queue.get();
        lies += queue.full();
        if (!queue.try_put(index)) {
          ++lies;
          queue.put(index);
        }
      }
    }
  });
  threads.join();
  EXPECT_EQ(lies, 0);
  EXPECT_EQ(queue.qsize(), 6u);
}

// ---- A bound that changes ---------------------------------------------------------------------

TYPED_TEST(AnyBoundedQueue, takes_nothing_out_when_its_bound_sinks_below_its_size) {
  Ints<TypeParam> queue(3);
  for (int i = 1; i <= 3; ++i) queue.put(i);
  EXPECT_THROW(queue.put_nowait(4), Full);
  queue.set_maxsize(2);
  EXPECT_EQ(queue.maxsize(), 2);
  EXPECT_EQ(queue.qsize(), 3u);
  EXPECT_TRUE(queue.full());
  EXPECT_THROW(queue.put_nowait(4), Full);
  queue.get();
  EXPECT_TRUE(queue.full());
  EXPECT_THROW(queue.put_nowait(4), Full);
  queue.get();
  EXPECT_FALSE(queue.full());
  queue.put_nowait(4);
  EXPECT_THROW(queue.put_nowait(5), Full);
  queue.set_maxsize(0);
  for (int i = 0; i < 100; ++i) queue.put_nowait(i);
  EXPECT_FALSE(queue.full());
  queue.set_maxsize(1);
  EXPECT_FALSE(queue.try_put(1));
  EXPECT_EQ(drain(queue).size(), 102u);
}

TYPED_TEST(AnyBoundedQueue, lets_waiting_puts_in_when_its_bound_rises) {
  for (const int to : {4, 0, -1}) {
    Ints<TypeParam> queue(1);
    queue.put(0);
    Call first([&] { queue.put(1); });
    Call second([&] { queue.put(2, 1h); });
    Call third([&] { return queue.try_put(3, std::stop_token()); });
    ASSERT_TRUE(falls_asleep(first, second, third));
    queue.set_maxsize(to);
    first.result();
    second.result();
    EXPECT_TRUE(third.result());
    EXPECT_EQ(queue.qsize(), 4u);
  }
}

TYPED_TEST(AnyBoundedQueue, lets_in_as_many_as_its_bound_rises_by) {
  Ints<TypeParam> queue(1);
  queue.put(0);
  std::atomic<std::size_t> in = 0;
  Bunch putters(4, [&](int index) {
    queue.put(index);
    ++in;
  });
  for (std::size_t maxsize = 2; maxsize <= 5; ++maxsize) {
    queue.set_maxsize(static_cast<std::ptrdiff_t>(maxsize));
    ASSERT_TRUE(eventually([&] { return in == maxsize - 1; }));
    EXPECT_TRUE(stays([&] { return queue.qsize() == maxsize; }));
  }
  putters.join();
}

TYPED_TEST(AnyBoundedQueue, keeps_puts_waiting_when_its_bound_sinks) {
  Ints<TypeParam> queue(3);
  for (int i = 0; i < 3; ++i) queue.put(i);
  Call put([&] { queue.put(3); });
  ASSERT_TRUE(falls_asleep(put));
  queue.set_maxsize(1);
  queue.get();
  queue.get();
  EXPECT_TRUE(stays([&] { return !put.returned() && queue.qsize() == 1; }));
  queue.get();
  put.result();
  EXPECT_EQ(queue.qsize(), 1u);
}

TYPED_TEST(AnyBoundedQueue, loses_nobody_while_its_bound_goes_up_and_down) {
  Ints<TypeParam> queue(1);
  const int each = rounds(5000);
  std::atomic<bool> over = false;
  Bunch changer(1, [&] {
    for (int i = 0; !over; ++i) {
      queue.set_maxsize(i % 3 == 0 ? 1 : i % 7);
      std::this_thread::yield();
    }
  });
  Bunch putters(2, [&] {
    for (int i = 0; i < each; ++i) queue.put(i);
  });
  std::int64_t sum = 0;
  for (int i = 0; i < 2 * each; ++i) sum += queue.get();
  putters.join();
  over = true;
  EXPECT_EQ(sum, std::int64_t{each} * (each - 1));
}

// The last wake-up must be that of the raise: no get comes after it.
TYPED_TEST(AnyBoundedQueue, misses_no_rise_of_its_bound) {
  for (int round = 0; round < rounds(1000); ++round) {
    Ints<TypeParam> queue(1);
    queue.put(0);
    Call put([&] { queue.put(1); });
    for (int i = round % 50; i > 0; --i) std::atomic_signal_fence(std::memory_order_seq_cst);
    queue.set_maxsize(2);
    put.result();
  }
}

}  // namespace
}  // namespace nogil::testing::bound_test
