// tests/asyncio/semaphore_test.cpp -- after CPython's test_locks.py.

#include "nogil/asyncio/semaphore.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "asyncio/support/steps.hpp"
#include "nogil/asyncio/wait_for.hpp"

namespace nogil::asyncio {
namespace {

using namespace testing;

template <class S>
class AnyAsyncSemaphore : public ::testing::Test {};
using Kinds = ::testing::Types<Semaphore, BoundedSemaphore>;
TYPED_TEST_SUITE(AnyAsyncSemaphore, Kinds);

template <class S>
Coro<> takes(S& semaphore, Log& log, std::string name) {
  EXPECT_TRUE(co_await semaphore.acquire());
  log.push_back(name);
}

TYPED_TEST(AnyAsyncSemaphore, gives_as_many_permits_as_it_has) {
  const auto amain = []() -> Coro<> {
    TypeParam semaphore(2);
    EXPECT_EQ(semaphore.value(), 2);
    co_await semaphore.acquire();
    EXPECT_TRUE(semaphore.try_acquire());
    EXPECT_TRUE(semaphore.locked());
    EXPECT_FALSE(semaphore.try_acquire());
    semaphore.release();
    EXPECT_FALSE(semaphore.locked());
    EXPECT_EQ(semaphore.value(), 1);
  };
  in_virtual_time(amain());
}

TYPED_TEST(AnyAsyncSemaphore, has_one_permit_by_default_and_none_if_asked) {
  TypeParam one;
  EXPECT_TRUE(one.try_acquire());
  EXPECT_FALSE(one.try_acquire());
  TypeParam none(0);
  EXPECT_TRUE(none.locked());
  EXPECT_THROW(TypeParam(-1), ValueError);
}

TYPED_TEST(AnyAsyncSemaphore, serves_in_the_order_of_their_coming) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    TypeParam semaphore(3);
    for (int i = 0; i < 3; ++i) co_await semaphore.acquire();
    for (const char* name : {"a", "b", "c", "d"}) create_task(takes(semaphore, log, name));
    co_await yield();
    semaphore.release();
    semaphore.release();
    EXPECT_EQ(semaphore.value(), 0);  // both promised
    co_await takes(semaphore, log, "newcomer");
  };
  const auto feeds = [](auto make) -> Coro<> {
    const Task<> task = create_task(make());
    co_await pass_rounds(5);
    EXPECT_EQ(log, (Log{"a", "b"}));
    task.cancel();
    EXPECT_TRUE(co_await ends_cancelled(task));
  };
  in_virtual_time(feeds(amain));
}

TYPED_TEST(AnyAsyncSemaphore, is_not_for_a_newcomer_while_somebody_waits) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    TypeParam semaphore(2);
    co_await semaphore.acquire();
    co_await semaphore.acquire();
    const Task<> a = create_task(takes(semaphore, log, "a"));
    co_await yield();
    semaphore.release();
    semaphore.release();
    EXPECT_EQ(semaphore.value(), 1);
    EXPECT_TRUE(semaphore.locked());
    EXPECT_FALSE(semaphore.try_acquire());
    co_await semaphore.acquire();
    log.push_back("newcomer");
  };
  in_virtual_time(amain());
  EXPECT_EQ(log, (Log{"a", "newcomer"}));
}

TYPED_TEST(AnyAsyncSemaphore, loses_no_permit_when_one_who_waits_is_cancelled) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    TypeParam semaphore(1);
    co_await semaphore.acquire();
    const Task<> a = create_task(takes(semaphore, log, "a"));
    const Task<> b = create_task(takes(semaphore, log, "b"));
    const Task<> c = create_task(takes(semaphore, log, "c"));
    co_await yield();
    a.cancel();
    semaphore.release();  // to b
    b.cancel();           // who was woken
    EXPECT_TRUE(co_await ends_cancelled(a));
    EXPECT_TRUE(co_await ends_cancelled(b));
    co_await c;
    EXPECT_EQ(semaphore.value(), 0);
    semaphore.release();
    EXPECT_EQ(semaphore.value(), 1);
    EXPECT_FALSE(semaphore.locked());
  };
  in_virtual_time(amain());
  EXPECT_EQ(log, Log{"c"});
}

// gh-90155: a burst of cancellations among those who were woken.
TYPED_TEST(AnyAsyncSemaphore, does_not_hang_after_many_cancellations) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    TypeParam semaphore(2);
    co_await semaphore.acquire();
    co_await semaphore.acquire();
    std::vector<Task<>> tasks;
    for (int i = 0; i < 6; ++i) tasks.push_back(create_task(takes(semaphore, log, std::to_string(i))));
    co_await yield();
    semaphore.release();
    semaphore.release();
    for (const std::size_t victim : {0u, 1u, 3u}) tasks[victim].cancel();
    co_await tasks[2];
    co_await tasks[4];
    EXPECT_FALSE(tasks[5].done());
    semaphore.release();
    co_await tasks[5];
  };
  in_virtual_time(amain());
  EXPECT_EQ(log, (Log{"2", "4", "5"}));
}

