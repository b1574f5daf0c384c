// tests/asyncio/lock_test.cpp -- after CPython's test_locks.py.

#include "nogil/asyncio/lock.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "asyncio/support/steps.hpp"
#include "nogil/asyncio/wait_for.hpp"

namespace nogil::asyncio {
namespace {

using namespace testing;

// Takes the lock, keeps it for some rounds, and notes both.
Coro<> holds(Lock& lock, Log& log, std::string name, int keeps = 1) {
  const auto guard = co_await lock.guard();
  log.push_back(name);
  co_await pass_rounds(keeps);
}

TEST(AsyncLock, is_taken_at_once_when_it_is_free) {
  const auto amain = []() -> Coro<> {
    Lock lock;
    static bool other_ran;
    other_ran = false;
    get_running_loop().call_soon([] { other_ran = true; });
    EXPECT_TRUE(co_await lock.acquire());
    EXPECT_TRUE(lock.locked());
    EXPECT_FALSE(lock.try_acquire());
    lock.release();
    EXPECT_FALSE(lock.locked());
    EXPECT_TRUE(lock.try_acquire());
    lock.release();
    EXPECT_FALSE(other_ran);
  };
  in_virtual_time(amain());
}

TEST(AsyncLock, cannot_be_released_when_it_is_free) {
  Lock lock;
  EXPECT_THROW(lock.release(), RuntimeError);
  EXPECT_FALSE(lock.locked());
}

TEST(AsyncLock, lets_one_in_at_a_time_in_the_order_of_their_coming) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    Lock lock;
    std::vector<Task<>> tasks;
    for (const char* name : {"a", "b", "c"}) tasks.push_back(create_task(holds(lock, log, name)));
    for (const Task<>& task : tasks) co_await task;
    EXPECT_FALSE(lock.locked());
  };
  in_virtual_time(amain());
  EXPECT_EQ(log, (Log{"a", "b", "c"}));
}

TEST(AsyncLock, is_not_for_a_newcomer_while_somebody_waits) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    Lock lock;
    co_await lock.acquire();
    const Task<> waits = create_task(holds(lock, log, "waits"));
    co_await yield();
    lock.release();
    EXPECT_FALSE(lock.locked());  // but promised
    EXPECT_FALSE(lock.try_acquire());
    co_await lock.acquire();
    log.push_back("newcomer");
    lock.release();
    co_await waits;
  };
  in_virtual_time(amain());
  EXPECT_EQ(log, (Log{"waits", "newcomer"}));
}

TEST(AsyncLock, goes_to_the_next_when_one_who_waits_is_cancelled) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    Lock lock;
    co_await lock.acquire();
    const Task<> a = create_task(holds(lock, log, "a"));
    const Task<> b = create_task(holds(lock, log, "b"));
    co_await yield();
    a.cancel();
    lock.release();
    EXPECT_TRUE(co_await ends_cancelled(a));
    co_await b;
    EXPECT_TRUE(lock.try_acquire());
  };
  in_virtual_time(amain());
  EXPECT_EQ(log, Log{"b"});
}

// bpo-27585 and its kin: it was woken already.
TEST(AsyncLock, goes_to_the_next_when_one_is_cancelled_after_it_was_woken) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    Lock lock;
    co_await lock.acquire();
    const Task<> a = create_task(holds(lock, log, "a"));
    const Task<> b = create_task(holds(lock, log, "b"));
    const Task<> c = create_task(holds(lock, log, "c"));
    co_await yield();
    lock.release();
    a.cancel();
    b.cancel();
    EXPECT_TRUE(co_await ends_cancelled(a));
    EXPECT_TRUE(co_await ends_cancelled(b));
    co_await c;
    EXPECT_FALSE(lock.locked());
  };
  in_virtual_time(amain());
  EXPECT_EQ(log, Log{"c"});
}

TEST(AsyncLock, is_not_taken_by_the_last_one_who_is_cancelled) {
  const auto amain = []() -> Coro<> {
    Lock lock;
    co_await lock.acquire();
    static Log log;
    const Task<> a = create_task(holds(lock, log, "a"));
    co_await yield();
    lock.release();
    a.cancel();
    EXPECT_TRUE(co_await ends_cancelled(a));
    EXPECT_TRUE(lock.try_acquire());
  };
  in_virtual_time(amain());
}

