// Tests of nogil::SimpleQueue: what only it does, and what it does not have. The scenarios of
// CPython's BaseSimpleQueueTest are in any_queue_test.cpp.

#include "nogil/queue/simple_queue.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <type_traits>

#include "queue/support/doors.hpp"
#include "support/threads.hpp"
#include "support/wait_suite.hpp"

namespace nogil::testing::simple_queue_test {

NOGIL_WAIT_SUITE(SimpleQueue, TimedWait, GetDoor<SimpleQueue<int>>);
NOGIL_WAIT_SUITE(SimpleQueue, StoppableWait, GetDoor<SimpleQueue<int>>);

template <class Q>
concept HasExtras = requires(Q& queue) {
  queue.task_done();
}
|| requires(Q& queue) {
  queue.join();
}
|| requires(Q& queue) {
  queue.shutdown();
}
|| requires(Q& queue) {
  queue.full();
}
|| requires(Q& queue) {
  queue.set_maxsize(1);
};
static_assert(!HasExtras<SimpleQueue<int>>, "as in Python");
static_assert(!std::is_constructible_v<SimpleQueue<int>, int>);
static_assert(!std::is_copy_constructible_v<SimpleQueue<int>>);

namespace {

TEST(SimpleQueue, gives_the_oldest_first) {
  SimpleQueue<std::unique_ptr<int>> queue;
  queue.put(std::make_unique<int>(1));
  queue.put_nowait(std::make_unique<int>(2));
  EXPECT_EQ(*queue.get(), 1);
  EXPECT_EQ(*queue.get(), 2);
}

TEST(SimpleQueue, keeps_the_order_between_a_producer_and_a_consumer) {
  SimpleQueue<int> queue;
  const int count = rounds(50'000);
  Bunch producer(1, [&] {
    for (int i = 0; i < count; ++i) queue.put(i);
  });
  for (int i = 0; i < count; ++i) ASSERT_EQ(queue.get(), i);
}

}  // namespace
}  // namespace nogil::testing::simple_queue_test
