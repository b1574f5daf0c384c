// tests/asyncio/gather_test.cpp -- after CPython's test_tasks.py (GatherTestsBase and its kin).

#include "nogil/asyncio/gather.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "asyncio/support/excepthook.hpp"
#include "asyncio/support/steps.hpp"
#include "nogil/asyncio/shield.hpp"

namespace nogil::asyncio {
namespace {

using namespace testing;

TEST(Gather, gives_results_in_the_order_of_its_arguments) {
  const auto amain = []() -> Coro<> {
    const auto results = co_await gather(value_after(3s, 1), value_after(1s, std::string("two")), nap(2s));
    static_assert(std::is_same_v<decltype(results), const std::tuple<int, std::string, std::monostate>>);
    EXPECT_EQ(std::get<0>(results), 1);
    EXPECT_EQ(std::get<1>(results), "two");
  };
  VirtualLoop loop;
  loop.run_until_complete(amain());
  EXPECT_EQ(loop.elapsed(), 3s);
}

TEST(Gather, gives_a_vector_for_a_range_and_nothing_for_one_of_void) {
  const auto amain = []() -> Coro<> {
    std::vector<Coro<int>> coros;
    for (int i = 0; i < 4; ++i) coros.push_back(value_after(std::chrono::milliseconds(10 - i), i));
    const std::vector<int> results = co_await gather(std::move(coros));
    EXPECT_EQ(results, (std::vector<int>{0, 1, 2, 3}));
    std::vector<Task<int>> tasks;
    for (int i = 0; i < 3; ++i) tasks.push_back(create_task(number(i)));
    const std::vector<int> again = co_await gather(tasks);
    EXPECT_EQ(again, (std::vector<int>{0, 1, 2}));
    EXPECT_EQ(co_await tasks[2], 2);
    std::vector<Coro<>> naps;
    naps.push_back(nap(1s));
    static_assert(std::is_void_v<decltype(gather(naps).await_resume())>);
    co_await gather(naps);  // as Python's gather(*naps): they are taken out
    EXPECT_FALSE(naps[0].valid());
  };
  in_virtual_time(amain());
}

TEST(Gather, of_nothing_does_not_wait) {
  const auto amain = []() -> Coro<> {
    static bool other_ran;
    other_ran = false;
    get_running_loop().call_soon([] { other_ran = true; });
    EXPECT_EQ(co_await gather(), std::tuple<>());
    EXPECT_TRUE((co_await gather(std::vector<Coro<int>>())).empty());
    EXPECT_FALSE(other_ran);
  };
  in_virtual_time(amain());
}

TEST(Gather, starts_at_the_call) {
  const auto amain = []() -> Coro<> {
    auto all = gather(value_after(2s, 1), value_after(2s, 2));
    co_await sleep(2s);
    co_await std::move(all);
  };
  VirtualLoop loop;
  loop.run_until_complete(amain());
  EXPECT_EQ(loop.elapsed(), 2s);
}

TEST(Gather, takes_the_same_task_twice) {
  const auto amain = []() -> Coro<> {
    const Task<std::string> task = create_task(value_after(1s, std::string("twice")));
    const auto results = co_await gather(task, task);
    EXPECT_EQ(std::get<0>(results), "twice");
    EXPECT_EQ(std::get<1>(results), "twice");
    EXPECT_EQ(task.result(), "twice");
  };
  in_virtual_time(amain());
}

TEST(Gather, moves_results_that_cannot_be_copied) {
  const auto make = [](int n) -> Coro<std::unique_ptr<int>> {
    co_await yield();
    co_return std::make_unique<int>(n);
  };
  const auto amain = [](auto one) -> Coro<> {
    const auto results = co_await gather(one(1), one(2));
    EXPECT_EQ(*std::get<0>(results) + *std::get<1>(results), 3);
    std::vector<Coro<std::unique_ptr<int>>> coros;
    coros.push_back(one(4));
    const auto more = co_await gather(std::move(coros));
    EXPECT_EQ(*more[0], 4);
  };
  in_virtual_time(amain(make));
}

TEST(Gather, takes_whatever_can_be_awaited) {
  const auto amain = []() -> Coro<> {
    const auto results = co_await gather(sleep(1s), sleep(1s, 7), gather(number(1), number(2)));
    EXPECT_EQ(std::get<1>(results), 7);
    EXPECT_EQ(std::get<1>(std::get<2>(results)), 2);
  };
  in_virtual_time(amain());
}

Coro<> catches_first(Log& log, VirtualLoop& loop) {
  const Task<int> slow = create_task(value_after(5s, 5));
  try {
    co_await gather(slow, fail_after(2s, "second"), fail_after(1s, "first"));
  } catch (const std::domain_error& error) {
    log.push_back(error.what());
  }
  EXPECT_EQ(loop.elapsed(), 1s);
  EXPECT_FALSE(slow.done());
  EXPECT_EQ(co_await slow, 5);  // it goes on
}

TEST(Gather, throws_the_first_error_at_once_and_lets_the_others_go_on) {
  Log log;
  const Reported reported;
  {
    VirtualLoop loop;
    loop.run_until_complete(catches_first(log, loop));
    EXPECT_EQ(loop.elapsed(), 5s);
  }
  EXPECT_EQ(log, Log{"first"});
  EXPECT_TRUE(reported.texts.empty()) << reported.texts.front();  // "second" is nobody's business
}

TEST(Gather, throws_when_one_of_its_tasks_is_cancelled_and_is_not_cancelled_itself) {
  const auto amain = []() -> Coro<> {
    const Task<int> victim = create_task(value_after(1h, 1));
    const Task<int> other = create_task(value_after(2s, 2));
    get_running_loop().call_later(1s, [victim] { victim.cancel(); });
    EXPECT_THROW(co_await gather(victim, other), CancelledError);
    EXPECT_EQ(current_task().cancelling(), 0);
    EXPECT_EQ(co_await other, 2);
  };
  in_virtual_time(amain());
}

Coro<> gathers(Task<int> a, Task<int> b) {
  co_await gather(a, b);
}

TEST(Gather, cancels_all_when_it_is_cancelled) {
  const auto amain = []() -> Coro<> {
    const Task<int> a = create_task(value_after(1h, 1));
    const Task<int> b = create_task(value_after(1h, 2));
    const Task<> outer = create_task(gathers(a, b));
    co_await pass_rounds(3);
    EXPECT_TRUE(outer.cancel());
    EXPECT_TRUE(co_await ends_cancelled(outer));
    EXPECT_TRUE(a.cancelled());
    EXPECT_TRUE(b.cancelled());
  };
  in_virtual_time(amain());
}

TEST(Gather, that_is_cancelled_is_so_even_if_all_of_its_tasks_go_on) {
  const auto amain = []() -> Coro<> {
    const Task<int> a = create_task(stubborn(1));
    const Task<int> b = create_task(stubborn(2));
    const Task<> outer = create_task(gathers(a, b));
    co_await pass_rounds(3);
    outer.cancel();
    EXPECT_TRUE(co_await ends_cancelled(outer));
    EXPECT_EQ(a.result() + b.result(), 3);
  };
  in_virtual_time(amain());
}

// CPython: two rounds after the last one, as it is told by a callback.
TEST(Gather, wakes_in_the_round_in_which_it_does_in_python) {
  const auto amain = []() -> Coro<> {
    static int round;
    round = 0;
    const auto count = []() -> Coro<> {
      for (round = 0; round < 100; ++round) co_await yield();
    };
    const Task<> counter = create_task(count());
    co_await gather(pass_rounds(4));
    EXPECT_EQ(round, 6);
    counter.cancel();
    EXPECT_TRUE(co_await ends_cancelled(counter));
  };
  in_virtual_time(amain());
}

TEST(GatherSettled, gives_errors_among_the_results) {
  const auto amain = []() -> Coro<> {
    const Task<int> victim = create_task(value_after(1h, 1));
    get_running_loop().call_later(1s, [victim] { victim.cancel(); });
    const auto outcomes = co_await gather_settled(value_after(3s, 3), fail_after(1s, "no"), victim, nap(1s));
    EXPECT_EQ(std::get<0>(outcomes).value(), 3);
    EXPECT_FALSE(std::get<1>(outcomes).has_value());
    EXPECT_THROW(static_cast<void>(std::get<1>(outcomes).value()), std::domain_error);
    EXPECT_THROW(std::rethrow_exception(std::get<2>(outcomes).exception()), CancelledError);
    EXPECT_TRUE(std::get<3>(outcomes).has_value());
    EXPECT_EQ(std::get<3>(outcomes).exception(), nullptr);
  };
  VirtualLoop loop;
  loop.run_until_complete(amain());
  EXPECT_EQ(loop.elapsed(), 3s);
}

TEST(GatherSettled, takes_ranges) {
  const auto amain = []() -> Coro<> {
    std::vector<Coro<int>> coros;
    coros.push_back(number(1));
    coros.push_back(fail_after(1s, "two"));
    const std::vector<Outcome<int>> outcomes = co_await gather_settled(std::move(coros));
    EXPECT_TRUE(outcomes[0]);
    EXPECT_FALSE(outcomes[1]);
  };
  in_virtual_time(amain());
}

Coro<> settles(Task<int> a, Task<int> b) {
  co_await gather_settled(a, b);
}

TEST(GatherSettled, waits_for_all_when_it_is_cancelled) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    const Task<> outer =
        create_task(settles(create_task(reluctant(log, "a", 1s)), create_task(reluctant(log, "b", 2s))));
    co_await pass_rounds(3);
    outer.cancel();
    EXPECT_TRUE(co_await ends_cancelled(outer));
  };
  in_virtual_time(amain());
  EXPECT_EQ(log, (Log{"a cancelled", "b cancelled", "a ended", "b ended"}));
}

