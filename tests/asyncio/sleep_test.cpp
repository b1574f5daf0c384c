// tests/asyncio/sleep_test.cpp

#include "nogil/asyncio/sleep.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "asyncio/support/virtual_time.hpp"
#include "nogil/asyncio/run.hpp"

namespace nogil::asyncio {
namespace {

using namespace std::chrono_literals;
using testing::in_virtual_time;
using testing::Log;
using testing::VirtualLoop;

TEST(Sleep, lasts_as_long_as_asked_for) {
  VirtualLoop loop;
  const auto amain = []() -> Coro<> {
    co_await sleep(3s);
    co_await sleep(std::chrono::duration<double>(0.5));
    co_await sleep(std::chrono::hours(1));
  };
  loop.run_until_complete(amain());
  EXPECT_EQ(loop.elapsed(), 1h + 3500ms);
}

TEST(Sleep, takes_real_time_in_a_real_loop) {
  const auto before = std::chrono::steady_clock::now();
  const auto amain = []() -> Coro<> { co_await sleep(1500us); };
  run(amain());
  EXPECT_GE(std::chrono::steady_clock::now() - before, 1500us);
}

TEST(Sleep, of_several_tasks_goes_on_at_the_same_time) {
  VirtualLoop loop;
  const auto cook = [](Log& log, std::string name, std::chrono::seconds time) -> Coro<> {
    co_await sleep(time);
    log.push_back(name);
  };
  const auto amain = [](auto make, Log& log) -> Coro<> {
    const auto soup = create_task(make(log, "soup", 3s));
    const auto tea = create_task(make(log, "tea", 1s));
    const auto cake = create_task(make(log, "cake", 2s));
    const auto pie = create_task(make(log, "pie", 2s));
    co_await soup;
    EXPECT_TRUE(pie.done() && cake.done() && tea.done());
  };
  Log log;
  loop.run_until_complete(amain(cook, log));
  EXPECT_EQ(log, (Log{"tea", "cake", "pie", "soup"}));
  EXPECT_EQ(loop.elapsed(), 3s);
}

TEST(Sleep, of_zero_or_less_lets_the_others_run_once) {
  static Log log;
  log.clear();
  const auto other = []() -> Coro<> {
    for (int i = 0; i < 3; ++i) {
      log.push_back("other");
      co_await sleep(0s);
    }
  };
  const auto amain = [](auto make) -> Coro<> {
    const auto task = create_task(make());
    log.push_back("main");
    co_await sleep(0s);
    log.push_back("main");
    co_await sleep(-1h);
    log.push_back("main");
    co_await yield();
    log.push_back("main");
  };
  VirtualLoop loop;
  loop.run_until_complete(amain(other));
  EXPECT_EQ(log, (Log{"main", "other", "main", "other", "main", "other", "main"}));
  EXPECT_EQ(loop.elapsed(), 0s);
}

TEST(Sleep, gives_a_value) {
  const auto amain = []() -> Coro<> {
    EXPECT_EQ(co_await sleep(1s, 7), 7);
    EXPECT_EQ(co_await sleep(0s, "zero"), std::string("zero"));
    auto owner = std::make_unique<int>(3);
    const std::unique_ptr<int> back = co_await sleep(1s, std::move(owner));
    EXPECT_EQ(*back, 3);
  };
  in_virtual_time(amain());
}

TEST(Sleep, is_something_to_make_a_task_of) {
  const auto amain = []() -> Coro<> {
    const Task<int> task = create_task(sleep(1s, 7), "nap");
    EXPECT_EQ(task.name(), "nap");
    EXPECT_EQ(co_await task, 7);
  };
  in_virtual_time(amain());
}

template <class Length>
Coro<bool> is_endless(Length length) {
  const auto task = create_task(sleep(length));
  co_await sleep(std::chrono::hours(24 * 365 * 100));
  const bool waits = !task.done();
  task.cancel();
  try {
    co_await task;
  } catch (const CancelledError&) {
    co_return waits;
  }
  co_return false;
}

TEST(Sleep, that_is_too_long_to_count_is_for_ever) {
  EXPECT_TRUE(in_virtual_time(is_endless(std::chrono::hours::max())));
  EXPECT_TRUE(in_virtual_time(is_endless(std::chrono::nanoseconds::max())));
  EXPECT_TRUE(in_virtual_time(is_endless(std::chrono::duration<double>(std::numeric_limits<double>::infinity()))));
}

TEST(Sleep, ends_at_once_when_it_is_cancelled) {
  VirtualLoop loop;
  const auto sleeper = []() -> Coro<> { co_await sleep(1h); };
  const auto amain = [](auto make) -> Coro<> {
    const auto task = create_task(make());
    co_await sleep(1s);
    EXPECT_TRUE(task.cancel());
    EXPECT_THROW(co_await task, CancelledError);
    EXPECT_TRUE(task.cancelled());
  };
  loop.run_until_complete(amain(sleeper));
  EXPECT_EQ(loop.elapsed(), 1s);
}

// Before its timer has run, which is in the ring by then; and after it has woken the task.
TEST(Sleep, can_be_cancelled_in_the_round_in_which_it_is_over) {
  for (const bool woken : {false, true}) {
    const auto sleeper = []() -> Coro<> { co_await sleep(1s); };
    const auto amain = [](auto make, bool after) -> Coro<> {
      Task<> victim;
      const auto cancel = [&victim] { EXPECT_TRUE(victim.cancel()); };
      if (!after) get_running_loop().call_later(1s, cancel);
      victim = create_task(make());
      co_await yield();
      if (after) get_running_loop().call_later(1s, cancel);
      EXPECT_THROW(co_await victim, CancelledError);
      EXPECT_TRUE(victim.cancelled());
    };
    VirtualLoop loop;
    loop.run_until_complete(amain(sleeper, woken));
    EXPECT_EQ(loop.elapsed(), 1s);
  }
}

}  // namespace
}  // namespace nogil::asyncio
