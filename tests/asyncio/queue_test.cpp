// tests/asyncio/queue_test.cpp -- what asyncio's queues share; after CPython's test_queues.py, 3.13's too.

#include "nogil/asyncio/queue.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "asyncio/support/steps.hpp"
#include "nogil/asyncio/lifo_queue.hpp"
#include "nogil/asyncio/priority_queue.hpp"
#include "nogil/asyncio/wait_for.hpp"

namespace nogil::asyncio {
namespace {

using namespace testing;

template <class Q>
class AnyAsyncQueue : public ::testing::Test {};
using Kinds = ::testing::Types<Queue<int>, LifoQueue<int>, PriorityQueue<int>>;
TYPED_TEST_SUITE(AnyAsyncQueue, Kinds);

template <class Q>
Coro<> gets(Q& queue, std::vector<int>& got, int times = 1) {
  for (int i = 0; i < times; ++i) got.push_back(co_await queue.get());
}
template <class Q>
Coro<> puts(Q& queue, int from, int times = 1) {
  for (int i = 0; i < times; ++i) co_await queue.put(from + i);
}

TYPED_TEST(AnyAsyncQueue, knows_how_much_is_in_it) {
  TypeParam queue(2);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.maxsize(), 2);
  queue.put_nowait(1);
  EXPECT_FALSE(queue.full());
  EXPECT_TRUE(queue.try_put(2));
  EXPECT_TRUE(queue.full());
  EXPECT_EQ(queue.qsize(), 2u);
  EXPECT_FALSE(queue.try_put(3));
  EXPECT_THROW(queue.put_nowait(3), Full);
  static_cast<void>(queue.get_nowait());
  EXPECT_TRUE(queue.try_get());
  EXPECT_FALSE(queue.try_get());
  EXPECT_THROW(static_cast<void>(queue.get_nowait()), Empty);
}

TYPED_TEST(AnyAsyncQueue, is_never_full_without_a_bound) {
  for (const std::ptrdiff_t maxsize : {0, -1}) {
    TypeParam queue(maxsize);
    for (int i = 0; i < 1000; ++i) queue.put_nowait(i);
    EXPECT_FALSE(queue.full());
    for (int i = 0; i < 1000; ++i) static_cast<void>(queue.get_nowait());
    EXPECT_TRUE(queue.empty());
  }
}

TYPED_TEST(AnyAsyncQueue, gives_at_once_what_is_there) {
  const auto amain = []() -> Coro<> {
    TypeParam queue(1);
    static bool other_ran;
    other_ran = false;
    get_running_loop().call_soon([] { other_ran = true; });
    co_await queue.put(7);
    EXPECT_EQ(co_await queue.get(), 7);
    EXPECT_FALSE(other_ran);
  };
  in_virtual_time(amain());
}

TYPED_TEST(AnyAsyncQueue, wakes_those_who_get_in_the_order_of_their_coming) {
  const auto amain = []() -> Coro<> {
    TypeParam queue;
    std::vector<int> a, b;
    const Task<> first = create_task(gets(queue, a));
    const Task<> second = create_task(gets(queue, b));
    co_await yield();
    queue.put_nowait(1);
    EXPECT_EQ(queue.qsize(), 1u);  // until it has run
    co_await first;
    EXPECT_FALSE(second.done());
    queue.put_nowait(2);
    co_await second;
    EXPECT_EQ(a, std::vector<int>(1, 1));
    EXPECT_EQ(b, std::vector<int>(1, 2));
  };
  in_virtual_time(amain());
}

TYPED_TEST(AnyAsyncQueue, wakes_those_who_put_in_the_order_of_their_coming) {
  const auto amain = []() -> Coro<> {
    TypeParam queue(1);
    queue.put_nowait(0);
    const Task<> first = create_task(puts(queue, 1));
    const Task<> second = create_task(puts(queue, 2));
    co_await yield();
    EXPECT_EQ(queue.get_nowait(), 0);
    co_await first;
    EXPECT_FALSE(second.done());
    EXPECT_EQ(queue.get_nowait(), 1);
    co_await second;
    EXPECT_EQ(queue.get_nowait(), 2);
  };
  in_virtual_time(amain());
}

// One who takes what another was woken for does not make him lose his place.
TYPED_TEST(AnyAsyncQueue, keeps_the_place_of_one_who_was_woken_for_nothing) {
  const auto amain = []() -> Coro<> {
    TypeParam queue;
    std::vector<int> a, b;
    const Task<> first = create_task(gets(queue, a));
    const Task<> second = create_task(gets(queue, b));
    co_await yield();
    queue.put_nowait(1);
    queue.put_nowait(2);
    EXPECT_EQ(queue.get_nowait() + queue.get_nowait(), 3);
    co_await pass_rounds(2);
    queue.put_nowait(3);
    co_await first;
    EXPECT_FALSE(second.done());
    queue.put_nowait(4);
    co_await second;
    EXPECT_EQ(a, std::vector<int>(1, 3));
  };
  in_virtual_time(amain());
}

TYPED_TEST(AnyAsyncQueue, passes_everything_through_a_small_bound) {
  const auto amain = []() -> Coro<> {
    TypeParam queue(3);
    std::vector<int> got;
    const Task<> putter = create_task(puts(queue, 0, 100));
    const Task<> other = create_task(puts(queue, 100, 100));
    const Task<> a = create_task(gets(queue, got, 120));
    const Task<> b = create_task(gets(queue, got, 80));
    co_await putter;
    co_await other;
    co_await a;
    co_await b;
    int sum = 0;
    for (const int n : got) sum += n;
    EXPECT_EQ(got.size(), 200u);
    EXPECT_EQ(sum, 199 * 100);
  };
  in_virtual_time(amain());
}

TYPED_TEST(AnyAsyncQueue, hands_on_what_one_who_is_cancelled_was_woken_for) {
  const auto amain = []() -> Coro<> {
    TypeParam queue;
    std::vector<int> got;
    const Task<> first = create_task(gets(queue, got));
    const Task<> second = create_task(gets(queue, got));
    co_await yield();
    queue.put_nowait(1);
    first.cancel();
    EXPECT_TRUE(co_await ends_cancelled(first));
    co_await second;
    EXPECT_EQ(got, std::vector<int>(1, 1));
    EXPECT_TRUE(queue.empty());
  };
  in_virtual_time(amain());
}

TYPED_TEST(AnyAsyncQueue, hands_on_the_room_that_one_who_is_cancelled_was_woken_for) {
  const auto amain = []() -> Coro<> {
    TypeParam queue(1);
    queue.put_nowait(0);
    const Task<> first = create_task(puts(queue, 1));
    const Task<> second = create_task(puts(queue, 2));
    co_await yield();
    static_cast<void>(queue.get_nowait());
    first.cancel();
    EXPECT_TRUE(co_await ends_cancelled(first));
    co_await second;
    EXPECT_EQ(queue.get_nowait(), 2);
  };
  in_virtual_time(amain());
}

TYPED_TEST(AnyAsyncQueue, forgets_those_who_are_cancelled) {
  const auto amain = []() -> Coro<> {
    TypeParam queue(1);
    for (int i = 0; i < 5; ++i) EXPECT_THROW(co_await wait_for(queue.get(), 1s), TimeoutError);
    co_await queue.put(1);
    for (int i = 0; i < 5; ++i) EXPECT_THROW(co_await wait_for(queue.put(2), 1s), TimeoutError);
    EXPECT_EQ(co_await queue.get(), 1);
    EXPECT_TRUE(queue.empty());
    std::vector<int> got;
    const Task<> a = create_task(gets(queue, got));
    const Task<> b = create_task(gets(queue, got));
    co_await yield();
    a.cancel();
    queue.put_nowait(5);
    co_await b;
    EXPECT_TRUE(co_await ends_cancelled(a));
  };
  in_virtual_time(amain());
}

TYPED_TEST(AnyAsyncQueue, counts_the_work_that_is_not_done) {
  static Log log;
  log.clear();
  const auto joins = [](TypeParam& queue) -> Coro<> {
    EXPECT_TRUE(co_await queue.join());
    log.push_back("joined");
  };
  const auto amain = [](auto join) -> Coro<> {
    TypeParam queue;
    EXPECT_THROW(queue.task_done(), ValueError);
    co_await join(queue);  // nothing was put
    queue.put_nowait(1);
    queue.put_nowait(2);
    EXPECT_EQ(queue.unfinished_tasks(), 2u);
    const Task<> task = create_task(join(queue));
    co_await queue.get();
    co_await queue.get();
    queue.task_done();
    co_await pass_rounds(3);
    EXPECT_FALSE(task.done());
    queue.task_done();
    co_await task;
    EXPECT_THROW(queue.task_done(), ValueError);
  };
  in_virtual_time(amain(joins));
  EXPECT_EQ(log, (Log{"joined", "joined"}));
}

TYPED_TEST(AnyAsyncQueue, that_is_shut_down_gives_what_is_left_and_takes_nothing) {
  const auto amain = []() -> Coro<> {
    TypeParam queue(2);
    queue.put_nowait(1);
    EXPECT_FALSE(queue.is_shutdown());
    queue.shutdown();
    EXPECT_TRUE(queue.is_shutdown());
    EXPECT_THROW(queue.put_nowait(2), ShutDown);
    EXPECT_FALSE(queue.try_put(2));
    EXPECT_THROW(co_await queue.put(2), ShutDown);
    EXPECT_EQ(co_await queue.get(), 1);
    EXPECT_THROW(co_await queue.get(), ShutDown);
    EXPECT_THROW(static_cast<void>(queue.get_nowait()), ShutDown);
    EXPECT_FALSE(queue.try_get());
    queue.task_done();
    co_await queue.join();
    queue.shutdown();
  };
  in_virtual_time(amain());
}

template <class Q>
Coro<> is_shut(Q& queue, Log& log, std::string verb) {
  try {
    if (verb == "get") co_await queue.get();
    else co_await queue.put(9);
  } catch (const ShutDown&) {
    log.push_back(verb);
  }
}

TYPED_TEST(AnyAsyncQueue, that_is_shut_down_wakes_all_who_wait) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    TypeParam empty;
    TypeParam full(1);
    full.put_nowait(1);
    for (int i = 0; i < 2; ++i) {
      create_task(is_shut(empty, log, "get"));
      create_task(is_shut(full, log, "put"));
    }
    co_await yield();
    empty.shutdown();
    full.shutdown();
    co_await pass_rounds(2);
    EXPECT_EQ(full.qsize(), 1u);
  };
  in_virtual_time(amain());
  EXPECT_EQ(log, (Log{"get", "get", "put", "put"}));
}

