// Lock and RLock under the model checker: detail::OwnerWord.

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>

#include "check.hpp"
#include "model.hpp"
#include "mutants.hpp"
#include "nogil/threading/detail/owner_word.hpp"
#include "waits.hpp"

namespace {

using namespace nogil::model;
using nogil::detail::OwnerWord;
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
