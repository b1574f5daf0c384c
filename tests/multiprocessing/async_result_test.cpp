// Tests of nogil::mp::AsyncResult, whose result comes from a promise here; from a pool:
// pool_test.cpp.

#include "nogil/multiprocessing/async_result.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <type_traits>
#include <utility>

#include "nogil/futures/promise.hpp"
#include "support/threads.hpp"

namespace nogil::testing::async_result_test {
namespace {

using namespace std::chrono_literals;
using multiprocessing::AsyncResult;

TEST(AsyncResultTest, gives_the_result_as_often_as_it_is_asked) {
  Promise<std::string> promise;
  const AsyncResult<std::string> result(promise.get_future());
  const AsyncResult<std::string> copy = result;
  EXPECT_FALSE(result.ready());
  promise.set_result("done");
  EXPECT_TRUE(result.ready());
  EXPECT_TRUE(copy.successful());
  EXPECT_EQ(result.get(), "done");
  EXPECT_EQ(copy.get(0s), "done");
  static_assert(std::is_same_v<decltype(result.get()), const std::string&>);
}

TEST(AsyncResultTest, gives_a_result_away_that_can_only_be_moved) {
  Promise<std::unique_ptr<int>> promise;
  AsyncResult<std::unique_ptr<int>> result(promise.get_future());
  promise.set_result(std::make_unique<int>(7));
  EXPECT_EQ(*std::move(result).get(1s), 7);
}

TEST(AsyncResultTest, waits_no_longer_than_told) {
  Promise<int> promise;
  const AsyncResult<int> result(promise.get_future());
  EXPECT_THROW(result.get(1ms), TimeoutError);
  EXPECT_THROW(result.get(-1s), TimeoutError);
  EXPECT_FALSE(result.wait(1ms));
  EXPECT_FALSE(result.wait(std::chrono::steady_clock::now()));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(result.wait(stop.get_token()));
  EXPECT_FALSE(result.wait(1h, stop.get_token()));
  promise.set_result(1);
  EXPECT_TRUE(result.wait(stop.get_token())) << "what is there is there";
}

TEST(AsyncResultTest, wakes_who_waits) {
  Promise<int> promise;
  const AsyncResult<int> result(promise.get_future());
  Call waiter([&] { return result.get() == 3; });
  ASSERT_TRUE(falls_asleep(waiter));
  promise.set_result(3);
  EXPECT_TRUE(waiter.result());
}

TEST(AsyncResultTest, throws_what_the_callable_threw) {
  Promise<int> promise;
  const AsyncResult<int> result(promise.get_future());
  promise.set_exception(std::make_exception_ptr(std::out_of_range("far")));
  EXPECT_TRUE(result.wait());
  EXPECT_TRUE(result.ready());
  EXPECT_FALSE(result.successful());
  EXPECT_THROW(result.get(), std::out_of_range);
}

TEST(AsyncResultTest, does_not_know_whether_it_is_successful_before_it_is_ready) {
  Promise<void> promise;
  const AsyncResult<void> result(promise.get_future());
  EXPECT_THROW(static_cast<void>(result.successful()), ValueError);
  promise.set_result();
  EXPECT_TRUE(result.successful());
  result.get();
}

TEST(AsyncResultTest, has_a_future_of_its_own) {
  Promise<int> promise;
  const AsyncResult<int> result(promise.get_future());
  int told = 0;
  result.future().add_done_callback([&told](const auto& done) { told = done.result(); });
  promise.set_result(5);
  EXPECT_EQ(told, 5);
}

}  // namespace
}  // namespace nogil::testing::async_result_test
