// Tests of nogil::mp::Lock and RLock: between threads the suites of nogil's own, between processes under
// every start method, also one that dies.

#include "nogil/multiprocessing/lock.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include "multiprocessing/support/processes.hpp"
#include "nogil/multiprocessing/condition.hpp"
#include "nogil/multiprocessing/rlock.hpp"
#include "nogil/multiprocessing/semaphore.hpp"
#include "nogil/multiprocessing/value.hpp"
#include "support/lock_suite.hpp"
#include "support/wait_suite.hpp"

namespace nogil::testing {

// The suites are about objects; a handle to an object of its own stands for one.
template <class Base, bool kTimed>
struct HandleKind : Base {
  static constexpr bool kTimedNames = kTimed;
  static constexpr bool kMayBeDestroyed = true;
  HandleKind() = default;
  HandleKind(const HandleKind&) = delete;
  HandleKind& operator=(const HandleKind&) = delete;
};

// The locks look up from their sleep now and then, which StoppableWait would take for a fault.
using LockKinds = ::testing::Types<HandleKind<mp::Lock, true>, HandleKind<mp::RLock, true>>;
INSTANTIATE_TYPED_TEST_SUITE_P(Mp, AnyLock, LockKinds);
NOGIL_WAIT_SUITE(Mp, TimedWait, LockDoor<mp::Lock>);
NOGIL_WAIT_SUITE(Mp, WaitForWhatIsFree, LockDoor<mp::RLock>);

namespace lock_test {
namespace {

using mp::Value;

using AnyMpLock = UnderEveryStartMethod;
NOGIL_UNDER_EVERY_START_METHOD(AnyMpLock);

// ---- Between processes -------------------------------------------------------------------

template <class L>
void count_under(L lock, mp::Value<long> pair, int times) {
  for (int i = 0; i < times; ++i) {
    const std::scoped_lock guard(lock);
    pair.set(pair.get() + 1);  // two steps, that only the lock keeps together
  }
}

template <class L>
void expect_exclusive(StartMethod method) {
  constexpr int kTimes = 2000;
  L lock;
  Value<long> count(0);
  std::vector<Process> workers;
  for (int i = 0; i < 3; ++i) {
    workers.emplace_back(Process::Options{.start_method = method}, count_under<L>, lock, count, kTimes);
    workers.back().start();
  }
  count_under(lock, count, kTimes);
  for (Process& worker : workers) {
    worker.join();
    EXPECT_EQ(worker.exitcode(), 0);
  }
  EXPECT_EQ(count.get(), 4 * kTimes);
}

TEST_P(AnyMpLock, lets_one_process_at_a_time_through) {
  expect_exclusive<mp::Lock>(GetParam());
  expect_exclusive<mp::RLock>(GetParam());
  expect_exclusive<mp::Semaphore>(GetParam());
  expect_exclusive<mp::Condition>(GetParam());
}

TEST_P(AnyMpLock, is_released_by_any_process) {
  mp::Lock lock;
  lock.acquire();
  EXPECT_EQ(exitcode(
                [](mp::Lock same) {
                  if (same.try_acquire()) std::_Exit(2);
                  same.release();
                },
                lock),
            0);
  EXPECT_FALSE(lock.locked());
  EXPECT_TRUE(lock.try_acquire());
  EXPECT_TRUE(lock.locked()) << "it is this process's, which lives";
  lock.release();
}

TEST_P(AnyMpLock, that_has_an_owner_is_released_by_nobody_else) {
  mp::RLock lock;
  lock.acquire();
  lock.acquire();
  EXPECT_EQ(exitcode(
                [](mp::RLock same) {
                  if (same.is_owned() || same.recursion_count() != 0 || !same.locked()) std::_Exit(2);
                  if (same.try_acquire() || same.acquire(1ms)) std::_Exit(3);
                  try {
                    same.release();
                  } catch (const RuntimeError&) {
                    std::_Exit(7);
                  }
                },
                lock),
            7);
  EXPECT_EQ(lock.recursion_count(), 2u);
  lock.release();
  lock.release();
  EXPECT_EQ(exitcode(
                [](mp::RLock same) {
                  for (int i = 0; i < 3; ++i) same.acquire();
                  for (int i = 0; i < 3; ++i) same.release();
                },
                lock),
            0);
  EXPECT_FALSE(lock.locked());
}

// ---- When a process dies -------------------------------------------------------------------

template <class L>
void die_holding(L lock, int how) {
  lock.acquire();
  if (how == 0) ::raise(SIGKILL);
  if (how == 1) std::_Exit(0);
  if (how == 2) throw std::runtime_error("the lock was forgotten");
}

template <class L>
void expect_freed(StartMethod method) {
  for (int how = 0; how < 3; ++how) {
    L lock;
    ::testing::internal::CaptureStderr();
    Process holder(Process::Options{.start_method = method}, die_holding<L>, lock, how);
    holder.start();
    holder.join();
    ::testing::internal::GetCapturedStderr();
    EXPECT_TRUE(lock.locked());
    if (how == 0) EXPECT_THROW(static_cast<void>(lock.try_acquire()), OwnerDied);
    else EXPECT_THROW(lock.acquire(), OwnerDied);
    EXPECT_FALSE(lock.locked());
    EXPECT_TRUE(lock.acquire(0s)) << "it is a lock as before";
    lock.release();
  }
}

TEST_P(AnyMpLock, is_free_again_when_its_holder_has_died) {
  expect_freed<mp::Lock>(GetParam());
  expect_freed<mp::RLock>(GetParam());
}

TEST_P(AnyMpLock, tells_one_of_those_who_wait_that_the_holder_died) {
  mp::Lock lock;
  Value<int> held(0);
  Process holder = process(
      [](mp::Lock own, Value<int> to) {
        own.acquire();
        to.set(1);
        for (;;) ::pause();
      },
      lock, held);
  holder.start();
  ASSERT_TRUE(eventually([&] { return held.get() == 1; }));
  std::atomic<int> told{0};
  std::atomic<int> took{0};
  Bunch waiters(3, [&] {
    try {
      lock.acquire();
    } catch (const OwnerDied&) {
      ++told;
      return;
    }
    ++took;
    lock.release();
  });
  EXPECT_TRUE(stays([&] { return told == 0 && took == 0; }));
  holder.kill();
  waiters.join();
  EXPECT_EQ(told, 1);
  EXPECT_EQ(took, 2);
}

TEST_P(AnyMpLock, is_found_out_with_a_limit_that_is_over_from_the_first) {
  mp::RLock lock;
  EXPECT_EQ(exitcode([](mp::RLock own) { own.acquire(), std::_Exit(0); }, lock), 0);
  EXPECT_THROW(static_cast<void>(lock.acquire(0s)), OwnerDied);
}

TEST_P(AnyMpLock, stays_with_a_holder_that_lives) {
  mp::Lock lock;
  lock.acquire();
  EXPECT_EQ(exitcode(
                [](mp::Lock same) {
                  const bool taken = same.acquire(100ms);  // past several looks at the holder
                  std::_Exit(taken ? 1 : 0);
                },
                lock),
            0);
  EXPECT_TRUE(lock.locked());
  lock.release();
}

template <class L>
void expect_stoppable() {
  L lock;
  Keeper keeper;
  keeper.run([&] { lock.acquire(); });
  StopSource source;
  Call waiter([&] { return lock.acquire(source.get_token()); });
  ASSERT_TRUE(falls_asleep(waiter));
  source.request_stop();
  EXPECT_FALSE(waiter.result());
  EXPECT_FALSE(lock.acquire(1h, stopped_token()));
  keeper.run([&] { lock.release(); });
  EXPECT_TRUE(lock.acquire(stopped_token()));
  lock.release();
}

TEST(MpLock, is_waited_for_until_a_stop_is_requested) {
  expect_stoppable<mp::Lock>();
  expect_stoppable<mp::RLock>();
}

TEST(MpLock, refuses_a_release_too_many) {
  mp::Lock lock;
  EXPECT_THROW(lock.release(), RuntimeError);
  lock.acquire();
  std::thread([&] { lock.release(); }).join();  // anyone may
  EXPECT_THROW(lock.release(), RuntimeError);
}

TEST(MpHandle, is_a_copy_of_the_same_object) {
  mp::Lock lock;
  const mp::Lock copy = lock;
  lock.acquire();
  EXPECT_TRUE(copy.locked());
  mp::Lock other;
  other = lock;
  EXPECT_TRUE(other.locked());
}

}  // namespace
}  // namespace lock_test
}  // namespace nogil::testing
