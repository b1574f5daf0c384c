// tests/asyncio/barrier_test.cpp -- after CPython's test_locks.py.

#include "nogil/asyncio/barrier.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "asyncio/support/steps.hpp"
#include "nogil/asyncio/gather.hpp"

namespace nogil::asyncio {
namespace {

using namespace testing;

Coro<int> arrives(Barrier& barrier, Log& log, std::string name) {
  try {
    const std::ptrdiff_t index = co_await barrier.wait();
    log.push_back(name + std::to_string(index));
    co_return static_cast<int>(index);
  } catch (const BrokenBarrierError&) {
    log.push_back(name + " broken");
  }
  co_return -1;
}

TEST(AsyncBarrier, lets_all_go_when_the_last_has_come) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    Barrier barrier(3);
    EXPECT_EQ(barrier.parties(), 3);
    const Task<int> a = create_task(arrives(barrier, log, "a"));
    const Task<int> b = create_task(arrives(barrier, log, "b"));
    co_await pass_rounds(3);
    EXPECT_EQ(barrier.n_waiting(), 2);
    EXPECT_TRUE(log.empty());
    EXPECT_EQ(co_await arrives(barrier, log, "c"), 2);
    co_await pass_rounds(2);
    EXPECT_EQ(barrier.n_waiting(), 0);
    EXPECT_FALSE(barrier.broken());
  };
  in_virtual_time(amain());
  EXPECT_EQ(log, (Log{"c2", "a0", "b1"}));
}

TEST(AsyncBarrier, of_one_never_waits_and_of_none_is_an_error) {
  EXPECT_THROW(Barrier(0), ValueError);
  EXPECT_THROW(Barrier(-1), ValueError);
  const auto amain = []() -> Coro<> {
    Barrier barrier(1);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(co_await barrier.wait(), 0);
  };
  in_virtual_time(amain());
}

Coro<> passes_often(Barrier& barrier, std::vector<int>& passed, std::size_t self, int times) {
  for (int i = 0; i < times; ++i) {
    EXPECT_EQ(passed[self], i);
    ++passed[self];
    co_await barrier.wait();
    for (const int other : passed) EXPECT_TRUE(other == i + 1 || other == i + 2);
  }
}

TEST(AsyncBarrier, can_be_used_again_and_again) {
  const auto amain = []() -> Coro<> {
    Barrier barrier(4);
    std::vector<int> passed(4, 0);
    std::vector<Coro<>> tasks;
    for (std::size_t i = 0; i < 4; ++i) tasks.push_back(passes_often(barrier, passed, i, 20));
    co_await gather(std::move(tasks));
    EXPECT_EQ(passed, std::vector<int>(4, 20));
  };
  in_virtual_time(amain());
}

TEST(AsyncBarrier, makes_those_wait_who_come_before_all_have_gone) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    Barrier barrier(2);
    std::vector<Task<int>> tasks;
    for (const char* name : {"a", "b", "c", "d", "e"}) tasks.push_back(create_task(arrives(barrier, log, name)));
    co_await pass_rounds(6);
    EXPECT_EQ(barrier.n_waiting(), 1);
    EXPECT_FALSE(tasks[4].done());
    tasks[4].cancel();
    EXPECT_TRUE(co_await ends_cancelled(tasks[4]));
    EXPECT_EQ(barrier.n_waiting(), 0);
  };
  in_virtual_time(amain());
  EXPECT_EQ(log, (Log{"b1", "a0", "d1", "c0"}));
}

TEST(AsyncBarrier, does_not_count_one_who_is_cancelled) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    Barrier barrier(3);
    const Task<int> a = create_task(arrives(barrier, log, "a"));
    const Task<int> b = create_task(arrives(barrier, log, "b"));
    co_await yield();
    a.cancel();
    EXPECT_TRUE(co_await ends_cancelled(a));
    EXPECT_EQ(barrier.n_waiting(), 1);
    const Task<int> c = create_task(arrives(barrier, log, "c"));
    co_await pass_rounds(2);
    EXPECT_FALSE(b.done());
    co_await arrives(barrier, log, "d");
    co_await b;
    co_await c;
  };
  in_virtual_time(amain());
}

