// Tests of nogil::RLock: what every lock does, what every wait does, and what is its own.

#include "nogil/threading/rlock.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <type_traits>

#include "support/lock_suite.hpp"
#include "support/threads.hpp"
#include "support/wait_suite.hpp"

namespace nogil::testing::rlock_test {

static_assert(sizeof(RLock) == 8);
static_assert(noexcept(RLock()));
static_assert(std::is_same_v<decltype(std::declval<const RLock&>().recursion_count()), std::size_t>);

INSTANTIATE_TYPED_TEST_SUITE_P(RLock, AnyLock, LockKind<RLock>);
NOGIL_WAIT_SUITE(RLock, TimedWait, LockDoor<RLock>);
NOGIL_WAIT_SUITE(RLock, StoppableWait, LockDoor<RLock>);
NOGIL_WAIT_SUITE(RLock, TimedStoppableWait, LockDoor<RLock>);
NOGIL_WAIT_SUITE(RLock, WaitForWhatIsFree, LockDoor<RLock>);

namespace {

constinit RLock g_lock;

TEST(RLockTest, is_ready_before_any_code_runs) {
  g_lock.acquire();
  EXPECT_TRUE(g_lock.is_owned());
  g_lock.release();
}

TEST(RLockTest, is_taken_again_by_its_owner_in_every_way) {
  RLock lock;
  EXPECT_TRUE(lock.acquire());
  EXPECT_TRUE(lock.acquire());
  EXPECT_TRUE(lock.try_acquire());
  EXPECT_TRUE(lock.acquire(0s));
  EXPECT_TRUE(lock.acquire(-1h));
  EXPECT_TRUE(lock.acquire(1h));
  EXPECT_TRUE(lock.acquire(steady_clock::time_point::min()));
  EXPECT_TRUE(lock.acquire(stopped_token()));
  EXPECT_TRUE(lock.acquire(1h, stopped_token()));
  lock.lock();
  EXPECT_TRUE(lock.try_lock());
  EXPECT_TRUE(lock.try_lock_for(0s));
  EXPECT_TRUE(lock.try_lock_until(steady_clock::now()));
  EXPECT_EQ(lock.recursion_count(), 13u);
  for (std::size_t depth = 13; depth > 0; --depth) {
    EXPECT_EQ(lock.recursion_count(), depth);
    EXPECT_FALSE(free_for_others(lock)) << "at depth " << depth;
    lock.release();
  }
  EXPECT_EQ(lock.recursion_count(), 0u);
  EXPECT_TRUE(free_for_others(lock));
  EXPECT_THROW(lock.release(), RuntimeError);
}

TEST(RLockTest, knows_its_owner_and_depth) {
  RLock lock;
  const auto others_view = [&] {
    return Call([&] {
             EXPECT_FALSE(lock.is_owned());
             EXPECT_EQ(lock.recursion_count(), 0u) << "it is 0 for others";
             return lock.locked();
           })
        .result();
  };
  EXPECT_FALSE(lock.is_owned());
  EXPECT_FALSE(lock.locked());
  EXPECT_EQ(lock.recursion_count(), 0u);
  EXPECT_FALSE(others_view());
  lock.acquire();
  EXPECT_TRUE(lock.is_owned());
  EXPECT_TRUE(lock.locked());
  EXPECT_EQ(lock.recursion_count(), 1u);
  EXPECT_TRUE(others_view());
  lock.acquire();
  EXPECT_EQ(lock.recursion_count(), 2u);
  EXPECT_TRUE(others_view());
  lock.release();
  EXPECT_TRUE(lock.is_owned());
  EXPECT_EQ(lock.recursion_count(), 1u);
  lock.release();
  EXPECT_FALSE(lock.is_owned());
  EXPECT_EQ(lock.recursion_count(), 0u);
  EXPECT_FALSE(others_view());
}

TEST(RLockTest, knows_its_owner_when_it_was_handed_over_asleep) {
  RLock lock;
  lock.acquire();
  Call next([&] {
    lock.acquire();
    EXPECT_TRUE(lock.is_owned());
    EXPECT_EQ(lock.recursion_count(), 1u);
    lock.acquire();
    EXPECT_EQ(lock.recursion_count(), 2u);
    lock.release();
    lock.release();
  });
  ASSERT_TRUE(falls_asleep(next));
  EXPECT_TRUE(lock.is_owned());
  EXPECT_EQ(lock.recursion_count(), 1u) << "a waiter leaves the depth alone";
  lock.acquire();
  EXPECT_EQ(lock.recursion_count(), 2u);
  lock.release();
  lock.release();
  next.result();
  EXPECT_FALSE(lock.locked());
}

TEST(RLockTest, refuses_a_release_when_it_is_not_held_and_stays_usable) {
  RLock lock;
  EXPECT_THROW(lock.release(), RuntimeError);
  EXPECT_THROW(lock.unlock(), std::runtime_error);
  lock.acquire();
  lock.acquire();
  lock.release();
  lock.release();
  EXPECT_THROW(lock.release(), RuntimeError);
  EXPECT_EQ(lock.recursion_count(), 0u);
  EXPECT_TRUE(lock.acquire());
  EXPECT_EQ(lock.recursion_count(), 1u);
}

TEST(RLockTest, refuses_a_release_by_another_thread_and_stays_held) {
  RLock lock;
  lock.acquire();
  lock.acquire();
  Call other([&] {
    EXPECT_THROW(lock.release(), RuntimeError);
    EXPECT_THROW(lock.unlock(), RuntimeError);
  });
  other.result();
  EXPECT_EQ(lock.recursion_count(), 2u) << "a refused release changes nothing";
  EXPECT_FALSE(free_for_others(lock));
  lock.release();
  lock.release();
  EXPECT_TRUE(free_for_others(lock));
}

TEST(RLockTest, refuses_a_release_by_another_thread_while_others_wait_and_stays_held) {
  RLock lock;
  lock.acquire();
  Call waiter([&] {
    lock.acquire();
    lock.release();
  });
  ASSERT_TRUE(falls_asleep(waiter));
  EXPECT_THROW(Call([&] { lock.release(); }).result(), RuntimeError);
  EXPECT_TRUE(stays([&] { return waiter.asleep(); }));
  lock.release();
  waiter.result();
}

TEST(RLockTest, does_not_belong_to_a_thread_whose_wait_gave_up) {
  RLock lock;
  lock.acquire();
  Call other([&] {
    EXPECT_FALSE(lock.acquire(1ms));
    EXPECT_FALSE(lock.is_owned());
    EXPECT_EQ(lock.recursion_count(), 0u);
    EXPECT_THROW(lock.release(), RuntimeError);
  });
  other.result();
  EXPECT_EQ(lock.recursion_count(), 1u);
}

TEST(RLockTest, goes_many_levels_deep) {
  RLock lock;
  constexpr std::size_t kDepth = 100'000;
  for (std::size_t depth = 0; depth < kDepth; ++depth) lock.acquire();
  EXPECT_EQ(lock.recursion_count(), kDepth);
  EXPECT_FALSE(free_for_others(lock));
  for (std::size_t depth = 0; depth < kDepth; ++depth) lock.release();
  EXPECT_TRUE(free_for_others(lock));
}

TEST(RLockTest, keeps_each_depth_to_its_owner_under_stress) {
  RLock lock;
  int plain = 0;
  Bunch users(8, [&](int index) {
    for (int i = 0; i < rounds(2000); ++i) {
      const int depth = 1 + (index + i) % 4;
      for (int level = 0; level < depth; ++level) {
        if (level % 2 == 0) lock.acquire();
        else ASSERT_TRUE(lock.acquire(0s));
      }
      ASSERT_EQ(lock.recursion_count(), static_cast<std::size_t>(depth));
      ++plain;
      for (int level = 0; level < depth; ++level) lock.release();
      ASSERT_FALSE(lock.is_owned());
    }
  });
  users.join();
  EXPECT_EQ(plain, 8 * rounds(2000));
}

TEST(RLockTest, may_be_destroyed_while_it_is_held) {
  auto lock = std::make_unique<RLock>();
  lock->acquire();
  lock->acquire();
  lock.reset();
}

}  // namespace
}  // namespace nogil::testing::rlock_test
