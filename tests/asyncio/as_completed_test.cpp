// tests/asyncio/as_completed_test.cpp -- after CPython's test_tasks.py.

#include "nogil/asyncio/as_completed.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

#include "asyncio/support/steps.hpp"

namespace nogil::asyncio {
namespace {

using namespace testing;

std::vector<Coro<int>> naps(std::vector<int> seconds) {
  std::vector<Coro<int>> coros;
  for (const int n : seconds) coros.push_back(value_after(std::chrono::seconds(n), n));
  return coros;
}

Coro<> collects(std::vector<int>& order) {
  for (auto& next : as_completed(naps({3, 1, 2}))) order.push_back(co_await next);
}

TEST(AsCompleted, gives_the_quickest_first) {
  VirtualLoop loop;
  std::vector<int> order;
  loop.run_until_complete(collects(order));
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(loop.elapsed(), 3s);
}

TEST(AsCompleted, takes_tasks_and_counts_each_once) {
  const auto amain = []() -> Coro<> {
    const Task<int> slow = create_task(value_after(2s, 2));
    const Task<int> quick = create_task(number(1));
    const std::vector<Task<int>> tasks = {slow, quick, slow};
    const auto completed = as_completed(tasks);
    EXPECT_EQ(completed.size(), 2u);
    int sum = 0;
    for (auto&& next : completed) sum = sum * 10 + co_await next;
    EXPECT_EQ(sum, 12);
  };
  in_virtual_time(amain());
}

TEST(AsCompleted, of_nothing_is_empty) {
  const auto amain = []() -> Coro<> {
    for (auto& next : as_completed(std::vector<Coro<int>>())) ADD_FAILURE() << co_await next;
  };
  in_virtual_time(amain());
}

TEST(AsCompleted, throws_what_a_task_throws_and_goes_on) {
  const auto amain = []() -> Coro<> {
    std::vector<Coro<int>> coros = naps({2});
    coros.push_back(fail_after(1s, "one"));
    int errors = 0;
    int sum = 0;
    for (auto& next : as_completed(coros)) {
      try {
        sum += co_await next;
      } catch (const std::domain_error&) {
        ++errors;
      }
    }
    EXPECT_EQ(errors, 1);
    EXPECT_EQ(sum, 2);
  };
  in_virtual_time(amain());
}

TEST(AsCompleted, gives_up_after_its_time) {
  const auto amain = []() -> Coro<> {
    int sum = 0;
    int late = 0;
    for (auto& next : as_completed(naps({1, 5, 9}), 3s)) {
      try {
        sum += co_await next;
      } catch (const TimeoutError&) {
        ++late;
      }
    }
    EXPECT_EQ(sum, 1);
    EXPECT_EQ(late, 2);
    EXPECT_EQ(all_tasks().size(), 3u);  // they go on
  };
  VirtualLoop loop;
  loop.run_until_complete(amain());
  EXPECT_EQ(loop.elapsed(), 3s);
}

TEST(AsCompleted, may_be_left_early) {
  const auto amain = []() -> Coro<> {
    for (auto& next : as_completed(naps({1, 2}))) {
      EXPECT_EQ(co_await next, 1);
      break;
    }
    co_await sleep(5s);
  };
  in_virtual_time(amain());
}

TEST(AsCompleted, goes_on_where_it_was_left) {
  const auto amain = []() -> Coro<> {
    auto all = as_completed(naps({4, 2, 3, 1}));
    std::vector<int> order;
    for (auto& next : all) {
      order.push_back(co_await next);
      if (order.size() == 2) break;
    }
    EXPECT_EQ(all.size(), 2u);
    for (auto& next : all) order.push_back(co_await next);
    EXPECT_EQ(order, (std::vector<int>{1, 2, 3, 4}));
    for (auto& next : all) order.push_back(co_await next);
    EXPECT_EQ(order.size(), 4u);
  };
  VirtualLoop loop;
  loop.run_until_complete(amain());
  EXPECT_EQ(loop.elapsed(), 4s);
}

TEST(AsCompleted, gives_the_quickest_to_who_awaits_first) {
  const auto amain = []() -> Coro<> {
    const auto all = as_completed(naps({1, 2}));
    auto at = all.begin();
    auto first = *at;
    ++at;
    auto second = *at;
    ++at;
    EXPECT_FALSE(at != all.end());
    EXPECT_EQ(co_await second, 1);
    EXPECT_EQ(co_await first, 2);
  };
  in_virtual_time(amain());
}

TEST(AsCompleted, may_be_awaited_again_by_one_who_was_cancelled) {
  const auto insists = [](std::vector<Coro<int>> coros) -> Coro<int> {
    int cancellations = 0;
    for (auto& next : as_completed(std::move(coros))) {
      for (int sum = 0; sum == 0;) {
        try {
          sum = co_await next;
        } catch (const CancelledError&) {
          ++cancellations;
        }
      }
    }
    co_return cancellations;
  };
  const auto amain = [](auto make) -> Coro<> {
    const Task<int> task = create_task(make(naps({2, 4})));
    for (int i = 0; i < 3; ++i) {
      co_await sleep(1s);
      task.cancel();  // also in the round in which there is one
    }
    EXPECT_EQ(co_await task, 3);
  };
  VirtualLoop loop;
  loop.run_until_complete(amain(insists));
  EXPECT_EQ(loop.elapsed(), 4s);
}

TEST(AsCompleted, does_not_wait_for_a_time_that_it_does_not_need) {
  const auto amain = []() -> Coro<> {
    for (auto& next : as_completed(naps({1}), 1h)) EXPECT_EQ(co_await next, 1);
  };
  VirtualLoop loop;
  loop.run_until_complete(amain());
  EXPECT_EQ(loop.elapsed(), 1s);
}

TEST(AsCompleted, can_be_awaited_by_several_tasks) {
  const auto amain = []() -> Coro<> {
    std::vector<Task<int>> tasks;
    for (auto& next : as_completed(naps({2, 1}))) tasks.push_back(create_task(next));
    EXPECT_EQ(co_await tasks[0], 1);
    EXPECT_EQ(co_await tasks[1], 2);
  };
  in_virtual_time(amain());
}

TEST(AsCompleted, loses_nothing_when_one_who_waits_is_cancelled) {
  const auto amain = []() -> Coro<> {
    std::vector<Task<int>> tasks;
    for (auto& next : as_completed(naps({1, 2}))) tasks.push_back(create_task(next));
    // In the very round in which it gets its result.
    get_running_loop().call_later(1s, [victim = tasks[0]] { victim.cancel(); });
    EXPECT_EQ(co_await tasks[1], 1);
  };
  in_virtual_time(amain());
}

}  // namespace
}  // namespace nogil::asyncio