// CPython: who comes next after one who is cancelled goes behind the others.
TEST(AsyncBarrier, lets_go_in_the_order_in_which_it_does_in_python_when_one_was_cancelled) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    Barrier barrier(5);
    std::vector<Task<int>> tasks;
    for (const char* name : {"a", "b", "c", "d"}) tasks.push_back(create_task(arrives(barrier, log, name)));
    co_await yield();
    tasks[1].cancel();
    EXPECT_TRUE(co_await ends_cancelled(tasks[1]));
    tasks.push_back(create_task(arrives(barrier, log, "e")));
    co_await yield();
    EXPECT_EQ(co_await arrives(barrier, log, "f"), 4);
    for (const std::size_t i : {0u, 2u, 3u, 4u}) co_await tasks[i];
  };
  in_virtual_time(amain());
  EXPECT_EQ(log, (Log{"f4", "c2", "d3", "a0", "e3"}));
}

TEST(AsyncBarrier, lets_the_others_go_when_one_is_cancelled_on_its_way) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    Barrier barrier(3);
    const Task<int> a = create_task(arrives(barrier, log, "a"));
    const Task<int> b = create_task(arrives(barrier, log, "b"));
    co_await yield();
    co_await barrier.wait();
    a.cancel();
    EXPECT_TRUE(co_await ends_cancelled(a));
    EXPECT_EQ(co_await b, 1);
    co_await yield();
    const Task<int> c = create_task(arrives(barrier, log, "c"));
    co_await yield();
    EXPECT_EQ(barrier.n_waiting(), 1);  // it is filling again
    c.cancel();
    EXPECT_TRUE(co_await ends_cancelled(c));
  };
  in_virtual_time(amain());
}

TEST(AsyncBarrier, is_broken_by_abort_until_reset) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    Barrier barrier(2);
    const Task<int> a = create_task(arrives(barrier, log, "a"));
    co_await yield();
    co_await barrier.abort();
    EXPECT_TRUE(barrier.broken());
    EXPECT_EQ(co_await a, -1);
    EXPECT_EQ(co_await arrives(barrier, log, "b"), -1);
    co_await barrier.reset();
    EXPECT_FALSE(barrier.broken());
    const Task<int> c = create_task(arrives(barrier, log, "c"));
    co_await yield();
    EXPECT_EQ(co_await arrives(barrier, log, "d"), 1);
    EXPECT_EQ(co_await c, 0);
  };
  in_virtual_time(amain());
  EXPECT_EQ(log, (Log{"a broken", "b broken", "d1", "c0"}));
}

TEST(AsyncBarrier, sends_away_who_waits_when_it_is_reset) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    Barrier barrier(3);
    const Task<int> a = create_task(arrives(barrier, log, "a"));
    const Task<int> b = create_task(arrives(barrier, log, "b"));
    co_await yield();
    co_await barrier.reset();
    EXPECT_FALSE(barrier.broken());
    const Task<int> c = create_task(arrives(barrier, log, "c"));  // waits until both have gone
    co_await pass_rounds(4);
    EXPECT_EQ(co_await a, -1);
    EXPECT_EQ(co_await b, -1);
    EXPECT_EQ(barrier.n_waiting(), 1);
    c.cancel();
    EXPECT_TRUE(co_await ends_cancelled(c));
  };
  in_virtual_time(amain());
  EXPECT_EQ(log, (Log{"a broken", "b broken"}));
}

// Some have gone, the others are on their way when it is reset.
Coro<> resets_when_two_are_left(Barrier& barrier, Log& log, int& inside, std::string name) {
  try {
    co_await barrier.wait();
    if (--inside == 2) co_await barrier.reset();
    log.push_back(name);
  } catch (const BrokenBarrierError&) {
    --inside;
    log.push_back(name + " broken");
  }
}

TEST(AsyncBarrier, sends_away_those_who_are_on_their_way_when_it_is_reset) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    Barrier barrier(5);
    int inside = 5;
    std::vector<Coro<>> tasks;
    for (const char* name : {"a", "b", "c", "d", "e"}) {
      tasks.push_back(resets_when_two_are_left(barrier, log, inside, name));
    }
    co_await gather(std::move(tasks));
    EXPECT_FALSE(barrier.broken());
    EXPECT_EQ(barrier.n_waiting(), 0);
    const Task<int> again = create_task(arrives(barrier, log, "again"));
    co_await yield();
    EXPECT_EQ(barrier.n_waiting(), 1);
    again.cancel();
    EXPECT_TRUE(co_await ends_cancelled(again));
  };
  in_virtual_time(amain());
  EXPECT_EQ(log, (Log{"e", "a", "b", "c broken", "d broken"}));
}

