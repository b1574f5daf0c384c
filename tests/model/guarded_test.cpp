// LifoQueue under the model checker: detail::Guarded, and the verbs of detail::BasicQueue
// over it. PriorityQueue has another Bag, which only ever runs under the lock.

#include "nogil/queue/detail/guarded.hpp"

#include <gtest/gtest.h>

#include "queues.hpp"

namespace {

using namespace nogil::model;

template <class P>
using On = QueueScenarios<StackQueue, P>;
using Right = On<Platform>;

// Most of what the verbs do is looked at in fifo_test.cpp.
constexpr Search kSome = {.exhaustive = 10'000, .random = 1'000};

TEST(ModelGuarded, hands_over_each_element_once) {
  EXPECT_TRUE(holds(Right::hand_over_one));
  EXPECT_TRUE(holds(Right::hand_over_two, kSome));
  EXPECT_TRUE(holds(Right::put_from_two_sides, kSome));
  EXPECT_TRUE(holds(Right::squeeze_two_through, kSome));
}

TEST(ModelGuarded, needs_each_part_of_its_protocol) {
  EXPECT_TRUE(fails("data race", On<WithoutRelease>::hand_over_one));
  EXPECT_TRUE(fails("data race", On<WithoutAcquire>::hand_over_one));
  EXPECT_TRUE(fails("deadlock", On<WithoutWake>::hand_over_one));
  EXPECT_TRUE(fails("deadlock", On<BlindSleep>::hand_over_one));
  EXPECT_TRUE(fails("deadlock", On<WithoutHeavyFence>::hand_over_one));
  EXPECT_TRUE(fails("deadlock", On<FenceOnOneSide>::hand_over_one));
  EXPECT_TRUE(fails("deadlock", On<NeverLooksAgain>::hand_over_one));
}

TEST(ModelGuarded, loses_no_wake_up_to_one_that_gives_up) {
  EXPECT_TRUE(holds(Right::give_up_getting, kSome));
  EXPECT_TRUE(holds(Right::give_up_putting, kSome));
  EXPECT_TRUE(holds(Right::stop_getting, kSome));
}

TEST(ModelGuarded, never_says_empty_or_full_when_it_is_not) {
  EXPECT_TRUE(holds(Right::never_lie));
  EXPECT_TRUE(holds(Right::look_on));
}

TEST(ModelGuarded, lets_its_bound_be_changed) {
  EXPECT_TRUE(holds(Right::raise_the_bound));
  EXPECT_TRUE(holds(Right::set_two_bounds));
}

TEST(ModelGuarded, ends_every_wait_when_it_is_shut_down) {
  for (const bool immediate : {false, true}) {
    EXPECT_TRUE(holds([=] { Right::end_a_get(immediate); }, kSome));
    EXPECT_TRUE(holds([=] { Right::end_a_put(immediate); }, kSome));
  }
}

TEST(ModelGuarded, is_joined_when_all_is_done) {
  EXPECT_TRUE(holds(Right::join_a_worker));
  EXPECT_TRUE(holds(Right::join_a_shutdown, kSome));
}

TEST(ModelGuarded, may_be_destroyed_by_the_thread_it_let_through) {
  EXPECT_TRUE(holds(Right::destroy_after_get));
  EXPECT_TRUE(holds(Right::destroy_after_put, kSome));
  EXPECT_TRUE(holds(Right::destroy_after_join, kSome));
  EXPECT_TRUE(holds(Right::destroy_after_join_of_what_was_dropped, kSome));
  EXPECT_TRUE(holds(Right::destroy_after_refused_put, kSome));
  EXPECT_TRUE(holds([] { Right::destroy_after_shutdown(false); }, kSome));
  EXPECT_TRUE(holds([] { Right::destroy_after_shutdown(true); }, kSome));
  EXPECT_TRUE(fails("nothing makes sure", On<PlatformOf<LooksAfterUnlocking>>::destroy_after_get));
}

}  // namespace
