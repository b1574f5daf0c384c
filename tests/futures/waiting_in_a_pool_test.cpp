// Tests of tasks that wait for tasks of their own nogil::ThreadPoolExecutor.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "nogil/futures/as_completed.hpp"
#include "nogil/futures/thread_pool_executor.hpp"
#include "nogil/futures/wait.hpp"
#include "nogil/threading/event.hpp"
#include "nogil/threading/lock.hpp"
#include "nogil/threading/with.hpp"
#include "support/threads.hpp"

namespace nogil::testing::waiting_in_a_pool_test {
namespace {

using namespace std::chrono_literals;
using Pool = ThreadPoolExecutor;

int fib(Pool& pool, int n) {
  if (n < 2) return n;
  auto first = pool.submit(fib, std::ref(pool), n - 1);
  const int second = fib(pool, n - 2);
  return first.result() + second;
}

TEST(WaitingInAPool, comes_to_the_end_of_a_tree_of_tasks) {
  for (const std::size_t workers : {1u, 2u, 4u}) {
    Pool pool(workers);
    EXPECT_EQ(pool.submit(fib, std::ref(pool), kSanitized ? 14 : 20).result(), kSanitized ? 377 : 6765);
  }
}

int chain(Pool& pool, int length) {
  return length == 0 ? 0 : pool.submit(chain, std::ref(pool), length - 1).result() + 1;
}

TEST(WaitingInAPool, comes_to_the_end_of_a_chain_10000_deep) {
  for (const std::size_t workers : {1u, 3u}) {
    Pool pool(workers);
    EXPECT_EQ(pool.submit(chain, std::ref(pool), 10'000).result(), 10'000);
  }
}

int thick_chain(Pool& pool, int length) {
  volatile char room[64 * 1024];
  room[0] = 1;
  return length == 0 ? 0 : pool.submit(thick_chain, std::ref(pool), length - 1).result() + room[0];
}

TEST(WaitingInAPool, has_stack_for_all_that_waits) {
  Pool pool(1);
  EXPECT_EQ(pool.submit(thick_chain, std::ref(pool), 300).result(), 300);  // 19 MiB of it
}

TEST(WaitingInAPool, runs_the_awaited_task_and_no_other) {
  Pool pool(1);
  Lock lock;
  bool third_ran = false;
  Future<void> third;
  const int value = pool.submit([&] {
                          const std::scoped_lock guard(lock);
                          auto wanted = pool.submit([&] { return third_ran ? 0 : 5; });
                          // Would wait for ever for the lock, if it were run in this thread while it waits.
                          third = pool.submit([&] {
                            const std::scoped_lock inner(lock);
                            third_ran = true;
                          });
                          return wanted.result();
                        })
                        .result();
  EXPECT_EQ(value, 5);
  third.result();
  EXPECT_TRUE(third_ran);
}

TEST(WaitingInAPool, holds_its_lock_while_others_want_it) {
  for (const std::size_t workers : {1u, 2u, 4u}) {
    Pool pool(workers);
    Lock lock;
    int count = 0;
    std::vector<Future<void>> futures;
    for (int i = 0; i < rounds(200); ++i) {
      futures.push_back(pool.submit([&] {
        const std::scoped_lock guard(lock);
        count += pool.submit([] { return 1; }).result();
      }));
      futures.push_back(pool.submit([&] { with(lock, [&] { ++count; }); }));
    }
    for (auto& future : futures) ASSERT_TRUE(future.wait(kPatience));
    EXPECT_EQ(count, 2 * rounds(200));
  }
}

TEST(WaitingInAPool, runs_what_was_submitted_from_outside) {
  Pool pool(1);
  Event go;
  Future<int> later;
  auto waits = pool.submit([&] {
    go.wait();
    return later.result() + 1;
  });
  later = pool.submit([] { return 1; });
  go.set();
  EXPECT_EQ(waits.result(), 2);
}

TEST(WaitingInAPool, waits_for_what_another_worker_runs) {
  Event begun, go;
  Pool pool(2);
  auto slow = pool.submit([&] {
    begun.set();
    go.wait();
    return 3;
  });
  begun.wait();
  auto waits = pool.submit([&] { return slow.result(); });
  EXPECT_FALSE(waits.wait(2ms));
  go.set();
  EXPECT_EQ(waits.result(), 3);
}

TEST(WaitingInAPool, waits_for_a_continuation) {
  Pool pool(1);
  EXPECT_EQ(pool.submit([&] {
                  return pool.submit([] { return 20; })
                      .then([](int x) { return x + 1; })
                      .then([](int x) { return x * 2; })
                      .result();
                })
                .result(),
            42);
}

TEST(WaitingInAPool, waits_for_several) {
  Pool pool(1);
  EXPECT_EQ(pool.submit([&] {
                  std::vector<Future<int>> futures;
                  for (int i = 0; i < 10; ++i) futures.push_back(pool.submit([i] { return i; }));
                  int sum = 0;
                  for (auto& future : as_completed(futures)) sum += future.result();
                  EXPECT_TRUE(nogil::wait(futures).not_done.empty());
                  return sum;
                })
                .result(),
            45);
}

TEST(WaitingInAPool, may_give_up) {
  Event go, begun;
  Pool pool(2);
  auto slow = pool.submit([&] {
    begun.set();
    go.wait();
  });
  begun.wait();
  EXPECT_THROW(pool.submit([&] { slow.result(1ms); }).result(), TimeoutError);
  go.set();
}

TEST(WaitingInAPool, waits_for_a_task_of_another_pool) {
  Pool here(1), there(1);
  EXPECT_EQ(here.submit([&] { return there.submit([] { return 4; }).result(); }).result(), 4);
}

// ---- Rings -----------------------------------------------------------------------------------

TEST(WaitingInAPool, tells_a_task_that_waits_for_itself) {
  Pool pool(2);
  Event go;
  Future<void> self;
  self = pool.submit([&] {
    go.wait();
    EXPECT_THROW(self.result(), DeadlockError);
  });
  go.set();
  self.result();
}

TEST(WaitingInAPool, tells_one_of_two_tasks_that_wait_for_each_other) {
  for (const std::size_t workers : {1u, 2u, 3u}) {
    Pool pool(workers);
    Event go;
    Future<int> first, second;
    const auto wait_for = [&go](Future<int>& other) {
      go.wait();
      try {
        return other.result();
      } catch (const DeadlockError&) {
        return 100;
      }
    };
    first = pool.submit([&] { return wait_for(second) + 1; });
    second = pool.submit([&] { return wait_for(first) + 1; });
    go.set();
    ASSERT_TRUE(first.wait(kPatience));
    ASSERT_TRUE(second.wait(kPatience));
    EXPECT_EQ(first.result() + second.result(), 101 + 102);
  }
}

TEST(WaitingInAPool, tells_a_ring_of_five) {
  for (int round = 0; round < rounds(100); ++round) {
    constexpr std::size_t kTasks = 5;
    Pool pool(kTasks);
    Event go;
    std::atomic<int> told{0};
    std::vector<Future<void>> futures(kTasks);
    for (std::size_t i = 0; i < kTasks; ++i) {
      futures[i] = pool.submit([&, i] {
        go.wait();
        try {
          futures[(i + 1) % kTasks].result();
        } catch (const DeadlockError&) {
          ++told;
        }
      });
    }
    go.set();
    for (auto& future : futures) ASSERT_TRUE(future.wait(kPatience));
    ASSERT_EQ(told, 1);
  }
}

TEST(WaitingInAPool, tells_a_ring_through_several_pools) {
  for (int round = 0; round < rounds(50); ++round) {
    constexpr std::size_t kTasks = 3;
    Pool pools[] = {Pool(1), Pool(1), Pool(1)};
    Event go;
    std::atomic<int> told{0};
    Future<void> futures[kTasks];
    for (std::size_t i = 0; i < kTasks; ++i) {
      futures[i] = pools[i].submit([&, i] {
        go.wait();
        try {
          futures[(i + 1) % kTasks].result();
        } catch (const DeadlockError&) {
          ++told;
        }
      });
    }
    go.set();
    for (auto& future : futures) ASSERT_TRUE(future.wait(kPatience));
    ASSERT_EQ(told, 1);
  }
}

TEST(WaitingInAPool, does_not_take_a_crowd_for_a_ring) {
  Pool pool(4);
  for (int round = 0; round < rounds(200); ++round) {
    auto root = pool.submit([] { return 1; });
    std::vector<Future<int>> futures;
    for (int i = 0; i < 8; ++i) {
      futures.push_back(pool.submit([&pool, root] { return pool.submit([root] { return root.result(); }).result(); }));
    }
    for (auto& future : futures) ASSERT_EQ(future.result(), 1);
  }
}

}  // namespace
}  // namespace nogil::testing::waiting_in_a_pool_test
