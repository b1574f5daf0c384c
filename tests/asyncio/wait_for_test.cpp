// tests/asyncio/wait_for_test.cpp -- after CPython's test_waitfor.py.

#include "nogil/asyncio/wait_for.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "asyncio/support/steps.hpp"
#include "nogil/asyncio/future.hpp"
#include "nogil/asyncio/shield.hpp"
#include "nogil/asyncio/to_thread.hpp"
#include "nogil/futures/promise.hpp"

namespace nogil::asyncio {
namespace {

using namespace testing;

TEST(WaitFor, gives_what_ends_in_time) {
  const auto amain = []() -> Coro<> {
    EXPECT_EQ(co_await wait_for(value_after(1s, 3), 2s), 3);
    const Task<int> task = create_task(value_after(1s, 4));
    EXPECT_EQ(co_await wait_for(task, 1h), 4);
    EXPECT_THROW(co_await wait_for(fail_after(1s, "own"), 2s), std::domain_error);
  };
  in_virtual_time(amain());
}

TEST(WaitFor, of_zero_or_less_starts_no_coroutine) {
  static Log log;
  log.clear();
  const auto body = []() -> Coro<> {
    log.push_back("started");
    co_return;
  };
  const auto amain = [](auto make) -> Coro<> {
    for (const auto time : {0s, -1s}) EXPECT_THROW(co_await wait_for(make(), time), TimeoutError);
    EXPECT_TRUE(log.empty());
  };
  in_virtual_time(amain(body));
}

TEST(WaitFor, of_zero_or_less_gives_what_is_done_and_cancels_what_is_not) {
  const auto amain = []() -> Coro<> {
    const Task<int> done = create_task(number(5));
    co_await done;
    EXPECT_EQ(co_await wait_for(done, 0s), 5);
    EXPECT_EQ(co_await wait_for(done, -1s), 5);
    const Task<int> task = create_task(value_after(1h, 1));
    co_await yield();
    EXPECT_THROW(co_await wait_for(task, 0s), TimeoutError);
    EXPECT_TRUE(task.cancelled());
  };
  VirtualLoop loop;
  loop.run_until_complete(amain());
  EXPECT_EQ(loop.elapsed(), 0s);
}

TEST(WaitFor, waits_until_what_it_has_cancelled_has_ended) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    for (const auto time : {1000ms, 0ms}) {
      const Task<int> task = create_task(reluctant(log, "it", 2s));
      co_await yield();
      EXPECT_THROW(co_await wait_for(task, time), TimeoutError);
      EXPECT_TRUE(task.done());
      log.push_back("-");
    }
  };
  VirtualLoop loop;
  loop.run_until_complete(amain());
  EXPECT_EQ(log, (Log{"it cancelled", "it ended", "-", "it cancelled", "it ended", "-"}));
  EXPECT_EQ(loop.elapsed(), 5s);
}

TEST(WaitFor, throws_what_comes_instead_of_a_cancellation) {
  const auto instead = []() -> Coro<> {
    try {
      co_await sleep(1h);
    } catch (const CancelledError&) {
    }
    throw std::domain_error("instead");
  };
  const auto amain = [](auto make) -> Coro<> {
    EXPECT_THROW(co_await wait_for(make(), 1s), std::domain_error);
    const Task<> task = create_task(make());
    co_await yield();
    EXPECT_THROW(co_await wait_for(task, 0s), std::domain_error);
    const Task<int> firm = create_task(stubborn(7));
    co_await yield();
    EXPECT_EQ(co_await wait_for(firm, 0s), 7);
  };
  in_virtual_time(amain(instead));
}

Coro<int> waits_for(Task<int> task, std::chrono::milliseconds time) {
  co_return co_await wait_for(task, time);
}

TEST(WaitFor, that_is_cancelled_cancels_what_it_waits_for) {
  const auto amain = []() -> Coro<> {
    const Task<int> task = create_task(value_after(1h, 1));
    const Task<int> outer = create_task(waits_for(task, 2h));
    co_await pass_rounds(3);
    outer.cancel();
    EXPECT_TRUE(co_await ends_cancelled(outer));
    EXPECT_TRUE(task.cancelled());
  };
  in_virtual_time(amain());
}

// CPython: bpo-37658, the result is there in the round in which it is cancelled.
TEST(WaitFor, that_is_cancelled_when_the_result_is_there_is_cancelled) {
  const auto amain = []() -> Coro<> {
    const Task<int> task = create_task(value_after(1s, 1));
    const Task<int> outer = create_task(waits_for(task, 2s));
    co_await pass_rounds(2);
    EventLoop& loop = get_running_loop();
    loop.call_later(1s, [outer, &loop] { loop.call_soon([outer] { outer.cancel(); }); });
    co_await sleep(2s);
    EXPECT_TRUE(outer.done());
    EXPECT_EQ(task.result(), 1);
    EXPECT_TRUE(outer.cancelled());
  };
  in_virtual_time(amain());
}

