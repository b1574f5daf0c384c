// tests/asyncio/shield_test.cpp -- after CPython's test_tasks.py.

#include "nogil/asyncio/shield.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>

#include "asyncio/support/excepthook.hpp"
#include "asyncio/support/steps.hpp"
#include "nogil/asyncio/timeout.hpp"

namespace nogil::asyncio {
namespace {

using namespace testing;

TEST(Shield, gives_the_result_or_throws_the_error) {
  const auto amain = []() -> Coro<> {
    EXPECT_EQ(co_await shield(value_after(1s, 3)), 3);
    EXPECT_THROW(co_await shield(fail_after(1s, "own")), std::domain_error);
    const Task<std::string> task = create_task(value_after(1s, std::string("task")));
    EXPECT_EQ(co_await shield(task), "task");
    EXPECT_EQ(co_await shield(task), "task");  // done
    co_await shield(nap(1s));
  };
  in_virtual_time(amain());
}

Coro<int> shields(Task<int> task) {
  co_return co_await shield(task);
}

TEST(Shield, keeps_a_cancellation_from_the_task) {
  const auto amain = []() -> Coro<> {
    const Task<int> inner = create_task(value_after(5s, 5));
    const Task<int> outer = create_task(shields(inner));
    co_await sleep(1s);
    EXPECT_TRUE(outer.cancel());
    EXPECT_TRUE(co_await ends_cancelled(outer));
    EXPECT_EQ(inner.cancelling(), 0);
    EXPECT_EQ(co_await inner, 5);
  };
  VirtualLoop loop;
  loop.run_until_complete(amain());
  EXPECT_EQ(loop.elapsed(), 5s);
}

TEST(Shield, passes_on_that_the_task_was_cancelled) {
  const auto amain = []() -> Coro<> {
    const Task<int> inner = create_task(value_after(5s, 5));
    get_running_loop().call_later(1s, [inner] { inner.cancel(); });
    EXPECT_THROW(co_await shield(inner), CancelledError);
    EXPECT_EQ(current_task().cancelling(), 0);
  };
  in_virtual_time(amain());
}

TEST(Shield, lets_a_task_go_on_after_a_timeout) {
  const auto amain = []() -> Coro<> {
    const Task<int> inner = create_task(value_after(5s, 5));
    EXPECT_THROW(co_await timeout(1s, shield(inner)), TimeoutError);
    EXPECT_EQ(co_await inner, 5);
  };
  in_virtual_time(amain());
}

TEST(Shield, reports_an_error_that_nobody_waits_for_any_more) {
  const Reported reported;
  const auto amain = []() -> Coro<> {
    EXPECT_THROW(co_await timeout(1s, shield(fail_after(2s, "lost"))), TimeoutError);
    co_await sleep(5s);
  };
  in_virtual_time(amain());
  EXPECT_EQ(reported.texts.size(), 1u);
}

TEST(Shield, of_no_task_is_an_error) {
  const auto amain = []() -> Coro<> { EXPECT_THROW(co_await shield(Task<int>()), RuntimeError); };
  in_virtual_time(amain());
}

}  // namespace
}  // namespace nogil::asyncio