template <class S>
Coro<> takes_twice(S& semaphore, Log& log, std::string name) {
  for (const char* time : {"1", "2"}) {
    const auto permit = co_await semaphore.guard();
    log.push_back(name + time);
    co_await sleep(1s);
  }
}

TYPED_TEST(AnyAsyncSemaphore, serves_one_who_comes_again_after_those_who_wait) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    TypeParam semaphore(1);
    std::vector<Task<>> tasks;
    for (const char* name : {"a", "b", "c"}) tasks.push_back(create_task(takes_twice(semaphore, log, name)));
    for (const Task<>& task : tasks) co_await task;
  };
  in_virtual_time(amain());
  EXPECT_EQ(log, (Log{"a1", "b1", "c1", "a2", "b2", "c2"}));
}

// One who had to wait although there are permits, since others came first, goes on in the same
// round as they do.
TYPED_TEST(AnyAsyncSemaphore, wakes_all_for_whom_there_are_permits_in_one_round) {
  static Log log;
  log.clear();
  const auto releases_and_takes = [](TypeParam& semaphore) -> Coro<> {
    for (int i = 0; i < 3; ++i) semaphore.release();
    EXPECT_EQ(semaphore.value(), 2);  // one is promised
    EXPECT_TRUE(semaphore.locked());
    co_await takes(semaphore, log, "b");
  };
  const auto amain = [](auto second) -> Coro<> {
    TypeParam semaphore(3);
    for (int i = 0; i < 3; ++i) co_await semaphore.acquire();
    const Task<> a = create_task(takes(semaphore, log, "a"));
    const Task<> b = create_task(second(semaphore));
    const Task<> c = create_task(takes(semaphore, log, "c"));
    co_await yield();
    EXPECT_EQ(semaphore.value(), 2);
    co_await a;
    co_await b;
    co_await c;
    EXPECT_EQ(semaphore.value(), 0);
  };
  in_virtual_time(amain(releases_and_takes));
  EXPECT_EQ(log, (Log{"a", "b", "c"}));
}

TYPED_TEST(AnyAsyncSemaphore, is_free_when_one_is_cancelled_by_who_gave_him_the_permit) {
  static Log log;
  log.clear();
  const auto gives_and_cancels = [](TypeParam& semaphore, const Task<>& other) -> Coro<> {
    {
      const auto permit = co_await semaphore.guard();
      co_await yield();
    }
    other.cancel();
  };
  const auto amain = [](auto first) -> Coro<> {
    TypeParam semaphore(1);
    Task<> b;
    const Task<> a = create_task(first(semaphore, b));
    b = create_task(takes(semaphore, log, "b"));
    co_await a;
    EXPECT_TRUE(co_await ends_cancelled(b));
    co_await wait_for(semaphore.acquire(), 1s);
  };
  in_virtual_time(amain(gives_and_cancels));
  EXPECT_TRUE(log.empty());
}

TYPED_TEST(AnyAsyncSemaphore, has_a_guard) {
  const auto amain = []() -> Coro<> {
    TypeParam semaphore(1);
    {
      const auto permit = co_await semaphore.guard();
      EXPECT_TRUE(semaphore.locked());
    }
    EXPECT_EQ(semaphore.value(), 1);
  };
  in_virtual_time(amain());
}

TYPED_TEST(AnyAsyncSemaphore, that_is_destroyed_first_lets_those_who_wait_be_cancelled) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    auto semaphore = std::make_unique<TypeParam>(1);
    co_await semaphore->acquire();
    const Task<> a = create_task(takes(*semaphore, log, "a"));
    const Task<> b = create_task(takes(*semaphore, log, "b"));
    co_await yield();
    semaphore->release();
    semaphore.reset();
    a.cancel();
    b.cancel();
    EXPECT_TRUE(co_await ends_cancelled(a));
    EXPECT_TRUE(co_await ends_cancelled(b));
  };
  in_virtual_time(amain());
}

TEST(AsyncSemaphore, may_be_released_more_often_than_it_was_taken) {
  Semaphore semaphore(1);
  semaphore.release();
  EXPECT_EQ(semaphore.value(), 2);
}

TEST(AsyncBoundedSemaphore, may_not_be_released_more_often_than_it_was_taken) {
  BoundedSemaphore semaphore(1);
  EXPECT_THROW(semaphore.release(), ValueError);
  EXPECT_EQ(semaphore.value(), 1);
}

}  // namespace
}  // namespace nogil::asyncio
