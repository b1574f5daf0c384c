// Tests of nogil::mp::RLock; what it shares with Lock is tested in lock_test.cpp.

#include "nogil/multiprocessing/rlock.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <thread>

#include "multiprocessing/support/processes.hpp"

namespace nogil::testing::rlock_test {
namespace {

TEST(MpRLock, is_free_again_when_the_thread_that_held_it_has_ended) {
  mp::RLock lock;
  std::thread([&] { lock.acquire(); }).join();
  EXPECT_THROW(lock.acquire(), OwnerDied);
  EXPECT_TRUE(lock.acquire());
  lock.release();
}

TEST(MpRLock, counts_its_levels) {
  mp::RLock lock;
  for (std::size_t level = 1; level <= 3; ++level) {
    lock.acquire();
    EXPECT_EQ(lock.recursion_count(), level);
  }
  for (int level = 3; level > 0; --level) {
    EXPECT_TRUE(lock.is_owned());
    lock.release();
  }
  EXPECT_FALSE(lock.is_owned());
  EXPECT_THROW(lock.release(), RuntimeError);
}

}  // namespace
}  // namespace nogil::testing::rlock_test
