// Tests of what the queues have in common: Queue, LifoQueue, PriorityQueue, and SimpleQueue
// for what it has. After the scenarios of CPython's test_queue.py, and our own.
//
// What only one of them does is in its own file; shutting down is in shutdown_test.cpp,
// elements that fail in failing_test.cpp, races in races_test.cpp.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <list>
#include <memory>
#include <numeric>
#include <optional>
#include <random>
#include <span>
#include <stop_token>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "nogil/queue.hpp"
#include "queue/support/allocations.hpp"
#include "queue/support/elements.hpp"
#include "queue/support/kinds.hpp"
#include "support/clocks.hpp"
#include "support/threads.hpp"

namespace nogil::testing {
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

// ---- Elements ------------------------------------------------------------------------

TYPED_TEST(AnyQueue, copies_what_it_must_not_move) {
  typename TypeParam::template Of<std::string> queue;
  std::string text = "a text that is too long to be kept in place";
  const std::string constant = text;
  queue.put(text);
  queue.put_nowait(constant);
  EXPECT_EQ(text, constant);
  queue.put(std::move(text));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(queue.get(), constant);
  queue.put("made on the way");
  EXPECT_EQ(queue.get_nowait(), "made on the way");
}

template <class Element, class Kind>
void holds() {
  typename Kind::template Of<Element> queue;
  for (int round = 0; round < 3; ++round) {
    Model<Kind> model;
    for (const int value : {5, 3, 8, 1, 9, 2, 7}) {
      queue.put(Element(value));
      model.put(value);
    }
    EXPECT_EQ(queue.get().value(), model.get());
    EXPECT_EQ(queue.get_nowait().value(), model.get());
    EXPECT_EQ(queue.get(1h).value(), model.get());
    EXPECT_EQ(queue.try_get()->value(), model.get());
    EXPECT_EQ(queue.try_get(0s)->value(), model.get());
    for (int value = 0; value < 300; ++value) {
      queue.put(Element(value));
      model.put(value);
    }
    while (!model.empty()) ASSERT_EQ(queue.get().value(), model.get());
    EXPECT_EQ(queue.qsize(), 0u);
  }
}

TYPED_TEST(AnyQueue, holds_elements_that_can_only_be_moved) {
  holds<MoveOnly, TypeParam>();
}
TYPED_TEST(AnyQueue, holds_elements_that_cannot_be_assigned) {
  holds<Awkward, TypeParam>();
}
TYPED_TEST(AnyQueue, holds_elements_with_an_alignment_of_their_own) {
  holds<OverAligned, TypeParam>();
}
TYPED_TEST(AnyQueue, holds_large_elements) {
  holds<Large, TypeParam>();
}

TYPED_TEST(AnyQueue, holds_elements_of_one_byte_and_optional_ones) {
  typename TypeParam::template Of<bool> bits;
  bits.put(true);
  bits.put(false);
  EXPECT_NE(bits.get(), bits.get());
  typename TypeParam::template Of<std::optional<int>> maybe;
  maybe.put(std::nullopt);
  const std::optional<std::optional<int>> got = maybe.try_get();
  ASSERT_TRUE(got.has_value()) << "an element that is empty is not no element";
  EXPECT_FALSE(got->has_value());
}

TYPED_TEST(AnyQueue, keeps_no_reference_to_what_it_gave) {
  typename TypeParam::template Of<std::shared_ptr<int>> queue;
  std::vector<std::weak_ptr<int>> watch;
  for (int i = 0; i < 20; ++i) {
    auto item = std::make_shared<int>(i);
    watch.push_back(item);
    queue.put(std::move(item));
  }
  for (int left = 20; left > 0; --left) {
    queue.get();
    EXPECT_EQ(std::count_if(watch.begin(), watch.end(), [](const auto& item) { return !item.expired(); }), left - 1);
  }
}

TYPED_TEST(AnyQueue, destroys_each_element_once) {
  ASSERT_EQ(Counted::live, 0);
  for (const int count : {0, 1, 15, 16, 63, 64, 65, 128, 129, 1000}) {
    for (const int taken : {0, 1, count / 2, count - 1, count}) {
      typename TypeParam::template Of<Counted> queue;
      for (int i = 0; i < count; ++i) queue.put(Counted(i));
      EXPECT_EQ(Counted::live, count);
      for (int i = 0; i < std::clamp(taken, 0, count); ++i) queue.get();
      EXPECT_EQ(Counted::live, count - std::clamp(taken, 0, count));
    }
    EXPECT_EQ(Counted::live, 0);
  }
  EXPECT_EQ(Counted::destroyed_twice, 0);
}

// What a thread did before a put is seen by the one that gets the element: plain memory,
// which ThreadSanitizer watches.
TYPED_TEST(AnyQueue, shows_what_was_done_before_the_put) {
  typename TypeParam::template Of<int*> queue;
  std::vector<int> cells(1000);
  Bunch writer(1, [&] {
    for (int& cell : cells) {
      cell = 42;
      queue.put(&cell);
    }
  });
  int sum = 0;
  for (std::size_t i = 0; i < cells.size(); ++i) sum += *queue.get();
  EXPECT_EQ(sum, 42'000);
}

// ---- Memory ----------------------------------------------------------------------------

TYPED_TEST(AnyQueue, gives_its_memory_back_when_it_is_drained) {
  Ints<TypeParam> queue;
  const auto before = allocations();
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 100'000; ++i) queue.put(i);
    EXPECT_GE(allocations().bytes - before.bytes, kCountsAllocations ? 400'000 : 0);
    for (int i = 0; i < 100'000; ++i) queue.get();
    EXPECT_LE(allocations().live - before.live, 2);
    EXPECT_LE(allocations().bytes - before.bytes, 8192);
  }
}

TYPED_TEST(AnyQueue, gives_all_its_memory_back_when_it_is_destroyed) {
  const auto before = allocations();
  for (const int count : {0, 1, 127, 128, 129, 5000}) {
    typename TypeParam::template Of<std::string> queue;
    for (int i = 0; i < count; ++i) queue.put("a text that is too long to be kept in place");
    for (int i = 0; i < count / 3; ++i) queue.get();
  }
  EXPECT_EQ(allocations().live, before.live);
  EXPECT_EQ(allocations().bytes, before.bytes);
}

TYPED_TEST(AnyQueue, stops_allocating_when_it_stays_short) {
  Ints<TypeParam> queue;
  const auto pass = [&] {
    for (int i = 0; i < 10'000; ++i) {
      for (int n = 0; n < 10; ++n) queue.put(n);
      for (int n = 0; n < 10; ++n) queue.get();
    }
  };
  pass();
  const auto before = allocations();
  pass();
  EXPECT_EQ(allocations().made, before.made);
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
  constexpr int kRounds = rounds(1'000'000);
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
  const auto end = steady_clock::now() + 700ms;
  int wrong = 0;
  for (int round = 0; round < kRounds && (round % 64 != 0 || steady_clock::now() < end); ++round) {
    Q reply;
    asked = &reply;
    wrong += reply.get() != 42;
  }
  over = true;
  EXPECT_EQ(wrong, 0);
}

// ---- The three with a bound ----------------------------------------------------------------

template <class Kind>
class AnyBoundedQueue : public ::testing::Test {};
TYPED_TEST_SUITE(AnyBoundedQueue, FullKinds, KindName);

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

// ---- Work -----------------------------------------------------------------------------------

TYPED_TEST(AnyBoundedQueue, refuses_a_task_done_too_many) {
  Ints<TypeParam> queue;
  EXPECT_THROW(queue.task_done(), ValueError);
  queue.put(1);
  EXPECT_EQ(queue.unfinished_tasks(), 1u);
  queue.task_done();
  EXPECT_EQ(queue.unfinished_tasks(), 0u) << "whether it was taken is not asked, as in Python";
  EXPECT_THROW(queue.task_done(), ValueError);
  EXPECT_EQ(queue.unfinished_tasks(), 0u);
  EXPECT_EQ(queue.get(), 1);
  queue.put(2);
  EXPECT_EQ(queue.unfinished_tasks(), 1u);
  queue.get();
  queue.task_done();
  EXPECT_THROW(queue.task_done(), ValueError);
  EXPECT_TRUE(queue.join());
}

TYPED_TEST(AnyBoundedQueue, is_joined_when_all_is_done) {
  Ints<TypeParam> queue;
  EXPECT_TRUE(queue.join()) << "there is nothing to do yet";
  for (int again = 0; again < 2; ++again) {
    std::atomic<int> sum = 0;
    Bunch workers(2, [&] {
      for (;;) {
        const int value = queue.get();
        if (value >= 0) sum += value;
        queue.task_done();
        if (value < 0) return;
      }
    });
    for (int i = 0; i < 100; ++i) queue.put(i);
    EXPECT_TRUE(queue.join());
    EXPECT_EQ(sum, 4950);
    for (int i = 0; i < 2; ++i) queue.put(-1);
    EXPECT_TRUE(queue.join());
    workers.join();
    EXPECT_THROW(queue.task_done(), ValueError);
  }
}

TYPED_TEST(AnyBoundedQueue, is_not_joined_before_all_is_done) {
  Ints<TypeParam> queue;
  for (int i = 0; i < 3; ++i) queue.put(i);
  Call endless([&] { return queue.join(); });
  Call timed([&] { return queue.join(1h); });
  ASSERT_TRUE(falls_asleep(endless, timed));
  drain(queue);
  for (int left = 3; left > 1; --left) queue.task_done();
  EXPECT_TRUE(stays([&] { return !endless.returned() && !timed.returned(); }));
  EXPECT_FALSE(queue.join(0s));
  EXPECT_FALSE(queue.join(1ms));
  EXPECT_FALSE(queue.join(stopped_token()));
  EXPECT_EQ(queue.unfinished_tasks(), 1u);
  queue.put(4);
  queue.task_done();
  EXPECT_TRUE(stays([&] { return !endless.returned() && !timed.returned(); }));
  queue.task_done();
  EXPECT_TRUE(endless.result());
  EXPECT_TRUE(timed.result());
  EXPECT_TRUE(queue.join(0s));
  EXPECT_TRUE(queue.join(-1h));
  EXPECT_TRUE(queue.join(stopped_token()));
}

TYPED_TEST(AnyBoundedQueue, shows_a_join_what_was_done_before_task_done) {
  for (int round = 0; round < rounds(300); ++round) {
    Ints<TypeParam> queue;
    std::vector<int> results(4);  // plain memory
    for (int i = 0; i < 4; ++i) queue.put(i);
    Bunch workers(2, [&] {
      for (int i = 0; i < 2; ++i) {
        const int index = queue.get();
        results[static_cast<std::size_t>(index)] = index + 1;
        queue.task_done();
      }
    });
    queue.join();
    ASSERT_EQ(results, (std::vector{1, 2, 3, 4}));
  }
}

// Each thread has got an element before it says that it is done: so none says it too often.
TYPED_TEST(AnyBoundedQueue, never_blames_a_task_done_that_was_due) {
  Ints<TypeParam> queue;
  std::atomic<int> blamed = 0;
  std::atomic<bool> too_many_unfinished = false;
  Bunch threads(4, [&](int index) {
    const auto end = steady_clock::now() + 300ms;
    while (steady_clock::now() < end) {
      for (int i = 0; i < 50; ++i) {
        queue.put(index);
        queue.get();
        if (queue.unfinished_tasks() > 4) too_many_unfinished = true;
        try {
          queue.task_done();
        } catch (const ValueError&) {
          ++blamed;
        }
      }
    }
  });
  threads.join();
  EXPECT_EQ(blamed, 0);
  EXPECT_FALSE(too_many_unfinished);
  EXPECT_EQ(queue.unfinished_tasks(), 0u);
}

TYPED_TEST(AnyBoundedQueue, misses_no_last_task_done) {
  for (int round = 0; round < rounds(1000); ++round) {
    Ints<TypeParam> queue;
    queue.put(1);
    queue.put(2);
    Call joiner([&] { return queue.join(); });
    Call worker([&] { queue.task_done(); });
    queue.task_done();
    ASSERT_TRUE(joiner.result());
  }
}

TYPED_TEST(AnyBoundedQueue, may_be_destroyed_by_the_thread_that_joined_it) {
  using Q = Ints<TypeParam>;
  for (int round = 0; round < rounds(2000); ++round) {
    auto queue = std::make_unique<Q>();
    queue->put(1);
    Call worker([&, raw = queue.get()] { raw->task_done(); });
    if (round % 2 == 0) {
      queue->join();
    } else {
      while (!queue->join(1us)) {
      }
    }
    queue.reset();
  }
}

// ---- In bulk --------------------------------------------------------------------------------

TYPED_TEST(AnyBoundedQueue, takes_and_gives_many_at_once) {
  Ints<TypeParam> queue;
  const std::vector<int> values = {5, 1, 4, 2, 3};
  EXPECT_EQ(queue.put_many(values), 5u);
  EXPECT_EQ(queue.qsize(), 5u);
  EXPECT_EQ(queue.unfinished_tasks(), 5u);
  std::vector<int> got;
  EXPECT_EQ(queue.get_many(std::back_inserter(got), 3), 3u);
  EXPECT_EQ(queue.get_many(std::back_inserter(got), 100), 2u);
  EXPECT_EQ(got, in_order<TypeParam>(values));
  EXPECT_EQ(queue.get_many(std::back_inserter(got), 0), 0u) << "and does not wait for what nobody wants";
  EXPECT_EQ(queue.put_many(std::list<int>{}), 0u);
  EXPECT_EQ(queue.put_many(std::list<int>{7}), 1u);
  int raw[] = {9, 8};
  EXPECT_EQ(queue.put_many(raw), 2u);
  EXPECT_EQ(drain(queue), in_order<TypeParam>({7, 9, 8}));
}

TYPED_TEST(AnyBoundedQueue, takes_many_more_than_fit_into_a_block) {
  Ints<TypeParam> queue;
  std::vector<int> values(1000);
  std::iota(values.begin(), values.end(), 0);
  for (int again = 0; again < 3; ++again) {
    queue.put_many(values);
    std::vector<int> got;
    while (got.size() < 1000) queue.get_many(std::back_inserter(got), 77);
    EXPECT_EQ(got, in_order<TypeParam>(values));
  }
}

TYPED_TEST(AnyBoundedQueue, moves_the_elements_of_a_range_that_is_given_away) {
  typename TypeParam::template Of<std::string> queue;
  std::vector<std::string> texts(3, "a text that is too long to be kept in place");
  queue.put_many(texts);
  EXPECT_EQ(texts, std::vector(3, texts[0])) << "not given away";
  queue.put_many(std::move(texts));
  for (int i = 0; i < 6; ++i) EXPECT_EQ(queue.get(), "a text that is too long to be kept in place");
  std::vector<std::string> mine(2, "the elements of a view belong to somebody else");
  queue.put_many(std::span(mine));
  EXPECT_EQ(mine[0], mine[1]);
  EXPECT_EQ(mine[0], queue.get());
  std::vector<std::unique_ptr<int>> pointers;
  pointers.push_back(std::make_unique<int>(3));
  typename TypeParam::template Of<std::unique_ptr<int>> movers;
  movers.put_many(std::move(pointers));
  std::unique_ptr<int> got[1];
  EXPECT_EQ(movers.get_many(got, 5), 1u);
  EXPECT_EQ(*got[0], 3);
}

TYPED_TEST(AnyBoundedQueue, waits_until_all_of_many_are_in) {
  Ints<TypeParam> queue(3);
  std::vector<int> values(200);
  std::iota(values.begin(), values.end(), 0);
  Call putter([&] { return queue.put_many(values); });
  ASSERT_TRUE(falls_asleep(putter));
  EXPECT_EQ(queue.qsize(), 3u);
  std::vector<int> got;
  while (got.size() < 200) queue.get_many(std::back_inserter(got), 2);
  EXPECT_EQ(putter.result(), 200u);
  std::sort(got.begin(), got.end());
  EXPECT_EQ(got, values);
}

TYPED_TEST(AnyBoundedQueue, waits_for_the_first_of_many_only) {
  Ints<TypeParam> queue;
  std::vector<int> got;
  Call getter([&] { return queue.get_many(std::back_inserter(got), 10); });
  ASSERT_TRUE(falls_asleep(getter));
  queue.put(1);
  EXPECT_EQ(getter.result(), 1u);
}

TYPED_TEST(AnyBoundedQueue, wakes_as_many_as_it_was_given) {
  Ints<TypeParam> queue;
  std::vector<std::unique_ptr<Call<int>>> getters;
  for (int i = 0; i < 5; ++i) getters.push_back(std::make_unique<Call<int>>([&] { return queue.get(); }));
  ASSERT_TRUE(falls_asleep(getters));
  queue.put_many(std::vector{1, 2, 3});
  ASSERT_TRUE(eventually([&] {
    return std::count_if(getters.begin(), getters.end(), [](const auto& getter) { return getter->returned(); }) == 3;
  }));
  queue.put_many(std::vector{4, 5});
  for (auto& getter : getters) getter->result();
  EXPECT_TRUE(queue.empty());

  Ints<TypeParam> full(3);
  full.put_many(std::vector{1, 2, 3});
  std::vector<std::unique_ptr<Call<void>>> putters;
  for (int i = 0; i < 3; ++i) putters.push_back(std::make_unique<Call<void>>([&] { full.put(9); }));
  ASSERT_TRUE(falls_asleep(putters));
  int out[3];
  EXPECT_EQ(full.get_many(out, 3), 3u);
  for (auto& putter : putters) putter->result();
  EXPECT_EQ(full.qsize(), 3u);
}

}  // namespace
}  // namespace nogil::testing
