// tests/asyncio/task_group_test.cpp -- after CPython's test_taskgroups.py, 3.13's too.

#include "nogil/asyncio/task_group.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "asyncio/support/excepthook.hpp"
#include "asyncio/support/steps.hpp"
#include "nogil/asyncio/timeout.hpp"

namespace nogil::asyncio {
namespace {

using namespace testing;

// What the group threw: the texts of its errors, sorted by their coming.
template <class Body>
Coro<Log> errors_of(Body body) {
  Log texts;
  try {
    co_await task_group(std::move(body));
  } catch (const ExceptionGroup& group) {
    EXPECT_EQ(group.message(), "unhandled errors in a TaskGroup");
    for (const std::exception_ptr& error : group.exceptions()) {
      try {
        std::rethrow_exception(error);
      } catch (const std::exception& one) {
        texts.push_back(one.what());
      }
    }
  } catch (const CancelledError&) {
    texts.push_back("CancelledError");
  }
  co_return texts;
}

TEST(TaskGroup, waits_for_all_and_gives_what_the_body_gives) {
  const auto amain = []() -> Coro<> {
    std::vector<Task<int>> tasks;
    const std::string text = co_await task_group([&](TaskGroup& group) -> Scoped<std::string> {
      tasks.push_back(group.create_task(value_after(1s, 1)));
      tasks.push_back(group.create_task(value_after(3s, 3), "slow"));
      EXPECT_EQ(tasks[1].name(), "slow");
      co_await sleep(2s);
      co_return "body";
    });
    EXPECT_EQ(text, "body");
    EXPECT_EQ(tasks[0].result() + tasks[1].result(), 4);
  };
  VirtualLoop loop;
  loop.run_until_complete(amain());
  EXPECT_EQ(loop.elapsed(), 3s);
}

TEST(TaskGroup, of_nothing_ends_at_once) {
  const auto amain = []() -> Coro<> {
    co_await task_group([](TaskGroup&) -> Scoped<> { co_return; });
    const int n = co_await task_group([](TaskGroup&) -> Scoped<int> { co_return 3; });
    EXPECT_EQ(n, 3);
  };
  in_virtual_time(amain());
}

TEST(TaskGroup, keeps_a_body_that_captures) {
  const auto amain = []() -> Coro<> {
    auto body = [owned = std::make_unique<int>(7)](TaskGroup& group) -> Scoped<int> {
      group.create_task(nap(1s));
      co_await sleep(1s);
      co_return *owned;
    };
    EXPECT_EQ(co_await task_group(std::move(body)), 7);
  };
  in_virtual_time(amain());
}

TEST(TaskGroup, cancels_the_rest_when_one_fails) {
  static Log log;
  log.clear();
  const auto body = [](TaskGroup& group) -> Scoped<> {
    group.create_task(reluctant(log, "other", 1s));
    group.create_task(fail_after(1s, "first"));
    co_await sleep(1h);
    log.push_back("not reached");
  };
  const auto amain = [](auto make) -> Coro<> {
    const Log errors = co_await errors_of(make);
    EXPECT_EQ(errors, Log{"first"});
    EXPECT_EQ(current_task().cancelling(), 0);
    co_await sleep(1s);
  };
  VirtualLoop loop;
  loop.run_until_complete(amain(body));
  EXPECT_EQ(log, (Log{"other cancelled", "other ended"}));
  EXPECT_EQ(loop.elapsed(), 3s);
}

TEST(TaskGroup, carries_every_error_the_bodys_last) {
  const auto late = []() -> Coro<> {
    try {
      co_await sleep(1h);
    } catch (const CancelledError&) {
    }
    throw std::domain_error("second");
  };
  const auto amain = [](auto make) -> Coro<> {
    auto body = [&](TaskGroup& group) -> Scoped<> {
      group.create_task(make());
      group.create_task(fail_after(0ms, "first"));
      try {
        co_await sleep(1h);
      } catch (const CancelledError&) {
      }
      throw std::domain_error("body");
    };
    const Log errors = co_await errors_of(body);
    EXPECT_EQ(errors, (Log{"first", "second", "body"}));
  };
  in_virtual_time(amain(late));
}

TEST(TaskGroup, cancels_its_tasks_when_the_body_fails) {
  static Log log;
  log.clear();
  const auto body = [](TaskGroup& group) -> Scoped<> {
    group.create_task(reluctant(log, "task", 1s));
    co_await yield();
    throw std::domain_error("body");
  };
  const auto amain = [](auto make) -> Coro<> {
    const Log errors = co_await errors_of(make);
    EXPECT_EQ(errors, Log{"body"});
  };
  in_virtual_time(amain(body));
  EXPECT_EQ(log, (Log{"task cancelled", "task ended"}));
}

TEST(TaskGroup, is_not_disturbed_by_a_task_that_is_cancelled) {
  const auto body = [](TaskGroup& group) -> Scoped<> {
    const Task<> victim = group.create_task(nap(1h));
    const Task<int> other = group.create_task(value_after(2s, 2));
    co_await sleep(1s);
    victim.cancel();
    EXPECT_EQ(co_await other, 2);
  };
  const auto amain = [](auto make) -> Coro<> { co_await task_group(make); };
  VirtualLoop loop;
  loop.run_until_complete(amain(body));
  EXPECT_EQ(loop.elapsed(), 2s);
}

Coro<> runs_group(Log& log, std::chrono::milliseconds body_sleeps) {
  auto body = [&](TaskGroup& group) -> Scoped<> {
    group.create_task(reluctant(log, "task", 1s));
    co_await sleep(body_sleeps);
  };
  try {
    co_await task_group(body);
  } catch (const CancelledError&) {
    log.push_back("group cancelled");
    throw;
  }
}

TEST(TaskGroup, that_is_cancelled_cancels_and_awaits_its_tasks) {
  static Log log;
  for (const auto body_sleeps : {3600'000ms, 0ms}) {  // cancelled in the body, or after it
    log.clear();
    const auto amain = [](auto length) -> Coro<> {
      const Task<> outer = create_task(runs_group(log, length));
      co_await sleep(1s);
      outer.cancel();
      co_await sleep(500ms);
      EXPECT_FALSE(outer.done());
      EXPECT_TRUE(co_await ends_cancelled(outer));
    };
    in_virtual_time(amain(body_sleeps));
    EXPECT_EQ(log, (Log{"task cancelled", "task ended", "group cancelled"}));
  }
}

TEST(TaskGroup, waits_for_its_tasks_however_often_it_is_cancelled) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    const Task<> outer = create_task(runs_group(log, 1h));
    co_await sleep(1s);
    for (int i = 0; i < 3; ++i) {
      outer.cancel();
      co_await yield();
    }
    EXPECT_FALSE(outer.done());
    EXPECT_TRUE(co_await ends_cancelled(outer));
    EXPECT_EQ(outer.cancelling(), 3);
  };
  in_virtual_time(amain());
  EXPECT_EQ(log, (Log{"task cancelled", "task ended", "group cancelled"}));
}

TEST(TaskGroup, reports_errors_rather_than_that_it_was_cancelled) {
  const auto late = []() -> Coro<> {
    try {
      co_await sleep(1h);
    } catch (const CancelledError&) {
    }
    throw std::domain_error("cleanup");
  };
  const auto runs = [](auto make) -> Coro<Log> {
    auto body = [&](TaskGroup& group) -> Scoped<> {
      group.create_task(make());
      co_await sleep(1h);
    };
    Log errors = co_await errors_of(body);
    // CPython 3.13: the cancellation that the errors hid comes at the next wait.
    EXPECT_EQ(current_task().cancelling(), 1);
    EXPECT_THROW(co_await sleep(1s), CancelledError);
    co_return errors;
  };
  const auto amain = [](auto run, auto make) -> Coro<> {
    const Task<Log> outer = create_task(run(make));
    co_await sleep(1s);
    outer.cancel();
    const Log errors = co_await outer;
    EXPECT_EQ(errors, Log{"cleanup"});
  };
  in_virtual_time(amain(runs, late));
}

Coro<> nested(Log& log) {
  auto inner = [](TaskGroup& group) -> Scoped<> {
    group.create_task(fail_after(1s, "inner"));
    co_await sleep(1h);
  };
  auto outer = [&](TaskGroup& group) -> Scoped<> {
    group.create_task(reluctant(log, "outer task", 0ms));
    try {
      co_await task_group(inner);
    } catch (const ExceptionGroup&) {
      log.push_back("inner failed");
    }
    co_await sleep(1s);
    throw std::domain_error("outer");
  };
  const Log errors = co_await errors_of(outer);
  EXPECT_EQ(errors, Log{"outer"});
  EXPECT_EQ(current_task().cancelling(), 0);
}

TEST(TaskGroup, knows_its_own_failure_when_nested) {
  static Log log;
  log.clear();
  in_virtual_time(nested(log));
  EXPECT_EQ(log, (Log{"inner failed", "outer task cancelled", "outer task ended"}));
}

TEST(TaskGroup, in_a_timeout_knows_what_is_whose) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    EXPECT_THROW(co_await timeout(1s, runs_group(log, 1h)), TimeoutError);
    EXPECT_EQ(current_task().cancelling(), 0);
  };
  in_virtual_time(amain());
  EXPECT_EQ(log, (Log{"task cancelled", "task ended", "group cancelled"}));
}

