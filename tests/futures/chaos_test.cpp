// Random traffic on a nogil::ThreadPoolExecutor: each task that was taken runs exactly once,
// or is cancelled and never runs, and every wait ends.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "futures/support/ranges.hpp"
#include "nogil/futures/as_completed.hpp"
#include "nogil/futures/thread_pool_executor.hpp"
#include "nogil/futures/wait.hpp"
#include "support/threads.hpp"

namespace nogil::testing::chaos_test {
namespace {

using namespace std::chrono_literals;
using Pool = ThreadPoolExecutor;

// What became of all tasks.
struct Tally {
  std::atomic<int> ran{0};
  std::atomic<int> submitted{0};
  std::atomic<int> cancelled{0};
  std::atomic<int> refused{0};
};

class Chaos {
 public:
  // What one task does.
  struct Task {
    Pool& pool;
    Tally& tally;
    int depth;
    unsigned seed;

    void operator()() const {
      ++tally.ran;
      if (depth != 0 && seed % 4 == 0) Chaos(pool, tally, seed).act(static_cast<int>(seed / 4 % 12), depth - 1);
    }
  };

  Chaos(Pool& pool, Tally& tally, unsigned seed) : pool_(pool), tally_(tally), random_(seed) {}

  // So many random acts; `depth` more levels of tasks may come of them.
  void act(int acts, int depth) {
    std::vector<Future<int>> futures;
    for (; acts > 0; --acts) {
      switch (random_() % 8) {
        case 0:
        case 1:
        case 2:
          submit(futures, depth);
          break;
        case 3:
          post(depth);
          break;
        case 4:
          if (!futures.empty()) cancel(futures[random_() % futures.size()]);
          break;
        case 5:
          if (!futures.empty()) read(futures[random_() % futures.size()]);
          break;
        case 6:
          if (!futures.empty() && random_() % 4 == 0) nogil::wait(futures, FIRST_COMPLETED);
          break;
        default:
          if (random_() % 8 == 0) std::this_thread::sleep_for(std::chrono::microseconds(random_() % 200));
          else if (random_() % 8 == 0) for_each();
      }
    }
    // All that is left is waited for in one way or the other, or let go.
    switch (random_() % 4) {
      case 0:
        for (auto& future : futures) read(future);
        break;
      case 1:
        nogil::wait(futures);
        break;
      case 2:
        for (auto& future : as_completed(futures)) read(future);
        break;
      default:
        break;
    }
  }

 private:
  void submit(std::vector<Future<int>>& futures, int depth) {
    try {
      const bool throws = random_() % 16 == 0;
      futures.push_back(pool_.submit([this_task = task(depth), throws] {
        this_task();
        if (throws) throw std::runtime_error("on purpose");
        return 1;
      }));
      ++tally_.submitted;
    } catch (const RuntimeError&) {
      ++tally_.refused;
    }
  }

  Task task(int depth) { return {pool_, tally_, depth, random()}; }
  unsigned random() { return static_cast<unsigned>(random_()); }

  void post(int depth) {
    try {
      pool_.post(task(depth));
      ++tally_.submitted;
    } catch (const RuntimeError&) {
      ++tally_.refused;
    }
  }

  void cancel(Future<int>& future) {
    // Of several who cancel the same one, only one changes it: its owner here.
    if (!future.cancelled() && future.cancel()) ++tally_.cancelled;
  }

  static void read(Future<int>& future) {
    try {
      EXPECT_EQ(future.result(), 1);
    } catch (const CancelledError&) {
    } catch (const std::runtime_error& error) {
      EXPECT_EQ(std::string(error.what()), "on purpose");
    }
  }

  void for_each() {
    std::atomic<int> count{0};
    try {
      pool_.for_each(Count(0, 50), [&](int) { ++count; });
      EXPECT_EQ(count, 50);
    } catch (const RuntimeError&) {
    }
  }

  Pool& pool_;
  Tally& tally_;
  std::mt19937 random_;
};

class ChaosOf : public ::testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(Workers, ChaosOf, ::testing::Values(1, 2, 3, 16),
                         [](const auto& workers) { return "of_" + std::to_string(workers.param); });

TEST_P(ChaosOf, runs_each_task_once) {
  for (int round = 0; round < rounds(30); ++round) {
    Tally tally;
    {
      Pool pool(GetParam());
      Bunch outside(3, [&](int index) { Chaos(pool, tally, static_cast<unsigned>(round * 16 + index)).act(150, 3); });
      outside.join();
      pool.shutdown();
      EXPECT_EQ(pool.stats().queued, 0u);
    }
    ASSERT_EQ(tally.ran + tally.cancelled, tally.submitted) << "in round " << round;
  }
}

TEST_P(ChaosOf, comes_to_its_end_when_it_is_shut_down_in_the_middle) {
  for (int round = 0; round < rounds(60); ++round) {
    Tally tally;
    {
      Pool pool(GetParam());
      Bunch outside(2, [&](int index) { Chaos(pool, tally, static_cast<unsigned>(round * 16 + index)).act(200, 3); });
      std::this_thread::sleep_for(std::chrono::microseconds(round * 20));
      pool.shutdown();
      outside.join();
    }
    ASSERT_EQ(tally.ran + tally.cancelled, tally.submitted) << "in round " << round;
  }
}

TEST_P(ChaosOf, comes_to_its_end_when_what_is_queued_is_cancelled) {
  for (int round = 0; round < rounds(60); ++round) {
    Tally tally;
    {
      Pool pool(GetParam());
      Bunch outside(2, [&](int index) { Chaos(pool, tally, static_cast<unsigned>(round * 16 + index)).act(200, 3); });
      std::this_thread::sleep_for(std::chrono::microseconds(round * 20));
      pool.shutdown(true, true);
      outside.join();
    }
    ASSERT_LE(tally.ran + tally.cancelled, tally.submitted) << "in round " << round;
  }
}

TEST_P(ChaosOf, with_a_bounded_queue_runs_each_task_once) {
  for (int round = 0; round < rounds(30); ++round) {
    Tally tally;
    {
      Pool pool({.max_workers = GetParam(), .max_queue = 3});
      Bunch outside(3, [&](int index) { Chaos(pool, tally, static_cast<unsigned>(round * 16 + index)).act(100, 2); });
      outside.join();
    }
    ASSERT_EQ(tally.ran + tally.cancelled, tally.submitted) << "in round " << round;
  }
}

// Submits at random moments, so that workers are met searching, lying down, and asleep.
TEST_P(ChaosOf, loses_no_wake_up) {
  Pool pool(GetParam());
  std::mt19937 random(1);
  for (int i = 0; i < rounds(3000); ++i) {
    auto future = pool.submit([i] { return i; });
    ASSERT_TRUE(future.wait(kPatience));
    ASSERT_EQ(future.result(), i);
    const auto end = std::chrono::steady_clock::now() + std::chrono::nanoseconds(random() % 12'000);
    while (std::chrono::steady_clock::now() < end) {
    }
  }
}

}  // namespace
}  // namespace nogil::testing::chaos_test
