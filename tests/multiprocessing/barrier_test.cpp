// Tests of nogil::Barrier between processes, under every start method; its algorithm is
// nogil::Barrier's, which has a suite of its own.

#include "nogil/multiprocessing/barrier.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <vector>

#include "multiprocessing/support/processes.hpp"
#include "nogil/multiprocessing/value.hpp"

namespace nogil::testing::barrier_test {
namespace {

using mp::Barrier;
using mp::Value;

using AnyBarrier = UnderEveryStartMethod;
NOGIL_UNDER_EVERY_START_METHOD(AnyBarrier);

TEST_P(AnyBarrier, gathers_processes_again_and_again) {
  Barrier barrier(3);
  Value<int> indices(0);
  std::vector<Process> workers;
  const auto pass = [](Barrier same, Value<int> sum) {
    for (int round = 0; round < 10; ++round) {
      const auto index = static_cast<int>(same.wait());
      sum.with_lock([index](int& all) { all += 1 << (4 * index); });
    }
  };
  for (int i = 0; i < 2; ++i) {
    workers.push_back(process(pass, barrier, indices));
    workers.back().start();
  }
  pass(barrier, indices);
  for (Process& worker : workers) worker.join();
  EXPECT_EQ(indices.get(), 0xaaa) << "each index ten times";
}

// An action with state: it can be sent.
struct AddOne {
  Value<int> to{0};
  void serialize(mp::OutputArchive& archive) { archive(to); }
  void serialize(mp::InputArchive& archive) { archive(to); }
  void operator()() {
    to.with_lock([](int& n) { ++n; });
  }
};

TEST_P(AnyBarrier, runs_its_action_once_each_time_before_the_others_go_on) {
  AddOne action;
  Barrier barrier(3, action);
  const auto pass = [](Barrier same, Value<int> runs) {
    for (int round = 1; round <= 10; round += 2) {
      same.wait();
      const int seen = runs.get();
      if (seen != round) throw std::logic_error("the action has run too often, or not yet");
      same.wait(kPatience);
    }
  };
  std::vector<Process> workers;
  for (int i = 0; i < 2; ++i) {
    workers.push_back(process(pass, barrier, action.to));
    workers.back().start();
  }
  EXPECT_NO_THROW(pass(barrier, action.to));
  for (Process& worker : workers) {
    worker.join();
    EXPECT_EQ(worker.exitcode(), 0);
  }
  EXPECT_EQ(action.to.get(), 10);
}

// Its index, or 9: the barrier was broken.
int pass_once(Barrier barrier) {
  try {
    return static_cast<int>(barrier.wait(kPatience));
  } catch (const BrokenBarrierError&) {
    return 9;
  }
}

TEST_P(AnyBarrier, is_aborted_and_made_new_for_processes_that_wait) {
  Barrier barrier(4);
  for (const bool aborts : {true, false, true, false}) {
    std::vector<Process> waiting;
    for (int i = 0; i < 3; ++i) {
      waiting.push_back(process([](Barrier same) { std::_Exit(pass_once(same)); }, barrier));
      waiting.back().start();
    }
    ASSERT_TRUE(eventually([&] { return barrier.n_waiting() == 3; }));
    EXPECT_EQ(exitcode(
                  [](Barrier same, bool abort) {
                    if (abort) same.abort();
                    else same.reset();
                  },
                  barrier, aborts),
              0);
    for (Process& one : waiting) {
      EXPECT_TRUE(one.join(kPatience));
      EXPECT_EQ(one.exitcode(), 9);
    }
    EXPECT_EQ(barrier.broken(), aborts);
    EXPECT_EQ(barrier.n_waiting(), 0);
    if (aborts) {
      EXPECT_EQ(exitcode([](Barrier same) { std::_Exit(pass_once(same)); }, barrier), 9);
      barrier.reset();
    }
    EXPECT_FALSE(barrier.broken());
    std::vector<Process> through;  // it is as new
    for (int i = 0; i < 3; ++i) {
      through.push_back(process([](Barrier same) { std::_Exit(pass_once(same)); }, barrier));
      through.back().start();
    }
    int sum = pass_once(barrier);
    for (Process& one : through) {
      one.join();
      sum += one.exitcode().value();
    }
    EXPECT_EQ(sum, 0 + 1 + 2 + 3);
  }
}

TEST_P(AnyBarrier, breaks_for_all_processes_when_one_has_waited_too_long) {
  Barrier barrier(4);
  std::vector<Process> waiting;
  for (int i = 0; i < 2; ++i) {
    waiting.push_back(process([](Barrier same) { std::_Exit(pass_once(same)); }, barrier));
    waiting.back().start();
  }
  ASSERT_TRUE(eventually([&] { return barrier.n_waiting() == 2; }));
  EXPECT_THROW(static_cast<void>(barrier.wait(5ms)), BrokenBarrierError);
  for (Process& one : waiting) {
    EXPECT_TRUE(one.join(kPatience));
    EXPECT_EQ(one.exitcode(), 9);
  }
}

// Nobody is more than one round ahead of anybody.
TEST_P(AnyBarrier, keeps_processes_in_step_a_thousand_times) {
  constexpr int kParties = 3;
  Barrier barrier(kParties);
  Value<int> arrivals(0);
  const int times = rounds(1000);
  const auto pass = [](Barrier same, Value<int> all, int count) {
    for (int round = 0; round < count; ++round) {
      int before = 0;
      all.with_lock([&before](int& n) { before = n++; });
      if (before < round * kParties || before >= (round + 1) * kParties) throw std::logic_error("out of step");
      same.wait(kPatience);
    }
  };
  std::vector<Process> workers;
  for (int i = 1; i < kParties; ++i) {
    workers.push_back(process(pass, barrier, arrivals, times));
    workers.back().start();
  }
  EXPECT_NO_THROW(pass(barrier, arrivals, times));
  for (Process& one : workers) {
    one.join();
    EXPECT_EQ(one.exitcode(), 0);
  }
  EXPECT_EQ(arrivals.get(), times * kParties);
}

TEST_P(AnyBarrier, has_a_timeout_of_its_own_in_all_processes) {
  Barrier barrier(2, {}, 20ms);
  EXPECT_EQ(exitcode(
                [](Barrier same) {
                  try {
                    same.wait();
                  } catch (const BrokenBarrierError&) {
                    std::_Exit(3);
                  }
                },
                barrier),
            3);
  EXPECT_TRUE(barrier.broken());
}

TEST_P(AnyBarrier, lets_the_others_go_when_it_is_aborted_after_a_death_in_the_action) {
  Barrier barrier(2, [] { ::raise(SIGKILL); });
  const auto pass = [](Barrier same) {
    try {
      same.wait();
    } catch (const BrokenBarrierError&) {
      std::_Exit(3);
    }
  };
  Process first = process(pass, barrier);
  first.start();
  ASSERT_TRUE(eventually([&] { return barrier.n_waiting() == 1; }));
  EXPECT_EQ(exitcode(pass, barrier), -SIGKILL);
  EXPECT_FALSE(first.join(1ms));
  barrier.abort();
  EXPECT_TRUE(first.join(kPatience));
  EXPECT_EQ(first.exitcode(), 3);
}

TEST(MpBarrier, breaks_when_a_limit_is_reached) {
  Barrier barrier(2);
  EXPECT_THROW(static_cast<void>(barrier.wait(1ms)), BrokenBarrierError);
  EXPECT_TRUE(barrier.broken());
  EXPECT_THROW(static_cast<void>(barrier.wait()), BrokenBarrierError);
  barrier.reset();
  EXPECT_FALSE(barrier.broken());
  EXPECT_THROW(Barrier(0), ValueError);
  EXPECT_EQ(Barrier(1, {}, std::chrono::hours::max()).wait(), 0);
}

TEST(MpBarrier, breaks_when_its_action_throws_which_goes_to_the_last_to_come) {
  Barrier barrier(1, [] { throw std::out_of_range("thrown"); });
  EXPECT_THROW(static_cast<void>(barrier.wait()), std::out_of_range);
  EXPECT_TRUE(barrier.broken());
}

}  // namespace
}  // namespace nogil::testing::barrier_test