TEST(TaskGroup, takes_no_task_when_it_is_shutting_down_or_over) {
  const auto body = [](TaskGroup& group) -> Scoped<> {
    group.create_task(fail_after(0ms, "first"));
    try {
      co_await sleep(1h);
    } catch (const CancelledError&) {
    }
    EXPECT_THROW(group.create_task(nap(1s)), RuntimeError);
  };
  const auto amain = [](auto make) -> Coro<> {
    const Log errors = co_await errors_of(make);
    EXPECT_EQ(errors, Log{"first"});
  };
  in_virtual_time(amain(body));
}

Coro<> adds(TaskGroup& group, Log& log, int depth) {
  co_await sleep(1s);
  log.push_back(std::to_string(depth));
  if (depth != 0) group.create_task(adds(group, log, depth - 1));
}

TEST(TaskGroup, takes_tasks_from_its_tasks) {
  static Log log;
  log.clear();
  const auto body = [](TaskGroup& group) -> Scoped<> {
    group.create_task(adds(group, log, 2));
    co_return;
  };
  const auto amain = [](auto make) -> Coro<> { co_await task_group(make); };
  in_virtual_time(amain(body));
  EXPECT_EQ(log, (Log{"2", "1", "0"}));
}

TEST(TaskGroup, can_be_cancelled_without_an_error) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    co_await task_group([](TaskGroup& group) -> Scoped<> {
      group.create_task(reluctant(log, "task", 0ms));
      get_running_loop().call_later(1s, [&group] { group.cancel(); });
      co_await sleep(1h);
      log.push_back("not reached");
    });
    EXPECT_EQ(current_task().cancelling(), 0);
    co_await task_group([](TaskGroup& group) -> Scoped<> {  // by a task, after the body
      group.create_task(nap(1h));
      get_running_loop().call_later(1s, [&group] { group.cancel(); });
      co_return;
    });
    co_await task_group([](TaskGroup& group) -> Scoped<> {  // by a body that does not wait
      group.cancel();
      group.cancel();
      co_return;
    });
    co_await sleep(1s);
  };
  VirtualLoop loop;
  loop.run_until_complete(amain());
  EXPECT_EQ(log, (Log{"task cancelled", "task ended"}));
  EXPECT_EQ(loop.elapsed(), 3s);
}

