// Lock and RLock under the model checker: detail::OwnerWord and ReentrantWord.

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>

#include "check.hpp"
#include "model.hpp"
#include "mutants.hpp"
#include "nogil/threading/detail/owner_word.hpp"
#include "nogil/threading/detail/reentrant_word.hpp"
#include "waits.hpp"

namespace {

using namespace nogil::model;
using nogil::detail::OwnerWord;
using nogil::detail::ReentrantWord;
using nogil::platform::BasicStopSignal;
using nogil::platform::BasicWait;

constexpr auto kNoWatch = [] {};

template <class P>
bool acquire(OwnerWord<P>& lock, BasicWait<P> wait = {}) {
  const std::uint32_t me = P::thread_id();
  return lock.try_lock(me) || lock.lock_slow(me, wait, kNoWatch);
}

template <class P>
void release(OwnerWord<P>& lock) {
  require(lock.owner() == P::thread_id(), "the lock is somebody else's");
  require(lock.unlock(), "the lock was free");
}

// Some threads take the lock, some of them more than once.
template <class P>
void take_turns(int threads, int rounds) {
  OwnerWord<P> lock;
  Plain<int> turns = 0;
  const auto use = [&] {
    for (int i = 0; i < rounds; ++i) {
      acquire(lock);
      turns = turns + 1;
      release(lock);
    }
  };
  if (threads == 2) together(use, use);
  else together(use, use, use);
  require(turns == threads * rounds, "a turn was lost");
}

TEST(ModelLock, lets_in_one_at_a_time) {
  EXPECT_TRUE(holds([] { take_turns<Platform>(2, 1); }, {.bounds = {.deviations = 6}}));
  EXPECT_TRUE(holds([] { take_turns<Platform>(2, 2); }));
  EXPECT_TRUE(holds([] { take_turns<Platform>(3, 1); }));
}

TEST(ModelLock, needs_each_part_of_its_protocol) {
  EXPECT_TRUE(fails("data race", [] { take_turns<WithoutRelease>(2, 1); })) << "unlock relaxed";
  EXPECT_TRUE(fails("data race", [] { take_turns<WithoutAcquire>(2, 1); })) << "lock relaxed";
  EXPECT_TRUE(fails("deadlock", [] { take_turns<EditedPlatform<NoMark>>(3, 1); })) << "no mark after a sleep";
  EXPECT_TRUE(fails("deadlock", [] { take_turns<WithoutWake>(2, 1); }));
  EXPECT_TRUE(fails("deadlock", [] { take_turns<BlindSleep>(2, 1); }));
}

// A waiter that gives up races with others who wait for ever.
template <class P>
void give_up_beside_others() {
  OwnerWord<P> lock;
  Plain<int> turns = 0;
  int expected = 2;
  const auto use = [&] {
    acquire(lock);
    turns = turns + 1;
    release(lock);
  };
  together(use, use, [&] {
    if (!acquire(lock, for_some_time<P>())) return;
    turns = turns + 1;
    ++expected;
    release(lock);
  });
  require(turns == expected, "a turn was lost");
}

TEST(ModelLock, loses_no_wake_up_to_a_waiter_that_gives_up) {
  EXPECT_TRUE(holds(give_up_beside_others<Platform>));
  EXPECT_TRUE(fails("deadlock", give_up_beside_others<EditedPlatform<NoMark>>));
}

TEST(ModelLock, is_not_waited_for_with_a_limit_of_zero) {
  EXPECT_TRUE(holds([] {
    OwnerWord<Platform> lock;
    require(acquire(lock, not_at_all()), "a free lock is taken");
    together([&] { require(!acquire(lock, not_at_all()), "taken twice"); });
    release(lock);
  }));
}

TEST(ModelLock, may_be_released_by_another_thread) {
  EXPECT_TRUE(holds([] {
    OwnerWord<Platform> lock;
    Plain<int> data = 0;
    acquire(lock);
    together(
        [&] {
          acquire(lock);
          require(data == 1, "not ordered by the release");
          release(lock);
        },
        [&] {
          data = 1;
          require(lock.unlock(), "it was locked");
        });
  }));
}

TEST(ModelLock, is_released_once_only) {
  EXPECT_TRUE(holds([] {
    OwnerWord<Platform> lock;
    acquire(lock);
    bool first = false, second = false;
    together([&] { first = lock.unlock(); }, [&] { second = lock.unlock(); });
    require(first != second, "one of the two releases finds it free");
  }));
}

template <class P>
void destroy_when_let_through() {
  std::optional<OwnerWord<P>> lock(std::in_place);
  acquire(*lock);
  together(
      [&] {
        acquire(*lock);
        lock->unlock();
        lock.reset();
      },
      [&] { lock->unlock(); });
}

TEST(ModelLock, may_be_destroyed_by_the_thread_it_let_through) {
  EXPECT_TRUE(holds(destroy_when_let_through<Platform>, {.bounds = {.deviations = 6}}));
  EXPECT_TRUE(fails("nothing makes sure", destroy_when_let_through<WithoutRelease>));
}

// ---- Taken again -----------------------------------------------------------------------

// Each thread takes it `depth` levels deep, and gives it back.
template <class P>
void nest(int threads, int depth) {
  ReentrantWord<P> lock;
  Plain<int> turns = 0;
  const auto use = [&] {
    const std::uint32_t me = P::thread_id();
    for (int level = 1; level <= depth; ++level) {
      if (!lock.try_lock(me)) {
        require(level == 1, "refused to its owner");
        BasicWait<P> wait;
        lock.lock_slow(me, wait, kNoWatch);
      }
      turns = turns + 1;
      require(lock.levels(me) == static_cast<std::uint32_t>(level), "not so deep");
    }
    for (int level = depth; level > 0; --level) {
      turns = turns + 1;
      require(lock.owned_by(me) && lock.unlock(me), "it was released too early");
    }
    require(!lock.unlock(me), "released more often than taken");
  };
  if (threads == 2) together(use, use);
  else together(use, use, use);
  require(turns == threads * depth * 2, "a turn was lost");
}

TEST(ModelRLock, is_its_owners_until_the_last_level_is_given_back) {
  EXPECT_TRUE(holds([] { nest<Platform>(2, 1); }, {.bounds = {.deviations = 6}}));
  EXPECT_TRUE(holds([] { nest<Platform>(2, 2); }));
  EXPECT_TRUE(holds([] { nest<Platform>(2, 4); }));
  EXPECT_TRUE(holds([] { nest<Platform>(3, 3); }));
}

// Each may release it while the other owns it, at any depth, and must be refused.
TEST(ModelRLock, is_released_by_its_owner_only) {
  EXPECT_TRUE(holds([] {
    ReentrantWord<Platform> lock;
    Plain<int> inside = 0;
    const auto owner = [&] {
      const std::uint32_t me = Platform::thread_id();
      for (int level = 1; level <= 3; ++level) require(lock.try_lock(me), "nobody else takes it");
      inside = inside + 1;
      for (int level = 1; level <= 3; ++level) require(lock.unlock(me), "it was released by somebody else");
    };
    const auto stranger = [&] { require(!lock.unlock(Platform::thread_id()), "released by a stranger"); };
    together(owner, stranger, stranger);
  }));
}

// As a Condition does.
template <class P>
void give_up_all_levels(int depth) {
  ReentrantWord<P> lock;
  Plain<int> turns = 0;
  const auto use = [&] {
    const std::uint32_t me = P::thread_id();
    BasicWait<P> wait;
    if (!lock.try_lock(me)) lock.lock_slow(me, wait, kNoWatch);
    for (int level = 1; level < depth; ++level) require(lock.try_lock(me), "refused to its owner");
    turns = turns + 1;
    const std::uint32_t levels = lock.unlock_all(me);
    require(lock.levels(me) == 0 && !lock.unlock(me), "it was not given up");
    if (!lock.try_lock(me)) lock.lock_slow(me, wait, kNoWatch);
    lock.set_levels(me, levels);
    turns = turns + 1;
    for (int level = depth; level > 0; --level) require(lock.unlock(me), "not as deep as before");
    require(!lock.unlock(me), "deeper than before");
  };
  together(use, use);
  require(turns == 4, "a turn was lost");
}

TEST(ModelRLock, is_given_up_and_taken_back_through_all_levels) {
  for (int depth = 1; depth <= 4; ++depth) EXPECT_TRUE(holds([depth] { give_up_all_levels<Platform>(depth); }));
}

TEST(ModelRLock, needs_each_part_of_its_protocol) {
  EXPECT_TRUE(fails("data race", [] { nest<WithoutRelease>(2, 2); }));
  EXPECT_TRUE(fails("data race", [] { nest<WithoutAcquire>(2, 2); }));
  EXPECT_TRUE(fails("released more often than taken", [] { nest<PlatformOf<LeavesItsNumber>>(2, 2); }));
  EXPECT_TRUE(fails("deadlock", [] { nest<WithoutWake>(2, 1); }));
}

// ---- Stop tokens ------------------------------------------------------------------------

template <class P>
void stop_a_waiter() {
  OwnerWord<P> lock;
  BasicStopSignal<P> signal;
  acquire(lock);
  together([&] { require(!acquire(lock, until(signal)), "the lock is held"); }, [&] { signal.request(); });
}

TEST(ModelStop, ends_a_wait_whenever_it_comes) {
  EXPECT_TRUE(holds(stop_a_waiter<Platform>, {.bounds = {.deviations = 6}}));
}

TEST(ModelStop, needs_each_part_of_its_protocol) {
  EXPECT_TRUE(fails("data race", stop_a_waiter<WithoutRelease>)) << "the address goes from thread to thread";
  EXPECT_TRUE(fails("data race", stop_a_waiter<WithoutAcquire>));
  EXPECT_TRUE(fails("livelock", stop_a_waiter<WithoutWake>));
}

// As a condition's wait for a predicate does, which was notified and stopped at once: it
// goes on to wait, on another word, while request() may still be under way.
TEST(ModelStop, may_be_asked_again_after_the_stop) {
  EXPECT_TRUE(holds([] {
    Atomic<std::uint32_t> first, second;
    BasicStopSignal<Platform> signal;
    together(
        [&] {
          BasicWait<Platform> wait = until(signal);
          wait.park(first, 0);
          while (wait.park(second, 0)) {
          }
        },
        [&] { signal.request(); });
  }));
}

TEST(ModelStop, does_not_take_a_wake_up_away_from_others) {
  const auto scenario = [] {
    OwnerWord<Platform> lock;
    BasicStopSignal<Platform> signal;
    Plain<int> turns = 0;
    const auto use = [&] {
      turns = turns + 1;
      release(lock);
    };
    acquire(lock);
    together(
        [&] {
          if (acquire(lock, until(signal))) use();
        },
        [&] {
          acquire(lock);
          use();
        },
        [&] {
          signal.request();
          lock.unlock();
        });
    require(turns >= 1, "a turn was lost");
  };
  EXPECT_TRUE(holds(scenario));
}

TEST(ModelStop, is_no_reason_to_refuse_what_is_free) {
  EXPECT_TRUE(holds([] {
    OwnerWord<Platform> lock;
    BasicStopSignal<Platform> signal;
    bool got = false;
    acquire(lock);
    together(
        [&] {
          got = acquire(lock, until(signal));
          if (got) release(lock);
        },
        [&] {
          lock.unlock();
          signal.request();
        });
    require(got, "free before the stop");
  }));
}

}  // namespace
