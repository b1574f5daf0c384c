// Tests of the asymmetric fence: the two sides never both miss the other's store.

#include "nogil/platform/fence.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "support/threads.hpp"

namespace nogil::testing::fence_test {
namespace {

using platform::Scope;

// On one core the other side needs it.
template <class Condition>
void spin_until(Condition condition) {
  for (int looks = 0; !condition(); ++looks) {
    if (looks % 1000 == 999) std::this_thread::yield();
  }
}

// Each side stores, fences, and loads what the other one stored. On every machine here
// a processor may delay its store past its load; with the fences not both may do so.
template <Scope kScope>
void expect_that_one_side_sees_the_other() {
  const int times = rounds(20000);
  std::atomic<int> light = 0;
  std::atomic<int> heavy = 0;
  int light_saw = 0;
  int heavy_saw = 0;
  int missed = 0;
  std::atomic<int> start = 0;
  std::atomic<int> done = 0;
  Call light_side([&] {
    for (int round = 1; round <= times; ++round) {
      spin_until([&] { return start.load(std::memory_order_acquire) == round; });
      light.store(round, std::memory_order_relaxed);
      platform::light_fence<kScope>();
      light_saw = heavy.load(std::memory_order_relaxed);
      done.store(round, std::memory_order_release);
    }
  });
  for (int round = 1; round <= times; ++round) {
    start.store(round, std::memory_order_release);
    heavy.store(round, std::memory_order_relaxed);
    platform::heavy_fence<kScope>();
    heavy_saw = light.load(std::memory_order_relaxed);
    spin_until([&] { return done.load(std::memory_order_acquire) == round; });
    missed += light_saw < round && heavy_saw < round;
  }
  EXPECT_EQ(missed, 0);
}

TEST(FenceTest, lets_one_side_see_the_other_between_threads) {
  expect_that_one_side_sees_the_other<Scope::kPrivate>();
}

TEST(FenceTest, lets_one_side_see_the_other_between_processes) {
  expect_that_one_side_sees_the_other<Scope::kShared>();
}

TEST(FenceTest, works_without_membarrier) {
  const auto before = platform::g_membarrier.exchange(platform::Membarrier::kMissing);
  expect_that_one_side_sees_the_other<Scope::kPrivate>();
  platform::g_membarrier = before;
}

TEST(FenceTest, never_relies_on_membarrier_between_processes) {
  EXPECT_FALSE(platform::membarrier_ready<Scope::kShared>());
}

}  // namespace
}  // namespace nogil::testing::fence_test
