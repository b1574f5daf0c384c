// tests/asyncio/timeout_test.cpp -- after CPython's test_timeouts.py.

#include "nogil/asyncio/timeout.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>

#include "asyncio/support/steps.hpp"

namespace nogil::asyncio {
namespace {

using namespace testing;

TEST(Timeout, cancels_what_takes_too_long) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    EXPECT_THROW(co_await timeout(1s, reluctant(log, "it", 0ms)), TimeoutError);
    EXPECT_EQ(current_task().cancelling(), 0);
    co_await sleep(1s);  // nothing is left of it
  };
  VirtualLoop loop;
  loop.run_until_complete(amain());
  EXPECT_EQ(log, (Log{"it cancelled", "it ended"}));
  EXPECT_EQ(loop.elapsed(), 2s);
}

TEST(Timeout, gives_what_ends_in_time) {
  const auto amain = []() -> Coro<> {
    EXPECT_EQ(co_await timeout(2s, value_after(1s, 7)), 7);
    co_await timeout(1s, nap(0ms));
    EXPECT_EQ(co_await timeout(std::chrono::hours::max(), number(1)), 1);
    EXPECT_EQ(co_await timeout(std::chrono::duration<double>(std::numeric_limits<double>::infinity()), number(1)), 1);
    co_await sleep(3s);
  };
  in_virtual_time(amain());
}

TEST(Timeout, can_be_a_moment) {
  const auto amain = []() -> Coro<> {
    EventLoop& loop = get_running_loop();
    EXPECT_THROW(co_await timeout_at(loop.time() + 1s, nap(1h)), TimeoutError);
    EXPECT_EQ(co_await timeout_at(loop.time() + 2s, value_after(1s, 2)), 2);
    EXPECT_THROW(co_await timeout_at(loop.time() - 1s, nap(1h)), TimeoutError);
    EXPECT_THROW(co_await timeout_at(std::chrono::system_clock::now() + 1s, nap(1h)), TimeoutError);
  };
  in_virtual_time(amain());
}

TEST(Timeout, of_zero_or_less_lets_run_until_the_first_wait) {
  const auto amain = []() -> Coro<> {
    EXPECT_EQ(co_await timeout(0s, number(3)), 3);
    EXPECT_THROW(co_await timeout(0s, nap(10s)), TimeoutError);
    EXPECT_THROW(co_await timeout(-1s, pass_rounds(1)), TimeoutError);
  };
  VirtualLoop loop;
  loop.run_until_complete(amain());
  EXPECT_EQ(loop.elapsed(), 0s);
}

Coro<int> inner_then_outer(Log& log) {
  try {
    co_await timeout(1s, nap(1h));
  } catch (const TimeoutError&) {
    log.push_back("inner");
  }
  co_await sleep(1h);
  co_return 0;
}

TEST(Timeout, knows_its_own_cancellation_when_nested) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    EXPECT_THROW(co_await timeout(3s, inner_then_outer(log)), TimeoutError);
    log.push_back("outer");
    EXPECT_EQ(current_task().cancelling(), 0);
  };
  VirtualLoop loop;
  loop.run_until_complete(amain());
  EXPECT_EQ(log, (Log{"inner", "outer"}));
  EXPECT_EQ(loop.elapsed(), 3s);
}

// The inner one must not call the outer one's cancellation its own.
Coro<int> inner_of_same_moment(Log& log) {
  try {
    co_await timeout(1s, nap(1h));
  } catch (const TimeoutError&) {
    log.push_back("inner timed out");
  } catch (const CancelledError&) {
    log.push_back("inner cancelled");
    throw;
  }
  co_return 0;
}

TEST(Timeout, of_the_same_moment_as_another_is_the_outer_ones) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> { EXPECT_THROW(co_await timeout(1s, inner_of_same_moment(log)), TimeoutError); };
  in_virtual_time(amain());
  EXPECT_EQ(log, Log{"inner cancelled"});
}

TEST(Timeout, passes_other_errors_on) {
  const auto late = []() -> Coro<> {
    try {
      co_await sleep(1h);
    } catch (const CancelledError&) {
    }
    throw std::domain_error("instead");
  };
  const auto amain = [](auto instead) -> Coro<> {
    EXPECT_THROW(co_await timeout(1s, fail_after(0ms, "own")), std::domain_error);
    EXPECT_THROW(co_await timeout(1s, instead()), std::domain_error);
    EXPECT_EQ(current_task().cancelling(), 0);  // taken back even so
    co_await sleep(1s);
  };
  in_virtual_time(amain(late));
}

TEST(Timeout, keeps_a_result_that_comes_in_spite_of_it) {
  const auto amain = []() -> Coro<> {
    EXPECT_EQ(co_await timeout(1s, stubborn(4)), 4);
    EXPECT_EQ(current_task().cancelling(), 0);
    co_await yield();
  };
  in_virtual_time(amain());
}

Coro<> times_out(Log& log) {
  try {
    co_await timeout(2s, nap(1h));
  } catch (const TimeoutError&) {
    log.push_back("timeout");
    throw;
  } catch (const CancelledError&) {
    log.push_back("cancelled");
    throw;
  }
}

