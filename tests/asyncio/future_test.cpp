// tests/asyncio/future_test.cpp -- after CPython's test_futures.py.

#include "nogil/asyncio/future.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "asyncio/support/excepthook.hpp"
#include "asyncio/support/steps.hpp"

namespace nogil::asyncio {
namespace {

using namespace testing;

TEST(AsyncFuture, gives_what_was_set_to_all_who_await_it) {
  const auto amain = []() -> Coro<> {
    const auto future = get_running_loop().create_future<std::string>();
    EXPECT_FALSE(future.done());
    EXPECT_THROW(static_cast<void>(future.result()), InvalidStateError);
    EXPECT_THROW(static_cast<void>(future.exception()), InvalidStateError);
    const auto reads = [](Future<std::string> from) -> Coro<std::string> { co_return co_await from; };
    const auto first = create_task(reads(future));
    const auto second = create_task(reads(future));
    co_await yield();
    get_running_loop().call_soon([future] { future.set_result("set"); });
    EXPECT_EQ(co_await first, "set");
    EXPECT_EQ(co_await second, "set");
    EXPECT_TRUE(future.done());
    EXPECT_FALSE(future.cancelled());
    EXPECT_EQ(future.result(), "set");
    EXPECT_EQ(future.exception(), nullptr);
    EXPECT_EQ(co_await future, "set");
  };
  in_virtual_time(amain());
}

TEST(AsyncFuture, throws_what_was_set) {
  const auto amain = []() -> Coro<> {
    const auto future = get_running_loop().create_future<>();
    future.set_exception(std::domain_error("broken"));
    EXPECT_NE(future.exception(), nullptr);
    EXPECT_THROW(future.result(), std::domain_error);
    bool thrown = false;
    try {
      co_await future;
    } catch (const std::domain_error&) {
      thrown = true;
    }
    EXPECT_TRUE(thrown);
    const auto other = get_running_loop().create_future<>();
    EXPECT_THROW(other.set_exception(std::exception_ptr()), ValueError);
    EXPECT_FALSE(other.done());
  };
  in_virtual_time(amain());
}

TEST(AsyncFuture, is_set_once_only) {
  const auto amain = []() -> Coro<> {
    const auto future = get_running_loop().create_future<int>();
    future.set_result(1);
    EXPECT_THROW(future.set_result(2), InvalidStateError);
    EXPECT_THROW(future.set_exception(std::domain_error("late")), InvalidStateError);
    EXPECT_FALSE(future.cancel());
    EXPECT_EQ(future.result(), 1);
    co_return;
  };
  in_virtual_time(amain());
}

TEST(AsyncFuture, cancels_those_who_await_it) {
  const auto amain = []() -> Coro<> {
    const auto future = get_running_loop().create_future<int>();
    const auto reads = [](Future<int> from) -> Coro<int> { co_return co_await from; };
    const auto task = create_task(reads(future));
    co_await yield();
    EXPECT_TRUE(future.cancel());
    EXPECT_FALSE(future.cancel());
    EXPECT_TRUE(co_await ends_cancelled(task));
    EXPECT_TRUE(future.cancelled());
    EXPECT_THROW(static_cast<void>(future.result()), CancelledError);
    EXPECT_THROW(static_cast<void>(future.exception()), CancelledError);
    EXPECT_THROW(future.set_result(1), InvalidStateError);
  };
  in_virtual_time(amain());
}

TEST(AsyncFuture, is_cancelled_with_a_task_that_awaits_it) {
  const auto amain = []() -> Coro<> {
    const auto future = get_running_loop().create_future<int>();
    const auto reads = [](Future<int> from) -> Coro<int> { co_return co_await from; };
    const auto task = create_task(reads(future));
    const auto other = create_task(reads(future));
    co_await yield();
    EXPECT_TRUE(task.cancel());
    EXPECT_TRUE(future.cancelled());
    EXPECT_TRUE(co_await ends_cancelled(task));
    EXPECT_TRUE(co_await ends_cancelled(other));
  };
  in_virtual_time(amain());
}

TEST(AsyncFuture, calls_back_in_the_next_round_and_in_order) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    const auto future = get_running_loop().create_future<int>();
    future.add_done_callback([](const Future<int>& done) { log.push_back("a" + std::to_string(done.result())); });
    future.add_done_callback([](const Future<int>& done) { log.push_back("b" + std::to_string(done.result())); });
    future.set_result(7);
    EXPECT_TRUE(log.empty());
    co_await yield();
    EXPECT_EQ(log, (Log{"a7", "b7"}));
    future.add_done_callback(
        [same = future](const Future<int>& done) { log.push_back(same == done ? "c" : "another"); });
    EXPECT_EQ(log.size(), 2u);
    co_await yield();
    EXPECT_EQ(log.back(), "c");
  };
  in_virtual_time(amain());
}

