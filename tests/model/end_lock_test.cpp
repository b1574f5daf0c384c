// The lock of one end of a queue, under the model checker: detail::EndLock, its owner, and
// the wait beside it, detail::wait_until().

#include "nogil/queue/detail/end_lock.hpp"

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

struct Nothing {};

// Whoever has two turns without another between is its owner in the third.
template <class P>
using EndLock = nogil::detail::EndLock<P, Nothing, 1>;

// Turns of each of two or three threads; `step` elements go through the end in each.
template <class P>
void take_turns(int first, int second, int third = 0, std::uint64_t step = 1) {
  EndLock<P> lock;
  Plain<int> turns = 0;
  const auto use = [&](int rounds) {
    for (; rounds > 0; --rounds) {
      const std::uint64_t count = lock.lock();
      require(count == static_cast<std::uint64_t>(turns) * step, "the count is another's");
      turns = turns + 1;
      move_on<P>(lock, count, count + step);
    }
  };
  if (third == 0) together([&] { use(first); }, [&] { use(second); });
  else together([&] { use(first); }, [&] { use(second); }, [&] { use(third); });
  require(turns == first + second + third, "a turn was lost");
  require(lock.count() == static_cast<std::uint64_t>(turns) * step && !lock.is_held(), "it is not given back");
}

TEST(ModelEndLock, lets_in_one_at_a_time) {
  EXPECT_TRUE(holds([] { take_turns<Platform>(1, 1); }, {.bounds = {.deviations = 6}}));
  EXPECT_TRUE(holds([] { take_turns<Platform>(2, 2); }));
  EXPECT_TRUE(holds([] { take_turns<Platform>(1, 1, 1); }));
}

TEST(ModelEndLock, can_be_taken_from_its_owner) {
  EXPECT_TRUE(holds([] { take_turns<Platform>(3, 1); }, {.bounds = {.deviations = 5}}));
  EXPECT_TRUE(holds([] { take_turns<Platform>(4, 2); }));
  EXPECT_TRUE(holds([] { take_turns<Platform>(4, 1, 1); }));
  EXPECT_TRUE(holds([] { take_turns<Platform>(3, 1, 0, 2); }));
  EXPECT_TRUE(holds([] { take_turns<Platform>(3, 3); }));
}

TEST(ModelEndLock, needs_each_part_of_its_protocol) {
  EXPECT_TRUE(fails("data race", [] { take_turns<WithoutRelease>(1, 1); }));
  EXPECT_TRUE(fails("data race", [] { take_turns<WithoutAcquire>(1, 1); }));
  EXPECT_TRUE(fails("deadlock", [] { take_turns<NeverLooksAgain>(1, 1); }))
      << "the holder has looked for sleepers already";
}

TEST(ModelEndLock, needs_each_part_of_its_protocol_with_an_owner) {
  EXPECT_TRUE(fails("data race", [] { take_turns<WithoutHeavyFence>(3, 1); }));
  EXPECT_TRUE(fails("data race", [] { take_turns<FenceOnOneSide>(3, 1); }));
}

// As a put whose element throws: the lock is given back, the count is as it was.
template <class P>
void give_up_a_turn() {
  EndLock<P> lock;
  Plain<int> data = 0;
  const auto use = [&](int rounds, std::uint64_t step) {
    for (; rounds > 0; --rounds) {
      const std::uint64_t count = lock.lock();
      data = data + 1;
      move_on<P>(lock, count, count + step);
    }
  };
  together([&] { use(4, 0); },
           [&] {
             use(1, 1);
             use(1, 0);
           });
  require(data == 6 && lock.count() == 1 && !lock.is_held(), "a turn was lost");
}

TEST(ModelEndLock, may_be_given_back_as_it_was) {
  EXPECT_TRUE(holds(give_up_a_turn<Platform>));
  EXPECT_TRUE(fails("data race", give_up_a_turn<WithoutRelease>));
}

// The sleepers' wake-ups are there for speed: who sleeps for the lock looks again soon.
TEST(ModelEndLock, is_taken_in_the_end_without_a_wake_up) {
  EXPECT_TRUE(holds([] { take_turns<WithoutWake>(3, 2); }));
}

