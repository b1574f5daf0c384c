// Tests of nogil::mp::Array, under every start method. Cases of CPython's _TestArray are among them.

#include "nogil/multiprocessing/array.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <new>
#include <numeric>
#include <span>
#include <stdexcept>
#include <vector>

#include "multiprocessing/support/processes.hpp"

namespace nogil::testing::array_test {
namespace {

using mp::Array;

using AnyArray = UnderEveryStartMethod;
NOGIL_UNDER_EVERY_START_METHOD(AnyArray);

TEST_P(AnyArray, is_the_same_in_both_processes) {
  Array<int> squares(100);
  for (const int element : squares) EXPECT_EQ(element, 0);
  EXPECT_EQ(exitcode(
                [](Array<int> same) {
                  for (std::size_t i = 0; i < same.size(); ++i) same[i] = static_cast<int>(i * i);
                },
                squares),
            0);
  EXPECT_EQ(squares[9], 81);
  EXPECT_EQ(squares.at(99), 9801);
  EXPECT_EQ(std::accumulate(squares.begin(), squares.end(), 0), 328350);
}

TEST_P(AnyArray, is_changed_by_many_processes_in_turn) {
  Array<int> counts{0, 0};
  std::vector<Process> workers;
  for (int i = 0; i < 3; ++i) {
    workers.push_back(process(
        [](Array<int> same) {
          for (int times = 0; times < 500; ++times) same.with_lock([](std::span<int> all) { ++all[0], --all[1]; });
        },
        counts));
    workers.back().start();
  }
  for (Process& worker : workers) worker.join();
  EXPECT_EQ(counts[0], 1500);
  EXPECT_EQ(counts[1], -1500);
}

TEST(MpArray, checks_what_it_can) {
  EXPECT_THROW(Array<int>(-1), ValueError);
  EXPECT_THROW(Array<double>(PTRDIFF_MAX / 2), std::bad_alloc);
  Array<int> empty(0);
  EXPECT_EQ(empty.begin(), empty.end());
  Array<int> one{1};
  EXPECT_THROW(one.at(1), std::out_of_range);
  const Array<int> copy = one;
  one[0] = 5;
  EXPECT_EQ(copy[0], 5);
}

}  // namespace
}  // namespace nogil::testing::array_test