TEST(Timeout, is_no_timeout_if_somebody_else_cancels_the_task) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    const Task<> before = create_task(times_out(log));
    get_running_loop().call_later(1s, [before] { before.cancel(); });
    EXPECT_TRUE(co_await ends_cancelled(before));
    // In the same round: the timeout is not the only request.
    const Task<> same = create_task(times_out(log));
    co_await sleep(0s);
    get_running_loop().call_later(2s, [same] { same.cancel(); });
    EXPECT_TRUE(co_await ends_cancelled(same));
  };
  in_virtual_time(amain());
  EXPECT_EQ(log, (Log{"cancelled", "cancelled"}));
}

Coro<> cleans_up_with_timeout(Log& log) {
  bool cancelled = false;
  try {
    co_await sleep(1h);
  } catch (const CancelledError&) {
    cancelled = true;
  }
  if (!cancelled) co_return;
  try {
    co_await timeout(1s, nap(1h));
  } catch (const TimeoutError&) {
    log.push_back("gave up cleaning up");
  }
  throw CancelledError();
}

TEST(Timeout, works_in_a_task_that_was_cancelled_before) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    const Task<> task = create_task(cleans_up_with_timeout(log));
    co_await pass_rounds(2);
    task.cancel();
    EXPECT_TRUE(co_await ends_cancelled(task));
    EXPECT_EQ(task.cancelling(), 1);
  };
  in_virtual_time(amain());
  EXPECT_EQ(log, Log{"gave up cleaning up"});
}

// Cleans up with a limit of its own after the outer one has come.
Coro<> cleans_up_within(std::chrono::milliseconds limit, Log& log) {
  try {
    co_await sleep(1h);
  } catch (const CancelledError&) {
    log.push_back("cancelled");
  }
  try {
    co_await timeout(limit, nap(1h));
  } catch (const TimeoutError&) {
    log.push_back("inner");
  }
  throw CancelledError();
}

TEST(Timeout, may_be_set_for_the_cleaning_up_after_another) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    for (const auto limit : {2000ms, 0ms}) {
      EXPECT_THROW(co_await timeout(1s, cleans_up_within(limit, log)), TimeoutError);
      EXPECT_EQ(current_task().cancelling(), 0);
      log.push_back("outer");
    }
  };
  VirtualLoop loop;
  loop.run_until_complete(amain());
  EXPECT_EQ(log, (Log{"cancelled", "inner", "outer", "cancelled", "inner", "outer"}));
  EXPECT_EQ(loop.elapsed(), 4s);
}

TEST(Timeout, knows_a_second_cancellation_in_a_task_that_was_cancelled_before) {
  const auto cancels_itself = []() -> Coro<> {
    current_task().cancel();
    co_await sleep(1h);
  };
  const auto amain = [](auto make) -> Coro<> {
    EXPECT_THROW(co_await make(), CancelledError);
    EXPECT_EQ(current_task().cancelling(), 1);
    EXPECT_THROW(co_await timeout(1s, make()), CancelledError);
    EXPECT_EQ(current_task().cancelling(), 2);
    EXPECT_THROW(co_await timeout(1s, nap(1h)), TimeoutError);
    EXPECT_EQ(current_task().cancelling(), 2);
  };
  in_virtual_time(amain(cancels_itself));
}

// So long that both limits are over when the loop next looks.
Coro<> keeps_the_loop_busy(std::chrono::steady_clock::time_point until) {
  while (std::chrono::steady_clock::now() <= until) {
  }
  co_await sleep(1h);
}

Coro<> busy_inside(std::chrono::steady_clock::time_point limit, std::chrono::steady_clock::time_point until, Log& log) {
  try {
    co_await timeout_at(limit, keeps_the_loop_busy(until));
  } catch (const TimeoutError&) {
    log.push_back("inner timed out");
  } catch (const CancelledError&) {
    log.push_back("inner cancelled");
    throw;
  }
}

TEST(Timeout, is_the_outer_ones_when_both_are_over_in_one_round) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    for (const auto inner : {1ms, 3ms}) {  // the one and the other comes first
      const auto now = get_running_loop().time();
      EXPECT_THROW(co_await timeout_at(now + 2ms, busy_inside(now + inner, now + 4ms, log)), TimeoutError);
      EXPECT_EQ(current_task().cancelling(), 0);
    }
  };
  EventLoop loop;
  loop.run_until_complete(amain());
  EXPECT_EQ(log, (Log{"inner cancelled", "inner cancelled"}));
}

TEST(Timeout, cancels_a_task_that_is_awaited) {
  const auto amain = []() -> Coro<> {
    const Task<int> task = create_task(value_after(1h, 1));
    EXPECT_THROW(co_await timeout(1s, task), TimeoutError);
    EXPECT_TRUE(task.cancelled());
  };
  in_virtual_time(amain());
}

TEST(Timeout, begins_when_it_is_awaited) {
  const auto amain = []() -> Coro<> {
    auto later = timeout(2s, value_after(1s, 5));
    co_await sleep(10s);
    EXPECT_EQ(co_await std::move(later), 5);
  };
  in_virtual_time(amain());
}

}  // namespace
}  // namespace nogil::asyncio