// The same, and what is in the groups that are in it: "(first second)".
std::string describe(const ExceptionGroup& group) {
  std::string text;
  for (const std::exception_ptr& error : group.exceptions()) {
    if (!text.empty()) text += " ";
    try {
      std::rethrow_exception(error);
    } catch (const ExceptionGroup& inner) {
      text += describe(inner);
    } catch (const std::exception& one) {
      text += one.what();
    }
  }
  return "(" + text + ")";
}
template <class A>
Coro<std::string> outcome_of(A awaitable) {
  try {
    co_await std::move(awaitable);
  } catch (const ExceptionGroup& group) {
    co_return describe(group);
  } catch (const CancelledError&) {
    co_return "cancelled";
  }
  co_return "well";
}

// Fails when it is cancelled, and otherwise never ends.
Coro<> fails_to_clean_up() {
  try {
    co_await sleep(1h);
  } catch (const CancelledError&) {
    throw std::domain_error("cleanup");
  }
}

Coro<> two_levels(std::chrono::milliseconds outer_fails, std::chrono::milliseconds inner_fails) {
  auto inner = [&](TaskGroup& group) -> Scoped<> {
    group.create_task(fail_after(inner_fails, "inner"));
    co_return;
  };
  auto outer = [&](TaskGroup& group) -> Scoped<> {
    group.create_task(fail_after(outer_fails, "outer"));
    co_await task_group(inner);
  };
  co_await task_group(outer);
}

