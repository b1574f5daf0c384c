// Tests of nogil::mp::Event, under every start method.

#include "nogil/multiprocessing/event.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <vector>

#include "multiprocessing/support/processes.hpp"
#include "nogil/multiprocessing/value.hpp"

namespace nogil::testing::event_test {
namespace {

using mp::Value;

using AnyEvent = UnderEveryStartMethod;
NOGIL_UNDER_EVERY_START_METHOD(AnyEvent);

TEST_P(AnyEvent, wakes_a_process_that_waits) {
  mp::Event event;
  Value<int> seen(0);
  Process worker = process(
      [](mp::Event door, Value<int> to) {
        to.set(1);
        to.set(door.wait() ? 2 : 3);
      },
      event, seen);
  worker.start();
  ASSERT_TRUE(eventually([&] { return seen.get() == 1; }));
  EXPECT_FALSE(worker.join(5ms));
  event.set();
  worker.join();
  EXPECT_EQ(seen.get(), 2);
}

TEST_P(AnyEvent, lets_all_processes_through_that_waited_although_it_is_cleared_at_once) {
  mp::Event event;
  Value<int> waiting(0);
  std::vector<Process> workers;
  for (int i = 0; i < 3; ++i) {
    workers.push_back(process(
        [](mp::Event door, Value<int> count) {
          count.with_lock([](int& n) { ++n; });
          if (!door.wait(kPatience)) std::_Exit(2);
        },
        event, waiting));
    workers.back().start();
  }
  ASSERT_TRUE(eventually([&] { return waiting.get() == 3; }));
  for (Process& one : workers) EXPECT_FALSE(one.join(20ms));  // asleep by now
  event.set();
  event.clear();
  for (Process& one : workers) {
    EXPECT_TRUE(one.join(kPatience));
    EXPECT_EQ(one.exitcode(), 0);
  }
}

TEST(MpEvent, is_set_until_it_is_cleared) {
  mp::Event event;
  EXPECT_FALSE(event.is_set());
  EXPECT_FALSE(event.wait(1ms));
  EXPECT_FALSE(event.wait(stopped_token()));
  event.set();
  const mp::Event copy = event;
  EXPECT_TRUE(copy.is_set());
  EXPECT_TRUE(event.wait());
  EXPECT_TRUE(event.wait(0s));
  event.clear();
  EXPECT_FALSE(copy.is_set());
}

}  // namespace
}  // namespace nogil::testing::event_test