// CPython: bpo-26923, the results are there and who gathers has not gone on yet.
TEST(Gather, that_is_cancelled_when_all_are_done_loses_no_cancellation) {
  const auto amain = []() -> Coro<> {
    const Task<int> a = create_task(value_after(0ms, 1));
    const Task<int> b = create_task(value_after(0ms, 2));
    const Task<> outer = create_task(gathers(a, b));
    co_await pass_rounds(2);
    EXPECT_TRUE(a.done() && b.done() && !outer.done());
    EXPECT_TRUE(outer.cancel());
    EXPECT_TRUE(co_await ends_cancelled(outer));
    EXPECT_FALSE(a.cancelled() || b.cancelled());
  };
  in_virtual_time(amain());
}

Coro<> settles_again_and_again() {
  for (;;) co_await gather_settled(nap(50ms));
}

TEST(GatherSettled, does_not_keep_a_cancellation_for_itself) {
  const auto amain = []() -> Coro<> {
    const Task<> task = create_task(settles_again_and_again());
    co_await sleep(200ms);
    task.cancel();
    EXPECT_TRUE(co_await ends_cancelled(task));
  };
  in_virtual_time(amain());
}

Coro<> gathers_shielded(Task<int> a, Task<int> b) {
  co_await gather(shield(a), shield(b));
}
Coro<> shields_gathered(Task<int> a, Task<int> b) {
  co_await shield(gather(a, b));
}

