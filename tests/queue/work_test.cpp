// task_done() and join(), and the verbs for many elements at once.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <list>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "nogil/queue.hpp"
#include "queue/support/kinds.hpp"
#include "support/threads.hpp"

namespace nogil::testing::work_test {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

template <class Kind>
class QueueWork : public ::testing::Test {};
TYPED_TEST_SUITE(QueueWork, EngineKinds, KindName);

template <class Kind>
using Ints = typename Kind::template Of<int>;

// ---- Work -----------------------------------------------------------------------------------

TYPED_TEST(QueueWork, refuses_a_task_done_too_many) {
  Ints<TypeParam> queue;
  EXPECT_THROW(queue.task_done(), ValueError);
  queue.put(1);
  EXPECT_EQ(queue.unfinished_tasks(), 1u);
  queue.task_done();
  EXPECT_EQ(queue.unfinished_tasks(), 0u) << "whether it was taken is not asked, as in Python";
  EXPECT_THROW(queue.task_done(), ValueError);
  EXPECT_EQ(queue.unfinished_tasks(), 0u);
  EXPECT_EQ(queue.get(), 1);
  queue.put(2);
  EXPECT_EQ(queue.unfinished_tasks(), 1u);
  queue.get();
  queue.task_done();
  EXPECT_THROW(queue.task_done(), ValueError);
  EXPECT_TRUE(queue.join());
}

TYPED_TEST(QueueWork, is_joined_when_all_is_done) {
  Ints<TypeParam> queue;
  EXPECT_TRUE(queue.join()) << "there is nothing to do yet";
  for (int again = 0; again < 2; ++again) {
    std::atomic<int> sum = 0;
    Bunch workers(2, [&] {
      for (;;) {
        const int value = queue.get();
        if (value >= 0) sum += value;
        queue.task_done();
        if (value < 0) return;
      }
    });
    for (int i = 0; i < 100; ++i) queue.put(i);
    EXPECT_TRUE(queue.join());
    EXPECT_EQ(sum, 4950);
    for (int i = 0; i < 2; ++i) queue.put(-1);
    EXPECT_TRUE(queue.join());
    workers.join();
    EXPECT_THROW(queue.task_done(), ValueError);
  }
}

TYPED_TEST(QueueWork, is_not_joined_before_all_is_done) {
  Ints<TypeParam> queue;
  for (int i = 0; i < 3; ++i) queue.put(i);
  Call endless([&] { return queue.join(); });
  Call timed([&] { return queue.join(1h); });
  ASSERT_TRUE(falls_asleep(endless, timed));
  drain(queue);
  for (int left = 3; left > 1; --left) queue.task_done();
  EXPECT_TRUE(stays([&] { return !endless.returned() && !timed.returned(); }));
  EXPECT_FALSE(queue.join(0s));
  EXPECT_FALSE(queue.join(1ms));
  EXPECT_FALSE(queue.join(stopped_token()));
  EXPECT_EQ(queue.unfinished_tasks(), 1u);
  queue.put(4);
  queue.task_done();
  EXPECT_TRUE(stays([&] { return !endless.returned() && !timed.returned(); }));
  queue.task_done();
  EXPECT_TRUE(endless.result());
  EXPECT_TRUE(timed.result());
  EXPECT_TRUE(queue.join(0s));
  EXPECT_TRUE(queue.join(-1h));
  EXPECT_TRUE(queue.join(stopped_token()));
}

TYPED_TEST(QueueWork, shows_a_join_what_was_done_before_task_done) {
  for (int round = 0; round < rounds(300); ++round) {
    Ints<TypeParam> queue;
    std::vector<int> results(4);  // plain memory
    for (int i = 0; i < 4; ++i) queue.put(i);
    Bunch workers(2, [&] {
      for (int i = 0; i < 2; ++i) {
        const int index = queue.get();
        results[static_cast<std::size_t>(index)] = index + 1;
        queue.task_done();
      }
    });
    queue.join();
    ASSERT_EQ(results, (std::vector{1, 2, 3, 4}));
  }
}

// Each thread has got an element before it says that it is done: so none says it too often.
TYPED_TEST(QueueWork, never_blames_a_task_done_that_was_due) {
  Ints<TypeParam> queue;
  std::atomic<int> blamed = 0;
  std::atomic<bool> too_many_unfinished = false;
  Bunch threads(4, [&](int index) {
    const auto end = steady_clock::now() + 300ms;
    while (steady_clock::now() < end) {
      for (int i = 0; i < 50; ++i) {
        queue.put(index);
        queue.get();
        if (queue.unfinished_tasks() > 4) too_many_unfinished = true;
        try {
          queue.task_done();
        } catch (const ValueError&) {
          ++blamed;
        }
      }
    }
  });
  threads.join();
  EXPECT_EQ(blamed, 0);
  EXPECT_FALSE(too_many_unfinished);
  EXPECT_EQ(queue.unfinished_tasks(), 0u);
}

TYPED_TEST(QueueWork, misses_no_last_task_done) {
  for (int round = 0; round < rounds(1000); ++round) {
    Ints<TypeParam> queue;
    queue.put(1);
    queue.put(2);
    Call joiner([&] { return queue.join(); });
    Call worker([&] { queue.task_done(); });
    queue.task_done();
    ASSERT_TRUE(joiner.result());
  }
}

TYPED_TEST(QueueWork, may_be_destroyed_by_the_thread_that_joined_it) {
  using Q = Ints<TypeParam>;
  for (int round = 0; round < rounds(2000); ++round) {
    auto queue = std::make_unique<Q>();
    queue->put(1);
    Call worker([&, raw = queue.get()] { raw->task_done(); });
    if (round % 2 == 0) {
      queue->join();
    } else {
      while (!queue->join(1us)) {
      }
    }
    queue.reset();
  }
}

// ---- In bulk --------------------------------------------------------------------------------

TYPED_TEST(QueueWork, takes_and_gives_many_at_once) {
  Ints<TypeParam> queue;
  const std::vector<int> values = {5, 1, 4, 2, 3};
  EXPECT_EQ(queue.put_many(values), 5u);
  EXPECT_EQ(queue.qsize(), 5u);
  EXPECT_EQ(queue.unfinished_tasks(), 5u);
  std::vector<int> got;
  EXPECT_EQ(queue.get_many(std::back_inserter(got), 3), 3u);
  EXPECT_EQ(queue.get_many(std::back_inserter(got), 100), 2u);
  EXPECT_EQ(got, in_order<TypeParam>(values));
  EXPECT_EQ(queue.get_many(std::back_inserter(got), 0), 0u) << "and does not wait for what nobody wants";
  EXPECT_EQ(queue.put_many(std::list<int>{}), 0u);
  EXPECT_EQ(queue.put_many(std::list<int>{7}), 1u);
  int raw[] = {9, 8};
  EXPECT_EQ(queue.put_many(raw), 2u);
  EXPECT_EQ(drain(queue), in_order<TypeParam>({7, 9, 8}));
}

TYPED_TEST(QueueWork, takes_many_more_than_fit_into_a_block) {
  Ints<TypeParam> queue;
  std::vector<int> values(1000);
  std::iota(values.begin(), values.end(), 0);
  for (int again = 0; again < 3; ++again) {
    queue.put_many(values);
    std::vector<int> got;
    while (got.size() < 1000) queue.get_many(std::back_inserter(got), 77);
    EXPECT_EQ(got, in_order<TypeParam>(values));
  }
}

TYPED_TEST(QueueWork, moves_the_elements_of_a_range_that_is_given_away) {
  typename TypeParam::template Of<std::string> queue;
  std::vector<std::string> texts(3, "a text that is too long to be kept in place");
  queue.put_many(texts);
  EXPECT_EQ(texts, std::vector(3, texts[0])) << "not given away";
  queue.put_many(std::move(texts));
  for (int i = 0; i < 6; ++i) EXPECT_EQ(queue.get(), "a text that is too long to be kept in place");
  std::vector<std::string> mine(2, "the elements of a view belong to somebody else");
  queue.put_many(std::span(mine));
  EXPECT_EQ(mine[0], mine[1]);
  EXPECT_EQ(mine[0], queue.get());
  std::vector<std::unique_ptr<int>> pointers;
  pointers.push_back(std::make_unique<int>(3));
  typename TypeParam::template Of<std::unique_ptr<int>> movers;
  movers.put_many(std::move(pointers));
  std::unique_ptr<int> got[1];
  EXPECT_EQ(movers.get_many(got, 5), 1u);
  EXPECT_EQ(*got[0], 3);
}

TYPED_TEST(QueueWork, waits_until_all_of_many_are_in) {
  Ints<TypeParam> queue(3);
  std::vector<int> values(200);
  std::iota(values.begin(), values.end(), 0);
  Call putter([&] { return queue.put_many(values); });
  ASSERT_TRUE(falls_asleep(putter));
  EXPECT_EQ(queue.qsize(), 3u);
  std::vector<int> got;
  while (got.size() < 200) queue.get_many(std::back_inserter(got), 2);
  EXPECT_EQ(putter.result(), 200u);
  std::sort(got.begin(), got.end());
  EXPECT_EQ(got, values);
}

TYPED_TEST(QueueWork, waits_for_the_first_of_many_only) {
  Ints<TypeParam> queue;
  std::vector<int> got;
  Call getter([&] { return queue.get_many(std::back_inserter(got), 10); });
  ASSERT_TRUE(falls_asleep(getter));
  queue.put(1);
  EXPECT_EQ(getter.result(), 1u);
}

TYPED_TEST(QueueWork, wakes_as_many_as_it_was_given) {
  Ints<TypeParam> queue;
  std::vector<std::unique_ptr<Call<int>>> getters;
  for (int i = 0; i < 5; ++i) getters.push_back(std::make_unique<Call<int>>([&] { return queue.get(); }));
  ASSERT_TRUE(falls_asleep(getters));
  queue.put_many(std::vector{1, 2, 3});
  ASSERT_TRUE(eventually([&] {
    return std::count_if(getters.begin(), getters.end(), [](const auto& getter) { return getter->returned(); }) == 3;
  }));
  queue.put_many(std::vector{4, 5});
  for (auto& getter : getters) getter->result();
  EXPECT_TRUE(queue.empty());

  Ints<TypeParam> full(3);
  full.put_many(std::vector{1, 2, 3});
  std::vector<std::unique_ptr<Call<void>>> putters;
  for (int i = 0; i < 3; ++i) putters.push_back(std::make_unique<Call<void>>([&] { full.put(9); }));
  ASSERT_TRUE(falls_asleep(putters));
  int out[3];
  EXPECT_EQ(full.get_many(out, 3), 3u);
  for (auto& putter : putters) putter->result();
  EXPECT_EQ(full.qsize(), 3u);
}

}  // namespace
}  // namespace nogil::testing::work_test
