// Tests of nogil::mp::Event, under every start method.

#include "nogil/multiprocessing/event.hpp"

#include <gtest/gtest.h>

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