TEST(TaskGroup, carries_what_a_group_in_it_ends_with) {
  const auto amain = []() -> Coro<> {
    EXPECT_EQ(co_await outcome_of(two_levels(10s, 1s)), "((inner))");
    EXPECT_EQ(co_await outcome_of(two_levels(1s, 10s)), "(outer)") << "the inner one is only cancelled";
    EXPECT_EQ(current_task().cancelling(), 0);
    co_await sleep(1s);
  };
  VirtualLoop loop;
  loop.run_until_complete(amain());
  EXPECT_EQ(loop.elapsed(), 3s);
}

// Both fail in one round: each takes its own request back.
Coro<> fails_in_both(Log& log) {
  auto outer = [&](TaskGroup& outer_group) -> Scoped<> {
    auto inner = [&](TaskGroup& group) -> Scoped<> {
      group.create_task(fail_after(0ms, "inner"));
      outer_group.create_task(fail_after(0ms, "outer"));
      co_return;
    };
    const std::string error = co_await outcome_of(task_group(inner));
    log.push_back(error + " " + std::to_string(current_task().cancelling()));
  };
  const std::string error = co_await outcome_of(task_group(outer));
  log.push_back(error + " " + std::to_string(current_task().cancelling()));
  co_await sleep(1s);
}

TEST(TaskGroup, that_fails_with_the_one_around_it_leaves_that_its_request) {
  static Log log;
  log.clear();
  in_virtual_time(fails_in_both(log));
  EXPECT_EQ(log, (Log{"(inner) 1", "(outer) 0"}));
}

Coro<> nested_cleanup() {
  auto inner = [](TaskGroup& group) -> Scoped<> {
    for (int i = 0; i < 3; ++i) group.create_task(fails_to_clean_up());
    co_await sleep(1h);
  };
  auto outer = [&](TaskGroup& group) -> Scoped<> {
    group.create_task(nap(1h));
    co_await task_group(inner);
  };
  co_await task_group(outer);
}

TEST(TaskGroup, that_is_cancelled_reports_errors_through_the_one_around_it) {
  const auto amain = []() -> Coro<> {
    const Task<> task = create_task(nested_cleanup());
    co_await sleep(1s);
    task.cancel();
    EXPECT_EQ(co_await outcome_of(task), "((cleanup cleanup cleanup))");
    EXPECT_EQ(task.cancelling(), 1);
  };
  in_virtual_time(amain());
}

// Cancelled from outside, and a task fails before the body has cleaned up.
Coro<> cleans_up_slowly() {
  auto body = [](TaskGroup& group) -> Scoped<> {
    group.create_task(fail_after(3s, "task"));
    try {
      co_await sleep(1h);
    } catch (const CancelledError&) {
    }
    co_await sleep(5s);
    throw CancelledError();
  };
  co_await task_group(body);
}

