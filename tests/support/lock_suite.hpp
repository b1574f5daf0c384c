// tests/support/lock_suite.hpp -- what every mutually exclusive lock does, whatever its kind.
//
// After CPython's lock_tests.BaseLockTests. A kind is a class with acquire(limits...),
// try_acquire(), release() and std's Lockable names, free when default-made, and
//
//   kTimedNames      try_lock_for and try_lock_until, too
//   kMayBeDestroyed  by the one whom it let through, even if the release() that did it
//                    has not returned yet
//
//   INSTANTIATE_TYPED_TEST_SUITE_P(Lock, AnyLock, LockKind<nogil::Lock>);

#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <stop_token>
#include <thread>
#include <type_traits>
#include <vector>

#include "support/threads.hpp"

namespace nogil::testing {

using namespace std::chrono_literals;

template <class Lock>
struct LockKind : Lock {
  static constexpr bool kTimedNames = true;
  static constexpr bool kMayBeDestroyed = true;
};

// A semaphore with one permit is a lock.
template <class Semaphore>
struct PermitKind : Semaphore {
  static constexpr bool kTimedNames = false;
  static constexpr bool kMayBeDestroyed = true;
  PermitKind() : Semaphore(1) {}
};

// The writer's side of a lock that has two.
template <class RWLock>
struct WriteKind : RWLock {
  static constexpr bool kTimedNames = true;
  static constexpr bool kMayBeDestroyed = false;
  template <class... Limits>
  bool acquire(const Limits&... limits) {
    return this->acquire_write(limits...);
  }
  bool try_acquire() { return this->try_acquire_write(); }
  void release() { this->release_write(); }
};

template <class Lock>
class AnyLock : public ::testing::Test {};
TYPED_TEST_SUITE_P(AnyLock);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(AnyLock);

// Whether another thread could take the lock right now.
template <class Lock>
bool free_for_others(Lock& lock) {
  return Call([&] {
           const bool taken = lock.try_acquire();
           if (taken) lock.release();
           return taken;
         })
      .result();
}

TYPED_TEST_P(AnyLock, can_be_neither_copied_nor_moved) {
  static_assert(!std::is_copy_constructible_v<TypeParam> && !std::is_copy_assignable_v<TypeParam>);
  static_assert(!std::is_move_constructible_v<TypeParam> && !std::is_move_assignable_v<TypeParam>);
}

TYPED_TEST_P(AnyLock, is_free_when_made_and_after_each_release) {
  TypeParam lock;
  EXPECT_TRUE(free_for_others(lock));
  for (int round = 0; round < 3; ++round) {
    EXPECT_TRUE(lock.acquire());
    EXPECT_FALSE(free_for_others(lock));
    lock.release();
    EXPECT_TRUE(free_for_others(lock));
    EXPECT_TRUE(lock.try_acquire());
    EXPECT_FALSE(free_for_others(lock));
    lock.release();
    EXPECT_TRUE(lock.acquire(1s));
    EXPECT_FALSE(free_for_others(lock));
    lock.release();
    EXPECT_TRUE(free_for_others(lock));
  }
}

TYPED_TEST_P(AnyLock, is_not_taken_by_an_attempt_that_failed) {
  TypeParam lock;
  lock.acquire();
  Bunch others(8, [&] {
    EXPECT_FALSE(lock.try_acquire());
    EXPECT_FALSE(lock.try_lock());
    EXPECT_FALSE(lock.acquire(0s));
    EXPECT_FALSE(lock.acquire(1ms));
  });
  others.join();
  lock.release();
  EXPECT_TRUE(free_for_others(lock));
}

TYPED_TEST_P(AnyLock, lets_waiters_through_one_at_a_time) {
  constexpr int kWaiters = 5;
  TypeParam lock;
  lock.acquire();
  std::atomic<int> through = 0;
  std::atomic<int> allowed = 0;
  Bunch waiters(kWaiters, [&] {
    lock.acquire();
    const int mine = ++through;
    EXPECT_TRUE(eventually([&] { return allowed >= mine; }));
    lock.release();
  });
  EXPECT_TRUE(stays([&] { return through == 0; }));
  lock.release();
  for (int n = 1; n <= kWaiters; ++n) {
    ASSERT_TRUE(eventually([&] { return through == n; }));
    EXPECT_TRUE(stays([&] { return through == n; }));
    EXPECT_FALSE(lock.try_acquire());
    allowed = n;
  }
}

TYPED_TEST_P(AnyLock, works_with_the_standard_guards) {
  TypeParam a, b;
  {
    const std::scoped_lock both(a, b);
    EXPECT_FALSE(free_for_others(a));
    EXPECT_FALSE(free_for_others(b));
  }
  {
    const std::lock_guard one(a);
    EXPECT_FALSE(free_for_others(a));
  }
  try {
    const std::scoped_lock guard(a);
    throw std::domain_error("out of the block");
  } catch (const std::domain_error&) {
  }
  EXPECT_TRUE(free_for_others(a)) << "an exception leaves it free, too";

  std::unique_lock deferred(a, std::defer_lock);
  EXPECT_TRUE(deferred.try_lock());
  std::unique_lock moved = std::move(deferred);
  EXPECT_TRUE(moved.owns_lock());
  Call other([&] { return std::unique_lock(a, std::try_to_lock).owns_lock(); });
  EXPECT_FALSE(other.result());
  moved.unlock();
  a.lock();
  const std::scoped_lock adopted(std::adopt_lock, a);
  EXPECT_FALSE(free_for_others(a));
}

TYPED_TEST_P(AnyLock, has_the_names_of_a_standard_timed_lock) {
  if constexpr (TypeParam::kTimedNames) {
    TypeParam lock;
    std::unique_lock held(lock, 1h);
    EXPECT_TRUE(held.owns_lock());
    Bunch others(2, [&] {
      EXPECT_FALSE(lock.try_lock_for(0s));
      const auto start = std::chrono::steady_clock::now();
      EXPECT_FALSE(lock.try_lock_for(10ms));
      EXPECT_GE(std::chrono::steady_clock::now() - start, 10ms);
      const auto deadline = std::chrono::system_clock::now() + 10ms;
      EXPECT_FALSE(lock.try_lock_until(deadline));
      EXPECT_GE(std::chrono::system_clock::now(), deadline);
      std::unique_lock until(lock, std::chrono::steady_clock::now() + 1ms);
      EXPECT_FALSE(until.owns_lock());
    });
    others.join();
    Call waiter([&] {
      const bool taken = lock.try_lock_for(std::chrono::hours::max());
      if (taken) lock.unlock();
      return taken;
    });
    ASSERT_TRUE(falls_asleep(waiter));
    held.unlock();
    EXPECT_TRUE(waiter.result());
    EXPECT_TRUE(lock.try_lock_until(std::chrono::steady_clock::time_point::min())) << "free, so taken";
    lock.unlock();
  }
}

TYPED_TEST_P(AnyLock, is_locked_with_others_without_deadlock_in_any_order) {
  TypeParam a, b, c;
  int plain = 0;
  Bunch users(3, [&](int index) {
    for (int i = 0; i < rounds(1000); ++i) {
      switch ((index + i) % 3) {
        case 0:
          std::lock(a, b, c);
          break;
        case 1:
          std::lock(b, c, a);
          break;
        default:
          std::lock(c, a, b);
          break;
      }
      ++plain;
      a.unlock();
      b.unlock();
      c.unlock();
    }
  });
  users.join();
  EXPECT_EQ(plain, 3 * rounds(1000));
}

TYPED_TEST_P(AnyLock, publishes_what_was_written_before_the_release) {
  TypeParam lock;
  int plain = 0;  // not atomic: ThreadSanitizer checks the ordering for us
  Bunch users(2, [&](int index) {
    for (int i = 0; i < rounds(20000); ++i) {
      if (index == 0) lock.acquire();
      else
        while (!lock.try_acquire()) std::this_thread::yield();
      ++plain;
      lock.release();
    }
  });
  users.join();
  EXPECT_EQ(plain, 2 * rounds(20000));
}

// More threads than cores, every way to take the lock, holders that lose their core.
TYPED_TEST_P(AnyLock, keeps_the_others_out_under_stress) {
  TypeParam lock;
  StopSource never;
  int inside = 0;
  long taken = 0;
  std::atomic<long> counted = 0;
  Bunch users(16, [&](int index) {
    long mine = 0;
    for (int i = 0; i < rounds(1500); ++i) {
      bool got = true;
      switch ((index + i) % 5) {
        case 0:
          lock.acquire();
          break;
        case 1:
          got = lock.try_acquire();
          break;
        case 2:
          got = lock.acquire(std::chrono::microseconds(i % 60));
          break;
        case 3:
          got = lock.acquire(never.get_token());
          break;
        default:
          got = lock.acquire(std::chrono::microseconds(i % 60), never.get_token());
          break;
      }
      if (!got) continue;
      ASSERT_EQ(++inside, 1);
      ++taken;
      ++mine;
      if (i % 64 == 0) std::this_thread::yield();
      --inside;
      lock.release();
    }
    counted += mine;
  });
  users.join();
  EXPECT_EQ(taken, counted);
  EXPECT_TRUE(free_for_others(lock));
}

// Waiters whose time runs out or whose stop is requested while the lock changes hands:
// whoever remains must always get it.
TYPED_TEST_P(AnyLock, goes_on_when_waiters_are_stopped_and_time_out_under_stress) {
  TypeParam lock;
  int plain = 0;
  std::atomic<int> counted = 0;
  std::atomic<int> finished = 0;
  std::mutex guard;
  std::stop_source current = StopSource();  // guarded by `guard`
  Bunch users(6, [&](int index) {
    for (int i = 0; i < rounds(2000); ++i) {
      bool got = true;
      if (index < 2) {
        lock.acquire();
      } else if (index < 4) {
        got = lock.acquire(50us);
      } else {
        const std::stop_token token = [&] {
          const std::scoped_lock held(guard);
          return current.get_token();
        }();
        got = lock.acquire(token);
      }
      if (!got) continue;
      ++plain;
      if (i % 8 == 0) std::this_thread::yield();
      ++counted;
      lock.release();
    }
    ++finished;
  });
  while (finished < 6) {
    std::stop_source last = StopSource();
    {
      const std::scoped_lock held(guard);
      std::swap(current, last);
    }
    last.request_stop();
    std::this_thread::sleep_for(20us);
  }
  users.join();
  EXPECT_EQ(plain, counted);
  EXPECT_TRUE(free_for_others(lock));
}

// The one woken by a release finds that a newcomer was faster, and is stopped in the same
// moment: it must not leave with the wake-up that was meant for who waits behind it.
TYPED_TEST_P(AnyLock, wakes_the_next_when_the_one_it_woke_leaves) {
  TypeParam lock;
  for (int round = 0; round < rounds(300); ++round) {
    lock.acquire();
    StopSource source;
    Call stopped([&] {
      const bool taken = lock.acquire(source.get_token());
      if (taken) lock.release();
      return taken;
    });
    ASSERT_TRUE(falls_asleep(stopped));
    Call next([&] {
      lock.acquire();
      lock.release();
    });
    ASSERT_TRUE(falls_asleep(next));
    lock.release();
    const bool faster = lock.try_acquire();
    source.request_stop();
    if (faster) lock.release();
    next.result();
    stopped.result();
  }
}

// The one let through destroys the lock while the release() that let it through may
// still be on its way out. ThreadSanitizer and AddressSanitizer are the judges.
TYPED_TEST_P(AnyLock, may_be_destroyed_by_the_thread_it_let_through) {
  if constexpr (TypeParam::kMayBeDestroyed) {
    for (int round = 0; round < rounds(1000); ++round) {
      auto lock = std::make_unique<TypeParam>();
      std::atomic<bool> held = false;
      Call first([&held, raw = lock.get(), round] {
        raw->acquire();
        held = true;
        for (int i = 0; i < round % 50; ++i) std::this_thread::yield();
        raw->release();
      });
      while (!held) std::this_thread::yield();
      lock->acquire();
      lock->release();
      lock.reset();
    }
  }
}

REGISTER_TYPED_TEST_SUITE_P(AnyLock, can_be_neither_copied_nor_moved, is_free_when_made_and_after_each_release,
                            is_not_taken_by_an_attempt_that_failed, lets_waiters_through_one_at_a_time,
                            works_with_the_standard_guards, has_the_names_of_a_standard_timed_lock,
                            is_locked_with_others_without_deadlock_in_any_order,
                            publishes_what_was_written_before_the_release, keeps_the_others_out_under_stress,
                            goes_on_when_waiters_are_stopped_and_time_out_under_stress,
                            wakes_the_next_when_the_one_it_woke_leaves, may_be_destroyed_by_the_thread_it_let_through);

}  // namespace nogil::testing
