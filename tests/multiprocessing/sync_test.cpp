// Tests of the primitives between processes: Lock, RLock, Semaphore, BoundedSemaphore, Event,
// Condition. Between threads they pass the suites of nogil's own; then under every
// start method, and with processes that die.

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "multiprocessing/support/processes.hpp"
#include "nogil/multiprocessing/condition.hpp"
#include "nogil/multiprocessing/event.hpp"
#include "nogil/multiprocessing/lock.hpp"
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

// Event, Semaphore and Barrier are nogil's own algorithms, which have their suites; what is
// new here are the locks and the condition. The locks look up from their sleep now and then,
// which StoppableWait would take for a fault.
using LockKinds = ::testing::Types<HandleKind<mp::Lock, true>, HandleKind<mp::RLock, true>>;
using Doors = ::testing::Types<LockDoor<mp::Lock>, ConditionDoor<mp::Condition>>;
INSTANTIATE_TYPED_TEST_SUITE_P(Mp, AnyLock, LockKinds);
INSTANTIATE_TYPED_TEST_SUITE_P(Mp, TimedWait, Doors);
INSTANTIATE_TYPED_TEST_SUITE_P(Mp, StoppableWait, ConditionDoor<mp::Condition>);
INSTANTIATE_TYPED_TEST_SUITE_P(Mp, WaitForWhatIsFree, LockDoor<mp::RLock>);

namespace {

using mp::Value;

using AnyPrimitive = UnderEveryStartMethod;
NOGIL_UNDER_EVERY_START_METHOD(AnyPrimitive);

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

TEST_P(AnyPrimitive, lets_one_process_at_a_time_through) {
  expect_exclusive<mp::Lock>(GetParam());
  expect_exclusive<mp::RLock>(GetParam());
  expect_exclusive<mp::Semaphore>(GetParam());
  expect_exclusive<mp::Condition>(GetParam());
}

TEST_P(AnyPrimitive, wakes_a_process_that_waits) {
  mp::Event event;
  Value<int> seen(0);
  Process worker = process(
      [](mp::Event door, Value<int> to) {
        to.set(1);
        to.set(door.wait() ? 2 : 3);
      },
      event, seen);
  worker.start();
  ASSERT_TRUE(eventually([&] { return seen.get() == 1; }));
  EXPECT_FALSE(worker.join(5ms));
  event.set();
  worker.join();
  EXPECT_EQ(seen.get(), 2);
}

TEST_P(AnyPrimitive, hands_permits_from_process_to_process) {
  mp::Semaphore work(0);
  mp::Semaphore done(0);
  Process worker = process(
      [](mp::Semaphore take, mp::Semaphore give) {
        for (int i = 0; i < 100; ++i) {
          take.acquire();
          give.release();
        }
      },
      work, done);
  worker.start();
  for (int i = 0; i < 100; ++i) {
    work.release();
    ASSERT_TRUE(done.acquire(kPatience));
  }
  worker.join();
  mp::BoundedSemaphore bounded(1);
  EXPECT_THROW(bounded.release(), ValueError);
  EXPECT_EQ(exitcode(
                [](mp::BoundedSemaphore same) {
                  try {
                    same.release();
                  } catch (const ValueError&) {
                    std::_Exit(7);
                  }
                },
                bounded),
            7);
  EXPECT_THROW(mp::Semaphore(-1), ValueError);
}

TEST_P(AnyPrimitive, notifies_as_many_processes_as_were_asked_for) {
  mp::Condition condition;
  Value<int> waiting(0);
  Value<int> woken(0);
  std::vector<Process> workers;
  for (int i = 0; i < 3; ++i) {
    workers.push_back(process(
        [](mp::Condition same, Value<int> before, Value<int> after) {
          same.acquire();
          before.set(before.get() + 1);
          same.wait();
          after.set(after.get() + 1);
          same.release();
        },
        condition, waiting, woken));
    workers.back().start();
  }
  ASSERT_TRUE(eventually([&] { return waiting.get() == 3; }));
  for (int expected = 1; expected <= 3; expected += 2) {
    condition.acquire();  // the last has given it up in its wait()
    condition.notify(expected == 1 ? 1 : 2);
    condition.release();
    ASSERT_TRUE(eventually([&] { return woken.get() == expected; }));
    EXPECT_TRUE(stays([&] { return woken.get() == expected; }));
  }
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

TEST_P(AnyPrimitive, is_free_again_when_its_holder_has_died) {
  expect_freed<mp::Lock>(GetParam());
  expect_freed<mp::RLock>(GetParam());
}

TEST_P(AnyPrimitive, tells_one_of_those_who_wait_that_the_holder_died) {
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

TEST_P(AnyPrimitive, is_found_out_with_a_limit_that_is_over_from_the_first) {
  mp::RLock lock;
  EXPECT_EQ(exitcode([](mp::RLock own) { own.acquire(), std::_Exit(0); }, lock), 0);
  EXPECT_THROW(static_cast<void>(lock.acquire(0s)), OwnerDied);
}

TEST_P(AnyPrimitive, stays_with_a_holder_that_lives) {
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

TEST_P(AnyPrimitive, passes_over_a_waiter_that_has_died) {
  mp::Condition condition;
  Value<int> waiting(0);
  const auto wait = [](mp::Condition same, Value<int> before) {
    same.acquire();
    before.set(before.get() + 1);
    same.wait();
    same.release();
  };
  Process first = process(wait, condition, waiting);
  first.start();
  ASSERT_TRUE(eventually([&] { return waiting.get() == 1; }));
  Process second = process(wait, condition, waiting);
  second.start();
  ASSERT_TRUE(eventually([&] { return waiting.get() == 2; }));
  condition.acquire();
  condition.release();
  first.kill();
  first.join();
  condition.acquire();
  condition.notify(1);
  condition.release();
  EXPECT_TRUE(second.join(kPatience));
  EXPECT_EQ(second.exitcode(), 0);
}

TEST(MpRLock, is_free_again_when_the_thread_that_held_it_has_ended) {
  mp::RLock lock;
  std::thread([&] { lock.acquire(); }).join();
  EXPECT_THROW(lock.acquire(), OwnerDied);
  EXPECT_TRUE(lock.acquire());
  lock.release();
}

TEST(MpRLock, counts_its_levels) {
  mp::RLock lock;
  for (std::size_t level = 1; level <= 3; ++level) {
    lock.acquire();
    EXPECT_EQ(lock.recursion_count(), level);
  }
  for (int level = 3; level > 0; --level) {
    EXPECT_TRUE(lock.is_owned());
    lock.release();
  }
  EXPECT_FALSE(lock.is_owned());
  EXPECT_THROW(lock.release(), RuntimeError);
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

TEST(MpCondition, refuses_wait_and_notify_without_the_lock) {
  mp::Condition condition;
  EXPECT_THROW(condition.wait(), RuntimeError);
  EXPECT_THROW(condition.notify(), RuntimeError);
  condition.acquire();
  EXPECT_THROW(condition.notify(-1), ValueError);
  EXPECT_FALSE(condition.wait(1ms));
  EXPECT_FALSE(condition.wait(1ms, [] { return false; }));
  EXPECT_TRUE(condition.wait([] { return true; }));
  condition.release();
}

TEST(MpCondition, shares_a_lock_that_it_was_given) {
  mp::Lock lock;
  mp::LockCondition one(lock);
  mp::LockCondition two(lock);
  one.acquire();
  EXPECT_TRUE(two.locked());
  EXPECT_FALSE(two.try_acquire());
  two.release();
  EXPECT_FALSE(lock.locked());
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
}  // namespace nogil::testing