// bpo-32734
TEST(AsyncLock, lets_only_one_in_when_one_is_cancelled_and_it_is_released_at_once) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    Lock lock;
    co_await lock.acquire();
    const Task<> a = create_task(holds(lock, log, "a"));
    const Task<> b = create_task(holds(lock, log, "b", 1000));
    const Task<> c = create_task(holds(lock, log, "c"));
    co_await yield();
    get_running_loop().call_soon([&, a] {
      a.cancel();
      lock.release();
    });
    EXPECT_TRUE(co_await ends_cancelled(a));
    co_await pass_rounds(3);
    EXPECT_EQ(log, Log{"b"});
    c.cancel();
    b.cancel();
    EXPECT_TRUE(co_await ends_cancelled(b));
    EXPECT_TRUE(co_await ends_cancelled(c));
    EXPECT_TRUE(lock.try_acquire());
  };
  in_virtual_time(amain());
}

// CPython 3.13: one who was woken gets the lock if the cancellation is taken back before he runs;
// one who was not has given up.
TEST(AsyncLock, is_for_one_whose_cancellation_was_taken_back_after_he_was_woken) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    Lock lock;
    co_await lock.acquire();
    const Task<> a = create_task(holds(lock, log, "a"));
    const Task<> b = create_task(holds(lock, log, "b"));
    co_await yield();
    b.cancel();
    b.uncancel();
    lock.release();
    a.cancel();
    a.uncancel();
    co_await a;
    EXPECT_TRUE(co_await ends_cancelled(b));
    EXPECT_TRUE(lock.try_acquire());
  };
  in_virtual_time(amain());
  EXPECT_EQ(log, Log{"a"});
}

TEST(AsyncLock, can_be_waited_for_with_a_timeout_and_as_a_task) {
  const auto amain = []() -> Coro<> {
    Lock lock;
    EXPECT_TRUE(co_await wait_for(lock.acquire(), 1s));
    EXPECT_THROW(co_await wait_for(lock.acquire(), 1s), TimeoutError);
    lock.release();
    EXPECT_TRUE(co_await create_task(lock.acquire()));
    EXPECT_TRUE(lock.locked());
  };
  in_virtual_time(amain());
}

TEST(AsyncLock, has_a_guard_that_moves_and_releases_once) {
  const auto amain = []() -> Coro<> {
    Lock lock;
    {
      auto guard = co_await lock.guard();
      auto moved = std::move(guard);
      EXPECT_TRUE(moved.owns_lock());
      EXPECT_FALSE(guard.owns_lock());
      EXPECT_TRUE(lock.locked());
    }
    EXPECT_FALSE(lock.locked());
    auto guard = co_await lock.guard();
    guard.release();
    guard.release();
    EXPECT_FALSE(lock.locked());
  };
  in_virtual_time(amain());
}

TEST(AsyncLock, that_is_destroyed_first_lets_those_who_wait_be_cancelled) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    auto lock = std::make_unique<Lock>();
    co_await lock->acquire();
    const Task<> a = create_task(holds(*lock, log, "a"));
    const Task<> b = create_task(holds(*lock, log, "b"));
    co_await yield();
    lock.reset();
    a.cancel();
    EXPECT_TRUE(co_await ends_cancelled(a));
    EXPECT_FALSE(b.done());  // for the loop to cancel
  };
  in_virtual_time(amain());
  EXPECT_TRUE(log.empty());
}

Coro<> waits_in(Lock& lock, EventLoop& loop) {
  const Task<bool> waits = create_task(lock.acquire());
  co_await yield();
  loop.stop();
  co_await sleep(1h);
}

TEST(AsyncLock, is_not_for_tasks_of_two_loops_at_once) {
  Lock lock;
  ASSERT_TRUE(lock.try_acquire());
  VirtualLoop first;
  EXPECT_THROW(first.run_until_complete(waits_in(lock, first)), RuntimeError);
  const auto amain = [](Lock& shared) -> Coro<> { EXPECT_THROW(co_await shared.acquire(), RuntimeError); };
  in_virtual_time(amain(lock));
}

static_assert(!std::is_copy_constructible_v<Lock> && !std::is_move_constructible_v<Lock>);

}  // namespace
}  // namespace nogil::asyncio