TYPED_TEST(AnyAsyncQueue, that_is_shut_down_with_what_is_in_it_frees_who_joins) {
  const auto amain = []() -> Coro<> {
    TypeParam queue;
    queue.put_nowait(1);
    queue.put_nowait(2);
    const Task<bool> joins = create_task(queue.join());
    co_await pass_rounds(2);
    queue.shutdown();
    co_await pass_rounds(2);
    EXPECT_FALSE(joins.done());
    queue.shutdown(true);
    EXPECT_TRUE(co_await joins);
    EXPECT_THROW(queue.task_done(), ValueError);
  };
  in_virtual_time(amain());
}

TYPED_TEST(AnyAsyncQueue, that_is_shut_down_gives_an_element_to_one_who_was_woken_for_it) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    TypeParam queue(1);
    std::vector<int> got;
    const Task<> first = create_task(gets(queue, got));
    const Task<> second = create_task(is_shut(queue, log, "get"));
    co_await yield();
    queue.put_nowait(3);
    queue.shutdown();
    co_await first;
    co_await second;
    EXPECT_EQ(got, std::vector<int>(1, 3));
    // Room for one who puts is of no use to him.
    TypeParam full(1);
    full.put_nowait(1);
    const Task<> third = create_task(is_shut(full, log, "put"));
    co_await yield();
    EXPECT_EQ(full.get_nowait(), 1);
    full.shutdown();
    co_await third;
    EXPECT_TRUE(full.empty());
  };
  in_virtual_time(amain());
  EXPECT_EQ(log, (Log{"get", "put"}));
}

