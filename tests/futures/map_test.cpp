// Tests of ThreadPoolExecutor::map(): order, laziness, bounds, exceptions, limits.
//
// With the scenarios of CPython's test_concurrent_futures/executor.py.

#include "nogil/futures/map.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <iterator>
#include <list>
#include <memory>
#include <optional>
#include <ranges>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "futures/support/ranges.hpp"
#include "futures/support/squares.hpp"
#include "nogil/futures/thread_pool_executor.hpp"
#include "nogil/threading/current_thread.hpp"
#include "nogil/threading/event.hpp"
#include "support/threads.hpp"

namespace nogil::testing::map_test {
namespace {

using namespace std::chrono_literals;
using Pool = ThreadPoolExecutor;

using Results = decltype(std::declval<Pool&>().map(square, std::declval<std::vector<int>&>()));
static_assert(std::ranges::input_range<Results>);
static_assert(!std::is_copy_constructible_v<Results> && std::is_nothrow_move_constructible_v<Results>);

class Map : public ::testing::TestWithParam<std::size_t> {
 protected:
  Pool pool{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Workers, Map, ::testing::Values(1, 2, 5),
                         [](const auto& workers) { return "of_" + std::to_string(workers.param); });

// ---- Results ---------------------------------------------------------------------------------

TEST_P(Map, gives_the_results_in_order) {
  const auto values = numbers(10'000);
  EXPECT_EQ(collect(pool.map(square, values)), squares(10'000));
}

TEST_P(Map, gives_them_in_order_where_the_first_are_the_slowest) {
  const auto slow_first = [](int x) {
    if (x < 3) std::this_thread::sleep_for(1ms);
    return x * x;
  };
  EXPECT_EQ(collect(pool.map(slow_first, numbers(50))), squares(50));
}

TEST_P(Map, of_nothing_is_empty) {
  EXPECT_TRUE(collect(pool.map(square, std::vector<int>())).empty());
  EXPECT_TRUE(collect(pool.map({.buffersize = 3}, square, std::vector<int>())).empty());
}

TEST_P(Map, goes_through_several_ranges_to_the_end_of_the_shortest) {
  const std::vector<int> bases{2, 3, 4};
  const std::list<int> exponents{1, 2, 3, 4, 5};
  const auto power = [](int base, int exponent) {
    int result = 1;
    while (exponent-- > 0) result *= base;
    return result;
  };
  EXPECT_EQ(collect(pool.map(power, bases, exponents)), (std::vector<int>{2, 9, 64}));
  EXPECT_EQ(collect(pool.map(power, Count(2, 4), exponents)), (std::vector<int>{2, 9}));
}

TEST_P(Map, has_a_result_of_any_kind) {
  const auto values = numbers(5);
  EXPECT_EQ(*collect(pool.map([](int x) { return std::make_unique<int>(x); }, values))[3], 3);
  int ran = 0;
  for ([[maybe_unused]] auto&& nothing : pool.map([](int) {}, values)) ++ran;
  EXPECT_EQ(ran, 5);
  auto references = pool.map([](const int& x) -> const int& { return x; }, values);
  EXPECT_EQ(&*references.begin(), &values[0]);
  EXPECT_EQ(collect(pool.map([](int x) { return x % 2 == 0; }, values)),
            (std::vector<bool>{true, false, true, false, true}));
}

TEST_P(Map, uses_the_elements_of_an_lvalue_in_place) {
  std::vector<int> values = numbers(100);
  std::list<int> list{1, 2, 3};
  collect(pool.map([](int& x) { return x = -x; }, values));
  collect(pool.map([](int& x) { return x = -x; }, list));
  EXPECT_EQ(values[77], -77);
  EXPECT_EQ(list, (std::list<int>{-1, -2, -3}));
}

TEST_P(Map, owns_what_is_given_away) {
  std::vector<std::unique_ptr<int>> values;
  for (int i = 0; i < 10; ++i) values.push_back(std::make_unique<int>(i));
  const auto take = [](std::unique_ptr<int> x) { return *x * *x; };
  EXPECT_EQ(collect(pool.map(take, std::move(values))), squares(10));
  auto results = pool.map(square, numbers(10));
  EXPECT_EQ(collect(results), squares(10));
}

TEST_P(Map, reads_a_range_that_can_be_read_once) {
  EXPECT_EQ(collect(pool.map(square, once(6))), squares(6));
  auto generated = once(500);
  EXPECT_EQ(collect(pool.map(square, generated)), squares(500));
  const std::vector<bool> bits{true, false, true};
  EXPECT_EQ(collect(pool.map([](bool bit) { return bit ? 1 : 0; }, bits)), (std::vector<int>{1, 0, 1}));
}

#if !defined(__clang__) || __clang_major__ > 15  // which does not compile libstdc++'s views
TEST_P(Map, reads_views) {
  EXPECT_EQ(collect(pool.map(square, std::views::iota(0, 20))), squares(20));
  auto small = std::views::iota(0, 20) | std::views::filter([](int x) { return x < 7; });
  EXPECT_EQ(collect(pool.map(square, small)), squares(7));
  auto values = numbers(20);
  collect(pool.map([](int& x) { return x = -x; }, values | std::views::take(5)));
  EXPECT_EQ(values[4], -4);
  EXPECT_EQ(values[5], 5);
}
#endif

TEST_P(Map, may_be_used_in_its_own_tasks) {
  const auto row = [this](int n) {
    int sum = 0;
    for (const int x : pool.map(square, numbers(n))) sum += x;
    return sum;
  };
  int sum = 0;
  for (const int x : pool.map(row, numbers(30))) sum += x;
  EXPECT_EQ(sum, 58'870);
}

// ---- When ------------------------------------------------------------------------------------

TEST_P(Map, begins_at_the_call) {
  std::atomic<int> ran{0};
  auto results = pool.map([&](int) { return ++ran; }, numbers(100));
  EXPECT_TRUE(eventually([&] { return ran == 100; }));
}

TEST_P(Map, comes_to_its_end_though_nobody_reads_it_when_the_pool_is_shut_down) {
  auto results = pool.map(square, numbers(100));
  pool.shutdown();
  EXPECT_EQ(collect(results), squares(100));
  EXPECT_THROW(static_cast<void>(pool.map(square, numbers(3))), RuntimeError);
}

TEST_P(Map, gives_a_result_while_later_ones_are_computed) {
  Event go;
  auto results = pool.map(
      {.chunksize = 1},
      [&](int x) {
        if (x == 1) go.wait();
        return x;
      },
      numbers(3));
  auto it = results.begin();
  EXPECT_EQ(*it, 0);
  go.set();
  ++it;
  EXPECT_EQ(*it, 1);
}

TEST_P(Map, uses_its_workers_all) {
  // Each waits until as many are there as there are workers.
  std::atomic<std::size_t> here{0};
  const auto meet = [&](int) {
    ++here;
    return eventually([&] { return here >= GetParam(); });
  };
  for (const bool met : pool.map(meet, numbers(static_cast<int>(GetParam())))) EXPECT_TRUE(met);
}

TEST_P(Map, runs_in_workers_only) {
  const auto main = get_ident();
  for (const auto thread : pool.map([](int) { return get_ident(); }, numbers(1000))) EXPECT_NE(thread, main);
}

// ---- Chunks and bounds -------------------------------------------------------------------------

TEST_P(Map, takes_so_many_at_a_time_as_it_is_told) {
  for (const std::size_t size : {1u, 3u, 100u}) {
    EXPECT_EQ(collect(pool.map({.chunksize = size}, square, numbers(50))), squares(50));
    EXPECT_EQ(collect(pool.map({.chunksize = size, .buffersize = 7}, square, numbers(50))), squares(50));
  }
}

TEST_P(Map, reads_no_further_ahead_than_buffersize) {
  for (const std::size_t bound : {1u, 2u, 7u}) {
    std::size_t read = 0;
    std::size_t given = 0;
    Generated counted([&read] { return std::optional<int>(static_cast<int>(read++)); });
    auto results = pool.map({.buffersize = bound}, square, counted);
    EXPECT_EQ(read, bound);
    for (auto it = results.begin(); given < 100; ++it) {
      EXPECT_EQ(*it, static_cast<int>(given * given));
      ++given;
      ASSERT_LE(read, given - 1 + bound);
    }
    EXPECT_EQ(read, given + bound);
  }
}

TEST_P(Map, computes_no_further_ahead_than_buffersize_in_a_container) {
  const auto values = numbers(100);
  std::atomic<int> ran{0};
  auto results = pool.map(
      {.buffersize = 5},
      [&](int x) {
        ++ran;
        return x;
      },
      values);
  EXPECT_TRUE(eventually([&] { return ran == 5; }));
  EXPECT_TRUE(stays([&] { return ran == 5; }));
  auto it = results.begin();
  ++it;
  EXPECT_TRUE(eventually([&] { return ran == 6; }));
  EXPECT_TRUE(stays([&] { return ran == 6; }));
}

TEST_P(Map, of_an_endless_range_may_be_left) {
  int sum = 0;
  for (const int x : pool.map({.buffersize = 10}, square, Count(0))) {
    if (x > 400) break;
    sum += x;
  }
  EXPECT_EQ(sum, 2870);
}

TEST_P(Map, says_so_when_it_would_go_on_after_shutdown) {
  auto results = pool.map({.buffersize = 2}, square, numbers(10));
  pool.shutdown();
  auto it = results.begin();
  EXPECT_EQ(*it, 0);
  EXPECT_THROW(
      {
        for (; it != results.end(); ++it) static_cast<void>(*it);
      },
      RuntimeError);
}

TEST(MapResults, may_outlive_the_pool) {
  auto pool = std::make_unique<Pool>(2);
  auto all = pool->map(square, numbers(10));
  auto some = pool->map({.buffersize = 3}, square, numbers(10));
  pool.reset();
  EXPECT_EQ(collect(all), squares(10));
  EXPECT_THROW(collect(some), RuntimeError);
}

// ---- Exceptions ----------------------------------------------------------------------------------

TEST_P(Map, throws_in_the_place_of_the_result) {
  auto results = pool.map(
      [](int x) {
        if (x % 3 == 1) throw std::out_of_range(std::to_string(x));
        return x;
      },
      numbers(8));
  std::string seen;
  for (auto it = results.begin(); it != results.end(); ++it) {
    try {
      seen += std::to_string(*it);
    } catch (const std::out_of_range& error) {
      seen += std::string("!") + error.what();
    }
  }
  EXPECT_EQ(seen, "0!123!456!7");
}

TEST_P(Map, throws_what_reading_the_range_throws) {
  const auto unreadable = [at = 0]() mutable {
    if (at == 5) throw std::out_of_range("unreadable");
    return std::optional<int>(at++);
  };
  Generated broken(unreadable);
  EXPECT_THROW(static_cast<void>(pool.map(square, broken)), std::out_of_range);
  Generated again(unreadable);
  auto results = pool.map({.buffersize = 2}, square, again);
  auto it = results.begin();
  for (int i = 0; i < 3; ++i, ++it) EXPECT_EQ(*it, i * i);
  EXPECT_EQ(*it, 9);
  EXPECT_THROW(++it, std::out_of_range);
}

TEST_P(Map, destroys_each_result_when_the_next_is_asked_for) {
  const auto resource = std::make_shared<int>(1);
  auto results = pool.map([&](int) { return resource; }, numbers(3));
  EXPECT_TRUE(eventually([&] { return resource.use_count() == 4; }));
  auto it = results.begin();
  static_cast<void>(*it);
  EXPECT_EQ(resource.use_count(), 4);
  ++it;
  EXPECT_EQ(resource.use_count(), 3);
  const std::shared_ptr<int> mine = *it;
  ++it;
  ++it;
  EXPECT_TRUE(it == results.end());
  EXPECT_EQ(resource.use_count(), 2);
}

TEST_P(Map, destroys_what_was_not_read) {
  const auto resource = std::make_shared<int>(1);
  {
    auto results = pool.map(
        [&](int x) {
          if (x % 5 == 3) throw resource;
          return resource;
        },
        numbers(50));
    static_cast<void>(*results.begin());
  }
  EXPECT_TRUE(eventually([&] { return resource.use_count() == 1; }));
}

// ---- Leaving it --------------------------------------------------------------------------------------

TEST(MapResults, drop_what_has_not_begun_and_wait_for_what_has) {
  Event go;
  Pool pool(2);
  std::atomic<int> begun{0};
  std::atomic<int> ended{0};
  Call leaver([&] {
    auto results = pool.map(
        {.chunksize = 1},
        [&](int x) {
          ++begun;
          go.wait();
          ++ended;
          return x;
        },
        numbers(100));
    EXPECT_TRUE(eventually([&] { return begun == 2; }));
  });
  ASSERT_TRUE(eventually([&] { return begun == 2; }) && falls_asleep(leaver));
  go.set();
  leaver.result();
  EXPECT_EQ(ended, 2);
  pool.shutdown();
  EXPECT_EQ(begun, 2);
}

TEST(MapResults, says_that_shutdown_has_cancelled_it) {
  Event go, begun;
  Pool pool(1);
  auto first = pool.submit([&] {
    begun.set();
    go.wait();
  });
  begun.wait();
  auto results = pool.map(square, numbers(10));
  pool.shutdown(false, true);
  EXPECT_THROW(static_cast<void>(*results.begin()), CancelledError);
  go.set();
}

TEST(MapResults, waits_no_longer_than_told) {
  Event go;
  Pool pool(1);
  const auto wait = [&](int x) {
    if (x == 1) go.wait();
    return x;
  };
  auto results = pool.map({.timeout = 20ms}, wait, numbers(3));
  auto it = results.begin();
  try {
    EXPECT_EQ(*it, 0);
    ++it;
    static_cast<void>(*it);
    ADD_FAILURE() << "nothing thrown";
  } catch (const TimeoutError&) {
  }
  auto patient = pool.map({.timeout = std::chrono::hours::max()}, square, numbers(3));
  go.set();
  EXPECT_EQ(collect(patient), squares(3));
}

TEST(MapResults, may_be_moved) {
  Pool pool(2);
  auto results = pool.map(square, numbers(10));
  EXPECT_EQ(*results.begin(), 0);
  auto moved = std::move(results);
  EXPECT_EQ(collect(moved), squares(10));
  moved = pool.map(square, numbers(4));
  EXPECT_EQ(collect(moved), squares(4));
}

}  // namespace
}  // namespace nogil::testing::map_test
