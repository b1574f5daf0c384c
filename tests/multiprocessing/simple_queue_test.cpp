// Tests of nogil::mp::SimpleQueue; what it shares with Queue is tested in queue_test.cpp. Cases
// of CPython's TestSimpleQueue are among them.

#include "nogil/multiprocessing/simple_queue.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "multiprocessing/support/processes.hpp"
#include "nogil/multiprocessing/event.hpp"

namespace nogil::testing::simple_queue_test {
namespace {

using mp::SimpleQueue;

using AnySimpleQueue = UnderEveryStartMethod;
NOGIL_UNDER_EVERY_START_METHOD(AnySimpleQueue);

TEST_P(AnySimpleQueue, is_empty_until_a_process_has_put_something) {
  SimpleQueue<std::pair<bool, bool>> queue;
  mp::Event child_can_start;
  mp::Event parent_can_continue;
  Process worker = process(
      [](SimpleQueue<std::pair<bool, bool>> same, mp::Event start, mp::Event goes_on) {
        start.wait();
        const bool before = same.empty();
        same.put({before, false});
        same.put({true, same.empty()});
        goes_on.set();
      },
      queue, child_can_start, parent_can_continue);
  worker.start();
  EXPECT_TRUE(queue.empty());
  child_can_start.set();
  parent_can_continue.wait();
  EXPECT_EQ(queue.qsize(), 2u);
  EXPECT_EQ(queue.get(), (std::pair{true, false}));
  EXPECT_EQ(queue.get(), (std::pair{true, false}));
  EXPECT_TRUE(queue.empty());
  worker.join();
}

TEST(MpSimpleQueue, never_waits_for_room) {
  SimpleQueue<std::string> queue;
  for (int i = 0; i < 50; ++i) queue.put(std::string(100'000, 'x'));
  for (int i = 0; i < 50; ++i) EXPECT_EQ(queue.try_get()->size(), 100'000u);
  EXPECT_THROW(queue.get_nowait(), Empty);
  EXPECT_THROW(queue.get(1ms), Empty);
  EXPECT_EQ(queue.try_get(1ms), std::nullopt);
}

TEST(MpSimpleQueue, refuses_everything_when_its_handle_was_closed) {
  SimpleQueue<int> queue;
  queue.close();
  EXPECT_THROW(queue.put(1), ValueError);
  EXPECT_THROW(queue.get(), ValueError);
}

}  // namespace
}  // namespace nogil::testing::simple_queue_test
