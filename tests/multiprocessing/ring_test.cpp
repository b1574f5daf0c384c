// Tests of detail/ring.hpp: slots from one writer to one reader, and the bell.

#include "nogil/multiprocessing/detail/ring.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <thread>

#include "nogil/platform/native.hpp"
#include "support/threads.hpp"

namespace nogil::testing {
namespace {

struct Slot {
  std::uint64_t number;
  std::uint64_t twice;
};
using Ring = multiprocessing::detail::Ring<platform::Native, Slot, 4>;
using Bell = multiprocessing::detail::Bell<platform::Native>;

TEST(RingTest, holds_as_many_slots_as_it_has_in_order) {
  Ring ring;
  EXPECT_TRUE(ring.empty());
  for (std::uint64_t round = 0; round < 3; ++round) {
    for (std::uint64_t i = 0; i < 4; ++i) {
      ASSERT_TRUE(ring.has_room());
      ring.next() = {i, 2 * i};
      ring.push();
    }
    EXPECT_FALSE(ring.has_room());
    for (std::uint64_t i = 0; i < 4; ++i) {
      ASSERT_FALSE(ring.empty());
      EXPECT_EQ(ring.first().number, i);
      ring.pop();
    }
    EXPECT_TRUE(ring.empty());
  }
}

TEST(RingTest, brings_whole_slots_to_another_thread) {
  Ring ring;
  Bell filled;
  Bell emptied;
  const auto count = static_cast<std::uint64_t>(rounds(50'000));
  Bunch writer(1, [&] {
    for (std::uint64_t i = 0; i < count; ++i) {
      for (std::uint32_t seen = emptied.look(); !ring.has_room(); seen = emptied.look()) {
        platform::Wait forever;
        if (!ring.has_room()) emptied.wait(seen, forever);
      }
      ring.next() = {i, 2 * i};
      ring.push();
      filled.ring();
    }
  });
  for (std::uint64_t i = 0; i < count; ++i) {
    for (std::uint32_t seen = filled.look(); ring.empty(); seen = filled.look()) {
      platform::Wait forever;
      if (ring.empty()) filled.wait(seen, forever);
    }
    ASSERT_EQ(ring.first().number, i);
    ASSERT_EQ(ring.first().twice, 2 * i);
    ring.pop();
    emptied.ring();
  }
}

TEST(BellTest, wakes_who_sleeps_for_it) {
  Bell bell;
  for (int round = 0; round < 3; ++round) {
    const std::uint32_t seen = bell.look();
    Call waiter([&] {
      platform::Wait forever;
      bell.wait(seen, forever);
    });
    ASSERT_TRUE(falls_asleep(waiter));
    if (round == 2) bell.wake_all();
    else bell.ring();
    waiter.result();
  }
}

TEST(BellTest, lets_nobody_sleep_who_looked_before_it_was_rung) {
  Bell bell;
  const std::uint32_t seen = bell.look();
  bell.ring();
  platform::Wait forever;
  bell.wait(seen, forever);
}

TEST(BellTest, is_waited_for_no_longer_than_the_limit) {
  Bell bell;
  platform::Wait wait(std::chrono::milliseconds(5));
  bell.wait(bell.look(), wait);
  EXPECT_TRUE(wait.over());
}

}  // namespace
}  // namespace nogil::testing
