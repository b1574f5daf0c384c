// Tests of shutdown(), after the set that CPython 3.13 has for it in test_queue.py.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include "nogil/queue.hpp"
#include "queue/support/elements.hpp"
#include "queue/support/kinds.hpp"
#include "support/threads.hpp"

namespace nogil::testing::shutdown_test {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

template <class Kind>
class ShutDownQueue : public ::testing::Test {};
TYPED_TEST_SUITE(ShutDownQueue, EngineKinds, KindName);

template <class Kind>
using Ints = typename Kind::template Of<int>;

template <class Q>
void refuses_every_put(Q& queue) {
  EXPECT_THROW(queue.put(1), ShutDown);
  EXPECT_THROW(queue.put(1, 1h), ShutDown);
  EXPECT_THROW(queue.put(1, 0s), ShutDown);
  EXPECT_THROW(queue.put(1, -1s), ShutDown);
  EXPECT_THROW(queue.put(1, steady_clock::now() - 1s), ShutDown);
  EXPECT_THROW(queue.put_nowait(1), ShutDown) << "not Full, even when it is";
  EXPECT_FALSE(queue.try_put(1));
  EXPECT_FALSE(queue.try_put(1, 1h));
  EXPECT_FALSE(queue.try_put(1, std::stop_token()));
  EXPECT_THROW(queue.put_many(std::vector{1, 2}), ShutDown);
  EXPECT_EQ(queue.put_many(std::vector<int>{}), 0u);
}

template <class Q>
void has_nothing_more_to_give(Q& queue) {
  EXPECT_THROW(queue.get(), ShutDown);
  EXPECT_THROW(queue.get(1h), ShutDown);
  EXPECT_THROW(queue.get(0s), ShutDown);
  EXPECT_THROW(queue.get(-1s), ShutDown);
  EXPECT_THROW(queue.get(steady_clock::time_point::min()), ShutDown);
  EXPECT_THROW(queue.get_nowait(), ShutDown) << "not Empty";
  EXPECT_EQ(queue.try_get(), std::nullopt);
  EXPECT_EQ(queue.try_get(1h), std::nullopt);
  EXPECT_EQ(queue.try_get(std::stop_token()), std::nullopt);
  std::vector<int> none;
  EXPECT_EQ(queue.get_many(std::back_inserter(none), 5), 0u);
  for (const int item : queue) ADD_FAILURE() << item;
}

// ---- One thread ------------------------------------------------------------------------

TYPED_TEST(ShutDownQueue, gives_and_takes_nothing_when_it_was_empty) {
  for (const bool immediate : {false, true}) {
    Ints<TypeParam> queue;
    EXPECT_FALSE(queue.is_shutdown());
    queue.shutdown(immediate);
    EXPECT_TRUE(queue.is_shutdown());
    refuses_every_put(queue);
    has_nothing_more_to_give(queue);
    EXPECT_TRUE(queue.join());
    EXPECT_THROW(queue.task_done(), ValueError);
  }
}

TYPED_TEST(ShutDownQueue, still_gives_what_is_there) {
  Ints<TypeParam> queue(6);
  for (const int value : {4, 6, 5, 2, 1, 3}) queue.put(value);
  queue.shutdown();
  refuses_every_put(queue);
  EXPECT_EQ(queue.qsize(), 6u);
  EXPECT_TRUE(queue.full());
  std::vector<int> got = {queue.get(), queue.get_nowait(), queue.get(0s), *queue.try_get()};
  EXPECT_EQ(queue.get_many(std::back_inserter(got), 1), 1u);
  refuses_every_put(queue);
  for (const int item : queue) got.push_back(item);
  EXPECT_EQ(got, in_order<TypeParam>({4, 6, 5, 2, 1, 3}));
  has_nothing_more_to_give(queue);
  EXPECT_EQ(queue.unfinished_tasks(), 6u);
  for (int i = 0; i < 6; ++i) queue.task_done();
  EXPECT_TRUE(queue.join(0s));
}

TYPED_TEST(ShutDownQueue, drops_what_is_there_when_it_is_immediate) {
  ASSERT_EQ(Counted::live, 0);
  for (const int count : {1, 16, 64, 65, 1000}) {
    for (const int taken : {0, 1, count / 2, count - 1}) {
      typename TypeParam::template Of<Counted> queue;
      for (int i = 0; i < count; ++i) queue.put(Counted(i));
      for (int i = 0; i < taken; ++i) queue.get();
      queue.shutdown(true);
      EXPECT_EQ(Counted::live, 0) << "destroyed now, not with the queue";
      EXPECT_EQ(queue.qsize(), 0u);
      EXPECT_TRUE(queue.empty());
      EXPECT_THROW(queue.get_nowait(), ShutDown);
      EXPECT_THROW(queue.put(Counted(1)), ShutDown);
      EXPECT_EQ(queue.unfinished_tasks(), static_cast<std::size_t>(taken));
    }
  }
  EXPECT_EQ(Counted::live, 0);
  EXPECT_EQ(Counted::destroyed_twice, 0);
}

TYPED_TEST(ShutDownQueue, may_be_shut_down_again_in_either_way) {
  for (const bool first : {false, true}) {
    for (const bool second : {false, true}) {
      Ints<TypeParam> queue;
      queue.put(1);
      queue.shutdown(first);
      queue.shutdown(second);
      EXPECT_TRUE(queue.is_shutdown());
      EXPECT_EQ(queue.qsize(), first || second ? 0u : 1u);
      EXPECT_EQ(queue.unfinished_tasks(), first || second ? 0u : 1u);
      refuses_every_put(queue);
      drain(queue);
      has_nothing_more_to_give(queue);
    }
  }
}

TYPED_TEST(ShutDownQueue, is_not_opened_again_by_another_bound) {
  Ints<TypeParam> queue(1);
  queue.put(1);
  queue.shutdown();
  for (const int maxsize : {100, 0, 1}) {
    queue.set_maxsize(maxsize);
    EXPECT_EQ(queue.maxsize(), maxsize);
    refuses_every_put(queue);
  }
  EXPECT_EQ(queue.get(), 1);
  has_nothing_more_to_give(queue);
}

// CPython: those that were taken out and are not done yet are still waited for.
TYPED_TEST(ShutDownQueue, counts_as_done_only_what_it_drops) {
  Ints<TypeParam> queue;
  for (int i = 0; i < 4; ++i) queue.put(i);
  queue.get();
  queue.get();
  queue.task_done();
  queue.shutdown(true);
  EXPECT_EQ(queue.unfinished_tasks(), 1u);
  EXPECT_FALSE(queue.join(1ms));
  queue.task_done();
  EXPECT_TRUE(queue.join());
  EXPECT_THROW(queue.task_done(), ValueError);
}

TYPED_TEST(ShutDownQueue, counts_nothing_below_zero) {
  Ints<TypeParam> queue;
  for (int i = 0; i < 3; ++i) queue.put(i);
  queue.task_done();
  queue.task_done();
  queue.shutdown(true);
  EXPECT_EQ(queue.unfinished_tasks(), 0u);
  EXPECT_TRUE(queue.join());
  EXPECT_THROW(queue.task_done(), ValueError);
}

TYPED_TEST(ShutDownQueue, destroys_what_it_drops_under_no_lock) {
  struct Curious {
    explicit Curious(Ints<TypeParam>* q) : queue(q) {}
    Curious(Curious&& other) noexcept : queue(std::exchange(other.queue, nullptr)) {}
    Curious& operator=(Curious&& other) noexcept {
      std::swap(queue, other.queue);
      return *this;
    }
    ~Curious() {
      if (queue != nullptr) queue->put(1);
    }
    bool operator<(const Curious&) const noexcept { return false; }
    Ints<TypeParam>* queue;
  };
  Ints<TypeParam> destroyed;
  typename TypeParam::template Of<Curious> queue;
  for (int i = 0; i < 3; ++i) queue.put(Curious(&destroyed));
  queue.shutdown(true);
  EXPECT_EQ(destroyed.qsize(), 3u);
}

// ---- Those who wait ----------------------------------------------------------------------

TYPED_TEST(ShutDownQueue, wakes_every_waiting_get) {
  for (const bool immediate : {false, true}) {
    Ints<TypeParam> queue;
    Call endless([&] { queue.get(); });
    Call timed([&] { queue.get(1h); });
    Call trying([&] { return queue.try_get(1h); });
    Call stoppable([&] { return queue.try_get(std::stop_source().get_token()); });
    int nothing[3];
    Call bulk([&] { return queue.get_many(nothing, 3); });
    Call loop([&] {
      int steps = 0;
      for ([[maybe_unused]] const int item : queue) ++steps;
      return steps;
    });
    ASSERT_TRUE(falls_asleep(endless, timed, trying, stoppable, bulk, loop));
    queue.shutdown(immediate);
    EXPECT_THROW(endless.result(), ShutDown);
    EXPECT_THROW(timed.result(), ShutDown);
    EXPECT_EQ(trying.result(), std::nullopt);
    EXPECT_EQ(stoppable.result(), std::nullopt);
    EXPECT_EQ(bulk.result(), 0u);
    EXPECT_EQ(loop.result(), 0);
  }
}

TYPED_TEST(ShutDownQueue, wakes_every_waiting_put) {
  for (const bool immediate : {false, true}) {
    Ints<TypeParam> queue(2);
    queue.put(0);
    queue.put(1);
    Call endless([&] { queue.put(2); });
    Call timed([&] { queue.put(3, 1h); });
    Call trying([&] { return queue.try_put(4, 1h); });
    Call stoppable([&] { return queue.try_put(5, std::stop_source().get_token()); });
    Call bulk([&] { queue.put_many(std::vector{6, 7}); });
    ASSERT_TRUE(falls_asleep(endless, timed, trying, stoppable, bulk));
    queue.shutdown(immediate);
    EXPECT_THROW(endless.result(), ShutDown);
    EXPECT_THROW(timed.result(), ShutDown);
    EXPECT_FALSE(trying.result());
    EXPECT_FALSE(stoppable.result());
    EXPECT_THROW(bulk.result(), ShutDown);
    EXPECT_EQ(queue.qsize(), immediate ? 0u : 2u) << "nobody's room was used";
    EXPECT_EQ(queue.unfinished_tasks(), immediate ? 0u : 2u);
  }
}

TYPED_TEST(ShutDownQueue, tells_how_many_of_many_were_put) {
  Ints<TypeParam> queue(3);
  Call bulk([&] { return queue.put_many(std::vector{1, 2, 3, 4, 5}); });
  ASSERT_TRUE(falls_asleep(bulk));
  queue.shutdown();
  EXPECT_EQ(bulk.result(), 3u);
  EXPECT_EQ(drain(queue), in_order<TypeParam>({1, 2, 3}));
}

TYPED_TEST(ShutDownQueue, ends_a_join_when_nothing_is_left_to_do) {
  Ints<TypeParam> queue;
  for (int i = 0; i < 3; ++i) queue.put(i);
  Call endless([&] { return queue.join(); });
  Call timed([&] { return queue.join(1h); });
  ASSERT_TRUE(falls_asleep(endless, timed));
  queue.shutdown(true);
  EXPECT_TRUE(endless.result());
  EXPECT_TRUE(timed.result());
}

TYPED_TEST(ShutDownQueue, keeps_a_join_waiting_for_what_is_not_done) {
  Ints<TypeParam> queue;
  for (int i = 0; i < 3; ++i) queue.put(i);
  Call joiner([&] { return queue.join(); });
  ASSERT_TRUE(falls_asleep(joiner));
  queue.shutdown();
  EXPECT_TRUE(stays([&] { return !joiner.returned(); })) << "nothing was dropped";
  queue.get();
  queue.shutdown(true);
  EXPECT_TRUE(stays([&] { return !joiner.returned(); })) << "one is in work";
  queue.task_done();
  EXPECT_TRUE(joiner.result());
}

// CPython's shutdown_put_join: a join and puts wait at the same time.
TYPED_TEST(ShutDownQueue, ends_the_puts_and_keeps_the_join_waiting_for_the_rest) {
  Ints<TypeParam> queue(2);
  queue.put(1);
  queue.put(2);
  Call joiner([&] { return queue.join(); });
  Call first([&] { queue.put(3); });
  Call second([&] { queue.put(4, 1h); });
  ASSERT_TRUE(falls_asleep(joiner, first, second));
  queue.shutdown();
  EXPECT_THROW(first.result(), ShutDown);
  EXPECT_THROW(second.result(), ShutDown);
  EXPECT_EQ(drain(queue), in_order<TypeParam>({1, 2}));
  queue.task_done();
  EXPECT_TRUE(stays([&] { return !joiner.returned(); }));
  queue.task_done();
  EXPECT_TRUE(joiner.result());
  EXPECT_THROW(queue.task_done(), ValueError);
}

TYPED_TEST(ShutDownQueue, lets_workers_and_joiners_come_to_an_end_together) {
  for (const bool immediate : {false, true}) {
    for (int round = 0; round < rounds(100); ++round) {
      Ints<TypeParam> queue(4);
      std::atomic<int> put = 0;
      std::atomic<int> done = 0;
      Bunch putters(2, [&] {
        try {
          for (;;) {
            queue.put(1);
            ++put;
          }
        } catch (const ShutDown&) {
        }
      });
      Bunch workers(2, [&] {
        try {
          for (;;) {
            queue.get();
            ++done;
            queue.task_done();
          }
        } catch (const ShutDown&) {
        }
      });
      ASSERT_TRUE(eventually([&] { return done > round % 10; }));
      queue.shutdown(immediate);
      EXPECT_TRUE(queue.join());
      putters.join();
      workers.join();
      if (immediate) EXPECT_LE(done, put);
      else ASSERT_EQ(done, put);
      EXPECT_EQ(queue.unfinished_tasks(), 0u);
    }
  }
}

TYPED_TEST(ShutDownQueue, misses_nobody_who_is_about_to_wait) {
  for (int round = 0; round < rounds(1000); ++round) {
    Ints<TypeParam> empty;
    Ints<TypeParam> full(1);
    full.put(0);
    Call get([&] { return empty.try_get(1h).has_value(); });
    Call put([&] { return full.try_put(1, 1h); });
    if (round % 2 == 0) std::this_thread::yield();
    empty.shutdown();
    full.shutdown();
    ASSERT_FALSE(get.result());
    ASSERT_FALSE(put.result());
  }
}

// ---- Iteration ---------------------------------------------------------------------------

TYPED_TEST(ShutDownQueue, is_iterated_by_several_threads_until_it_is_drained) {
  constexpr int kCount = 20'000;
  typename TypeParam::template Of<std::unique_ptr<int>> queue(16);
  std::vector<std::atomic<int>> seen(kCount);
  Bunch workers(4, [&] {
    for (std::unique_ptr<int> item : queue) ++seen[static_cast<std::size_t>(*item)];
  });
  for (int i = 0; i < kCount; ++i) queue.put(std::make_unique<int>(i));
  queue.shutdown();
  workers.join();
  EXPECT_TRUE(std::all_of(seen.begin(), seen.end(), [](const auto& times) { return times == 1; }));
}

TYPED_TEST(ShutDownQueue, may_be_left_in_the_middle_of_a_loop) {
  Ints<TypeParam> queue;
  queue.put_many(std::vector{1, 2, 3});
  for ([[maybe_unused]] const int item : queue) break;
  EXPECT_EQ(queue.qsize(), 2u);
}

// ---- Lifetime ------------------------------------------------------------------------------

// shutdown() may not have returned yet in the other thread; as long as nobody else waits.
template <class Q, class Wait>
void may_be_destroyed_after(bool immediate, Wait wait) {
  for (int round = 0; round < rounds(500); ++round) {
    auto queue = std::make_unique<Q>(1);
    queue->put(1);
    Call other([raw = queue.get(), immediate] { raw->shutdown(immediate); });
    wait(*queue);
    queue.reset();
  }
}

TYPED_TEST(ShutDownQueue, may_be_destroyed_by_the_get_that_it_ends) {
  may_be_destroyed_after<Ints<TypeParam>>(false, [](auto& queue) {
    queue.get();
    EXPECT_THROW(queue.get(), ShutDown);
  });
  may_be_destroyed_after<Ints<TypeParam>>(true, [](auto& queue) {
    for (;;) {
      try {
        queue.get_nowait();
      } catch (const Empty&) {
        std::this_thread::yield();
      } catch (const ShutDown&) {
        return;
      }
    }
  });
}

TYPED_TEST(ShutDownQueue, may_be_destroyed_by_the_put_that_it_ends) {
  may_be_destroyed_after<Ints<TypeParam>>(false, [](auto& queue) { EXPECT_THROW(queue.put(2), ShutDown); });
  may_be_destroyed_after<Ints<TypeParam>>(true, [](auto& queue) { EXPECT_FALSE(queue.try_put(2, 1h)); });
}

TYPED_TEST(ShutDownQueue, may_be_destroyed_by_the_join_that_it_ends) {
  may_be_destroyed_after<Ints<TypeParam>>(true, [](auto& queue) { EXPECT_TRUE(queue.join()); });
}

}  // namespace
}  // namespace nogil::testing::shutdown_test
