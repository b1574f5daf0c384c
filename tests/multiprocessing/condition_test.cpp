// Tests of nogil::mp::Condition: between threads the suites of nogil's own, between processes under every
// start method.

#include "nogil/multiprocessing/condition.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <mutex>
#include <utility>
#include <vector>

#include "multiprocessing/support/processes.hpp"
#include "nogil/multiprocessing/semaphore.hpp"
#include "nogil/multiprocessing/value.hpp"
#include "support/lock_suite.hpp"
#include "support/wait_suite.hpp"

namespace nogil::testing {

using Doors = ConditionDoor<mp::Condition>;
NOGIL_WAIT_SUITE(MpCondition, TimedWait, Doors);
NOGIL_WAIT_SUITE(MpCondition, StoppableWait, Doors);

namespace condition_test {
namespace {

using mp::Value;

using AnyCondition = UnderEveryStartMethod;
NOGIL_UNDER_EVERY_START_METHOD(AnyCondition);

TEST_P(AnyCondition, notifies_as_many_processes_as_were_asked_for) {
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

// Half of them are processes, half of them threads of this one.
TEST_P(AnyCondition, notifies_processes_and_threads_behind_those_that_gave_up) {
  mp::Condition condition;
  mp::Semaphore sleeping(0);
  mp::Semaphore woken(0);
  const auto wait = [](mp::Condition same, mp::Semaphore before, mp::Semaphore after, bool patient) {
    same.acquire();
    before.release();
    const bool notified = patient ? same.wait(kPatience) : same.wait(5ms);
    if (notified == patient) after.release();
    same.release();
  };
  for (const bool patient : {false, true}) {
    std::vector<Process> processes;
    for (int i = 0; i < 3; ++i) {
      processes.push_back(process(wait, condition, sleeping, woken, patient));
      processes.back().start();  // before there are threads, for fork
    }
    Bunch threads(3, [&] { wait(condition, sleeping, woken, patient); });
    for (int i = 0; i < 6; ++i) ASSERT_TRUE(sleeping.acquire(kPatience));
    if (patient) {
      condition.acquire();  // the last has given it up in its wait()
      condition.release();
      EXPECT_TRUE(stays([&] { return woken.value() == 0; }));
      for (const int n : {2, 3}) {
        const auto before = woken.value();
        condition.acquire();
        condition.notify(n);
        condition.release();
        ASSERT_TRUE(eventually([&] { return woken.value() == before + n; }));
      }
      condition.acquire();
      condition.notify_all();
      condition.notify(3);  // nobody is left
      condition.release();
    }
    for (int i = 0; i < 6; ++i) ASSERT_TRUE(woken.acquire(kPatience));
    threads.join();
    for (Process& one : processes) {
      one.join();
      EXPECT_EQ(one.exitcode(), 0);
    }
    EXPECT_EQ(woken.value(), 0);
  }
}

TEST_P(AnyCondition, waits_for_a_predicate_of_what_processes_share) {
  mp::Condition condition;
  Value<int> state(-1);
  Process worker = process(
      [](mp::Condition same, Value<int> number) {
        const std::scoped_lock guard(same);
        number.set(0);
        same.notify();
        const bool reached = same.wait(kPatience, [&] { return number.get() == 4; });
        std::_Exit(reached && number.get() == 4 ? 0 : 1);  // with the lock: nobody else wants it
      },
      condition, state);
  worker.start();
  {
    const std::scoped_lock guard(condition);
    EXPECT_TRUE(condition.wait([&] { return state.get() == 0; }));
  }
  for (int i = 0; i < 4; ++i) {
    const std::scoped_lock guard(condition);
    state.set(state.get() + 1);
    condition.notify();
  }
  worker.join();
  EXPECT_EQ(worker.exitcode(), 0);
}

TEST_P(AnyCondition, waits_for_a_predicate_no_longer_than_the_limit) {
  mp::Condition condition;
  Value<int> state(0);
  mp::Semaphore begun(0);
  Process worker = process(
      [](mp::Condition same, Value<int> number, mp::Semaphore told) {
        int code = 1;
        {
          const std::scoped_lock guard(same);
          told.release();
          const auto end = std::chrono::steady_clock::now() + 50ms;
          const bool reached = same.wait(50ms, [&] { return number.get() == 4; });
          if (!reached && std::chrono::steady_clock::now() >= end) code = 0;
        }
        std::_Exit(code);
      },
      condition, state, begun);
  worker.start();
  ASSERT_TRUE(begun.acquire(kPatience));
  for (int i = 0; i < 3; ++i) {  // three notifications, none of which is enough
    const std::scoped_lock guard(condition);
    state.set(state.get() + 1);
    condition.notify();
  }
  worker.join();
  EXPECT_EQ(worker.exitcode(), 0);
}

TEST_P(AnyCondition, passes_over_a_waiter_that_has_died) {
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

}  // namespace
}  // namespace condition_test
}  // namespace nogil::testing