Coro<> in_turn(Log& log) {
  try {
    co_await wait_for(reluctant(log, "inner", 10s), 1s);
  } catch (const TimeoutError&) {
    log.push_back("timeout");
  } catch (const CancelledError&) {
    log.push_back("cancelled");
    throw;
  }
}

TEST(WaitFor, that_is_cancelled_while_it_cleans_up_ends_at_once) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    const Task<> outer = create_task(in_turn(log));
    co_await sleep(2s);
    outer.cancel();
    EXPECT_TRUE(co_await ends_cancelled(outer));
  };
  VirtualLoop loop;
  loop.run_until_complete(amain());
  EXPECT_EQ(loop.elapsed(), 2s);
  EXPECT_EQ(log, (Log{"inner cancelled", "cancelled"}));
}

TEST(WaitFor, of_zero_or_less_gives_the_result_of_a_future_that_is_done_and_cancels_one_that_is_not) {
  const auto amain = []() -> Coro<> {
    for (const auto time : {0s, -1s}) {
      const auto done = get_running_loop().create_future<std::string>();
      done.set_result("done");
      EXPECT_EQ(co_await wait_for(done, time), "done");
      const auto failed = get_running_loop().create_future<>();
      failed.set_exception(std::domain_error("own"));
      EXPECT_THROW(co_await wait_for(failed, time), std::domain_error);
      const auto pending = get_running_loop().create_future<>();
      EXPECT_THROW(co_await wait_for(pending, time), TimeoutError);
      EXPECT_TRUE(pending.cancelled());
      nogil::Promise<int> promise;
      EXPECT_THROW(co_await wait_for(promise.get_future(), time), TimeoutError);
      EXPECT_TRUE(promise.get_future().cancelled());
      nogil::Promise<int> kept;
      kept.set_result(7);
      EXPECT_EQ(co_await wait_for(kept.get_future(), time), 7);
    }
  };
  VirtualLoop loop;
  loop.run_until_complete(amain());
  EXPECT_EQ(loop.elapsed(), 0s);
}

TEST(WaitFor, gives_what_is_set_while_it_waits) {
  const auto amain = []() -> Coro<> {
    const auto future = get_running_loop().create_future<int>();
    get_running_loop().call_soon([future] { future.set_result(5); });
    EXPECT_EQ(co_await wait_for(future, 1s), 5);
  };
  VirtualLoop loop;
  loop.run_until_complete(amain());
  EXPECT_EQ(loop.elapsed(), 0s);
}

TEST(WaitFor, of_a_shield_leaves_the_task_alone) {
  const auto amain = []() -> Coro<> {
    const Task<int> task = create_task(value_after(3s, 3));
    EXPECT_THROW(co_await wait_for(shield(task), 1s), TimeoutError);
    EXPECT_THROW(co_await wait_for(shield(task), 0s), TimeoutError);
    EXPECT_FALSE(task.done());
    EXPECT_EQ(task.cancelling(), 0);
    EXPECT_EQ(co_await wait_for(shield(task), 1h), 3);
    EXPECT_EQ(co_await wait_for(shield(task), 0s), 3) << "as CPython, whose shield() of it is the task";
  };
  VirtualLoop loop;
  loop.run_until_complete(amain());
  EXPECT_EQ(loop.elapsed(), 3s);
}

// Goes on however often it is cancelled.
Coro<> slow(VirtualLoop& loop, std::chrono::seconds until) {
  while (loop.elapsed() < until) {
    try {
      co_await sleep(until - loop.elapsed());
    } catch (const CancelledError&) {
    }
  }
}

TEST(WaitFor, waits_for_what_is_not_to_be_cancelled) {
  const auto amain = [](VirtualLoop& loop) -> Coro<> {
    co_await wait_for(slow(loop, 2s), 1s);
    EXPECT_EQ(loop.elapsed(), 2s);
    const Task<> waits = create_task(wait_for(slow(loop, 5s), 9s));
    co_await yield();
    waits.cancel();
    co_await waits;
    EXPECT_EQ(loop.elapsed(), 5s);
  };
  VirtualLoop loop;
  loop.run_until_complete(amain(loop));
}

// CPython: gh-86296, the task ends in the round in which who waits is cancelled.
TEST(WaitFor, does_not_swallow_a_cancellation_that_comes_with_the_result) {
  static bool reached;
  reached = false;
  const auto goes_on = [](Task<int> inner) -> Coro<> {
    co_await wait_for(inner, 100s);
    co_await sleep(1s);
    reached = true;
  };
  const auto amain = [](auto make) -> Coro<> {
    const Task<int> inner = create_task(value_after(0ms, 1));
    const Task<> outer = create_task(make(inner));
    co_await pass_rounds(2);
    EXPECT_TRUE(inner.done() && !outer.done());
    outer.cancel();
    EXPECT_TRUE(co_await ends_cancelled(outer));
    EXPECT_EQ(inner.result(), 1);
  };
  in_virtual_time(amain(goes_on));
  EXPECT_FALSE(reached);
}

}  // namespace
}  // namespace nogil::asyncio
