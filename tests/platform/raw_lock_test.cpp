// Tests of RawLock, the lock of the library's own tables.

#include "nogil/platform/raw_lock.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <type_traits>

#include "support/threads.hpp"

namespace nogil::testing::raw_lock_test {
namespace {

using platform::RawGuard;
using platform::RawLock;

static_assert(sizeof(RawLock) == 4);
static_assert(std::is_trivially_destructible_v<RawLock>, "it must outlive main()");
static_assert(!std::is_copy_constructible_v<RawGuard>);

constinit RawLock g_lock;

TEST(RawLockTest, keeps_the_others_out_and_publishes_their_writes) {
  int plain = 0;
  Bunch users(8, [&](int index) {
    for (int i = 0; i < rounds(5000); ++i) {
      const RawGuard guard(g_lock);
      ++plain;
      if ((index + i) % 256 == 0) std::this_thread::yield();
    }
  });
  users.join();
  EXPECT_EQ(plain, 8 * rounds(5000));
}

TEST(RawLockTest, wakes_each_of_its_sleepers) {
  RawLock lock;
  lock.lock();
  int plain = 0;
  const auto take = [&] {
    const RawGuard guard(lock);
    return ++plain;
  };
  Call a(take), b(take), c(take);
  ASSERT_TRUE(falls_asleep(a, b, c));
  lock.unlock();
  EXPECT_EQ(a.result() + b.result() + c.result(), 6);
}

TEST(RawLockTest, may_be_destroyed_by_the_thread_it_let_through) {
  for (int round = 0; round < rounds(1000); ++round) {
    auto lock = std::make_unique<RawLock>();
    lock->lock();
    Bunch releaser(1, [raw = lock.get()] { raw->unlock(); });
    lock->lock();
    lock->unlock();
    lock.reset();
  }
}

TEST(RawLockTest, is_free_after_a_fork_whoever_held_it) {
  RawLock lock;
  lock.lock();
  lock.reset_after_fork();
  lock.lock();
  lock.unlock();
}

}  // namespace
}  // namespace nogil::testing::raw_lock_test
