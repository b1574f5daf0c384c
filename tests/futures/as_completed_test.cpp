// Tests of nogil::as_completed. Scenarios of CPython's test_concurrent_futures/test_as_completed.py.

#include "nogil/futures/as_completed.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <list>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "nogil/futures/promise.hpp"
#include "support/threads.hpp"

namespace nogil::testing::as_completed_test {

namespace {

using namespace std::chrono_literals;

struct Several {
  explicit Several(int count) : promises(static_cast<std::size_t>(count)) {
    for (Promise<int>& promise : promises) futures.push_back(promise.get_future());
  }
  void finish(std::size_t i) { promises[i].set_result(static_cast<int>(i)); }

  std::vector<Promise<int>> promises;
  std::vector<Future<int>> futures;
};

template <class Range>
std::vector<int> results(Range&& range) {
  std::vector<int> all;
  for (auto& future : range) all.push_back(future.cancelled() ? -1 : future.result());
  return all;
}

TEST(AsCompletedTest, gives_them_in_the_order_in_which_they_complete) {
  Several several(5);
  several.finish(3);
  several.finish(1);
  std::vector<int> order;
  for (const auto& future : as_completed(several.futures)) {
    order.push_back(future.result());
    if (order.size() == 2) several.finish(4);
    if (order.size() == 3) several.finish(0);
    if (order.size() == 4) several.finish(2);
  }
  EXPECT_EQ(order, (std::vector<int>{1, 3, 4, 0, 2})) << "those that were done come first, as they were given";
}

TEST(AsCompletedTest, waits_for_the_next) {
  Several several(3);
  std::atomic<int> given{0};
  Call loop([&] {
    std::vector<int> order;
    for (const auto& future : as_completed(several.futures)) {
      order.push_back(future.result());
      ++given;
    }
    return order;
  });
  ASSERT_TRUE(falls_asleep(loop));
  several.finish(2);
  ASSERT_TRUE(eventually([&] { return given == 1; }));
  ASSERT_TRUE(falls_asleep(loop));
  several.finish(0);
  ASSERT_TRUE(eventually([&] { return given == 2; }));
  several.finish(1);
  EXPECT_EQ(loop.result(), (std::vector<int>{2, 0, 1}));
}

TEST(AsCompletedTest, gives_failed_and_cancelled_ones_too) {
  Several several(3);
  several.promises[0].set_exception(std::runtime_error("failed"));
  several.futures[1].cancel();
  several.finish(2);
  int count = 0;
  for (const auto& future : as_completed(several.futures)) {
    EXPECT_EQ(future.cancelled(), count == 1);
    if (count == 0) {
      EXPECT_THROW(future.result(), std::runtime_error);
    }
    ++count;
  }
  EXPECT_EQ(count, 3);
}

TEST(AsCompletedTest, gives_nothing_of_nothing) {
  EXPECT_TRUE(results(as_completed(std::vector<Future<int>>())).empty());
}

TEST(AsCompletedTest, gives_what_is_there_twice_once) {
  Several several(2);
  several.finish(0);
  several.finish(1);
  const Future<int> a = several.futures[0], b = several.futures[1];
  EXPECT_EQ(results(as_completed({a, b, a, b, b})), (std::vector<int>{0, 1}));
}

TEST(AsCompletedTest, says_how_many_are_left_when_its_time_is_over) {
  Several several(5);
  for (std::size_t i = 0; i < 3; ++i) several.finish(i);
  for (const auto timeout : {0ms, 1ms}) {
    std::vector<int> got;
    std::string text;
    try {
      for (const auto& future : as_completed(several.futures, timeout)) got.push_back(future.result());
    } catch (const TimeoutError& error) {
      text = error.what();
    }
    EXPECT_EQ(got, (std::vector<int>{0, 1, 2})) << "what is done comes before the error";
    EXPECT_EQ(text, "2 (of 5) futures unfinished");
  }
}

TEST(AsCompletedTest, takes_deadlines_of_any_clock) {
  Several several(1);
  EXPECT_THROW(results(as_completed(several.futures, std::chrono::steady_clock::now() + 1ms)), TimeoutError);
  EXPECT_THROW(results(as_completed({several.futures[0]}, std::chrono::system_clock::now() + 1ms)), TimeoutError);
  several.finish(0);
  EXPECT_EQ(results(as_completed(several.futures, std::chrono::system_clock::now())).size(), 1u);
  EXPECT_EQ(results(as_completed({several.futures[0]}, std::chrono::hours::max())).size(), 1u);
}

TEST(AsCompletedTest, counts_its_timeout_from_the_call) {
  Several several(1);
  auto range = as_completed(several.futures, 1ms);
  const auto later = std::chrono::steady_clock::now() + 1ms;
  ASSERT_TRUE(eventually([&] { return std::chrono::steady_clock::now() > later; }));
  EXPECT_THROW(range.begin(), TimeoutError);
}

TEST(AsCompletedTest, can_be_left_in_the_middle) {
  Several several(3);
  several.finish(1);
  for (const auto& future : as_completed(several.futures)) {
    EXPECT_EQ(future.result(), 1);
    break;
  }
  several.finish(0);
  several.finish(2);
}

TEST(AsCompletedTest, does_not_hold_what_it_has_given) {
  Promise<std::shared_ptr<int>> first, second;
  auto token = std::make_shared<int>(1);
  std::vector<Future<std::shared_ptr<int>>> futures{first.get_future(), second.get_future()};
  auto range = as_completed(std::exchange(futures, {}));
  first.set_result(token);
  second.set_result(nullptr);
  auto it = range.begin();
  EXPECT_EQ(token.use_count(), 2);
  { const auto taken = std::move(*it); }
  EXPECT_EQ(token.use_count(), 1);
  ++it;
  EXPECT_EQ(it->result(), nullptr);
  ++it;
  EXPECT_TRUE(it == range.end());
}

TEST(AsCompletedTest, takes_any_range_and_refuses_empty_handles) {
  Several several(2);
  several.finish(0);
  several.finish(1);
  const std::list<Future<int>> list(several.futures.begin(), several.futures.end());
  EXPECT_EQ(results(as_completed(list)), (std::vector<int>{0, 1}));
  EXPECT_THROW(static_cast<void>(as_completed({Future<int>()})), RuntimeError);
  static_assert(std::input_iterator<decltype(std::declval<decltype(as_completed(list))&>().begin())>);
}

TEST(AsCompletedTest, gives_each_once_however_they_complete) {
  for (int round = 0; round < rounds(100); ++round) {
    Several several(20);
    Bunch finishers(2, [&](int half) {
      for (std::size_t i = 0; i < 10; ++i) several.finish(i * 2 + static_cast<std::size_t>(half));
    });
    std::vector<bool> seen(20);
    for (const auto& future : as_completed(several.futures)) {
      const auto i = static_cast<std::size_t>(future.result());
      EXPECT_FALSE(seen[i]);
      seen[i] = true;
    }
    finishers.join();
    EXPECT_EQ(seen, std::vector<bool>(20, true));
  }
}

}  // namespace
}  // namespace nogil::testing::as_completed_test
