// Tests of ThreadPoolExecutor::for_each(), reduce() and transform_reduce().

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <forward_list>
#include <functional>
#include <iterator>
#include <list>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "futures/support/ranges.hpp"
#include "nogil/futures/thread_pool_executor.hpp"
#include "nogil/threading/current_thread.hpp"
#include "nogil/threading/event.hpp"
#include "support/threads.hpp"

namespace nogil::testing::for_each_test {
namespace {

using namespace std::chrono_literals;
using Pool = ThreadPoolExecutor;

class ForEach : public ::testing::TestWithParam<std::size_t> {
 protected:
  Pool pool{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Workers, ForEach, ::testing::Values(1, 2, 7, 100),
                         [](const auto& workers) { return "of_" + std::to_string(workers.param); });

// ---- for_each ----------------------------------------------------------------------------------

TEST_P(ForEach, visits_each_element_once) {
  for (const std::size_t size : {0u, 1u, 2u, 63u, 64u, 1000u, 100'000u}) {
    std::vector<int> visits(size);
    pool.for_each(visits, [](int& count) { ++count; });
    ASSERT_EQ(std::count(visits.begin(), visits.end(), 1), static_cast<std::ptrdiff_t>(size));
  }
}

TEST_P(ForEach, visits_each_once_where_their_costs_differ) {
  std::vector<int> visits(300);
  pool.for_each(visits, [&](int& count) {
    if (&count - visits.data() < 5) std::this_thread::sleep_for(1ms);
    ++count;
  });
  EXPECT_EQ(std::count(visits.begin(), visits.end(), 1), 300);
}

TEST_P(ForEach, goes_through_any_range) {
  std::atomic<int> sum{0};
  const auto add = [&](int x) { sum += x; };
  pool.for_each(Count(0, 100), add);
  pool.for_each(std::list<int>{1, 2, 3}, add);
  pool.for_each(std::forward_list<int>{1, 2, 3}, add);
  pool.for_each(once(4), add);
  pool.for_each(std::vector<bool>{true, false, true}, add);
  int array[] = {10, 20};
  pool.for_each(array, add);
  EXPECT_EQ(sum, 4950 + 6 + 6 + 6 + 2 + 30);

  std::list<int> list{1, 2, 3};
  pool.for_each(list, [](int& x) { x = -x; });
  EXPECT_EQ(list, (std::list<int>{-1, -2, -3}));
}

TEST_P(ForEach, may_be_used_within_itself) {
  std::atomic<int> count{0};
  pool.for_each(Count(0, 20), [&](int) {
    pool.for_each(Count(0, 20), [&](int) { pool.for_each(Count(0, 5), [&](int) { ++count; }); });
  });
  EXPECT_EQ(count, 2000);
}

TEST_P(ForEach, works_in_the_caller_when_all_workers_are_busy) {
  Event go;
  std::atomic<std::size_t> begun{0};
  for (std::size_t i = 0; i < GetParam(); ++i) {
    pool.post([&] {
      ++begun;
      go.wait();
    });
  }
  ASSERT_TRUE(eventually([&] { return begun == GetParam(); }));
  std::atomic<int> sum{0};
  pool.for_each(Count(0, 1000), [&](int x) { sum += x; });
  EXPECT_EQ(sum, 499'500);
  go.set();
  pool.shutdown();
}

TEST_P(ForEach, throws_the_first_exception_when_all_have_stopped) {
  std::atomic<int> inside{0};
  try {
    pool.for_each(Count(0, 10'000), [&](int x) {
      ++inside;
      struct Leave {
        std::atomic<int>& count;
        ~Leave() { --count; }
      } const leave{inside};
      if (x % 100 == 50) throw std::out_of_range("element");
    });
    ADD_FAILURE() << "nothing thrown";
  } catch (const std::out_of_range&) {
  }
  EXPECT_EQ(inside, 0);
  pool.for_each(Count(0, 10), [](int) {});
}

TEST_P(ForEach, leaves_the_rest_when_one_has_thrown) {
  constexpr int kSize = 200'000;
  std::atomic<int> visited{0};
  std::atomic<bool> thrown{false};
  EXPECT_THROW(pool.for_each(Count(0, kSize),
                             [&](int) {
                               if (!thrown.exchange(true)) throw std::out_of_range("first");
                               std::this_thread::yield();  // the one that throws comes to its end
                               ++visited;
                             }),
               std::out_of_range);
  EXPECT_LT(visited, kSize - 1000);
}

TEST_P(ForEach, is_refused_after_shutdown) {
  pool.shutdown();
  EXPECT_THROW(pool.for_each(Count(0, 10), [](int) {}), RuntimeError);
}

TEST_P(ForEach, may_be_used_by_a_task_while_the_pool_is_shut_down) {
  Event go;
  std::atomic<int> count{0};
  auto task = pool.submit([&] {
    go.wait();
    pool.for_each(Count(0, 1000), [&](int) { ++count; });
  });
  pool.shutdown(false);
  go.set();
  task.result();
  EXPECT_EQ(count, 1000);
}

TEST(ForEachOfSlowElements, uses_as_many_threads_as_the_pool_has) {
  // More workers than cores: so each of these can wait for all others.
  constexpr int kTogether = 12;
  Pool pool(kTogether);
  std::atomic<int> here{0};
  pool.for_each(Count(0, kTogether), [&](int) {
    ++here;
    EXPECT_TRUE(eventually([&] { return here == kTogether; }));
  });
}

TEST(ForEachOfUnevenElements, lets_others_take_what_one_cannot_come_to) {
  Pool pool(2);
  std::atomic<int> done{0};
  const auto main = get_ident();
  // The caller's first element lasts until all the others are done.
  pool.for_each(Count(0, 1000), [&](int) {
    if (get_ident() == main && done == 0 && platform::several_cores()) {
      EXPECT_TRUE(eventually([&] { return done >= 900; }));
    }
    ++done;
  });
  EXPECT_EQ(done, 1000);
}

// ---- reduce ------------------------------------------------------------------------------------

TEST_P(ForEach, adds_up) {
  EXPECT_EQ(pool.reduce(Count(0, 1001), 5, std::plus<>()), 500'505);
  EXPECT_EQ(pool.reduce(std::vector<int>{}, 5, std::plus<>()), 5);
  EXPECT_EQ(pool.reduce(std::vector<int>{1}, 5, std::plus<>()), 6);
}

TEST_P(ForEach, combines_from_left_to_right) {
  std::list<std::string> words;
  std::string joined = ">";
  for (int i = 0; i < 2000; ++i) {
    words.push_back(std::to_string(i));
    joined += words.back();
  }
  EXPECT_EQ(pool.reduce(words, std::string(">"), std::plus<>()), joined);
}

TEST_P(ForEach, adds_floating_point_numbers_in_the_same_order_each_time) {
  std::vector<double> values;
  for (int i = 0; i < 50'000; ++i) values.push_back(1.0 / (i + 1) * (i % 2 == 0 ? 1 : -1e6));
  Pool one(1);
  const double sum = one.reduce(values, 0.0, std::plus<>());
  for (int i = 0; i < 5; ++i) ASSERT_EQ(pool.reduce(values, 0.0, std::plus<>()), sum);
}

TEST_P(ForEach, transforms_before_it_combines) {
  const std::vector<std::string> words{"one", "three", "five"};
  const auto length = [](const std::string& word) { return word.size(); };
  EXPECT_EQ(pool.transform_reduce(words, std::size_t{0}, std::plus<>(), length), 12u);
  EXPECT_EQ(pool.transform_reduce(
                    Count(1, 6), std::make_unique<int>(1),
                    [](std::unique_ptr<int> a, std::unique_ptr<int> b) { return std::make_unique<int>(*a * *b); },
                    [](int x) { return std::make_unique<int>(x); })
                .
                operator*(),
            120);
}

TEST_P(ForEach, throws_what_a_reduction_throws) {
  EXPECT_THROW(pool.reduce(Count(0, 1000), 0,
                           [](int a, int b) {
                             if (a + b > 100'000) throw std::out_of_range("sum");
                             return a + b;
                           }),
               std::out_of_range);
}

}  // namespace
}  // namespace nogil::testing::for_each_test
