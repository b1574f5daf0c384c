// Tests of nogil::LifoQueue: what only it does. See any_queue_test.cpp.

#include "nogil/queue/lifo_queue.hpp"

#include <gtest/gtest.h>

#include <iterator>
#include <vector>

#include "queue/support/doors.hpp"
#include "support/wait_suite.hpp"

namespace nogil::testing::lifo_queue_test {

using LifoDoors = ::testing::Types<GetDoor<LifoQueue<int>>, PutDoor<LifoQueue<int>>>;
NOGIL_WAIT_SUITE(LifoQueue, TimedWait, LifoDoors);
NOGIL_WAIT_SUITE(LifoQueue, StoppableWait, LifoDoors);
NOGIL_WAIT_SUITE(LifoQueue, TimedStoppableWait, LifoDoors);
NOGIL_WAIT_SUITE(LifoQueue, WaitForWhatIsFree, LifoDoors);

namespace {

TEST(LifoQueue, gives_the_newest_first) {
  LifoQueue<int> queue;
  queue.put(1);
  queue.put(2);
  EXPECT_EQ(queue.get(), 2);
  queue.put_many(std::vector{3, 4});
  EXPECT_EQ(queue.get(), 4);
  std::vector<int> rest;
  queue.get_many(std::back_inserter(rest), 9);
  EXPECT_EQ(rest, (std::vector{3, 1}));
}

}  // namespace
}  // namespace nogil::testing::lifo_queue_test