template <class P>
void look_without_the_lock(int turns) {
  EndLock<P> lock;
  Plain<int> data[4] = {0, 0, 0, 0};
  together(
      [&] {
        for (int turn = 0; turn < turns; ++turn) {
          const std::uint64_t count = lock.lock();
          data[turn] = 1;
          move_on<P>(lock, count, count + 1);
        }
      },
      [&] {
        const std::uint64_t count = lock.count();
        for (std::uint64_t turn = 0; turn < count; ++turn) require(data[turn] == 1, "the count came first");
      });
}

TEST(ModelEndLock, shows_with_the_count_what_was_done_before_it) {
  EXPECT_TRUE(holds([] { look_without_the_lock<Platform>(1); }, {.bounds = {.deviations = 6}}));
  EXPECT_TRUE(holds([] { look_without_the_lock<Platform>(4); }));
  EXPECT_TRUE(fails("data race", [] { look_without_the_lock<WithoutRelease>(1); }));
  EXPECT_TRUE(fails("data race", [] { look_without_the_lock<WithoutAcquire>(1); }));
}

template <class P>
void destroy_when_it_has_moved_on(std::uint64_t turns, std::uint64_t step = 1) {
  std::optional<EndLock<P>> lock(std::in_place);
  together(
      [raw = &*lock, turns, step] {
        for (std::uint64_t turn = 0; turn < turns; ++turn) {
          const std::uint64_t count = raw->lock();
          move_on<P>(*raw, count, count + step);
        }
      },
      [&] {
        while (lock->count() < turns * step) P::yield();
        lock.reset();
      });
}

TEST(ModelEndLock, may_be_destroyed_by_who_sees_the_new_count) {
  EXPECT_TRUE(holds([] { destroy_when_it_has_moved_on<Platform>(1); }, {.bounds = {.deviations = 6}}));
  EXPECT_TRUE(holds([] { destroy_when_it_has_moved_on<Platform>(1, 2); }));
  EXPECT_TRUE(holds([] { destroy_when_it_has_moved_on<Platform>(3); }));
  EXPECT_TRUE(fails("nothing makes sure", [] { destroy_when_it_has_moved_on<WithoutRelease>(1); }));
  EXPECT_TRUE(fails("nothing makes sure", [] { destroy_when_it_has_moved_on<PlatformOf<LooksAfterUnlocking>>(3); }));
}

// ---- wait_until ----------------------------------------------------------------------------

template <class P>
using Race = RaceFor<P, EndLock<P>>;

// The mover is the owner from its third move on.
template <class P>
void wait_for_the_owner() {
  Race<P> race;
  together([&] { race.wait_for(3); },
           [&] {
             for (int i = 0; i < 3; ++i) race.move();
           });
}
template <class P>
void wait_for_the_next_after_the_owner() {
  Race<P> race;
  together([&] { race.wait_for(4); },
           [&] {
             for (int i = 0; i < 3; ++i) race.move();
           },
           [&] { race.move(); });
}

TEST(ModelWaitUntil, misses_nothing_that_an_owner_does) {
  EXPECT_TRUE(holds(wait_for_the_owner<Platform>));
  EXPECT_TRUE(holds(wait_for_the_next_after_the_owner<Platform>));
  EXPECT_TRUE(fails("deadlock", wait_for_the_owner<WithoutHeavyFence>));
  EXPECT_TRUE(fails("deadlock", wait_for_the_owner<FenceOnOneSide>));
  EXPECT_TRUE(fails("deadlock", wait_for_the_owner<NeverLooksAgain>));
  EXPECT_TRUE(fails("deadlock", wait_for_the_owner<WithoutWake>));
}

// ---- A queue with owners ---------------------------------------------------------------

template <class P>
using OwnedQueue = QueueOver<nogil::detail::Fifo<Item, P, 1>, P>;
using Scenarios = QueueScenarios<OwnedQueue, Platform>;

TEST(ModelFifo, is_as_right_when_its_ends_have_owners) {
  EXPECT_TRUE(holds(Scenarios::put_from_two_sides));
  EXPECT_TRUE(holds(Scenarios::squeeze_two_through));
  EXPECT_TRUE(holds(Scenarios::never_lie));
  EXPECT_TRUE(holds(Scenarios::destroy_after_get));
}

}  // namespace
