// Tests of nogil::mp::Condition: between threads the suites of nogil's own, between processes under every
// start method.

#include "nogil/multiprocessing/condition.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "multiprocessing/support/processes.hpp"
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
