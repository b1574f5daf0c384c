// tests/asyncio/fuzz_test.cpp -- programs at random, cancelled at every round of the loop.

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "asyncio/support/scenario.hpp"
#include "nogil/threading/excepthook.hpp"

namespace nogil::asyncio {
namespace {

using namespace testing;

// A virtual loop that calls somebody back in one of its rounds.
class Saboteur {
 public:
  Saboteur(World& world, int round, std::size_t victim) : world_(world), left_(round), victim_(victim) { again(); }

 private:
  void again() {
    world_.loop.call_soon([this] {
      if (left_-- > 0) return world_.tasks.size() > victim_ && !world_.tasks[victim_].done() ? again() : void();
      if (world_.tasks.size() > victim_) hit_ = world_.tasks[victim_].cancel();
    });
  }

  World& world_;
  int left_;
  std::size_t victim_;

 public:
  bool hit_ = false;
};

// Whether there was still somebody to cancel in that round.
bool run_and_check(const Program& program, int round, std::size_t victim) {
  VirtualLoop loop;
  World world(loop);
  Task<> all = loop.create_task(run_program(world, program));
  loop.call_soon([] {});
  Saboteur saboteur(world, round, victim);
  loop.run_until_complete(all);
  loop.run_until_complete(end_all());
  for (Lock& lock : world.locks) EXPECT_TRUE(lock.try_acquire());
  for (Condition& condition : world.conditions) EXPECT_TRUE(condition.try_acquire());
  EXPECT_EQ(world.semaphores[0].value(), 1);
  EXPECT_EQ(world.semaphores[1].value(), 2);
  EXPECT_FALSE(world.semaphores[0].locked() || world.semaphores[1].locked());
  for (const Barrier& barrier : world.barriers) EXPECT_EQ(barrier.n_waiting(), 0);
  const std::size_t left = world.queues[0].qsize() + world.queues[1].qsize();
  EXPECT_EQ(static_cast<std::size_t>(world.puts - world.gets), left);
  EXPECT_EQ(world.frames, 0);
  return saboteur.hit_;
}

TEST(CancelFuzzer, finds_nothing_lost_held_or_leaked) {
  set_excepthook([](const ExceptHookArgs&) {});  // programs fail as they like
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  int runs = 0;
  for (unsigned seed = 0; std::chrono::steady_clock::now() < end && seed < 3000; ++seed) {
    const Program program = Generator(seed, false).program();
    for (std::size_t victim = 0; victim < program.size(); ++victim) {
      for (int round = 0; round < 40 && run_and_check(program, round, victim); ++round) ++runs;
    }
    if (HasFailure()) {
      ADD_FAILURE() << "seed " << seed << ": " << to_json(program);
      break;
    }
  }
  set_excepthook(nullptr);
  RecordProperty("runs", runs);
  EXPECT_GT(runs, 100);
}

}  // namespace
}  // namespace nogil::asyncio