TEST(AsyncFuture, gives_what_a_callback_throws_to_the_excepthook) {
  const Reported reported;
  const auto amain = []() -> Coro<> {
    const auto future = get_running_loop().create_future<>();
    future.add_done_callback([](const Future<>&) { throw std::domain_error("in a callback"); });
    future.set_result();
    co_await yield();
  };
  in_virtual_time(amain());
  EXPECT_EQ(reported.texts.size(), 1u);
}

TEST(AsyncFuture, tells_of_an_exception_that_nobody_saw) {
  const Reported reported;
  const auto amain = [](bool seen) -> Coro<> {
    const auto future = get_running_loop().create_future<int>();
    future.set_exception(std::domain_error("unseen"));
    if (seen) static_cast<void>(future.exception());
    co_return;
  };
  in_virtual_time(amain(true));
  EXPECT_EQ(reported.texts.size(), 0u);
  in_virtual_time(amain(false));
  EXPECT_EQ(reported.texts.size(), 1u);
}

TEST(AsyncFuture, that_failed_is_not_told_of_once_it_was_to_be_cancelled) {
  const Reported reported;
  const auto amain = []() -> Coro<> {
    const auto future = get_running_loop().create_future<int>();
    future.set_exception(std::domain_error("too late"));
    EXPECT_FALSE(future.cancel());
    co_return;
  };
  in_virtual_time(amain());
  EXPECT_TRUE(reported.texts.empty());
}

TEST(AsyncFuture, calls_back_with_an_exception_and_when_it_is_cancelled) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    const auto note = [](const Future<>& done) { log.push_back(done.cancelled() ? "cancelled" : "failed"); };
    const auto failed = get_running_loop().create_future<>();
    const auto cancelled = get_running_loop().create_future<>();
    failed.add_done_callback([](const Future<>& done) { EXPECT_NE(done.exception(), nullptr); });
    failed.add_done_callback(note);
    cancelled.add_done_callback(note);
    failed.set_exception(std::domain_error("seen"));
    cancelled.cancel();
    co_await yield();
  };
  in_virtual_time(amain());
  EXPECT_EQ(log, (Log{"failed", "cancelled"}));
}

TEST(AsyncFuture, moves_its_result_out_for_the_last_handle) {
  const auto amain = []() -> Coro<> {
    auto future = get_running_loop().create_future<std::unique_ptr<int>>();
    future.set_result(std::make_unique<int>(5));
    const std::unique_ptr<int> taken = co_await std::move(future);
    EXPECT_EQ(*taken, 5);
    EXPECT_FALSE(static_cast<bool>(future));
    EXPECT_THROW(static_cast<void>(future.done()), RuntimeError);
  };
  in_virtual_time(amain());
}

TEST(AsyncFuture, drops_its_callbacks_when_nobody_can_set_it_any_more) {
  const auto kept = std::make_shared<int>(1);
  const auto amain = [](std::shared_ptr<int> captured) -> Coro<> {
    {
      const auto future = get_running_loop().create_future<>();
      future.add_done_callback([captured](const Future<>&) {});
    }
    const auto set = get_running_loop().create_future<>();  // and one whose callback the loop never comes to
    set.add_done_callback([captured](const Future<>&) {});
    set.set_result();
    get_running_loop().stop();
    co_return;
  };
  {
    EventLoop loop;
    static_cast<void>(loop.create_task(amain(kept)));
    loop.run_forever();
  }
  EXPECT_EQ(kept.use_count(), 1);
}

TEST(AsyncFuture, may_outlive_its_loop) {
  Future<int> future;
  {
    EventLoop loop;
    future = loop.create_future<int>();
  }
  future.set_result(3);
  EXPECT_EQ(future.result(), 3);
}

}  // namespace
}  // namespace nogil::asyncio
