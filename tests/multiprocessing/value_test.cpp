// Tests of nogil::mp::Value, under every start method. Cases of CPython's _TestValue are among them.

#include "nogil/multiprocessing/value.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include <vector>

#include "multiprocessing/support/processes.hpp"
#include "nogil/multiprocessing/array.hpp"

namespace nogil::testing::value_test {
namespace {

using mp::Array;
using mp::Value;

using AnyValue = UnderEveryStartMethod;
NOGIL_UNDER_EVERY_START_METHOD(AnyValue);

struct Position {
  int x = 1;
  double y = 2;
};

TEST_P(AnyValue, is_the_same_in_both_processes) {
  Value<Position> position(Position{3, 4});
  EXPECT_EQ(exitcode([](Value<Position> same) { same.set({same.get().x + 1, same.get().y * 2}); }, position), 0);
  EXPECT_EQ(position.get().x, 4);
  EXPECT_EQ(position.get().y, 8);
}

TEST_P(AnyValue, is_changed_by_many_processes_in_turn) {
  Value<long> sum(0);
  std::vector<Process> workers;
  for (int i = 0; i < 4; ++i) {
    workers.push_back(process(
        [](Value<long> to) {
          for (int times = 0; times < 1000; ++times) to.with_lock([](long& n) { ++n; });
        },
        sum));
    workers.back().start();
  }
  for (Process& worker : workers) worker.join();
  EXPECT_EQ(sum.get(), 4000);
}

TEST_P(AnyValue, says_so_when_a_process_died_that_had_its_lock) {
  Value<int> value(5);
  EXPECT_EQ(exitcode([](Value<int> same) { same.with_lock([](int& n) { n = 6, ::raise(SIGKILL); }); }, value),
            -SIGKILL);
  EXPECT_THROW(value.get(), OwnerDied);
  EXPECT_EQ(value.get(), 6) << "what the dead left";
}

TEST(SharedObject, is_not_taken_for_another) {
  Value<int> value(1);
  mp::detail::Frame frame;
  mp::OutputArchive out(frame);
  out(value, value);
  mp::InputArchive in(frame);
  EXPECT_THROW(in.get<Array<int>>(), DecodeError);
  EXPECT_THROW(in.get<Value<long>>(), DecodeError);
  EXPECT_THROW(in.get<Value<int>>(), DecodeError) << "there is no third";
}

}  // namespace
}  // namespace nogil::testing::value_test
