// What processes tell each other through under the model checker: multiprocessing's Ring and
// Bell.

#include <gtest/gtest.h>

#include <cstdint>

#include "check.hpp"
#include "model.hpp"
#include "mutants.hpp"
#include "nogil/multiprocessing/detail/ring.hpp"
#include "waits.hpp"

namespace {

using namespace nogil::model;
using nogil::multiprocessing::detail::Bell;
using nogil::multiprocessing::detail::Ring;
using nogil::platform::BasicWait;

// ---- Ring ------------------------------------------------------------------------------

template <class P>
struct Line {
  Ring<P, Plain<int>, 2> ring;
  Bell<P> filled;
  Bell<P> emptied;

  void put(int value) {
    for (;;) {
      const std::uint32_t seen = emptied.look();
      if (ring.has_room()) break;
      BasicWait<P> forever;
      emptied.wait(seen, forever);
    }
    ring.next() = value;
    ring.push();
    filled.ring();
  }

  int take() {
    for (;;) {
      const std::uint32_t seen = filled.look();
      if (!ring.empty()) break;
      BasicWait<P> forever;
      filled.wait(seen, forever);
    }
    const int value = ring.first();
    ring.pop();
    emptied.ring();
    return value;
  }
};

template <class P>
void pass_on(int count) {
  Line<P> line;
  together(
      [&] {
        for (int i = 1; i <= count; ++i) line.put(i);
      },
      [&] {
        for (int i = 1; i <= count; ++i) require(line.take() == i, "another slot than the next");
      });
  require(line.ring.empty(), "a slot is left");
}

TEST(ModelRing, brings_whole_slots_in_order) {
  EXPECT_TRUE(holds([] { pass_on<Platform>(2); }));
  EXPECT_TRUE(holds([] { pass_on<Platform>(4); })) << "its slots are used again";
}

TEST(ModelRing, needs_each_part_of_its_protocol) {
  EXPECT_TRUE(fails("data race", [] { pass_on<WithoutRelease>(4); }));
  EXPECT_TRUE(fails("data race", [] { pass_on<WithoutAcquire>(4); }));
  EXPECT_TRUE(fails("deadlock", [] { pass_on<WithoutWake>(2); }));
  EXPECT_TRUE(fails("deadlock", [] { pass_on<BlindSleep>(2); }));
}

// ---- Bell ------------------------------------------------------------------------------

// Two who wait, and two who ring after they have done their part.
template <class P>
void ring_for_two() {
  Bell<P> bell;
  Atomic<std::uint32_t> done;
  const auto wait_for_both = [&] {
    for (;;) {
      const std::uint32_t seen = bell.look();
      if (done.load(std::memory_order_relaxed) == 2) return;
      BasicWait<P> forever;
      bell.wait(seen, forever);
    }
  };
  const auto part = [&] {
    done.fetch_add(1, std::memory_order_relaxed);
    bell.ring();
  };
  together(wait_for_both, wait_for_both, part, part);
}

TEST(ModelBell, is_heard_by_all_who_sleep_for_it) {
  EXPECT_TRUE(holds(ring_for_two<Platform>));
  EXPECT_TRUE(fails("deadlock", ring_for_two<WithoutWake>));
  EXPECT_TRUE(fails("deadlock", ring_for_two<WakingOne>));
}

// It looks for sleepers, and only then changes the word.
template <class T>
struct LooksForSleepersFirst : nogil::model::Atomic<T> {
  using nogil::model::Atomic<T>::Atomic;
  T fetch_add(T n, std::memory_order) noexcept {
    return nogil::model::Atomic<T>::fetch_add(n, std::memory_order_relaxed);
  }
  T load(std::memory_order order) const noexcept {
    return nogil::model::Atomic<T>::load(order == std::memory_order_seq_cst ? std::memory_order_relaxed : order);
  }
};

TEST(ModelBell, needs_its_order) {
  EXPECT_TRUE(fails("deadlock", ring_for_two<PlatformOf<LooksForSleepersFirst>>));
}

// The one who rings dies between the word and the wake-up; who sees him dead makes up for it.
template <class P>
void die_while_ringing(bool made_up_for) {
  Bell<P> bell;
  Atomic<std::uint32_t> done;
  together(
      [&] {
        for (;;) {
          const std::uint32_t seen = bell.look();
          if (done.load(std::memory_order_acquire) != 0) return;
          BasicWait<P> forever;
          bell.wait(seen, forever);
        }
      },
      [&] {
        done.store(1, std::memory_order_release);  // and dies before it rings
        if (made_up_for) bell.wake_all();          // by who has seen it
      });
}

TEST(ModelBell, is_rung_by_whoever_sees_the_ringer_dead) {
  EXPECT_TRUE(holds([] { die_while_ringing<Platform>(true); }));
  EXPECT_TRUE(fails("deadlock", [] { die_while_ringing<Platform>(false); }));
}

}  // namespace
