// tests/asyncio/wait_test.cpp -- after CPython's test_tasks.py.

#include "nogil/asyncio/wait.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "asyncio/support/excepthook.hpp"
#include "asyncio/support/steps.hpp"
#include "nogil/futures/wait.hpp"  // nogil::wait must not be in the way

namespace nogil::asyncio {
namespace {

using namespace testing;

std::vector<Task<int>> three(std::chrono::milliseconds a, std::chrono::milliseconds b, std::chrono::milliseconds c) {
  return {create_task(value_after(a, 1)), create_task(value_after(b, 2)), create_task(value_after(c, 3))};
}

TEST(WaitForTasks, waits_for_all_and_keeps_their_order) {
  const auto amain = []() -> Coro<> {
    const auto tasks = three(2s, 3s, 1s);
    const auto [done, pending] = co_await asyncio::wait(tasks);
    EXPECT_EQ(done, tasks);
    EXPECT_TRUE(pending.empty());
  };
  VirtualLoop loop;
  loop.run_until_complete(amain());
  EXPECT_EQ(loop.elapsed(), 3s);
}

TEST(WaitForTasks, ends_with_the_first_that_is_done) {
  const auto amain = []() -> Coro<> {
    const auto tasks = three(2s, 3s, 1s);
    const auto ended = co_await asyncio::wait(tasks, FIRST_COMPLETED);
    EXPECT_EQ(ended.done, std::vector<Task<int>>{tasks[2]});
    EXPECT_EQ(ended.pending, (std::vector<Task<int>>{tasks[0], tasks[1]}));
  };
  VirtualLoop loop;
  loop.run_until_complete(amain());
  EXPECT_EQ(loop.elapsed(), 1s);
}

TEST(WaitForTasks, ends_with_the_first_that_fails_and_not_with_one_that_is_cancelled) {
  const auto amain = []() -> Coro<> {
    const Task<int> cancelled = create_task(value_after(1h, 1));
    const Task<int> failed = create_task(fail_after(3s, "three"));
    const Task<int> slow = create_task(value_after(4s, 4));
    get_running_loop().call_later(1s, [cancelled] { cancelled.cancel(); });
    const std::vector tasks = {cancelled, failed, slow};
    const auto ended = co_await asyncio::wait(tasks, FIRST_EXCEPTION);
    EXPECT_EQ(ended.done.size(), 2u);
    EXPECT_EQ(ended.pending, std::vector<Task<int>>{slow});
    EXPECT_NE(failed.exception(), nullptr);
  };
  VirtualLoop loop;
  loop.run_until_complete(amain());
  EXPECT_EQ(loop.elapsed(), 3s);
}

TEST(WaitForTasks, ends_with_all_if_none_fails) {
  const auto amain = []() -> Coro<> {
    const auto ended = co_await asyncio::wait(three(1s, 2s, 3s), asyncio::FIRST_EXCEPTION);
    EXPECT_EQ(ended.done.size(), 3u);
  };
  in_virtual_time(amain());
}

TEST(WaitForTasks, throws_nothing_that_a_task_has_thrown) {
  const Reported reported;
  const auto amain = []() -> Coro<> {
    const std::vector tasks(1, create_task(fail_after(1s, "seen")));
    const auto ended = co_await asyncio::wait(tasks);
    EXPECT_NE(ended.done[0].exception(), nullptr);
  };
  in_virtual_time(amain());
  EXPECT_TRUE(reported.texts.empty());
}

TEST(WaitForTasks, gives_up_after_its_time) {
  const auto amain = []() -> Coro<> {
    const auto tasks = three(1s, 5s, 5s);
    const auto ended = co_await asyncio::wait(tasks, 2s);
    EXPECT_EQ(ended.done.size(), 1u);
    EXPECT_EQ(ended.pending.size(), 2u);
    const auto later = co_await asyncio::wait(ended.pending, 1h, ALL_COMPLETED);
    EXPECT_EQ(later.done.size(), 2u);
    EXPECT_EQ(tasks[1].result(), 2);
  };
  VirtualLoop loop;
  loop.run_until_complete(amain());
  EXPECT_EQ(loop.elapsed(), 5s);
}

TEST(WaitForTasks, looks_once_when_there_is_no_time) {
  const auto amain = []() -> Coro<> {
    const Task<int> quick = create_task(number(1));
    const Task<int> slow = create_task(value_after(1h, 2));
    for (const auto timeout : {0s, -5s}) {
      auto waiting = asyncio::wait({quick, slow}, timeout);  // g++ 12 knows no {} in a co_await
      const auto ended = co_await std::move(waiting);
      EXPECT_EQ(ended.done, std::vector<Task<int>>{quick});
      EXPECT_EQ(ended.pending, std::vector<Task<int>>{slow});
    }
  };
  VirtualLoop loop;
  loop.run_until_complete(amain());
  EXPECT_EQ(loop.elapsed(), 0s);
}

TEST(WaitForTasks, finds_all_that_are_done_when_it_goes_on) {
  const auto amain = []() -> Coro<> {
    const std::vector<Task<>> tasks = {create_task(pass_rounds(2)), create_task(pass_rounds(1))};
    const auto ended = co_await asyncio::wait(tasks, FIRST_COMPLETED);
    EXPECT_EQ(ended.done, tasks) << "one is done since the other has woken it";
  };
  in_virtual_time(amain());
}

TEST(WaitForTasks, takes_no_time_when_enough_are_done_before) {
  const auto amain = []() -> Coro<> {
    const Task<int> done = create_task(number(1));
    const Task<int> failed = create_task(fail_after(0ms, "seen"));
    const Task<int> slow = create_task(value_after(1h, 2));
    co_await pass_rounds(2);
    const std::vector all = {slow, failed, done};
    const auto first = co_await asyncio::wait(all, 1h, FIRST_EXCEPTION);
    EXPECT_EQ(first.done, (std::vector{failed, done}));
    const auto again = co_await asyncio::wait(first.done);
    EXPECT_EQ(again.done.size(), 2u);
    EXPECT_NE(failed.exception(), nullptr);
  };
  VirtualLoop loop;
  loop.run_until_complete(amain());
  EXPECT_EQ(loop.elapsed(), 0s);
}

TEST(WaitForTasks, takes_one_that_is_done_at_the_very_end_of_its_time) {
  const auto amain = []() -> Coro<> {
    const std::vector<Task<int>> tasks = {create_task(value_after(1s, 1)), create_task(value_after(2s, 2))};
    co_await yield();  // so their timers are older
    const auto ended = co_await asyncio::wait(tasks, 1s);
    EXPECT_EQ(ended.done, std::vector<Task<int>>(1, tasks[0]));
    EXPECT_EQ(ended.pending, std::vector<Task<int>>(1, tasks[1]));
  };
  in_virtual_time(amain());
}

TEST(WaitForTasks, counts_a_task_once) {
  const auto amain = []() -> Coro<> {
    const Task<int> task = create_task(value_after(1s, 1));
    const auto ended = co_await asyncio::wait(std::vector(3, task));
    EXPECT_EQ(ended.done.size(), 1u);
  };
  in_virtual_time(amain());
}

TEST(WaitForTasks, takes_handles_of_tasks_of_any_kind) {
  const auto amain = []() -> Coro<> {
    const Task<int> a = create_task(number(1));
    const Task<> b = create_task(nap(1s));
    const std::vector<TaskHandle> handles = {a, b};
    const auto ended = co_await asyncio::wait(handles);
    EXPECT_EQ(ended.done.size(), 2u);
  };
  in_virtual_time(amain());
}

TEST(WaitForTasks, of_none_is_an_error) {
  const auto amain = []() -> Coro<> {
    EXPECT_THROW(co_await asyncio::wait(std::vector<Task<int>>()), ValueError);
    EXPECT_THROW(co_await asyncio::wait(std::vector<Task<int>>(1)), RuntimeError);
    const std::vector tasks(1, create_task(number(1)));
    EXPECT_THROW(co_await asyncio::wait(tasks, static_cast<ReturnWhen>(17)), ValueError);
  };
  in_virtual_time(amain());
}

Coro<> waits(std::vector<Task<int>> tasks) {
  co_await asyncio::wait(tasks, 1h);
}

TEST(WaitForTasks, that_is_cancelled_leaves_the_tasks_alone) {
  const auto amain = []() -> Coro<> {
    const auto tasks = three(1s, 2s, 3s);
    const Task<> outer = create_task(waits(tasks));
    co_await pass_rounds(2);
    outer.cancel();
    EXPECT_TRUE(co_await ends_cancelled(outer));
    EXPECT_EQ(co_await tasks[2], 3);
  };
  VirtualLoop loop;
  loop.run_until_complete(amain());
  EXPECT_EQ(loop.elapsed(), 3s);
}

}  // namespace
}  // namespace nogil::asyncio
