// Tests of detail/ring.hpp: slots from one writer to one reader.

#include "nogil/multiprocessing/detail/ring.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <thread>

#include "nogil/platform/event_count.hpp"
#include "nogil/platform/native.hpp"
#include "support/threads.hpp"

namespace nogil::testing::ring_test {
namespace {

struct Slot {
  std::uint64_t number;
  std::uint64_t twice;
};
using Ring = multiprocessing::detail::Ring<platform::Native, Slot, 4>;

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

TEST(RingTest, has_room_again_when_the_reader_has_gone_on) {
  Ring ring;
  for (std::uint64_t i = 0; i < 4; ++i) ring.push();
  for (std::uint64_t i = 0; i < 9; ++i) {
    ASSERT_FALSE(ring.has_room());
    ring.pop();
    ASSERT_TRUE(ring.has_room());
    ring.push();
  }
}

TEST(RingTest, brings_whole_slots_to_another_thread) {
  Ring ring;
  platform::EventCount filled;
  platform::EventCount emptied;
  const auto await = [](platform::EventCount& count, auto ready) {
    while (!ready()) {
      const auto key = count.prepare();
      platform::Wait forever;
      if (ready()) count.cancel(key);
      else count.wait(key, forever);
    }
  };
  const auto count = static_cast<std::uint64_t>(rounds(50'000));
  Bunch writer(1, [&] {
    for (std::uint64_t i = 0; i < count; ++i) {
      await(emptied, [&] { return ring.has_room(); });
      ring.next() = {i, 2 * i};
      ring.push();
      filled.notify(1);
    }
  });
  for (std::uint64_t i = 0; i < count; ++i) {
    await(filled, [&] { return !ring.empty(); });
    ASSERT_EQ(ring.first().number, i);
    ASSERT_EQ(ring.first().twice, 2 * i);
    ring.pop();
    emptied.notify(1);
  }
}

}  // namespace
}  // namespace nogil::testing::ring_test
