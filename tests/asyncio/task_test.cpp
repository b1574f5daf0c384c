// tests/asyncio/task_test.cpp -- after CPython's test_tasks.py, and the rules of cancellation one by one.

#include "nogil/asyncio/task.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "asyncio/support/excepthook.hpp"
#include "asyncio/support/virtual_time.hpp"
#include "nogil/asyncio/future.hpp"
#include "nogil/asyncio/sleep.hpp"

namespace nogil::asyncio {
namespace {

using namespace std::chrono_literals;
using testing::in_virtual_time;
using testing::Log;
using testing::Reported;
using testing::VirtualLoop;

Coro<int> number(int n) {
  co_return n;
}
Coro<int> number_after(std::chrono::seconds time, int n) {
  co_await sleep(time);
  co_return n;
}
Coro<> fail(const char* text) {
  co_await yield();
  throw std::runtime_error(text);
}
Coro<> for_ever() {
  co_await sleep(std::chrono::hours::max());
}

// ---- Start, order, end ------------------------------------------------------------------

TEST(Task, begins_in_the_next_round) {
  static Log log;
  log.clear();
  const auto worker = [](std::string name) -> Coro<> {
    log.push_back(name);
    co_await yield();
    log.push_back(name);
  };
  const auto amain = [](auto make) -> Coro<> {
    const auto first = create_task(make("a"));
    const auto second = create_task(make("b"));
    log.push_back("main");
    co_await first;
    log.push_back("joined");
    EXPECT_TRUE(second.done());
  };
  in_virtual_time(amain(worker));
  EXPECT_EQ(log, (Log{"main", "a", "b", "a", "b", "joined"}));
}

TEST(Task, keeps_its_result_for_whoever_asks) {
  const auto amain = []() -> Coro<> {
    const Task<int> task = create_task(number_after(1s, 3));
    EXPECT_FALSE(task.done());
    EXPECT_THROW(task.result(), InvalidStateError);
    EXPECT_THROW(static_cast<void>(task.exception()), InvalidStateError);
    const int& result = co_await task;
    EXPECT_EQ(result, 3);
    EXPECT_EQ(&(co_await task), &result);
    EXPECT_EQ(&task.result(), &result);
    EXPECT_TRUE(task.done());
    EXPECT_FALSE(task.cancelled());
    EXPECT_EQ(task.exception(), nullptr);
    EXPECT_FALSE(task.cancel());
  };
  in_virtual_time(amain());
}

TEST(Task, moves_its_result_out_for_the_last_who_asks_and_copies_it_for_others) {
  const auto text = []() -> Coro<std::string> { co_return std::string(100, 'x'); };
  const auto owner = []() -> Coro<std::unique_ptr<int>> { co_return std::make_unique<int>(4); };
  const auto amain = [](auto make_text, auto make_owner) -> Coro<> {
    Task<std::string> first = create_task(make_text());
    const Task<std::string> second = first;
    const std::string copy = co_await std::move(first);
    EXPECT_EQ(copy.size(), 100u);
    EXPECT_EQ(second.result().size(), 100u);

    Task<std::unique_ptr<int>> only = create_task(make_owner());
    EXPECT_EQ(*co_await only, 4);
    const std::unique_ptr<int> got = co_await std::move(only);
    EXPECT_EQ(*got, 4);
    EXPECT_FALSE(only);
    const std::unique_ptr<int> of_temporary = co_await create_task(make_owner());
    EXPECT_EQ(*of_temporary, 4);
  };
  in_virtual_time(amain(text, owner));
}

TEST(Task, throws_what_its_coroutine_threw_each_time) {
  const auto amain = []() -> Coro<> {
    const Task<> task = create_task(fail("broken"));
    for (int i = 0; i < 2; ++i) {
      try {
        co_await task;
        ADD_FAILURE() << "no exception";
      } catch (const std::runtime_error& error) {
        EXPECT_STREQ(error.what(), "broken");
      }
    }
    EXPECT_THROW(task.result(), std::runtime_error);
    EXPECT_NE(task.exception(), nullptr);
  };
  in_virtual_time(amain());
}

TEST(Task, belongs_to_the_loop_and_ends_without_a_handle) {
  static Log log;
  log.clear();
  const auto worker = []() -> Coro<> {
    co_await sleep(2s);
    log.push_back("done");
  };
  const auto amain = [](auto make) -> Coro<> {
    create_task(make());
    co_await sleep(3s);
    log.push_back("main");
  };
  in_virtual_time(amain(worker));
  EXPECT_EQ(log, (Log{"done", "main"}));
}

TEST(Task, reports_an_exception_that_nobody_has_seen) {
  Reported reported;
  const auto amain = []() -> Coro<> {
    create_task(fail("dropped"));
    Task<> seen = create_task(fail("seen"));
    Task<> kept = create_task(fail("kept"));
    co_await sleep(1s);
    EXPECT_NE(seen.exception(), nullptr);
  };
  in_virtual_time(amain());
  EXPECT_EQ(reported.texts, (Log{"std::runtime_error: dropped", "std::runtime_error: kept"}));
}

TEST(Task, that_failed_is_not_reported_once_it_was_to_be_cancelled) {
  Reported reported;
  const auto amain = []() -> Coro<> {
    const Task<> task = create_task(fail("too late"));
    co_await sleep(1s);
    EXPECT_FALSE(task.cancel());
  };
  in_virtual_time(amain());
  EXPECT_TRUE(reported.texts.empty());
}

TEST(Task, cannot_be_awaited_by_itself_or_in_another_loop) {
  const auto amain = []() -> Coro<> {
    Task<> self;
    const auto narcissus = [](Task<>& mine) -> Coro<> {
      EXPECT_THROW(co_await mine, RuntimeError);
      co_return;
    };
    self = create_task(narcissus(self));
    co_await self;
    EXPECT_THROW(co_await Task<>(), RuntimeError);
  };
  in_virtual_time(amain());

  VirtualLoop other;
  const Task<> foreign = other.create_task(for_ever());
  const auto stranger = [](Task<> task) -> Coro<> { EXPECT_THROW(co_await task, RuntimeError); };
  in_virtual_time(stranger(foreign));
  EXPECT_FALSE(foreign.done());
}

TEST(Task, has_a_name) {
  VirtualLoop loop;
  const auto amain = []() -> Coro<> {
    EXPECT_EQ(current_task().name(), "Task-1");
    const auto task = create_task(number(1), "reader");
    EXPECT_EQ(task.name(), "reader");
    task.set_name("writer");
    EXPECT_EQ(task.name(), "writer");
    EXPECT_EQ(create_task(number(1)).name(), "Task-3");
    co_await task;
  };
  loop.run_until_complete(amain());
}

TEST(Task, handles_are_values) {
  const auto amain = []() -> Coro<> {
    const Task<int> task = create_task(number(1));
    const Task<int> same = task;
    const Task<int> other = create_task(number(1));
    EXPECT_TRUE(task == same);
    EXPECT_FALSE(task == other);
    const std::set<Task<int>> ordered{task, same, other};
    const std::unordered_set<Task<int>> hashed{task, same, other};
    EXPECT_EQ(ordered.size(), 2u);
    EXPECT_EQ(hashed.size(), 2u);
    EXPECT_FALSE(Task<int>());
    EXPECT_THROW(static_cast<void>(Task<int>().done()), RuntimeError);
    co_await other;
  };
  in_virtual_time(amain());
}

TEST(Task, is_found_as_the_current_one_and_among_all) {
  EXPECT_THROW(static_cast<void>(current_task()), RuntimeError);
  EXPECT_THROW(static_cast<void>(all_tasks()), RuntimeError);
  EXPECT_THROW(create_task(number(1)), RuntimeError);
  const auto amain = []() -> Coro<> {
    const TaskHandle me = current_task();
    const auto other = create_task(number_after(1s, 1));
    EXPECT_EQ(all_tasks(), (std::vector<TaskHandle>{me, other}));
    bool called = false;
    get_running_loop().call_soon([&] {
      EXPECT_FALSE(current_task());
      called = true;
    });
    co_await other;
    EXPECT_TRUE(called);
    EXPECT_EQ(current_task(), me);
    EXPECT_EQ(all_tasks().size(), 1u);
  };
  in_virtual_time(amain());
}

// ---- Callbacks ----------------------------------------------------------------------------

TEST(Task, callbacks_run_in_order_one_round_after_its_end) {
  Log log;
  const auto amain = [](Log& to) -> Coro<> {
    const Task<int> task = create_task(number(5));
    task.add_done_callback([&to](const Task<int>& done) { to.push_back("first " + std::to_string(done.result())); });
    task.add_done_callback([&to](Task<int>) { to.push_back("second"); });
    co_await yield();  // the task has run
    to.push_back("main");
    EXPECT_TRUE(task.done());
    co_await yield();
    to.push_back("main");
    task.add_done_callback([&to](Task<int>) { to.push_back("late"); });
    to.push_back("main");
    co_await yield();
    co_await yield();
  };
  in_virtual_time(amain(log));
  EXPECT_EQ(log, (Log{"main", "first 5", "second", "main", "main", "late"}));
}

TEST(Task, callback_that_throws_is_reported_and_the_others_run) {
  Reported reported;
  bool called = false;
  const auto amain = [](bool& flag) -> Coro<> {
    const Task<int> task = create_task(number(5));
    task.add_done_callback([](Task<int>) { throw std::logic_error("callback"); });
    task.add_done_callback([&flag](Task<int>) { flag = true; });
    co_await sleep(1s);
  };
  in_virtual_time(amain(called));
  EXPECT_TRUE(called);
  EXPECT_EQ(reported.texts, Log{"std::logic_error: callback"});
}

TEST(Task, takes_no_callback_when_it_and_its_loop_are_done) {
  const auto amain = []() -> Coro<Task<int>> {
    const Task<int> task = create_task(number(5));
    co_await task;
    co_return task;
  };
  const Task<int> task = in_virtual_time(amain());
  EXPECT_EQ(task.result(), 5);
  EXPECT_FALSE(task.cancel());
  EXPECT_THROW(task.add_done_callback([](Task<int>) {}), RuntimeError);
}

// ---- Cancellation: the rules of docs/design/asyncio.md --------------------------------------

// Rule 1
TEST(TaskCancel, throws_where_the_task_waits) {
  Log log;
  const auto worker = [](Log& to) -> Coro<> {
    try {
      co_await sleep(1h);
    } catch (const CancelledError&) {
      to.push_back("cleanup");
    }
    co_await sleep(1s);  // C++ has no await in a handler: after it
    to.push_back("clean");
    throw CancelledError();
  };
  const auto amain = [](auto make, Log& to) -> Coro<> {
    const auto task = create_task(make(to));
    co_await yield();
    EXPECT_TRUE(task.cancel());
    EXPECT_FALSE(task.cancelled());
    EXPECT_EQ(task.cancelling(), 1);
    EXPECT_THROW(co_await task, CancelledError);
    EXPECT_TRUE(task.cancelled());
    EXPECT_FALSE(task.cancel());
    EXPECT_THROW(static_cast<void>(task.exception()), CancelledError);
    EXPECT_THROW(task.result(), CancelledError);
  };
  in_virtual_time(amain(worker, log));
  EXPECT_EQ(log, (Log{"cleanup", "clean"}));
}

TEST(TaskCancel, is_no_std_exception) {
  const auto stubborn = []() -> Coro<> {
    try {
      co_await for_ever();
    } catch (const std::exception&) {
      ADD_FAILURE() << "a handler for errors got it";
    }
  };
  const auto amain = [](auto make) -> Coro<> {
    const auto task = create_task(make());
    co_await yield();
    task.cancel();
    EXPECT_THROW(co_await task, CancelledError);
  };
  in_virtual_time(amain(stubborn));
}

TEST(TaskCancel, may_be_refused) {
  const auto stubborn = []() -> Coro<int> {
    try {
      co_await for_ever();
    } catch (const CancelledError&) {
    }
    co_await sleep(1s);
    co_return 7;
  };
  const auto amain = [](auto make) -> Coro<> {
    const auto task = create_task(make());
    co_await yield();
    task.cancel();
    EXPECT_EQ(co_await task, 7);
    EXPECT_FALSE(task.cancelled());
    EXPECT_EQ(task.cancelling(), 1);
  };
  in_virtual_time(amain(stubborn));
}

TEST(TaskCancel, twice_is_thrown_twice_and_counted) {
  Log log;
  const auto worker = [](Log& to) -> Coro<> {
    for (int i = 0; i < 2; ++i) {
      try {
        co_await for_ever();
      } catch (const CancelledError&) {
        to.push_back("cancelled");
      }
    }
  };
  const auto amain = [](auto make, Log& to) -> Coro<> {
    const auto task = create_task(make(to));
    co_await yield();
    task.cancel();
    co_await yield();
    task.cancel();
    EXPECT_EQ(task.cancelling(), 2);
    co_await task;
  };
  in_virtual_time(amain(worker, log));
  EXPECT_EQ(log, (Log{"cancelled", "cancelled"}));
}

TEST(TaskCancel, twice_before_the_task_goes_on_is_thrown_once) {
  Log log;
  const auto worker = [](Log& to) -> Coro<> {
    try {
      co_await for_ever();
    } catch (const CancelledError&) {
      to.push_back("cancelled");
    }
    co_await sleep(1s);
    to.push_back("end");
  };
  const auto amain = [](auto make, Log& to) -> Coro<> {
    const auto task = create_task(make(to));
    co_await yield();
    task.cancel();
    task.cancel();
    co_await task;
    EXPECT_EQ(task.cancelling(), 2);
  };
  in_virtual_time(amain(worker, log));
  EXPECT_EQ(log, (Log{"cancelled", "end"}));
}

// Rule 2
TEST(TaskCancel, of_who_joins_a_task_is_passed_on_to_that) {
  Log log;
  const auto inner = [](Log& to) -> Coro<> {
    try {
      co_await for_ever();
    } catch (const CancelledError&) {
      to.push_back("inner");
    }
    co_await sleep(1s);
    throw CancelledError();
  };
  const auto outer = [](Task<> joined, Log& to) -> Coro<> {
    try {
      co_await joined;
    } catch (const CancelledError&) {
      to.push_back(joined.done() ? "outer, after inner" : "outer, before inner");
      throw;
    }
  };
  const auto amain = [](auto make_inner, auto make_outer, Log& to) -> Coro<> {
    const auto joined = create_task(make_inner(to));
    const auto joiner = create_task(make_outer(joined, to));
    co_await sleep(1s);
    joiner.cancel();
    EXPECT_EQ(joined.cancelling(), 1);
    EXPECT_THROW(co_await joiner, CancelledError);
    EXPECT_TRUE(joined.cancelled());
    EXPECT_TRUE(joiner.cancelled());
  };
  in_virtual_time(amain(inner, outer, log));
  EXPECT_EQ(log, (Log{"inner", "outer, after inner"}));
}

TEST(TaskCancel, of_who_joins_a_task_that_refuses_does_not_reach_him) {
  const auto stubborn = []() -> Coro<int> {
    try {
      co_await for_ever();
    } catch (const CancelledError&) {
    }
    co_return 3;
  };
  const auto outer = [](Task<int> joined) -> Coro<int> { co_return co_await joined; };
  const auto amain = [](auto make, auto make_outer) -> Coro<> {
    const auto joiner = create_task(make_outer(create_task(make())));
    co_await sleep(1s);
    joiner.cancel();
    EXPECT_EQ(co_await joiner, 3);
  };
  in_virtual_time(amain(stubborn, outer));
}

// Rule 3
TEST(TaskCancel, before_the_first_step_never_runs_the_body) {
  Log log;
  const auto worker = [](Log& to, std::shared_ptr<int>) -> Coro<> {
    to.push_back("ran");
    co_return;
  };
  const auto amain = [](auto make, Log& to) -> Coro<> {
    auto parameter = std::make_shared<int>();
    const auto task = create_task(make(to, parameter));
    EXPECT_TRUE(task.cancel());
    EXPECT_FALSE(task.done());
    EXPECT_THROW(co_await task, CancelledError);
    EXPECT_TRUE(task.cancelled());
    EXPECT_EQ(parameter.use_count(), 1);
  };
  in_virtual_time(amain(worker, log));
  EXPECT_TRUE(log.empty());
}

// Rule 4
TEST(TaskCancel, of_oneself_comes_at_the_next_wait) {
  Log log;
  const auto amain = [](Log& to) -> Coro<> {
    const TaskHandle me = current_task();
    const auto finished = create_task(number(1));
    co_await finished;
    me.cancel();
    to.push_back("goes on");
    co_await finished;  // done: no wait
    to.push_back("still");
    try {
      co_await sleep(1h);
    } catch (const CancelledError&) {
      to.push_back("cancelled");
    }
    co_await sleep(1s);
    EXPECT_EQ(me.uncancel(), 0);
  };
  VirtualLoop loop;
  loop.run_until_complete(amain(log));
  EXPECT_EQ(log, (Log{"goes on", "still", "cancelled"}));
  EXPECT_EQ(loop.elapsed(), 1s);
}

// Rule 5. A callback that runs when the joined task is done, before the one who joins has been
// resumed.
TEST(TaskCancel, after_the_wake_up_still_reaches_the_task) {
  const auto joiner = [](Task<int> joined) -> Coro<int> { co_return co_await joined; };
  const auto amain = [](auto make) -> Coro<> {
    const auto joined = create_task(number_after(1s, 1));
    Task<int> waits;
    joined.add_done_callback([&waits](Task<int>) { EXPECT_TRUE(waits.cancel()); });
    waits = create_task(make(joined));
    EXPECT_THROW(co_await waits, CancelledError);
    EXPECT_TRUE(waits.cancelled());
    EXPECT_FALSE(joined.cancelled());
  };
  in_virtual_time(amain(joiner));
}

// Rule 6
TEST(TaskCancel, that_came_too_late_to_be_seen_still_counts) {
  const auto worker = []() -> Coro<int> {
    current_task().cancel();
    co_return 5;
  };
  const auto failing = []() -> Coro<int> {
    current_task().cancel();
    throw std::runtime_error("first");
    co_return 5;
  };
  const auto amain = [](auto make, auto make_failing) -> Coro<> {
    const auto task = create_task(make());
    EXPECT_THROW(co_await task, CancelledError);
    EXPECT_TRUE(task.cancelled());
    const auto failed = create_task(make_failing());
    EXPECT_THROW(co_await failed, std::runtime_error);
    EXPECT_FALSE(failed.cancelled());
  };
  in_virtual_time(amain(worker, failing));
}

// Rule 7, CPython 3.13
TEST(TaskCancel, is_taken_back_by_uncancel) {
  const auto amain = []() -> Coro<> {
    const TaskHandle me = current_task();
    EXPECT_EQ(me.uncancel(), 0);
    me.cancel();
    me.cancel();
    EXPECT_EQ(me.cancelling(), 2);
    EXPECT_EQ(me.uncancel(), 1);
    EXPECT_EQ(me.uncancel(), 0);
    co_await sleep(1s);  // not cancelled
    me.cancel();
    me.cancel();
    EXPECT_EQ(me.uncancel(), 1);
    EXPECT_THROW(co_await sleep(1s), CancelledError);
  };
  in_virtual_time(amain());
}

TEST(TaskCancel, is_taken_back_by_another_before_the_task_goes_on) {
  const auto waits = [](Future<> future) -> Coro<int> {
    co_await future;
    co_return 42;
  };
  const auto amain = [](auto make) -> Coro<> {
    const auto future = get_running_loop().create_future<>();
    const Task<int> task = create_task(make(future));
    co_await yield();
    future.set_result();
    task.cancel();
    EXPECT_EQ(task.cancelling(), 1);
    EXPECT_EQ(task.uncancel(), 0);
    EXPECT_EQ(co_await task, 42);
    // One that was delivered is not.
    const auto other = get_running_loop().create_future<>();
    const Task<int> late = create_task(make(other));
    co_await yield();
    late.cancel();
    EXPECT_EQ(late.uncancel(), 0);
    EXPECT_THROW(co_await late, CancelledError);
    EXPECT_EQ(late.uncancel(), 0);
    EXPECT_TRUE(late.cancelled());
  };
  in_virtual_time(amain(waits));
}

TEST(TaskCancel, comes_once_when_what_the_task_awaits_is_cancelled_too) {
  static Log log;
  log.clear();
  const auto waits = [](Future<> future) -> Coro<> {
    try {
      co_await future;
    } catch (const CancelledError&) {
      log.push_back("cancelled");
    }
    co_await sleep(1s);
    log.push_back("went on");
  };
  const auto amain = [](auto make) -> Coro<> {
    for (const bool future_first : {true, false}) {
      const auto future = get_running_loop().create_future<>();
      const Task<> task = create_task(make(future));
      co_await yield();
      if (future_first) future.cancel();
      task.cancel();
      EXPECT_EQ(future.cancel(), false);
      co_await task;
      EXPECT_TRUE(future.cancelled());
    }
  };
  in_virtual_time(amain(waits));
  EXPECT_EQ(log, (Log{"cancelled", "went on", "cancelled", "went on"}));
}

// CPython: bpo-34872
TEST(TaskCancel, of_oneself_is_passed_on_to_what_one_waits_for_next) {
  const auto waits = [](Future<> future) -> Coro<> { co_await future; };
  const auto cancels_itself = [](auto make, Future<> future) -> Coro<> {
    const Task<> nested = create_task(make(future));
    co_await yield();
    current_task().cancel();
    co_await nested;
  };
  const auto amain = [](auto make, auto make_outer) -> Coro<> {
    const auto future = get_running_loop().create_future<>();
    const Task<> outer = create_task(make_outer(make, future));
    EXPECT_THROW(co_await outer, CancelledError);
    EXPECT_TRUE(future.cancelled());
  };
  in_virtual_time(amain(waits, cancels_itself));
}

TEST(TaskCancel, thrown_by_the_coroutine_itself_cancels_its_task) {
  const auto worker = []() -> Coro<> {
    throw CancelledError();
    co_return;
  };
  const auto amain = [](auto make) -> Coro<> {
    const auto task = create_task(make());
    EXPECT_THROW(co_await task, CancelledError);
    EXPECT_TRUE(task.cancelled());
    EXPECT_EQ(task.cancelling(), 0);
  };
  in_virtual_time(amain(worker));
}

TEST(TaskCancel, goes_through_all_coroutines_that_wait_in_each_other) {
  Log log;
  struct Note {
    Log& log;
    std::string name;
    ~Note() { log.push_back(name); }
  };
  const auto leaf = [](Log& to) -> Coro<> {
    const Note note{to, "leaf"};
    co_await sleep(1h);
  };
  const auto middle = [](auto make, Log& to) -> Coro<> {
    const Note note{to, "middle"};
    co_await make(to);
  };
  const auto amain = [](auto make, auto make_middle, Log& to) -> Coro<> {
    const auto task = create_task(make_middle(make, to));
    co_await sleep(1s);
    task.cancel();
    EXPECT_THROW(co_await task, CancelledError);
  };
  in_virtual_time(amain(leaf, middle, log));
  EXPECT_EQ(log, (Log{"leaf", "middle"}));
}

}  // namespace
}  // namespace nogil::asyncio
