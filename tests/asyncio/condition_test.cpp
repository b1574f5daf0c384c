// tests/asyncio/condition_test.cpp -- after CPython's test_locks.py.

#include "nogil/asyncio/condition.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "asyncio/support/steps.hpp"
#include "nogil/asyncio/timeout.hpp"
#include "nogil/asyncio/wait_for.hpp"

namespace nogil::asyncio {
namespace {

using namespace testing;

Coro<> waits(Condition& condition, Log& log, std::string name) {
  const auto guard = co_await condition.guard();
  EXPECT_TRUE(co_await condition.wait());
  EXPECT_TRUE(condition.locked());
  log.push_back(name);
}

Coro<> notifies(Condition& condition, int n) {
  const auto guard = co_await condition.guard();
  condition.notify(n);
}

TEST(AsyncCondition, wakes_as_many_as_are_asked_for_in_the_order_of_their_coming) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    Condition condition;
    for (const char* name : {"a", "b", "c", "d"}) create_task(waits(condition, log, name));
    co_await pass_rounds(2);
    EXPECT_FALSE(condition.locked());
    co_await notifies(condition, 1);
    co_await pass_rounds(5);
    EXPECT_EQ(log, Log{"a"});
    co_await notifies(condition, 2);
    co_await pass_rounds(5);
    EXPECT_EQ(log, (Log{"a", "b", "c"}));
    {
      const auto guard = co_await condition.guard();
      condition.notify_all();
      co_await pass_rounds(3);
      EXPECT_EQ(log.size(), 3u);  // not while the lock is held
    }
    co_await pass_rounds(3);
    EXPECT_EQ(log.size(), 4u);
    EXPECT_FALSE(condition.locked());
  };
  in_virtual_time(amain());
}

TEST(AsyncCondition, is_only_for_who_has_the_lock) {
  const auto amain = []() -> Coro<> {
    Condition condition;
    EXPECT_THROW(co_await condition.wait(), RuntimeError);
    EXPECT_THROW(condition.notify(), RuntimeError);
    EXPECT_THROW(condition.notify_all(), RuntimeError);
    EXPECT_THROW(condition.release(), RuntimeError);
    EXPECT_TRUE(condition.try_acquire());
    condition.notify();
    condition.release();
  };
  in_virtual_time(amain());
}

TEST(AsyncCondition, shares_a_lock_that_it_is_given) {
  const auto amain = []() -> Coro<> {
    Lock lock;
    Condition condition(lock);
    co_await lock.acquire();
    EXPECT_TRUE(condition.locked());
    condition.notify();
    condition.release();
    EXPECT_FALSE(lock.locked());
  };
  in_virtual_time(amain());
}

Coro<int> waits_for_number(Condition& condition, const int& shared, int wanted) {
  const auto guard = co_await condition.guard();
  const bool reached = co_await condition.wait([&] { return shared >= wanted; });
  EXPECT_TRUE(reached);
  co_return shared;
}

TEST(AsyncCondition, waits_until_a_predicate_is_true) {
  const auto amain = []() -> Coro<> {
    Condition condition;
    int shared = 0;
    const Task<int> task = create_task(waits_for_number(condition, shared, 3));
    for (shared = 1; shared < 3; ++shared) {
      co_await notifies(condition, 1);
      co_await pass_rounds(3);
      EXPECT_FALSE(task.done());
      EXPECT_FALSE(condition.locked());
    }
    co_await notifies(condition, 1);
    EXPECT_EQ(co_await task, 3);
  };
  in_virtual_time(amain());
}

TEST(AsyncCondition, calls_the_predicate_as_the_task_that_waits_and_gives_its_value) {
  const auto waiter = [](Condition& condition, int& calls) -> Coro<int> {
    const auto guard = co_await condition.guard();
    const TaskHandle self = current_task();
    co_return co_await condition.wait_for([&] {
      EXPECT_EQ(current_task(), self);
      EXPECT_TRUE(condition.locked());
      return ++calls == 3 ? 42 : 0;
    });
  };
  const auto amain = [](auto make) -> Coro<> {
    Condition condition;
    int calls = 0;
    const Task<int> task = create_task(make(condition, calls));
    co_await yield();
    co_await notifies(condition, 1);
    co_await pass_rounds(2);
    co_await notifies(condition, 1);
    EXPECT_EQ(co_await task, 42);
    const auto guard = co_await condition.guard();
    EXPECT_TRUE(co_await condition.wait([] { return true; }));  // does not wait
  };
  in_virtual_time(amain(waiter));
}

TEST(AsyncCondition, throws_what_the_predicate_throws_with_the_lock_held) {
  const auto waiter = [](Condition& condition, int& calls) -> Coro<bool> {
    const auto guard = co_await condition.guard();
    try {
      co_await condition.wait([&]() -> bool { return ++calls == 2 ? throw std::domain_error("no") : false; });
    } catch (const std::domain_error&) {
      co_return condition.locked();
    }
    co_return false;
  };
  const auto amain = [](auto make) -> Coro<> {
    Condition condition;
    int calls = 0;
    const Task<bool> task = create_task(make(condition, calls));
    co_await yield();
    co_await notifies(condition, 1);
    EXPECT_TRUE(co_await task);
    EXPECT_FALSE(condition.locked());
  };
  in_virtual_time(amain(waiter));
}

Coro<> notes_lock(Condition& condition, Log& log) {
  const auto guard = co_await condition.guard();
  try {
    co_await condition.wait();
  } catch (const CancelledError&) {
    log.push_back(condition.locked() ? "cancelled with the lock" : "cancelled without the lock");
    throw;
  }
}