// Two have gone and come again, and wait outside, when the third changes it; two are on their way.
Coro<> comes_again(Barrier& barrier, Log& log, int& gone, std::string name, bool abort) {
  bool broken = false;
  try {
    co_await barrier.wait();
  } catch (const BrokenBarrierError&) {
    broken = true;
  }
  if (broken) log.push_back(name + " broken");
  else if (++gone == 3 && abort) co_await barrier.abort();
  else if (gone == 3) co_await barrier.reset();
  if ((broken || gone >= 3) && abort) co_return;
  try {
    co_await barrier.wait();
    log.push_back(name + " again");
  } catch (const BrokenBarrierError&) {
    log.push_back(name + " broken outside");
  }
}

Log five_come_again(bool abort) {
  static Log log;
  log.clear();
  const auto amain = [](bool aborts) -> Coro<> {
    Barrier barrier(5);
    int gone = 0;
    std::vector<Coro<>> tasks;
    for (const char* name : {"a", "b", "c", "d", "e"}) {
      tasks.push_back(comes_again(barrier, log, gone, name, aborts));
    }
    co_await gather(std::move(tasks));
    EXPECT_EQ(barrier.broken(), aborts);
    EXPECT_EQ(barrier.n_waiting(), 0);
  };
  in_virtual_time(amain(abort));
  std::sort(log.begin(), log.end());
  return log;
}

TEST(AsyncBarrier, lets_those_who_wait_outside_come_in_after_a_reset) {
  EXPECT_EQ(five_come_again(false),
            (Log{"a again", "b again", "c again", "c broken", "d again", "d broken", "e again"}));
}

TEST(AsyncBarrier, sends_away_those_who_wait_outside_when_it_is_aborted) {
  EXPECT_EQ(five_come_again(true), (Log{"a broken outside", "c broken", "d broken", "e broken outside"}));
}

TEST(AsyncBarrier, forgets_a_reset_once_all_have_gone) {
  const auto amain = []() -> Coro<> {
    Barrier barrier(1);
    co_await barrier.reset();
    EXPECT_FALSE(barrier.broken());
    EXPECT_EQ(co_await barrier.wait(), 0);
    co_await barrier.abort();
    EXPECT_TRUE(barrier.broken());
    EXPECT_THROW(co_await barrier.wait(), BrokenBarrierError);
    co_await barrier.abort();
    co_await barrier.reset();
    co_await barrier.reset();
    EXPECT_EQ(co_await barrier.wait(), 0);
    EXPECT_EQ(barrier.n_waiting(), 0);
  };
  in_virtual_time(amain());
}

// As threading.Barrier is repaired: all meet at another one, and one of them resets it.
Coro<> fails_and_repairs(Barrier& barrier, Barrier& meeting, Log& log) {
  bool failed = false;
  try {
    if (co_await barrier.wait() == 2) failed = true;
    else co_await barrier.wait();
    if (!failed) log.push_back("passed");
  } catch (const BrokenBarrierError&) {
    log.push_back("broken");
  }
  if (failed) co_await barrier.abort();
  if (co_await meeting.wait() == 2) co_await barrier.reset();
  co_await meeting.wait();
  co_await barrier.wait();
  log.push_back("repaired");
}

TEST(AsyncBarrier, is_repaired_by_those_who_meet_at_another_one) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    Barrier barrier(5);
    Barrier meeting(5);
    std::vector<Coro<>> tasks;
    for (int i = 0; i < 5; ++i) tasks.push_back(fails_and_repairs(barrier, meeting, log));
    co_await gather(std::move(tasks));
    EXPECT_FALSE(barrier.broken());
    EXPECT_EQ(barrier.n_waiting() + meeting.n_waiting(), 0);
  };
  in_virtual_time(amain());
  EXPECT_EQ(std::count(log.begin(), log.end(), "broken"), 4);
  EXPECT_EQ(std::count(log.begin(), log.end(), "repaired"), 5);
  EXPECT_EQ(log.size(), 9u);
}

TEST(AsyncBarrier, that_is_destroyed_first_lets_those_who_wait_be_cancelled) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    auto barrier = std::make_unique<Barrier>(2);
    const Task<int> a = create_task(arrives(*barrier, log, "a"));
    co_await yield();
    barrier.reset();
    a.cancel();
    EXPECT_TRUE(co_await ends_cancelled(a));
  };
  in_virtual_time(amain());
}

}  // namespace
}  // namespace nogil::asyncio
