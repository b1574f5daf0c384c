// Tests of nogil::Lock: what every lock does, what every wait does, and what is its own.

#include "nogil/threading/lock.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <stdexcept>

#include "support/lock_suite.hpp"
#include "support/threads.hpp"
#include "support/wait_suite.hpp"

namespace nogil::testing::lock_test {

static_assert(sizeof(Lock) == 4);
static_assert(noexcept(Lock()) && noexcept(std::declval<Lock&>().try_acquire()) && noexcept(
    std::declval<const Lock&>().locked()));

INSTANTIATE_TYPED_TEST_SUITE_P(Lock, AnyLock, LockKind<Lock>);
NOGIL_WAIT_SUITE(Lock, TimedWait, LockDoor<Lock>);
NOGIL_WAIT_SUITE(Lock, StoppableWait, LockDoor<Lock>);
NOGIL_WAIT_SUITE(Lock, TimedStoppableWait, LockDoor<Lock>);
NOGIL_WAIT_SUITE(Lock, WaitForWhatIsFree, LockDoor<Lock>);

namespace {

constinit Lock g_lock;

TEST(LockTest, is_ready_before_any_code_runs) {
  g_lock.acquire();
  EXPECT_TRUE(g_lock.locked());
  g_lock.release();
}

TEST(LockTest, tells_whether_it_is_locked) {
  Lock lock;
  EXPECT_FALSE(lock.locked());
  lock.acquire();
  EXPECT_TRUE(lock.locked());
  Call other([&] { return lock.locked(); });
  EXPECT_TRUE(other.result());
  lock.release();
  EXPECT_FALSE(lock.locked());
}

TEST(LockTest, refuses_a_release_when_it_is_not_locked_and_stays_usable) {
  Lock lock;
  EXPECT_THROW(lock.release(), RuntimeError);
  EXPECT_THROW(lock.unlock(), RuntimeError);
  EXPECT_THROW(lock.release(), std::runtime_error) << "an error that standard code can catch";
  EXPECT_FALSE(lock.locked()) << "a refused release changes nothing";
  EXPECT_TRUE(lock.acquire());
  lock.release();
  EXPECT_THROW(lock.release(), RuntimeError);
  EXPECT_TRUE(lock.try_acquire());
}

TEST(LockTest, is_not_recursive) {
  Lock lock;
  lock.acquire();
  EXPECT_FALSE(lock.try_acquire());
  EXPECT_FALSE(lock.acquire(1ms));
  EXPECT_FALSE(lock.try_lock());
  EXPECT_TRUE(lock.locked());
}

// As CPython's test_reacquire: the second acquire waits until another thread releases.
TEST(LockTest, taken_twice_by_one_thread_waits_for_another_to_release_it) {
  Lock lock;
  std::atomic<int> phase = 0;
  Call twice([&] {
    lock.acquire();
    phase = 1;
    lock.acquire();
    phase = 2;
  });
  ASSERT_TRUE(falls_asleep(twice));
  EXPECT_TRUE(stays([&] { return phase == 1; }));
  lock.release();
  ASSERT_TRUE(eventually([&] { return phase == 2; }));
  EXPECT_TRUE(lock.locked());
}

TEST(LockTest, may_be_released_by_another_thread) {
  Lock lock;
  lock.acquire();
  Call other([&] { lock.release(); });
  other.result();
  EXPECT_FALSE(lock.locked());
  lock.acquire();
  EXPECT_TRUE(lock.locked());
}

TEST(LockTest, may_be_released_after_the_thread_that_took_it_has_ended) {
  Lock lock;
  Call([&] { lock.acquire(); }).result();
  EXPECT_TRUE(lock.locked());
  Call waiter([&] { return lock.acquire(); });
  ASSERT_TRUE(falls_asleep(waiter));
  lock.release();
  EXPECT_TRUE(waiter.result());
}

// As CPython's test_state_after_timeout.
TEST(LockTest, is_free_after_a_timeout_and_a_release) {
  Lock lock;
  lock.acquire();
  EXPECT_FALSE(lock.acquire(5ms));
  lock.release();
  EXPECT_FALSE(lock.locked());
  EXPECT_TRUE(lock.acquire(0s));
}

TEST(LockTest, may_be_destroyed_while_it_is_held) {
  auto lock = std::make_unique<Lock>();
  lock->acquire();
  lock.reset();
}

TEST(LockTest, hands_a_turn_to_and_fro) {
  Lock ping, pong;
  ping.acquire();
  pong.acquire();
  int plain = 0;  // handed over with the turn
  Call partner([&] {
    for (int i = 0; i < rounds(2000); ++i) {
      ping.acquire();
      ++plain;
      pong.release();
    }
  });
  for (int i = 0; i < rounds(2000); ++i) {
    ASSERT_EQ(plain, i);
    ping.release();
    pong.acquire();
  }
  partner.result();
}

TEST(LockTest, works_with_the_standard_condition_variable) {
  Lock lock;
  std::condition_variable_any changed;
  bool ready = false;
  Call waiter([&] {
    std::unique_lock guard(lock);
    changed.wait(guard, [&] { return ready; });
  });
  {
    const std::scoped_lock guard(lock);
    ready = true;
  }
  changed.notify_one();
  waiter.result();
}

}  // namespace
}  // namespace nogil::testing::lock_test