TEST(AsyncCondition, gives_the_lock_back_to_one_who_is_cancelled) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    Condition condition;
    const Task<> task = create_task(notes_lock(condition, log));
    co_await yield();
    co_await condition.acquire();  // so it has to wait for it
    task.cancel();
    co_await pass_rounds(3);
    task.cancel();  // and again, as often as one likes
    co_await pass_rounds(3);
    EXPECT_FALSE(task.done());
    condition.release();
    EXPECT_TRUE(co_await ends_cancelled(task));
    EXPECT_FALSE(condition.locked());
  };
  in_virtual_time(amain());
  EXPECT_EQ(log, Log{"cancelled with the lock"});
}

TEST(AsyncCondition, hands_a_notification_on_when_who_got_it_is_cancelled) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    Condition condition;
    const Task<> a = create_task(waits(condition, log, "a"));
    const Task<> b = create_task(waits(condition, log, "b"));
    co_await yield();
    co_await notifies(condition, 1);
    a.cancel();
    EXPECT_TRUE(co_await ends_cancelled(a));
    co_await b;
    // The same while it waits for the lock.
    const Task<> c = create_task(waits(condition, log, "c"));
    const Task<> d = create_task(waits(condition, log, "d"));
    co_await yield();
    co_await condition.acquire();
    condition.notify();
    co_await pass_rounds(2);
    c.cancel();
    condition.release();
    EXPECT_TRUE(co_await ends_cancelled(c));
    co_await d;
  };
  in_virtual_time(amain());
  EXPECT_EQ(log, (Log{"b", "d"}));
}

TEST(AsyncCondition, that_is_destroyed_first_lets_those_who_wait_be_cancelled) {
  const auto waiter = [](Condition& condition) -> Coro<> {
    co_await condition.acquire();
    co_await condition.wait();
  };
  const auto amain = [](auto make) -> Coro<> {
    auto condition = std::make_unique<Condition>();
    const Task<> a = create_task(make(*condition));
    co_await yield();
    condition.reset();
    a.cancel();
    EXPECT_TRUE(co_await ends_cancelled(a));
  };
  in_virtual_time(amain(waiter));
}

// CPython: the cancelled one is passed over, and notifies one more when it has the lock again.
TEST(AsyncCondition, notifies_another_than_one_who_is_cancelled_already) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    Condition condition;
    const Task<> a = create_task(waits(condition, log, "a"));
    for (const char* name : {"b", "c", "d"}) create_task(waits(condition, log, name));
    co_await yield();
    co_await condition.acquire();
    a.cancel();
    condition.notify();
    condition.release();
    EXPECT_TRUE(co_await ends_cancelled(a));
    co_await pass_rounds(5);
    EXPECT_EQ(log, (Log{"b", "c"}));
    co_await condition.acquire();
    condition.notify_all();
    condition.release();
    co_await pass_rounds(3);
  };
  in_virtual_time(amain());
  EXPECT_EQ(log, (Log{"b", "c", "d"}));
}

// Takes what is there, again and again, until it is told to stop.
Coro<> consumes(Condition& condition, int& items, const bool& stop) {
  const auto guard = co_await condition.guard();
  for (;;) {
    co_await condition.wait([&] { return items != 0 || stop; });
    if (stop) co_return;
    --items;
  }
}

TEST(AsyncCondition, lets_another_take_what_one_was_notified_of_who_is_cancelled) {
  const auto amain = [](bool while_it_waits_for_the_lock) -> Coro<> {
    Condition condition;
    int items = 0;
    bool stop = false;
    const Task<> a = create_task(consumes(condition, items, stop));
    const Task<> b = create_task(consumes(condition, items, stop));
    co_await yield();
    {
      const auto guard = co_await condition.guard();
      ++items;
      condition.notify();
      if (while_it_waits_for_the_lock) co_await yield();
      a.cancel();
      // Who takes it tells nobody: so this is only for giving the lock back.
      EXPECT_THROW(co_await timeout(1s, condition.wait([&] { return items == 0; })), TimeoutError);
      EXPECT_EQ(items, 0);
      stop = true;
      condition.notify_all();
    }
    co_await b;
    EXPECT_TRUE(a.cancelled());
  };
  for (const bool waits_for_the_lock : {false, true}) in_virtual_time(amain(waits_for_the_lock));
}

TEST(AsyncCondition, keeps_the_lock_for_one_whose_time_is_over) {
  const auto amain = []() -> Coro<> {
    Condition condition;
    const auto guard = co_await condition.guard();
    EXPECT_THROW(co_await wait_for(condition.wait(), 1s), TimeoutError);
    EXPECT_TRUE(condition.locked());
    EXPECT_THROW(co_await timeout(1s, condition.wait([] { return false; })), TimeoutError);
    EXPECT_TRUE(condition.locked());
  };
  VirtualLoop loop;
  loop.run_until_complete(amain());
  EXPECT_EQ(loop.elapsed(), 2s);
}

TEST(AsyncCondition, that_is_waited_for_by_a_task_of_its_own_has_the_lock_when_that_ends) {
  const auto amain = []() -> Coro<> {
    Condition condition;
    co_await condition.acquire();
    const Task<bool> waiting = create_task(condition.wait());
    co_await yield();
    EXPECT_FALSE(condition.locked());
    co_await condition.acquire();
    condition.notify();
    get_running_loop().call_soon([waiting] { waiting.cancel(); });
    get_running_loop().call_soon([&condition] { condition.release(); });
    EXPECT_TRUE(co_await ends_cancelled(waiting));
    EXPECT_TRUE(condition.locked());
  };
  in_virtual_time(amain());
}

}  // namespace
}  // namespace nogil::asyncio
