// Queue under the model checker: detail::Fifo, and the verbs of detail::BasicQueue over it.

#include "nogil/queue/detail/fifo.hpp"

#include <gtest/gtest.h>

#include "queues.hpp"

namespace {

using namespace nogil::model;

template <class P>
using On = QueueScenarios<FifoQueue, P>;
using Right = On<Platform>;
using Owned = QueueScenarios<OwnedFifoQueue, Platform>;
using Crosswise = QueueScenarios<FifoQueueOwnedCrosswise, Platform>;

TEST(ModelFifo, hands_over_each_element_once) {
  EXPECT_TRUE(holds(Right::hand_over_one, {.bounds = {.deviations = 6}}));
  EXPECT_TRUE(holds(Right::hand_over_two));
  EXPECT_TRUE(holds(Right::put_from_two_sides));
}
TEST(ModelFifo, needs_each_part_of_its_protocol) {
  EXPECT_TRUE(fails("data race", On<WithoutRelease>::hand_over_one));
  EXPECT_TRUE(fails("data race", On<WithoutAcquire>::hand_over_one));
  EXPECT_TRUE(fails("deadlock", On<WithoutWake>::hand_over_one));
  EXPECT_TRUE(fails("deadlock", On<BlindSleep>::hand_over_one));
  EXPECT_TRUE(fails("deadlock", On<WithoutHeavyFence>::hand_over_one));
  EXPECT_TRUE(fails("deadlock", On<FenceOnOneSide>::hand_over_one));
  EXPECT_TRUE(fails("deadlock", On<NeverLooksAgain>::hand_over_one));
}

TEST(ModelFifo, lets_puts_wait_for_room) {
  EXPECT_TRUE(holds(Right::squeeze_through));
  EXPECT_TRUE(holds(Right::squeeze_two_through));
  EXPECT_TRUE(fails("deadlock", On<WithoutWake>::squeeze_through));
  EXPECT_TRUE(fails("deadlock", On<WithoutHeavyFence>::squeeze_through));
  EXPECT_TRUE(fails("deadlock", On<NeverLooksAgain>::squeeze_through));
}

TEST(ModelFifo, loses_no_wake_up_to_one_that_gives_up) {
  EXPECT_TRUE(holds(Right::give_up_getting));
  EXPECT_TRUE(holds(Right::give_up_putting));
  EXPECT_TRUE(holds(Right::stop_getting));
  EXPECT_TRUE(fails("deadlock", On<PlatformOf<WithdrawsBlindly>>::give_up_getting));
}

TEST(ModelFifo, never_says_empty_or_full_when_it_is_not) {
  EXPECT_TRUE(holds(Right::never_lie, {.bounds = {.deviations = 6}}));
  EXPECT_TRUE(holds(Right::look_on));
}

TEST(ModelFifo, lets_its_bound_be_changed) {
  EXPECT_TRUE(holds(Right::raise_the_bound));
  EXPECT_TRUE(holds(Right::set_two_bounds, {.bounds = {.deviations = 6}}));
  EXPECT_TRUE(fails("deadlock", On<WithoutHeavyFence>::raise_the_bound));
}

TEST(ModelFifo, ends_every_wait_when_it_is_shut_down) {
  for (const bool immediate : {false, true}) {
    EXPECT_TRUE(holds([=] { Right::end_a_get(immediate); }));
    EXPECT_TRUE(holds([=] { Right::end_a_put(immediate); }));
    EXPECT_TRUE(fails("deadlock", [=] { On<WithoutHeavyFence>::end_a_get(immediate); }));
  }
}

TEST(ModelFifo, is_joined_when_all_is_done) {
  EXPECT_TRUE(holds(Right::join_a_worker, {.bounds = {.deviations = 6}}));
  EXPECT_TRUE(holds(Right::join_a_shutdown));
}

TEST(ModelFifo, may_be_destroyed_by_the_thread_it_let_through) {
  EXPECT_TRUE(holds(Right::destroy_after_get, {.bounds = {.deviations = 6}}));
  EXPECT_TRUE(holds(Right::destroy_after_put));
  EXPECT_TRUE(holds(Right::destroy_after_join));
  EXPECT_TRUE(holds(Right::destroy_after_join_of_what_was_dropped));
  EXPECT_TRUE(holds(Right::destroy_after_refused_put));
  EXPECT_TRUE(holds([] { Right::destroy_after_shutdown(false); }));
  EXPECT_TRUE(holds([] { Right::destroy_after_shutdown(true); }));
  EXPECT_TRUE(fails("nothing makes sure", On<PlatformOf<LooksAfterUnlocking>>::destroy_after_get));
}

// ---- Ends that belong to a thread --------------------------------------------------------

constexpr Search kSome = {.exhaustive = 10'000, .random = 1'000};

TEST(ModelOwnedFifo, hands_over_each_element_once) {
  EXPECT_TRUE(holds(Owned::hand_over_one, kSome));
  EXPECT_TRUE(holds(Crosswise::hand_over_one, kSome));
  EXPECT_TRUE(holds(Owned::hand_over_two, kSome));
  EXPECT_TRUE(holds(Crosswise::hand_over_two, kSome));
  EXPECT_TRUE(holds(Owned::put_from_two_sides, kSome));
  EXPECT_TRUE(holds(Crosswise::put_from_two_sides, kSome));
}

template <class P>
using OnOwned = QueueScenarios<OwnedFifoQueue, P>;
template <class P>
using OnCrosswise = QueueScenarios<FifoQueueOwnedCrosswise, P>;

TEST(ModelOwnedFifo, needs_each_part_of_its_protocol) {
  EXPECT_TRUE(fails("data race", OnCrosswise<WithoutRelease>::hand_over_one));
  EXPECT_TRUE(fails("data race", OnCrosswise<WithoutAcquire>::hand_over_one));
  EXPECT_TRUE(fails("deadlock", OnCrosswise<WithoutWake>::hand_over_one));
  EXPECT_TRUE(fails("deadlock", OnCrosswise<WithoutHeavyFence>::hand_over_one));
  EXPECT_TRUE(fails("deadlock", OnCrosswise<NeverLooksAgain>::hand_over_one));
  EXPECT_TRUE(fails("deadlock", OnOwned<WithoutHeavyFence>::put_from_two_sides));
}

TEST(ModelOwnedFifo, lets_puts_wait_for_room) {
  EXPECT_TRUE(holds(Owned::squeeze_through, kSome));
  EXPECT_TRUE(holds(Crosswise::squeeze_through, kSome));
  EXPECT_TRUE(holds(Owned::squeeze_two_through, kSome));
  EXPECT_TRUE(holds(Crosswise::squeeze_two_through, kSome));
}

TEST(ModelOwnedFifo, loses_no_wake_up_to_one_that_gives_up) {
  EXPECT_TRUE(holds(Owned::give_up_getting, kSome));
  EXPECT_TRUE(holds(Owned::give_up_putting, kSome));
  EXPECT_TRUE(holds(Crosswise::stop_getting, kSome));
}

TEST(ModelOwnedFifo, never_says_empty_or_full_when_it_is_not) {
  EXPECT_TRUE(holds(Owned::never_lie, kSome));
  EXPECT_TRUE(holds(Crosswise::never_lie, kSome));
  EXPECT_TRUE(holds(Owned::look_on, kSome));
}

TEST(ModelOwnedFifo, lets_its_bound_be_changed) {
  EXPECT_TRUE(holds(Owned::raise_the_bound, kSome));
  EXPECT_TRUE(holds(Owned::set_two_bounds, kSome));
}

TEST(ModelOwnedFifo, ends_every_wait_when_it_is_shut_down) {
  for (const bool immediate : {false, true}) {
    EXPECT_TRUE(holds([=] { Owned::end_a_get(immediate); }, kSome));
    EXPECT_TRUE(holds([=] { Crosswise::end_a_get(immediate); }, kSome));
    EXPECT_TRUE(holds([=] { Owned::end_a_put(immediate); }, kSome));
  }
}

TEST(ModelOwnedFifo, may_be_destroyed_by_the_thread_it_let_through) {
  EXPECT_TRUE(holds(Owned::destroy_after_get, kSome));
  EXPECT_TRUE(holds(Owned::destroy_after_put, kSome));
  EXPECT_TRUE(holds(Crosswise::destroy_after_get, kSome));
  EXPECT_TRUE(holds(Crosswise::destroy_after_put, kSome));
  EXPECT_TRUE(holds(Owned::destroy_after_join, kSome));
  EXPECT_TRUE(holds(Owned::destroy_after_refused_put, kSome));
  EXPECT_TRUE(holds([] { Owned::destroy_after_shutdown(false); }, kSome));
  EXPECT_TRUE(holds([] { Crosswise::destroy_after_shutdown(false); }, kSome));
  EXPECT_TRUE(holds([] { Owned::destroy_after_shutdown(true); }, kSome));
}

}  // namespace
