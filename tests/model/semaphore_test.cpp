// Semaphore under the model checker: detail::SemaphoreCore.

#include <gtest/gtest.h>

#include <optional>

#include "check.hpp"
#include "model.hpp"
#include "mutants.hpp"
#include "nogil/threading/detail/semaphore_core.hpp"
#include "waits.hpp"

namespace {

using namespace nogil::model;
using nogil::detail::SemaphoreCore;
using nogil::platform::BasicStopSignal;
using nogil::platform::BasicWait;

template <class P>
bool acquire(SemaphoreCore<P>& semaphore, BasicWait<P> wait = {}) {
  return semaphore.try_acquire() || semaphore.acquire_slow(wait);
}

template <class P>
void release(SemaphoreCore<P>& semaphore, std::uint32_t n = 1) {
  require(semaphore.release(n), "a release was refused");
}

// A semaphore whose limit is all that it is made with puts permits back in another way than
// one without a limit.
constexpr std::uint32_t kNoLimit = SemaphoreCore<Platform>::kMax;

// One permit among threads: a lock, if it works.
template <class P>
void take_turns(int threads, int rounds, std::uint32_t limit = kNoLimit) {
  SemaphoreCore<P> semaphore(1, limit);
  Plain<int> turns = 0;
  const auto use = [&] {
    for (int i = 0; i < rounds; ++i) {
      acquire(semaphore);
      turns = turns + 1;
      release(semaphore);
    }
  };
  if (threads == 2) together(use, use);
  else together(use, use, use);
  require(turns == threads * rounds, "a turn was lost");
  require(semaphore.value() == 1, "a permit was lost, or made up");
}

TEST(ModelSemaphore, lets_in_as_many_as_it_has_permits) {
  EXPECT_TRUE(holds([] { take_turns<Platform>(2, 1); }, {.bounds = {.deviations = 6}}));
  EXPECT_TRUE(holds([] { take_turns<Platform>(2, 2); }));
  EXPECT_TRUE(holds([] { take_turns<Platform>(3, 1); }));
  EXPECT_TRUE(holds([] { take_turns<Platform>(2, 1, 1); }, {.bounds = {.deviations = 6}}));
  EXPECT_TRUE(holds([] { take_turns<Platform>(3, 1, 1); }));
}

// As take_turns, with another number of permits than the semaphore was made with: what
// acquire() and release() guess about its state is wrong.
template <class P>
void take_turns_of_what_is_left(int threads, std::uint32_t limit = kNoLimit) {
  SemaphoreCore<P> semaphore(3, limit);
  Plain<int> turns = 0;
  acquire(semaphore);
  acquire(semaphore);
  const auto use = [&] {
    acquire(semaphore);
    turns = turns + 1;
    release(semaphore);
  };
  if (threads == 2) together(use, use);
  else together(use, use, use);
  require(turns == threads && semaphore.value() == 1, "a permit was lost, or made up");
}

TEST(ModelSemaphore, lets_in_as_many_whatever_its_first_guess) {
  EXPECT_TRUE(holds([] { take_turns_of_what_is_left<Platform>(2); }, {.bounds = {.deviations = 6}}));
  EXPECT_TRUE(holds([] { take_turns_of_what_is_left<Platform>(3); }));
  EXPECT_TRUE(holds([] { take_turns_of_what_is_left<Platform>(3, 3); }));
  EXPECT_TRUE(fails("data race", [] { take_turns_of_what_is_left<WithoutRelease>(2); }));
  EXPECT_TRUE(fails("data race", [] { take_turns_of_what_is_left<WithoutAcquire>(2); }));
  EXPECT_TRUE(fails("deadlock", [] { take_turns_of_what_is_left<PlatformOf<LooksBeforeAdding>>(2); }));
  EXPECT_TRUE(fails("deadlock", [] { take_turns_of_what_is_left<PlatformOf<LooksBeforeAdding>>(2, 3); }));
}

TEST(ModelSemaphore, needs_each_part_of_its_protocol) {
  for (const std::uint32_t limit : {kNoLimit, std::uint32_t{1}}) {
    EXPECT_TRUE(fails("data race", [=] { take_turns<WithoutRelease>(2, 1, limit); }));
    EXPECT_TRUE(fails("data race", [=] { take_turns<WithoutAcquire>(2, 1, limit); }));
    EXPECT_TRUE(fails("deadlock", [=] { take_turns<WithoutWake>(2, 1, limit); }));
    EXPECT_TRUE(fails("deadlock", [=] { take_turns<BlindSleep>(2, 1, limit); }));
    EXPECT_TRUE(fails("deadlock", [=] { take_turns<PlatformOf<LooksBeforeAdding>>(2, 1, limit); }))
        << "the waiter counts itself after the releaser's last look";
  }
}

template <class P>
void release_two_at_once() {
  SemaphoreCore<P> semaphore(0);
  const auto take = [&] { acquire(semaphore); };
  together(take, take, [&] { release(semaphore, 2); });
  require(semaphore.value() == 0, "a permit is left");
}

TEST(ModelSemaphore, wakes_as_many_as_it_has_new_permits) {
  EXPECT_TRUE(holds(release_two_at_once<Platform>));
  EXPECT_TRUE(fails("deadlock", release_two_at_once<WakingOne>));
}

template <class P>
void give_up_beside_others() {
  SemaphoreCore<P> semaphore(0);
  int taken = 1;
  together([&] { acquire(semaphore); },
           [&] {
             if (acquire(semaphore, for_some_time<P>())) ++taken;
           },
           [&] {
             release(semaphore);
             release(semaphore);
           });
  require(static_cast<int>(semaphore.value()) == 2 - taken, "a permit was lost, or made up");
}

TEST(ModelSemaphore, loses_no_wake_up_to_a_waiter_that_gives_up) {
  EXPECT_TRUE(holds(give_up_beside_others<Platform>));
}

// The permit comes before the stop, so the waiter must see it when it sees the stop.
template <class P>
void release_before_the_stop() {
  SemaphoreCore<P> semaphore(0);
  BasicStopSignal<P> signal;
  bool taken = false;
  together(
      [&] {
        BasicWait<P> wait = until(signal);
        taken = acquire(semaphore, wait);
      },
      [&] {
        release(semaphore);
        signal.request();
      });
  require(taken, "the permit was there before the stop");
}

TEST(ModelSemaphore, never_gives_up_while_a_permit_is_free) {
  EXPECT_TRUE(holds(release_before_the_stop<Platform>));
}

TEST(ModelSemaphore, refuses_to_go_past_its_limit) {
  EXPECT_TRUE(holds([] {
    SemaphoreCore<Platform> semaphore(2, 2);
    bool first = false, second = false;
    acquire(semaphore);
    together([&] { first = semaphore.release(1); }, [&] { second = semaphore.release(1); });
    require(first != second && semaphore.value() == 2, "two releases where there was room for one");
  }));
}

TEST(ModelSemaphore, that_may_hold_nothing_refuses_everything) {
  EXPECT_TRUE(holds([] {
    SemaphoreCore<Platform> semaphore(0, 0);
    require(!semaphore.release(1) && !semaphore.try_acquire() && semaphore.value() == 0, "made up a permit");
  }));
}

TEST(ModelSemaphore, that_is_full_refuses_one_more) {
  EXPECT_TRUE(holds([] {
    SemaphoreCore<Platform> semaphore(SemaphoreCore<Platform>::kMax);
    require(!semaphore.release(1) && semaphore.try_acquire() && semaphore.release(1), "full, or not");
    require(semaphore.value() == SemaphoreCore<Platform>::kMax, "a permit was lost, or made up");
  }));
}

template <class P>
void destroy_when_let_through() {
  std::optional<SemaphoreCore<P>> semaphore(std::in_place, 0);
  together(
      [&] {
        acquire(*semaphore);
        semaphore.reset();
      },
      [&] { release(*semaphore); });
}

TEST(ModelSemaphore, may_be_destroyed_by_the_thread_it_let_through) {
  EXPECT_TRUE(holds(destroy_when_let_through<Platform>, {.bounds = {.deviations = 6}}));
  EXPECT_TRUE(fails("nothing makes sure", destroy_when_let_through<WithoutAcquire>));
}

TEST(ModelSemaphore, ends_a_wait_when_a_stop_is_requested) {
  EXPECT_TRUE(holds([] {
    SemaphoreCore<Platform> semaphore(0);
    BasicStopSignal<Platform> signal;
    together([&] { require(!acquire(semaphore, until(signal)), "there is no permit"); }, [&] { signal.request(); });
  }));
  EXPECT_TRUE(holds([] {
    SemaphoreCore<Platform> semaphore(0);
    BasicStopSignal<Platform> signal;
    bool stopped = false;
    together([&] { stopped = !acquire(semaphore, until(signal)); }, [&] { acquire(semaphore); },
             [&] {
               signal.request();
               release(semaphore);
               release(semaphore);
             });
    require(semaphore.value() == (stopped ? 1 : 0), "a permit was lost, or made up");
  }));
}

}  // namespace
