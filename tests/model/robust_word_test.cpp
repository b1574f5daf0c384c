// The lock that outlives its holder under the model checker: multiprocessing's RobustWord.

#include "nogil/multiprocessing/detail/robust_word.hpp"

#include <gtest/gtest.h>

#include <cstdint>

#include "check.hpp"
#include "model.hpp"
#include "mutants.hpp"
#include "waits.hpp"

namespace {

using namespace nogil::model;
using nogil::multiprocessing::detail::RobustWord;
using nogil::multiprocessing::detail::Taking;
using nogil::platform::BasicWait;

constexpr std::uint64_t kDead = 77;  // whose threads are all gone
constexpr auto kAllButOneLive = [](std::uint64_t who) { return who != kDead; };

template <class P>
Taking acquire(RobustWord<P>& lock, BasicWait<P> wait = {}) {
  const std::uint64_t me = P::thread_id();
  return lock.try_lock(me) ? Taking::kTaken : lock.lock_slow(me, wait, kAllButOneLive);
}

// Until it has it, as who catches OwnerDied and goes on. Returns how often it was told.
template <class P>
int acquire_in_the_end(RobustWord<P>& lock) {
  int told = 0;
  for (;;) {
    const Taking taking = acquire(lock);
    if (taking == Taking::kTaken) return told;
    require(taking == Taking::kOwnerDied, "it has no limit");
    ++told;
  }
}

// Some threads take the lock, some of them more than once.
template <class P>
void take_turns(int threads, int rounds) {
  RobustWord<P> lock;
  Plain<int> turns = 0;
  const auto use = [&] {
    for (int i = 0; i < rounds; ++i) {
      require(acquire(lock) == Taking::kTaken, "nobody has died");
      turns = turns + 1;
      require(lock.unlock(), "the lock was free");
    }
  };
  if (threads == 2) together(use, use);
  else together(use, use, use);
  require(turns == threads * rounds, "a turn was lost");
}

TEST(ModelRobustWord, lets_in_one_at_a_time) {
  EXPECT_TRUE(holds([] { take_turns<Platform>(2, 1); }));
  EXPECT_TRUE(holds([] { take_turns<Platform>(2, 2); }));
  EXPECT_TRUE(holds([] { take_turns<Platform>(3, 1); }));
}

// A sleeper that nobody wakes looks again by itself: so there is no deadlock to find here.
TEST(ModelRobustWord, needs_its_orders) {
  EXPECT_TRUE(fails("data race", [] { take_turns<WithoutRelease>(2, 1); })) << "unlock relaxed";
  EXPECT_TRUE(fails("data race", [] { take_turns<WithoutAcquire>(2, 1); })) << "lock relaxed";
}

// The holder is dead from the first. Whoever finds it out says so once, and all get the lock.
template <class P>
void survive(int threads) {
  RobustWord<P> lock;
  require(lock.try_lock(kDead), "it was free");
  Plain<int> told = 0;
  Plain<int> turns = 0;
  const auto use = [&] {
    const int mine = acquire_in_the_end(lock);
    told = told + mine;
    turns = turns + 1;
    require(lock.unlock(), "the lock was free");
  };
  if (threads == 2) together(use, use);
  else together(use, use, use);
  require(turns == threads, "a turn was lost");
  require(told == 1, "one of them is told, and no other");
}

TEST(ModelRobustWord, tells_one_that_its_holder_died) {
  EXPECT_TRUE(holds([] { survive<Platform>(2); }));
  EXPECT_TRUE(holds([] { survive<Platform>(3); }));
  EXPECT_TRUE(fails("data race", [] { survive<WithoutAcquire>(2); }));
}

// Two that do not wait at all, beside one that sleeps.
template <class P>
void find_out_at_once() {
  RobustWord<P> lock;
  require(lock.try_lock(kDead), "it was free");
  Atomic<std::uint32_t> told;
  const auto try_once = [&] {
    const Taking taking = acquire(lock, not_at_all<P>());
    if (taking == Taking::kOwnerDied) told.fetch_add(1, std::memory_order_relaxed);
    if (taking == Taking::kTaken) require(lock.unlock(), "the lock was free");
  };
  together(try_once, try_once, [&] {
    told.fetch_add(static_cast<std::uint32_t>(acquire_in_the_end(lock)), std::memory_order_relaxed);
    require(lock.unlock(), "the lock was free");
  });
  require(told.load(std::memory_order_relaxed) == 1, "one of them is told, and no other");
  require(lock.owner() == 0, "somebody has it still");
}

TEST(ModelRobustWord, is_found_out_by_one_of_many_who_do_not_wait) {
  EXPECT_TRUE(holds(find_out_at_once<Platform>));
}

// One who lives took it from the dead one, before another who has seen the dead one acts: it
// must not be taken from him.
template <class P>
void take_it_over() {
  RobustWord<P> lock;
  require(lock.try_lock(kDead), "it was free");
  Plain<int> inside = 0;
  const auto use = [&] {
    acquire_in_the_end(lock);
    require(inside == 0, "two are inside");
    inside = 1;
    inside = 0;
    require(lock.unlock(), "the lock was free");
  };
  together(use, use, use);
}

// It frees the lock whoever has it by now.
template <class T>
struct FreesWhatItSees : nogil::model::Atomic<T> {
  using nogil::model::Atomic<T>::Atomic;
  bool compare_exchange_strong(T& expected, T desired, std::memory_order success, std::memory_order failure) noexcept {
    if (desired != 0) {
      return nogil::model::Atomic<T>::compare_exchange_strong(expected, desired, success, failure);
    }
    expected = this->exchange(desired, success);
    return true;
  }
};

TEST(ModelRobustWord, is_not_taken_from_one_who_lives) {
  EXPECT_TRUE(holds(take_it_over<Platform>));
  EXPECT_TRUE(fails("", take_it_over<PlatformOf<FreesWhatItSees>>));
}

TEST(ModelRobustWord, is_not_waited_for_with_a_limit_of_zero) {
  EXPECT_TRUE(holds([] {
    RobustWord<Platform> lock;
    require(acquire(lock, not_at_all()) == Taking::kTaken, "a free lock is taken");
    together([&] { require(acquire(lock, not_at_all()) == Taking::kGaveUp, "taken twice"); },
             [&] { require(acquire(lock, not_at_all()) == Taking::kGaveUp, "taken twice"); });
    require(lock.unlock(), "it was locked");
  }));
}

}  // namespace
