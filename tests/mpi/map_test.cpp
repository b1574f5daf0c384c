// Tests of MPIPoolExecutor::map(): order, chunks, bounds, exceptions. What it has in common with
// ProcessPoolExecutor's is tested there.

#include <gtest/gtest.h>

#include <chrono>
#include <list>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "futures/support/ranges.hpp"
#include "mpi/support/kinds.hpp"
#include "mpi/support/shared_file.hpp"
#include "nogil/mpi/mpi_pool_executor.hpp"
#include "support/threads.hpp"

namespace nogil::testing {
namespace {

using namespace std::chrono_literals;
using mpi::MPIPoolExecutor;

class AnyMPIMap : public InEveryKind {
 protected:
  MPIPoolExecutor pool{options()};
};
NOGIL_IN_EVERY_KIND(AnyMPIMap);

int square(int x) {
  return x * x;
}

std::vector<int> numbers(int n) {
  std::vector<int> values(static_cast<std::size_t>(n));
  std::iota(values.begin(), values.end(), 0);
  return values;
}

template <class Results>
auto collect(Results&& results) {
  std::vector<std::decay_t<decltype(*results.begin())>> values;
  for (auto&& value : results) values.push_back(std::forward<decltype(value)>(value));
  return values;
}

std::vector<int> squares(int n) {
  std::vector<int> values = numbers(n);
  for (int& value : values) value *= value;
  return values;
}

TEST_P(AnyMPIMap, gives_the_results_in_order) {
  const auto values = numbers(40'000);
  EXPECT_EQ(collect(pool.map(square, values)), squares(40'000));
  EXPECT_EQ(collect(pool.map(square, numbers(3))), squares(3));
  EXPECT_TRUE(collect(pool.map(square, std::vector<int>())).empty());
  EXPECT_EQ(collect(pool.map({.chunksize = 7}, square, values)), squares(40'000));
}

TEST_P(AnyMPIMap, goes_through_several_ranges_to_the_end_of_the_shortest) {
  const std::vector<int> bases{2, 3, 4};
  const std::list<std::string> words{"a", "b", "c", "d", "e"};
  EXPECT_EQ(collect(pool.map([](int n, const std::string& word) { return word + std::to_string(n); }, bases, words)),
            (std::vector<std::string>{"a2", "b3", "c4"}));
}

TEST_P(AnyMPIMap, carries_large_elements) {
  const std::vector<std::string> words(20, std::string(300'000, 'x'));
  for (const std::string& word : pool.map([](std::string text) { return text + "!"; }, words)) {
    ASSERT_EQ(word.size(), 300'001U);
  }
}

TEST_P(AnyMPIMap, reads_an_endless_range_no_further_ahead_than_buffersize) {
  int read = 0;
  Generated endless([&]() -> std::optional<int> { return read++; });
  int expected = 0;
  for (const int value : pool.map({.buffersize = 50}, square, endless)) {
    ASSERT_EQ(value, expected * expected);
    ASSERT_LE(read, expected + 51);
    if (++expected == 500) break;
  }
}

TEST_P(AnyMPIMap, throws_in_the_place_of_the_result) {
  auto results = pool.map(
      [](int x) {
        if (x % 10 == 3) throw std::out_of_range(std::to_string(x));
        return x;
      },
      numbers(100));
  int at = 0;
  for (auto it = results.begin(); it != results.end(); ++it, ++at) {
    if (at % 10 == 3) EXPECT_THROW(*it, std::out_of_range);
    else EXPECT_EQ(*it, at);
  }
  EXPECT_EQ(at, 100);
}

TEST_P(AnyMPIMap, waits_no_longer_than_told) {
  const SharedFile file;
  auto results = pool.map(
      {.timeout = 30ms},
      [](const std::string& path) {
        const SharedFile door(path);
        while (door[0] == 0) std::this_thread::sleep_for(1ms);
        return 1;
      },
      std::vector<std::string>{file.path()});
  EXPECT_THROW(*results.begin(), TimeoutError);
  file[0] = 1;
}

TEST_P(AnyMPIMap, may_be_left_before_its_end) {
  for (const int value : pool.map({.chunksize = 1}, square, numbers(5000))) {
    EXPECT_EQ(value, 0);
    break;
  }
  EXPECT_EQ(pool.submit(square, 3).result(), 9);
}

TEST_P(AnyMPIMap, may_outlive_the_pool) {
  auto results = [&] {
    MPIPoolExecutor another(options());
    return another.map(square, numbers(1000));
  }();
  EXPECT_EQ(collect(results), squares(1000));
}

TEST_P(AnyMPIMap, says_that_shutdown_has_cancelled_it) {
  const SharedFile file;
  auto results = pool.map(
      {.chunksize = 1},
      [](const std::string& path) {
        const SharedFile door(path);
        while (door[0] == 0) std::this_thread::sleep_for(1ms);
        return 1;
      },
      std::vector<std::string>(3 * pool.max_workers() + 5, file.path()));
  pool.shutdown(false, true);
  file[0] = 1;
  std::size_t cancelled = 0;
  for (auto it = results.begin(); it != results.end(); ++it) {
    try {
      EXPECT_EQ(*it, 1);
    } catch (const CancelledError&) {
      ++cancelled;
    }
  }
  EXPECT_GE(cancelled, 5U);
}

}  // namespace
}  // namespace nogil::testing