Coro<> joins(Task<> task) {
  co_await task;
}

TEST(TaskGroup, that_is_cancelled_reports_a_task_that_fails_while_the_body_cleans_up) {
  const auto amain = [](bool through_another_task) -> Coro<> {
    Task<> task = create_task(cleans_up_slowly());
    if (through_another_task) task = create_task(joins(task));
    co_await sleep(1s);
    task.cancel();
    EXPECT_EQ(co_await outcome_of(task), "(task)");
  };
  for (const bool through_another_task : {false, true}) {
    VirtualLoop loop;
    loop.run_until_complete(amain(through_another_task));
    EXPECT_EQ(loop.elapsed(), 3s) << "the failure ends the cleaning up, too";
  }
}

TEST(TaskGroup, takes_an_error_that_the_body_throws_instead_of_its_cancellation) {
  const auto body = [](TaskGroup&) -> Scoped<> { co_await fails_to_clean_up(); };
  const auto amain = [](auto make) -> Coro<> {
    const Task<> task = create_task(task_group(make));
    co_await sleep(1s);
    task.cancel();
    EXPECT_EQ(co_await outcome_of(task), "(cleanup)");
  };
  in_virtual_time(amain(body));
}

Coro<> hydra(TaskGroup& group, int& heads) {
  ++heads;
  co_await sleep(10ms);
  for (int i = 0; i < 2 && heads < 1000; ++i) group.create_task(hydra(group, heads));
}
Coro<> hercules(const int& heads) {
  while (heads < 10) co_await sleep(15ms);
  throw std::domain_error("enough");
}

TEST(TaskGroup, ends_tasks_that_begin_others_without_an_end) {
  static int heads;
  heads = 0;
  const auto body = [](TaskGroup& group) -> Scoped<> {
    group.create_task(hydra(group, heads));
    group.create_task(hercules(heads));
    co_return;
  };
  const auto amain = [](auto make) -> Coro<> {
    EXPECT_EQ(co_await outcome_of(task_group(make)), "(enough)");
    EXPECT_EQ(all_tasks().size(), 1u);
  };
  in_virtual_time(amain(body));
  EXPECT_GE(heads, 10);
}

TEST(TaskGroup, in_a_timeout_throws_its_errors_rather_than_timeout_error) {
  const auto body = [](TaskGroup& group) -> Scoped<> {
    group.create_task(fails_to_clean_up());
    co_await sleep(1h);
  };
  const auto amain = [](auto make) -> Coro<> {
    EXPECT_EQ(co_await outcome_of(timeout(1s, task_group(make))), "(cleanup)");
    EXPECT_EQ(current_task().cancelling(), 0);
    co_await sleep(1s);
  };
  in_virtual_time(amain(body));
}

TEST(TaskGroup, goes_on_when_it_was_given_a_coroutine_that_was_awaited_before) {
  const auto body = [](TaskGroup& group) -> Scoped<> {
    Coro<> coro = nap(1s);
    co_await std::move(coro);
    EXPECT_THROW(group.create_task(std::move(coro)), RuntimeError);
  };
  const auto amain = [](auto make) -> Coro<> { co_await timeout(1h, task_group(make)); };
  VirtualLoop loop;
  loop.run_until_complete(amain(body));
  EXPECT_EQ(loop.elapsed(), 1s);
}

TEST(TaskGroup, that_is_destroyed_while_it_waits_leaves_nothing_behind) {
  const auto body = [](TaskGroup& group) -> Scoped<> {
    group.create_task(nap(1h));
    co_return;
  };
  const auto amain = [](auto make) -> Coro<> { co_await task_group(make); };
  const auto stops = [](EventLoop& loop) -> Coro<> {
    co_await pass_rounds(3);
    loop.stop();
    co_await sleep(1h);
  };
  VirtualLoop loop;
  loop.create_task(amain(body));
  EXPECT_THROW(loop.run_until_complete(stops(loop)), RuntimeError);
}

}  // namespace
}  // namespace nogil::asyncio
