// Tests of nogil::mp::Semaphore and BoundedSemaphore, under every start method.

#include "nogil/multiprocessing/semaphore.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

#include "multiprocessing/support/processes.hpp"

namespace nogil::testing::semaphore_test {
namespace {

using AnySemaphore = UnderEveryStartMethod;
NOGIL_UNDER_EVERY_START_METHOD(AnySemaphore);

TEST_P(AnySemaphore, hands_permits_from_process_to_process) {
  mp::Semaphore work(0);
  mp::Semaphore done(0);
  Process worker = process(
      [](mp::Semaphore take, mp::Semaphore give) {
        for (int i = 0; i < 100; ++i) {
          take.acquire();
          give.release();
        }
      },
      work, done);
  worker.start();
  for (int i = 0; i < 100; ++i) {
    work.release();
    ASSERT_TRUE(done.acquire(kPatience));
  }
  worker.join();
  mp::BoundedSemaphore bounded(1);
  EXPECT_THROW(bounded.release(), ValueError);
  EXPECT_EQ(exitcode(
                [](mp::BoundedSemaphore same) {
                  try {
                    same.release();
                  } catch (const ValueError&) {
                    std::_Exit(7);
                  }
                },
                bounded),
            7);
  EXPECT_THROW(mp::Semaphore(-1), ValueError);
}

TEST(MpSemaphore, counts_its_permits) {
  mp::Semaphore semaphore(2);
  EXPECT_EQ(semaphore.value(), 2);
  EXPECT_TRUE(semaphore.try_acquire());
  EXPECT_TRUE(semaphore.acquire(0s));
  EXPECT_FALSE(semaphore.try_acquire());
  EXPECT_FALSE(semaphore.acquire(1ms));
  EXPECT_FALSE(semaphore.acquire(stopped_token()));
  semaphore.release(3);
  EXPECT_EQ(semaphore.value(), 3);
  EXPECT_THROW(semaphore.release(0), ValueError);
  EXPECT_THROW(semaphore.release(mp::Semaphore::max_value()), ValueError);
  EXPECT_EQ(semaphore.value(), 3);
}

}  // namespace
}  // namespace nogil::testing::semaphore_test
