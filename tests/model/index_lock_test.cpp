// The lock that is also a count, under the model checker: detail::IndexLock, and the wait
// beside it, detail::wait_until().

#include "nogil/queue/detail/index_lock.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>

#include "check.hpp"
#include "model.hpp"
#include "mutants.hpp"
#include "queues.hpp"
#include "race.hpp"
#include "waits.hpp"

namespace {

using namespace nogil::model;
using nogil::detail::IndexLock;

template <class P>
void take_turns(int threads, int rounds) {
  IndexLock<P> lock;
  Plain<int> turns = 0;
  const auto use = [&] {
    for (int i = 0; i < rounds; ++i) {
      const std::uint64_t count = lock.lock();
      require(count == static_cast<std::uint64_t>(turns), "the count is another's");
      turns = turns + 1;
      move_on<P>(lock, count, count + 1);
    }
  };
  if (threads == 2) together(use, use);
  else together(use, use, use);
  require(turns == threads * rounds && lock.count() == static_cast<std::uint64_t>(turns), "a turn was lost");
}

TEST(ModelIndexLock, lets_in_one_at_a_time) {
  EXPECT_TRUE(holds([] { take_turns<Platform>(2, 1); }, {.bounds = {.deviations = 6}}));
  EXPECT_TRUE(holds([] { take_turns<Platform>(2, 2); }));
  EXPECT_TRUE(holds([] { take_turns<Platform>(3, 1); }));
}

TEST(ModelIndexLock, needs_each_part_of_its_protocol) {
  EXPECT_TRUE(fails("data race", [] { take_turns<WithoutRelease>(2, 1); }));
  EXPECT_TRUE(fails("data race", [] { take_turns<WithoutAcquire>(2, 1); }));
  EXPECT_TRUE(fails("deadlock", [] { take_turns<NeverLooksAgain>(2, 1); }))
      << "the holder has looked for sleepers already";
}

// The sleepers' wake-ups are there for speed: who sleeps for the lock looks again soon.
TEST(ModelIndexLock, is_taken_in_the_end_without_a_wake_up) {
  EXPECT_TRUE(holds([] { take_turns<WithoutWake>(2, 2); }));
}

template <class P>
void look_without_the_lock() {
  IndexLock<P> lock;
  Plain<int> data = 0;
  together(
      [&] {
        const std::uint64_t count = lock.lock();
        data = 1;
        move_on<P>(lock, count, count + 1);
      },
      [&] {
        const auto view = lock.view();
        require(!(view.held && view.count != 0), "shown before it was given back");
        if (view.count == 1) require(data == 1, "the count came first");
      });
}

TEST(ModelIndexLock, shows_with_the_count_what_was_done_before_it) {
  EXPECT_TRUE(holds(look_without_the_lock<Platform>, {.bounds = {.deviations = 6}}));
  EXPECT_TRUE(fails("data race", look_without_the_lock<WithoutRelease>));
  EXPECT_TRUE(fails("data race", look_without_the_lock<WithoutAcquire>));
}

template <class P>
void destroy_when_it_has_moved_on() {
  std::optional<IndexLock<P>> lock(std::in_place);
  together(
      [raw = &*lock] {
        const std::uint64_t count = raw->lock();
        move_on<P>(*raw, count, count + 1);
      },
      [&] {
        while (lock->count() == 0) P::yield();
        lock.reset();
      });
}

TEST(ModelIndexLock, may_be_destroyed_by_who_sees_the_new_count) {
  EXPECT_TRUE(holds(destroy_when_it_has_moved_on<Platform>, {.bounds = {.deviations = 6}}));
  EXPECT_TRUE(fails("nothing makes sure", destroy_when_it_has_moved_on<WithoutRelease>));
  EXPECT_TRUE(fails("nothing makes sure", destroy_when_it_has_moved_on<PlatformOf<LooksAfterUnlocking>>));
}

// ---- wait_until ----------------------------------------------------------------------------

template <class P>
using Race = RaceFor<P, IndexLock<P>>;

template <class P>
void wait_for_one() {
  Race<P> race;
  together([&] { race.wait_for(1); }, [&] { race.move(); });
}

TEST(ModelWaitUntil, misses_no_change) {
  EXPECT_TRUE(holds(wait_for_one<Platform>, {.bounds = {.deviations = 6}}));
  EXPECT_TRUE(holds([] {
    Race<Platform> race;
    together([&] { race.wait_for(2); }, [&] { race.move(); }, [&] { race.move(); });
  }));
  EXPECT_TRUE(holds([] {
    Race<Platform> race;
    together([&] { race.wait_for(1); }, [&] { race.wait_for(2); },
             [&] {
               race.move();
               race.move();
             });
  }));
}

TEST(ModelWaitUntil, needs_each_part_of_its_protocol) {
  EXPECT_TRUE(fails("deadlock", wait_for_one<WithoutHeavyFence>));
  EXPECT_TRUE(fails("deadlock", wait_for_one<FenceOnOneSide>));
  EXPECT_TRUE(fails("deadlock", wait_for_one<NeverLooksAgain>));
  EXPECT_TRUE(fails("deadlock", wait_for_one<WithoutWake>));
  EXPECT_TRUE(fails("deadlock", wait_for_one<BlindSleep>));
}

TEST(ModelWaitUntil, gives_up_without_taking_a_wake_up_along) {
  EXPECT_TRUE(holds([] {
    Race<Platform> race;
    together([&] { race.wait_for(1, for_some_time()); }, [&] { race.wait_for(1); }, [&] { race.move(); });
  }));
  EXPECT_TRUE(holds([] {
    Race<Platform> race;
    require(!race.wait_for(1, not_at_all()), "nobody has moved it");
  }));
}

}  // namespace