TYPED_TEST(AnyAsyncQueue, that_is_shut_down_lets_one_who_waits_be_cancelled) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    TypeParam queue;
    const Task<> a = create_task(is_shut(queue, log, "get"));
    const Task<> b = create_task(is_shut(queue, log, "get"));
    const Task<> c = create_task(is_shut(queue, log, "get"));
    co_await yield();
    a.cancel();
    queue.shutdown();
    b.cancel();
    EXPECT_TRUE(co_await ends_cancelled(a));
    EXPECT_TRUE(co_await ends_cancelled(b));
    co_await c;
  };
  in_virtual_time(amain());
  EXPECT_EQ(log, Log{"get"});
}

TYPED_TEST(AnyAsyncQueue, can_be_shut_down_with_what_is_in_it) {
  const auto amain = []() -> Coro<> {
    TypeParam queue;
    for (int i = 0; i < 3; ++i) queue.put_nowait(i);
    static_cast<void>(queue.get_nowait());
    queue.shutdown(true);
    EXPECT_TRUE(queue.empty());
    EXPECT_EQ(queue.unfinished_tasks(), 1u);
    EXPECT_THROW(co_await queue.get(), ShutDown);
    queue.task_done();
    co_await queue.join();
  };
  in_virtual_time(amain());
}

TYPED_TEST(AnyAsyncQueue, that_is_destroyed_first_lets_those_who_wait_be_cancelled) {
  const auto amain = []() -> Coro<> {
    auto queue = std::make_unique<TypeParam>();
    std::vector<int> got;
    const Task<> a = create_task(gets(*queue, got));
    const Task<bool> b = create_task(queue->join());
    co_await yield();
    EXPECT_TRUE(co_await b);
    queue.reset();
    a.cancel();
    EXPECT_TRUE(co_await ends_cancelled(a));
  };
  in_virtual_time(amain());
}

}  // namespace
}  // namespace nogil::asyncio
