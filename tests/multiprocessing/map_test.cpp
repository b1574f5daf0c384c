// Tests of ProcessPoolExecutor::map(), under every start method: order, chunks, bounds,
// exceptions, workers that die. With the scenarios of CPython's
// test_concurrent_futures/executor.py.

#include "nogil/multiprocessing/map.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "futures/support/ranges.hpp"
#include "futures/support/squares.hpp"
#include "multiprocessing/support/processes.hpp"
#include "nogil/multiprocessing/event.hpp"
#include "nogil/multiprocessing/process_pool_executor.hpp"
#include "nogil/multiprocessing/value.hpp"

namespace nogil::testing::map_test {
namespace {

using mp::ProcessPoolExecutor;
using mp::Value;

class AnyMap : public UnderEveryStartMethod {
 protected:
  static ProcessPoolExecutor::Options options(std::size_t workers) {
    return {.max_workers = workers, .start_method = GetParam()};
  }
};
NOGIL_UNDER_EVERY_START_METHOD(AnyMap);

using Results = decltype(std::declval<ProcessPoolExecutor&>().map(square, std::declval<std::vector<int>&>()));
static_assert(std::input_iterator<decltype(std::declval<Results&>().begin())>);
static_assert(!std::is_copy_constructible_v<Results> && std::is_nothrow_move_constructible_v<Results>);

// ---- Results -------------------------------------------------------------------------------

TEST_P(AnyMap, gives_the_results_in_order) {
  ProcessPoolExecutor pool(options(2));
  const auto values = numbers(20'000);
  EXPECT_EQ(collect(pool.map(square, values)), squares(20'000));
  EXPECT_EQ(collect(pool.map(square, numbers(3))), squares(3));
  EXPECT_TRUE(collect(pool.map(square, std::vector<int>())).empty());
  EXPECT_TRUE(collect(pool.map({.buffersize = 3}, square, std::vector<int>())).empty());
}

TEST_P(AnyMap, sends_whatever_can_be_sent) {
  ProcessPoolExecutor pool(options(2));
  const std::vector<std::string> words{"a", "bc", std::string(5000, 'x')};
  EXPECT_EQ(collect(pool.map([](const std::string& word) { return word.size(); }, words)),
            (std::vector<std::size_t>{1, 2, 5000}));
  EXPECT_EQ(collect(pool.map([](std::string word) { return word + "!"; }, words))[2], std::string(5000, 'x') + "!");
  const std::vector<const char*> names{"x", "yz"};
  EXPECT_EQ(collect(pool.map([](const std::string& name) { return name; }, names)),
            (std::vector<std::string>{"x", "yz"}));
  const std::vector<bool> bits{true, false, true};
  EXPECT_EQ(collect(pool.map([](bool bit) { return !bit; }, bits)), (std::vector<bool>{false, true, false}));
  EXPECT_EQ(*collect(pool.map([](int x) { return std::make_unique<int>(x); }, numbers(5)))[3], 3);
  const std::map<std::string, int> table{{"one", 1}, {"two", 2}};
  EXPECT_EQ(collect(pool.map([](const std::pair<std::string, int>& entry) { return entry.second; }, table)),
            (std::vector<int>{1, 2}));
  int ran = 0;
  for ([[maybe_unused]] auto&& nothing : pool.map([](int) {}, numbers(50))) ++ran;
  EXPECT_EQ(ran, 50);
  int factor = 3;
  ++factor;
  EXPECT_EQ(collect(pool.map([factor](int x) { return factor * x; }, numbers(3))), (std::vector<int>{0, 4, 8}));
  EXPECT_THROW(static_cast<void>(pool.map([&factor](int x) { return factor * x; }, numbers(3))), ValueError);
}

TEST_P(AnyMap, sends_shared_objects) {
  ProcessPoolExecutor pool(options(2));
  Value<int> sum(0);
  const std::vector<Value<int>> same(300, sum);
  for ([[maybe_unused]] auto&& nothing :
       pool.map([](Value<int> to, int n) { to.with_lock([n](int& all) { all += n; }); }, same, numbers(300))) {
  }
  EXPECT_EQ(sum.get(), 300 * 299 / 2);
}

TEST_P(AnyMap, goes_through_several_ranges_to_the_end_of_the_shortest) {
  ProcessPoolExecutor pool(options(2));
  const std::vector<int> bases{2, 3, 4};
  const std::list<int> exponents{1, 2, 3, 4, 5};
  const auto power = [](int base, int exponent) {
    int result = 1;
    while (exponent-- > 0) result *= base;
    return result;
  };
  EXPECT_EQ(collect(pool.map(power, bases, exponents)), (std::vector<int>{2, 9, 64}));
  EXPECT_EQ(collect(pool.map(power, Count(2, 4), exponents)), (std::vector<int>{2, 9}));
  EXPECT_EQ(collect(pool.map(power, bases, once(2))), (std::vector<int>{1, 3}));
}

TEST_P(AnyMap, reads_a_range_that_can_be_read_once) {
  ProcessPoolExecutor pool(options(2));
  EXPECT_EQ(collect(pool.map(square, once(6))), squares(6));
  auto generated = once(5000);
  EXPECT_EQ(collect(pool.map(square, generated)), squares(5000));
}

TEST_P(AnyMap, shares_the_work) {
  ProcessPoolExecutor pool(options(2));
  Value<int> here(0);
  // Each waits until there are two.
  const auto meet = [](Value<int> all) {
    all.with_lock([](int& n) { ++n; });
    while (all.get() < 2) ::usleep(100);
    return ::getpid();
  };
  const auto pids = collect(pool.map(meet, std::vector<Value<int>>(2, here)));
  EXPECT_NE(pids[0], pids[1]);
}

// ---- When ------------------------------------------------------------------------------------

TEST_P(AnyMap, begins_at_the_call) {
  ProcessPoolExecutor pool(options(1));
  Value<int> ran(0);
  const auto count = [](Value<int> all) { all.with_lock([](int& n) { ++n; }); };
  auto results = pool.map(count, std::vector<Value<int>>(30, ran));
  EXPECT_TRUE(eventually([&] { return ran.get() == 30; }));
}

TEST_P(AnyMap, comes_to_its_end_though_nobody_reads_it_when_the_pool_is_shut_down) {
  ProcessPoolExecutor pool(options(2));
  auto results = pool.map(square, numbers(100));
  pool.shutdown();
  EXPECT_EQ(collect(results), squares(100));
  EXPECT_THROW(static_cast<void>(pool.map(square, numbers(3))), RuntimeError);
}

TEST_P(AnyMap, gives_a_result_while_later_ones_are_computed) {
  ProcessPoolExecutor pool(options(1));
  mp::Event go;
  auto results = pool.map(
      {.chunksize = 1},
      [](int x, mp::Event event) {
        if (x == 1) event.wait();
        return x;
      },
      numbers(3), std::vector<mp::Event>(3, go));
  auto it = results.begin();
  EXPECT_EQ(*it, 0);
  go.set();
  ++it;
  EXPECT_EQ(*it, 1);
}

// ---- Chunks and bounds -------------------------------------------------------------------------

TEST_P(AnyMap, takes_so_many_at_a_time_as_it_is_told) {
  ProcessPoolExecutor pool(options(2));
  for (const std::size_t size : {1u, 3u, 100u}) {
    EXPECT_EQ(collect(pool.map({.chunksize = size}, square, numbers(50))), squares(50));
    EXPECT_EQ(collect(pool.map({.chunksize = size, .buffersize = 7}, square, numbers(50))), squares(50));
  }
  EXPECT_EQ(collect(pool.map({.buffersize = 64}, square, numbers(500))), squares(500));
}

TEST_P(AnyMap, reads_no_further_ahead_than_buffersize) {
  ProcessPoolExecutor pool(options(2));
  for (const std::size_t bound : {1u, 2u, 7u, 100u}) {
    std::size_t read = 0;
    std::size_t given = 0;
    Generated counted([&read] { return std::optional<int>(static_cast<int>(read++)); });
    auto results = pool.map({.buffersize = bound}, square, counted);
    EXPECT_EQ(read, bound);
    for (auto it = results.begin(); given < 300; ++it) {
      EXPECT_EQ(*it, static_cast<int>(given * given));
      ++given;
      ASSERT_LE(read, given - 1 + bound);
    }
    EXPECT_EQ(read, given + bound);
  }
}

TEST_P(AnyMap, of_an_endless_range_may_be_left) {
  ProcessPoolExecutor pool(options(2));
  int sum = 0;
  for (const int x : pool.map({.buffersize = 10}, square, Count(0))) {
    if (x > 400) break;
    sum += x;
  }
  EXPECT_EQ(sum, 2870);
}

TEST_P(AnyMap, says_so_when_it_would_go_on_after_shutdown) {
  ProcessPoolExecutor pool(options(1));
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

TEST_P(AnyMap, may_outlive_the_pool) {
  auto pool = std::make_unique<ProcessPoolExecutor>(options(2));
  auto all = pool->map(square, numbers(10));
  auto some = pool->map({.buffersize = 3}, square, numbers(10));
  pool.reset();
  EXPECT_EQ(collect(all), squares(10));
  EXPECT_THROW(collect(some), RuntimeError);
}

// ---- Exceptions ----------------------------------------------------------------------------------

TEST_P(AnyMap, throws_in_the_place_of_the_result) {
  ProcessPoolExecutor pool(options(2));
  for (const std::size_t size : {0u, 1u, 3u, 100u}) {
    auto results = pool.map(
        {.chunksize = size},
        [](int x) {
          if (x % 3 == 1) throw std::out_of_range(std::to_string(x));
          return x;
        },
        numbers(9));
    std::string seen;
    for (auto it = results.begin(); it != results.end(); ++it) {
      try {
        seen += std::to_string(*it);
      } catch (const std::out_of_range& error) {
        seen += std::string("!") + error.what();
      }
    }
    EXPECT_EQ(seen, "0!123!456!78");
  }
}

struct Unwilling {
  int x = 0;

  template <class Archive>
  void serialize(Archive& archive) {
    if (Archive::is_saving::value && x % 4 == 2) throw std::domain_error("unwilling");
    archive(x);
  }
};

TEST_P(AnyMap, throws_what_a_result_throws_that_will_not_be_sent) {
  ProcessPoolExecutor pool(options(1));
  auto results = pool.map(
      {.chunksize = 5}, [](int x) { return Unwilling{x}; }, numbers(10));
  std::string seen;
  for (auto it = results.begin(); it != results.end(); ++it) {
    try {
      seen += std::to_string((*it).x);
    } catch (const std::domain_error&) {
      seen += "!";
    }
  }
  EXPECT_EQ(seen, "01!345!789");
}

TEST_P(AnyMap, throws_what_reading_the_range_throws) {
  ProcessPoolExecutor pool(options(1));
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
  std::vector<Unwilling> values{{1}, {2}, {3}};
  EXPECT_THROW(static_cast<void>(pool.map([](Unwilling u) { return u.x; }, values)), std::domain_error);
}

// ---- Workers that die -------------------------------------------------------------------------------

TEST_P(AnyMap, fails_the_chunk_whose_worker_died_and_goes_on) {
  ProcessPoolExecutor pool(options(2));
  auto results = pool.map(
      {.chunksize = 5},
      [](int x) {
        if (x == 12) ::raise(SIGKILL);
        return x;
      },
      numbers(40));
  int died = 0;
  int number = 0;
  for (auto it = results.begin(); it != results.end(); ++it, ++number) {
    try {
      EXPECT_EQ(*it, number);
    } catch (const WorkerDied& error) {
      EXPECT_EQ(number / 5, 2);
      EXPECT_EQ(error.signal(), SIGKILL);
      ++died;
    }
  }
  EXPECT_EQ(number, 40);
  EXPECT_EQ(died, 5);
  EXPECT_EQ(collect(pool.map(square, numbers(10))), squares(10));
}

TEST_P(AnyMap, is_done_by_other_workers_when_it_is_tried_again) {
  auto chosen = options(2);
  chosen.on_worker_death = mp::OnWorkerDeath::retry;
  ProcessPoolExecutor pool(chosen);
  Value<int> deaths(0);
  const auto dies_twice = [](int x, Value<int> count) {
    int mine = 0;
    if (x == 7) count.with_lock([&mine](int& n) { mine = ++n; });
    if (x == 7 && mine < 3) ::raise(SIGKILL);
    return x * x;
  };
  EXPECT_EQ(collect(pool.map(dies_twice, numbers(20), std::vector<Value<int>>(20, deaths))), squares(20));
  EXPECT_EQ(deaths.get(), 3);
}

// ---- Leaving it --------------------------------------------------------------------------------------

TEST_P(AnyMap, cancels_what_has_not_begun_when_it_is_left) {
  ProcessPoolExecutor pool(options(1));
  mp::Event go;
  Value<int> ran(0);
  {
    auto results = pool.map(
        {.chunksize = 1},
        [](mp::Event event, Value<int> count) {
          event.wait();
          count.with_lock([](int& n) { ++n; });
        },
        std::vector<mp::Event>(100, go), std::vector<Value<int>>(100, ran));
  }
  go.set();
  pool.submit(square, 2).result();
  EXPECT_LE(ran.get(), 2) << "a slow task and one behind it lie in a worker's ring";
}

TEST_P(AnyMap, says_that_shutdown_has_cancelled_it) {
  ProcessPoolExecutor pool(options(1));
  mp::Event go;
  std::vector<Future<void>> before;
  for (int i = 0; i < 3; ++i) before.push_back(pool.submit([](mp::Event event) { event.wait(); }, go));
  auto results = pool.map(square, numbers(10));
  pool.shutdown(false, true);
  go.set();
  EXPECT_THROW(static_cast<void>(*results.begin()), CancelledError);
}

TEST_P(AnyMap, waits_no_longer_than_told) {
  ProcessPoolExecutor pool(options(1));
  mp::Event go;
  auto results = pool.map(
      {.timeout = 20ms}, [](mp::Event event) { event.wait(); }, std::vector<mp::Event>(3, go));
  EXPECT_THROW(static_cast<void>(*results.begin()), TimeoutError);
  go.set();
  auto patient = pool.map({.timeout = std::chrono::hours::max()}, square, numbers(3));
  EXPECT_EQ(collect(patient), squares(3));
}

TEST_P(AnyMap, may_be_moved) {
  ProcessPoolExecutor pool(options(1));
  auto results = pool.map(square, numbers(10));
  EXPECT_EQ(*results.begin(), 0);
  auto moved = std::move(results);
  EXPECT_EQ(collect(moved), squares(10));
  moved = pool.map(square, numbers(4));
  EXPECT_EQ(collect(moved), squares(4));
}

}  // namespace
}  // namespace nogil::testing::map_test
