// Tests of nogil::wait. Scenarios of CPython's test_concurrent_futures/test_wait.py.

#include "nogil/futures/wait.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <array>
#include <chrono>
#include <list>
#include <set>
#include <stdexcept>
#include <stop_token>
#include <thread>
#include <vector>

#include "nogil/futures/promise.hpp"
#include "support/threads.hpp"

namespace nogil::testing::wait_test {

namespace {

using namespace std::chrono_literals;

struct Several {
  explicit Several(int count) : promises(static_cast<std::size_t>(count)) {
    for (Promise<int>& promise : promises) futures.push_back(promise.get_future());
  }
  void finish(std::size_t i) { promises[i].set_result(static_cast<int>(i)); }
  void fail(std::size_t i) { promises[i].set_exception(std::runtime_error("failed")); }

  std::vector<Promise<int>> promises;
  std::vector<Future<int>> futures;
};

using Futures = std::vector<Future<int>>;

TEST(WaitTest, returns_at_once_when_there_is_nothing_to_wait_for) {
  EXPECT_TRUE(wait(Futures()).done.empty());
  EXPECT_TRUE(wait(Futures(), FIRST_COMPLETED).not_done.empty());
  Several several(2);
  several.finish(0);
  several.futures[1].cancel();
  for (const ReturnWhen when : {FIRST_COMPLETED, FIRST_EXCEPTION, ALL_COMPLETED}) {
    const auto [done, not_done] = wait(several.futures, when);
    EXPECT_EQ(done, several.futures) << "a cancelled one is done";
    EXPECT_TRUE(not_done.empty());
  }
}

// In the order that is worst for a thread which looks at one after the other.
TEST(WaitTest, is_not_woken_for_each_when_it_waits_for_all) {
  constexpr std::size_t kCount = 50;
  Several several(kCount);
  Call waiter([&] {
    struct rusage before {
    }, after{};
    getrusage(RUSAGE_THREAD, &before);
    EXPECT_EQ(wait(several.futures).done.size(), kCount);
    getrusage(RUSAGE_THREAD, &after);
    return after.ru_nvcsw - before.ru_nvcsw;
  });
  for (std::size_t i = kCount; i-- != 0;) {
    ASSERT_TRUE(falls_asleep(waiter));
    several.finish(i);
  }
  EXPECT_LT(waiter.result(), static_cast<long>(kCount) / 2) << "times that it slept";
}

TEST(WaitTest, gives_up_waiting_for_all_that_are_left_when_its_time_is_over) {
  Several several(5);
  several.finish(4);
  Call waiter([&] { return wait(several.futures, 1h); });
  for (const std::size_t i : {3u, 2u, 1u}) {
    ASSERT_TRUE(falls_asleep(waiter));
    several.finish(i);
  }
  ASSERT_TRUE(falls_asleep(waiter));
  std::stop_source source = StopSource();
  Call other([&] { return wait(several.futures, source.get_token()); });
  ASSERT_TRUE(falls_asleep(other));
  source.request_stop();
  EXPECT_EQ(other.result().not_done.size(), 1u);
  Several later(5);
  Call timed([&] { return wait(later.futures, 150ms); });
  for (const std::size_t i : {4u, 3u, 2u}) later.finish(i);
  EXPECT_EQ(timed.result().not_done.size(), 2u);
  several.finish(0);
  EXPECT_EQ(waiter.result().done.size(), 5u);
}

TEST(WaitTest, waits_for_all) {
  Several several(3);
  several.finish(1);
  Call waiter([&] { return wait(several.futures); });
  ASSERT_TRUE(falls_asleep(waiter));
  several.fail(0);
  EXPECT_TRUE(stays([&] { return !waiter.returned(); }));
  several.futures[2].cancel();
  const auto result = waiter.result();
  EXPECT_EQ(result.done, several.futures);
  EXPECT_TRUE(result.not_done.empty());
}

TEST(WaitTest, waits_for_the_first) {
  Several several(3);
  Call waiter([&] { return wait(several.futures, FIRST_COMPLETED); });
  ASSERT_TRUE(falls_asleep(waiter));
  several.finish(1);
  const auto result = waiter.result();
  EXPECT_EQ(result.done, Futures{several.futures[1]});
  EXPECT_EQ(result.not_done, (Futures{several.futures[0], several.futures[2]}));
  several.finish(0);
  EXPECT_EQ(wait(several.futures, FIRST_COMPLETED).done.size(), 2u) << "some are done already";
}

TEST(WaitTest, waits_for_the_first_exception) {
  Several several(4);
  several.finish(0);
  several.futures[1].cancel();
  Call waiter([&] { return wait(several.futures, FIRST_EXCEPTION); });
  ASSERT_TRUE(falls_asleep(waiter));
  several.fail(3);
  const auto result = waiter.result();
  EXPECT_EQ(result.done.size(), 3u);
  EXPECT_EQ(result.not_done, Futures{several.futures[2]});
  EXPECT_EQ(wait(several.futures, FIRST_EXCEPTION).not_done.size(), 1u) << "one has failed already";
}

TEST(WaitTest, waits_for_all_when_there_is_no_exception) {
  Several several(3);
  several.finish(0);
  Call waiter([&] { return wait(several.futures, FIRST_EXCEPTION); });
  ASSERT_TRUE(falls_asleep(waiter));
  several.finish(2);
  EXPECT_TRUE(stays([&] { return !waiter.returned(); }));
  several.finish(1);
  EXPECT_EQ(waiter.result().done.size(), 3u);
}

TEST(WaitTest, gives_up_at_its_limit_without_an_error) {
  Several several(2);
  several.finish(0);
  for (const ReturnWhen when : {FIRST_EXCEPTION, ALL_COMPLETED}) {
    EXPECT_EQ(wait(several.futures, 0s, when).not_done.size(), 1u);
    EXPECT_EQ(wait(several.futures, 1ms, when).not_done.size(), 1u);
    EXPECT_EQ(wait(several.futures, std::chrono::system_clock::now() + 1ms, when).done.size(), 1u);
    EXPECT_EQ(wait(several.futures, stopped_token(), when).done.size(), 1u);
  }
  const Futures second{several.futures[1]};
  EXPECT_EQ(wait(second, 1ms, FIRST_COMPLETED).not_done, second);
  EXPECT_EQ(wait({several.futures[1]}, -1h, FIRST_COMPLETED).not_done, second);
  EXPECT_EQ(wait({several.futures[0]}, std::chrono::hours::max(), FIRST_COMPLETED).done.size(), 1u);
}

TEST(WaitTest, stops_when_it_is_asked_to) {
  Several several(2);
  for (const ReturnWhen when : {FIRST_COMPLETED, ALL_COMPLETED}) {
    StopSource stop;
    Call waiter([&] { return wait(several.futures, stop.get_token(), when); });
    ASSERT_TRUE(falls_asleep(waiter));
    stop.request_stop();
    EXPECT_EQ(waiter.result().not_done.size(), 2u);
  }
}

TEST(WaitTest, counts_what_is_there_twice_once) {
  Several several(2);
  const Future<int> a = several.futures[0], b = several.futures[1];
  several.finish(0);
  const auto [done, not_done] = wait({a, b, a, b, b}, 0s);
  EXPECT_EQ(done, Futures{a});
  EXPECT_EQ(not_done, Futures{b});
}

TEST(WaitTest, tells_apart_any_number) {
  Futures twice;
  Several several(500);
  for (int times = 0; times < 2; ++times) twice.insert(twice.end(), several.futures.begin(), several.futures.end());
  for (std::size_t i = 0; i < 500; i += 2) several.finish(i);
  const auto [done, not_done] = wait(twice, 0s);
  EXPECT_EQ(done.size(), 250u);
  EXPECT_EQ(not_done.size(), 250u);
}

TEST(WaitTest, takes_any_range) {
  Several several(2);
  several.finish(0);
  several.finish(1);
  const std::list<Future<int>> list(several.futures.begin(), several.futures.end());
  const std::set<Future<int>> set(several.futures.begin(), several.futures.end());
  const Future<int> array[] = {several.futures[0], several.futures[1]};
  EXPECT_EQ(wait(list).done.size(), 2u);
  EXPECT_EQ(wait(set, 1s).done.size(), 2u);
  EXPECT_EQ(wait(array, FIRST_COMPLETED).done.size(), 2u);
  EXPECT_EQ(wait({several.futures[0]}).done.size(), 1u);
  EXPECT_EQ(wait(std::array<Future<void>, 0>()).done.size(), 0u);
}

TEST(WaitTest, refuses_what_makes_no_sense) {
  Several several(1);
  EXPECT_THROW(wait(several.futures, static_cast<ReturnWhen>(7)), ValueError);
  EXPECT_THROW(wait({several.futures[0], Future<int>()}, 0s), RuntimeError);
}

TEST(WaitTest, leaves_nothing_behind_when_it_gives_up) {
  Several several(2);
  for (int i = 0; i < rounds(500); ++i) {
    EXPECT_EQ(wait(several.futures, 1us, FIRST_COMPLETED).not_done.size(), 2u);
  }
  several.finish(0);  // tells those who are left
  EXPECT_EQ(wait(several.futures, FIRST_COMPLETED).done.size(), 1u);
}

TEST(WaitTest, may_be_waited_by_many_for_the_same) {
  for (int round = 0; round < rounds(50); ++round) {
    Several several(4);
    Bunch waiters(3, [&](int index) {
      const ReturnWhen when = index == 0 ? FIRST_COMPLETED : index == 1 ? FIRST_EXCEPTION : ALL_COMPLETED;
      const auto result = wait(several.futures, when);
      EXPECT_GE(result.done.size(), index == 0 ? 1u : index == 1 ? 1u : 4u);
    });
    for (const std::size_t i : {2u, 0u, 3u, 1u}) {
      if (i == 3) several.fail(i);
      else several.finish(i);
    }
    waiters.join();
  }
}

TEST(WaitTest, gives_up_while_they_complete) {
  for (int round = 0; round < rounds(200); ++round) {
    Several several(3);
    std::thread finisher([&] {
      for (std::size_t i = 0; i < 3; ++i) several.finish(i);
    });
    while (wait(several.futures, std::chrono::microseconds(round % 20), FIRST_COMPLETED).done.empty()) {
    }
    finisher.join();
    EXPECT_EQ(wait(several.futures).done.size(), 3u);
  }
}

}  // namespace
}  // namespace nogil::testing::wait_test
