// Tests of nogil::mp::JoinableQueue; what it shares with Queue is tested in queue_test.cpp.

#include "nogil/multiprocessing/joinable_queue.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <vector>

#include "multiprocessing/support/processes.hpp"

namespace nogil::testing::joinable_queue_test {
namespace {

using mp::JoinableQueue;

using AnyJoinableQueue = UnderEveryStartMethod;
NOGIL_UNDER_EVERY_START_METHOD(AnyJoinableQueue);

TEST_P(AnyJoinableQueue, lets_join_through_when_all_is_done) {
  JoinableQueue<int> queue;
  std::vector<Process> workers;
  for (int i = 0; i < 3; ++i) {
    workers.push_back(process(
        [](JoinableQueue<int> jobs) {
          for (const int job : jobs) {
            ::usleep(static_cast<::useconds_t>(job));
            jobs.task_done();
          }
        },
        queue));
    workers.back().start();
  }
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 10; ++i) queue.put(100);
    EXPECT_TRUE(queue.join(kPatience));
    EXPECT_EQ(queue.unfinished_tasks(), 0u);
    EXPECT_TRUE(queue.empty());
  }
  queue.shutdown();
  for (Process& worker : workers) {
    EXPECT_TRUE(worker.join(kPatience));
    EXPECT_EQ(worker.exitcode(), 0);
  }
}

TEST(MpJoinableQueue, waits_for_what_is_not_done_no_longer_than_the_limit) {
  JoinableQueue<int> queue;
  EXPECT_TRUE(queue.join());
  queue.put(1);
  queue.put(2);
  EXPECT_EQ(queue.unfinished_tasks(), 2u);
  EXPECT_FALSE(queue.join(0s));
  EXPECT_FALSE(queue.join(2ms));
  EXPECT_FALSE(queue.join(stopped_token()));
  Call joiner([&] { return queue.join(); });
  ASSERT_TRUE(falls_asleep(joiner));
  queue.get();
  queue.task_done();
  EXPECT_TRUE(falls_asleep(joiner));
  queue.task_done();
  EXPECT_TRUE(joiner.result());
}

TEST(MpJoinableQueue, refuses_to_be_done_more_often_than_was_put) {
  JoinableQueue<int> queue(1);
  EXPECT_THROW(queue.task_done(), ValueError);
  queue.put(1);
  queue.task_done();
  EXPECT_THROW(queue.task_done(), ValueError);
}

TEST(MpJoinableQueue, refuses_everything_when_its_handle_was_closed) {
  JoinableQueue<int> queue;
  JoinableQueue<int> copy = queue;
  queue.put(1);
  queue.close();
  queue.join_thread();
  EXPECT_THROW(queue.put(2), ValueError);
  EXPECT_THROW(queue.get(), ValueError);
  EXPECT_THROW(queue.task_done(), ValueError);
  EXPECT_THROW(queue.join(), ValueError);
  EXPECT_THROW(static_cast<void>(queue.unfinished_tasks()), ValueError);
  EXPECT_EQ(copy.get(), 1);
  copy.task_done();
  EXPECT_TRUE(copy.join());
}

TEST(MpJoinableQueue, counts_what_an_immediate_shutdown_drops_as_done) {
  JoinableQueue<int> queue;
  for (int i = 0; i < 3; ++i) queue.put(i);
  queue.get();
  queue.shutdown(true);
  EXPECT_EQ(queue.unfinished_tasks(), 1u);
  EXPECT_FALSE(queue.join(1ms));
  queue.task_done();
  EXPECT_TRUE(queue.join());
}

}  // namespace
}  // namespace nogil::testing::joinable_queue_test