TEST(Gather, goes_with_shield_inside_and_outside) {
  const auto amain = []() -> Coro<> {
    for (const bool inside : {true, false}) {
      const Task<int> a = create_task(value_after(2s, 1));
      const Task<int> b = create_task(value_after(3s, 2));
      const Task<> outer = create_task(inside ? gathers_shielded(a, b) : shields_gathered(a, b));
      co_await sleep(1s);
      outer.cancel();
      EXPECT_TRUE(co_await ends_cancelled(outer));
      EXPECT_FALSE(a.done() || b.done());
      EXPECT_EQ(co_await a + co_await b, 3);
    }
  };
  VirtualLoop loop;
  loop.run_until_complete(amain());
  EXPECT_EQ(loop.elapsed(), 6s);
}

// CPython 3.12: nothing is left to wait for.
TEST(Gather, of_what_is_done_does_not_wait) {
  const auto amain = []() -> Coro<> {
    const Task<int> a = create_task(number(1));
    const Task<int> failed = create_task(fail_after(0ms, "seen"));
    const Task<int> slow = create_task(fail_after(1s, "nobody's business"));
    co_await pass_rounds(2);
    static bool other_ran;
    other_ran = false;
    get_running_loop().call_soon([] { other_ran = true; });
    EXPECT_EQ(std::get<1>(co_await gather(a, a)), 1);
    EXPECT_THROW(co_await gather(slow, a, failed), std::domain_error);
    EXPECT_FALSE(std::get<1>(co_await gather_settled(a, failed)).has_value());
    const std::vector<Task<int>> all = {a, a};
    EXPECT_EQ((co_await gather(all)).size(), 2u);
    EXPECT_FALSE(other_ran);
    EXPECT_FALSE(slow.done());
    co_await sleep(2s);
    EXPECT_TRUE(other_ran);
  };
  const Reported reported;
  in_virtual_time(amain());
  EXPECT_TRUE(reported.texts.empty());
}

TEST(Gather, of_a_hundred_thousand_works) {
  const auto amain = []() -> Coro<> {
    std::vector<Coro<int>> coros;
    for (int i = 0; i < 100'000; ++i) coros.push_back(number(i));
    const std::vector<int> results = co_await gather(std::move(coros));
    EXPECT_EQ(results.size(), 100'000u);
    EXPECT_EQ(results.back(), 99'999);
  };
  in_virtual_time(amain());
}

TEST(Gather, that_is_destroyed_while_it_waits_leaves_its_tasks_alone) {
  const auto endless = []() -> Coro<> { co_await gather(nap(1h), nap(1h)); };
  const auto stopped = [](EventLoop& loop) -> Coro<> {
    co_await pass_rounds(3);
    loop.stop();
    co_await sleep(1h);
  };
  VirtualLoop loop;
  loop.create_task(endless());
  EXPECT_THROW(loop.run_until_complete(stopped(loop)), RuntimeError);
}

}  // namespace
}  // namespace nogil::asyncio
