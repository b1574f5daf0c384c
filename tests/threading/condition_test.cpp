// Tests of nogil::BasicCondition: Condition (over an RLock) and LockCondition (over a Lock).

#include "nogil/threading/condition.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "nogil/threading/lock.hpp"
#include "nogil/threading/rlock.hpp"
#include "support/threads.hpp"
#include "support/wait_suite.hpp"

namespace nogil::testing::condition_test {

static_assert(std::is_same_v<Condition, BasicCondition<RLock>> && std::is_same_v<Condition, BasicCondition<>>);
static_assert(std::is_same_v<LockCondition, BasicCondition<Lock>>);
static_assert(sizeof(Condition) <= 24 + sizeof(RLock) && sizeof(LockCondition) <= 24 + sizeof(Lock) + 4);
static_assert(!std::is_copy_constructible_v<Condition> && !std::is_move_constructible_v<Condition>);
static_assert(!std::is_convertible_v<RLock&, Condition>);

using ConditionDoors = ::testing::Types<ConditionDoor<Condition>, ConditionDoor<LockCondition>>;
using PredicateDoors = ::testing::Types<PredicateDoor<Condition>, PredicateDoor<LockCondition>>;
NOGIL_WAIT_SUITE(Condition, TimedWait, ConditionDoors);
NOGIL_WAIT_SUITE(Condition, StoppableWait, ConditionDoors);
NOGIL_WAIT_SUITE(Condition, TimedStoppableWait, ConditionDoors);
NOGIL_WAIT_SUITE(ConditionPredicate, TimedWait, PredicateDoors);
NOGIL_WAIT_SUITE(ConditionPredicate, StoppableWait, PredicateDoors);
NOGIL_WAIT_SUITE(ConditionPredicate, TimedStoppableWait, PredicateDoors);
NOGIL_WAIT_SUITE(ConditionPredicate, WaitForWhatIsFree, PredicateDoors);

namespace {

// ---- Both locks --------------------------------------------------------------

template <class C>
class AnyCondition : public ::testing::Test {
 protected:
  // A crowd of threads in wait(), in a known order, that tell who woke.
  class Crowd {
   public:
    explicit Crowd(C& condition) : condition_(condition) {}

    // Adds one more waiter and returns when it is in wait(). Limits as for wait().
    template <class... Limits>
    void add(Limits... limits) {
      const int number = static_cast<int>(calls_.size());
      calls_.push_back(std::make_unique<Call<bool>>([this, number, limits...] {
        const std::scoped_lock guard(condition_);
        ++waiting_;
        const bool notified = condition_.wait(limits...);
        (notified ? notified_ : gave_up_).push_back(number);
        return notified;
      }));
      // It gives the lock up only inside wait(), so whoever finds it counted finds it waiting.
      ASSERT_TRUE(eventually([&] {
        const std::scoped_lock guard(condition_);
        return waiting_ == number + 1;
      }));
    }

    void notify(std::ptrdiff_t n) {
      const std::scoped_lock guard(condition_);
      condition_.notify(n);
    }

    // In the order in which they got the lock back.
    std::vector<int> notified() { return copy(notified_); }
    std::vector<int> gave_up() { return copy(gave_up_); }

    bool becomes(const std::vector<int>& expected) {
      return eventually([&] { return notified().size() >= expected.size(); }) && stays([&] {
               auto sorted = notified();
               std::sort(sorted.begin(), sorted.end());
               return sorted == expected;
             });
    }

   private:
    std::vector<int> copy(const std::vector<int>& list) {
      const std::scoped_lock guard(condition_);
      return list;
    }

    C& condition_;
    int waiting_ = 0;
    std::vector<int> notified_;
    std::vector<int> gave_up_;
    std::vector<std::unique_ptr<Call<bool>>> calls_;
  };
};

using Conditions = ::testing::Types<Condition, LockCondition>;
TYPED_TEST_SUITE(AnyCondition, Conditions);

TYPED_TEST(AnyCondition, wakes_the_one_that_waited_longest_first) {
  TypeParam condition;
  typename TestFixture::Crowd crowd(condition);
  for (int i = 0; i < 6; ++i) crowd.add();
  std::vector<int> expected;
  for (int i = 0; i < 6; ++i) {
    EXPECT_TRUE(crowd.becomes(expected));
    crowd.notify(1);
    expected.push_back(i);
    ASSERT_TRUE(eventually([&] { return crowd.notified() == expected; })) << "the oldest is number " << i;
  }
}

TYPED_TEST(AnyCondition, wakes_exactly_as_many_as_it_is_told_to) {
  TypeParam condition;
  typename TestFixture::Crowd crowd(condition);
  for (int i = 0; i < 8; ++i) crowd.add();
  EXPECT_TRUE(crowd.becomes({}));
  crowd.notify(3);
  EXPECT_TRUE(crowd.becomes({0, 1, 2}));
  crowd.notify(1);
  EXPECT_TRUE(crowd.becomes({0, 1, 2, 3}));
  crowd.notify(2);
  EXPECT_TRUE(crowd.becomes({0, 1, 2, 3, 4, 5}));
  crowd.notify(100);
  EXPECT_TRUE(crowd.becomes({0, 1, 2, 3, 4, 5, 6, 7}));
}

TYPED_TEST(AnyCondition, wakes_everybody_by_notify_all) {
  TypeParam condition;
  typename TestFixture::Crowd crowd(condition);
  for (int i = 0; i < 6; ++i) crowd.add();
  {
    const std::scoped_lock guard(condition);
    condition.notify_all();
  }
  EXPECT_TRUE(crowd.becomes({0, 1, 2, 3, 4, 5}));
}

// As CPython's check_notify: a newcomer does not get what was meant for an earlier one.
TYPED_TEST(AnyCondition, does_not_wake_who_comes_after_the_notify) {
  TypeParam condition;
  typename TestFixture::Crowd crowd(condition);
  crowd.notify(5);
  crowd.add();
  EXPECT_TRUE(crowd.becomes({}));
  for (int round = 0; round < rounds(100); ++round) {
    crowd.notify(1);
    crowd.add();
    ASSERT_TRUE(eventually([&] { return crowd.notified().size() == static_cast<std::size_t>(round) + 1; }));
    ASSERT_EQ(crowd.notified().back(), round);
  }
  crowd.notify(1);
}

TYPED_TEST(AnyCondition, never_wakes_without_a_notify) {
  TypeParam condition;
  typename TestFixture::Crowd crowd(condition);
  for (int i = 0; i < 4; ++i) crowd.add();
  for (int i = 0; i < 20; ++i) {
    const std::scoped_lock guard(condition);  // mere comings and goings wake nobody
  }
  EXPECT_TRUE(crowd.becomes({}));
  crowd.notify(0);
  crowd.notify(4);
  EXPECT_TRUE(crowd.becomes({0, 1, 2, 3}));
}

TYPED_TEST(AnyCondition, notifies_nobody_when_told_none_or_fewer) {
  TypeParam condition;
  typename TestFixture::Crowd crowd(condition);
  crowd.add();
  try {
    crowd.notify(0);
    crowd.notify(-1);
    crowd.notify(std::numeric_limits<std::ptrdiff_t>::min());
  } catch (const ValueError&) {
  }
  EXPECT_TRUE(crowd.becomes({}));
  crowd.notify(std::numeric_limits<std::ptrdiff_t>::max());
  EXPECT_TRUE(crowd.becomes({0}));
}

TYPED_TEST(AnyCondition, forgets_waiters_that_gave_up) {
  TypeParam condition;
  typename TestFixture::Crowd crowd(condition);
  StopSource source;
  crowd.add(1ms);
  crowd.add();
  crowd.add(source.get_token());
  crowd.add(2ms, source.get_token());
  crowd.add(1h);
  source.request_stop();
  ASSERT_TRUE(eventually([&] { return crowd.gave_up().size() == 3; }));
  crowd.notify(1);
  EXPECT_TRUE(crowd.becomes({1}));
  crowd.notify(1);
  EXPECT_TRUE(crowd.becomes({1, 4}));
  crowd.notify(1);
}

TYPED_TEST(AnyCondition, gives_the_lock_up_while_it_waits_and_takes_it_back) {
  TypeParam condition;
  Call waiter([&] {
    const std::scoped_lock guard(condition);
    condition.wait();
    return Call([&] { return condition.try_acquire(); }).result();
  });
  ASSERT_TRUE(falls_asleep(waiter));
  ASSERT_TRUE(condition.acquire(1h));
  condition.notify();
  EXPECT_TRUE(stays([&] { return !waiter.returned(); })) << "the lock is still held here";
  condition.release();
  EXPECT_FALSE(waiter.result()) << "it holds the lock again";
}

TYPED_TEST(AnyCondition, takes_the_lock_back_also_when_it_gives_up) {
  TypeParam condition;
  const auto held = [&] { return !Call([&] { return condition.try_acquire(); }).result(); };
  const std::scoped_lock guard(condition);
  EXPECT_FALSE(condition.wait(0s));
  EXPECT_TRUE(held());
  EXPECT_FALSE(condition.wait(5ms));
  EXPECT_TRUE(held());
  EXPECT_FALSE(condition.wait(stopped_token()));
  EXPECT_TRUE(held());
  EXPECT_FALSE(condition.wait(5ms, stopped_token()));
  EXPECT_TRUE(held());
  EXPECT_FALSE(condition.wait(5ms, [] { return false; }));
  EXPECT_TRUE(held());
}

TYPED_TEST(AnyCondition, waits_for_the_lock_even_after_its_time_is_over) {
  TypeParam condition;
  bool inside = false;  // guarded by the condition's lock
  Call waiter([&] {
    const std::scoped_lock guard(condition);
    inside = true;
    return condition.wait(100ms);
  });
  ASSERT_TRUE(eventually([&] {
    condition.acquire();
    if (inside) return true;
    condition.release();
    return false;
  }));
  const bool too_late = waiter.returned();  // else it cannot return while we hold the lock
  if (!too_late) {
    std::this_thread::sleep_for(120ms);
    EXPECT_TRUE(stays([&] { return !waiter.returned(); }));
  }
  condition.release();
  EXPECT_FALSE(waiter.result());
  if (too_late) GTEST_SKIP() << "the wait was over before this thread came to look";
}

TYPED_TEST(AnyCondition, refuses_to_wait_or_notify_without_the_lock) {
  TypeParam condition;
  EXPECT_THROW(condition.wait(), RuntimeError);
  EXPECT_THROW(condition.wait(0s), RuntimeError);
  EXPECT_THROW(condition.wait(steady_clock::now()), RuntimeError);
  EXPECT_THROW(condition.wait(stopped_token()), RuntimeError);
  EXPECT_THROW(condition.wait(1s, stopped_token()), RuntimeError);
  EXPECT_THROW(condition.wait([] { return false; }), RuntimeError);
  EXPECT_THROW(condition.wait(1s, [] { return false; }), RuntimeError);
  EXPECT_THROW(condition.notify(), RuntimeError);
  EXPECT_THROW(condition.notify(0), RuntimeError);
  EXPECT_THROW(condition.notify(5), RuntimeError);
  EXPECT_THROW(condition.notify_all(), RuntimeError);
  EXPECT_THROW(condition.release(), RuntimeError);
  EXPECT_THROW(condition.notify_all(), std::runtime_error) << "an error that standard code can catch";
  const std::scoped_lock guard(condition);
  EXPECT_NO_THROW(condition.notify());
  EXPECT_FALSE(condition.wait(1ms)) << "refused calls have left nothing behind";
}

TYPED_TEST(AnyCondition, refuses_a_notify_without_the_lock_and_wakes_nobody) {
  TypeParam condition;
  typename TestFixture::Crowd crowd(condition);
  crowd.add();
  EXPECT_THROW(condition.notify_all(), RuntimeError);
  EXPECT_TRUE(crowd.becomes({}));
  crowd.notify(1);
}

TYPED_TEST(AnyCondition, has_the_names_of_its_lock) {
  TypeParam condition;
  const auto free = [&] {
    return Call([&] {
             const bool taken = condition.try_acquire();
             if (taken) condition.release();
             return taken;
           })
        .result();
  };
  EXPECT_TRUE(free());
  condition.acquire();
  EXPECT_FALSE(free());
  condition.release();
  EXPECT_TRUE(condition.try_acquire());
  EXPECT_FALSE(free());
  condition.release();
  EXPECT_TRUE(condition.acquire(0s));
  EXPECT_FALSE(Call([&] { return condition.acquire(1ms); }).result());
  condition.release();
  condition.lock();
  EXPECT_FALSE(free());
  condition.unlock();
  EXPECT_TRUE(free());
  {
    std::unique_lock guard(condition);
    EXPECT_FALSE(free());
  }
  EXPECT_TRUE(free());
}

TYPED_TEST(AnyCondition, shares_a_lock_that_it_is_given) {
  using L = std::conditional_t<std::is_same_v<TypeParam, Condition>, RLock, Lock>;
  L lock;
  TypeParam not_empty(lock), not_full(lock);
  std::deque<int> queue;
  constexpr std::size_t kRoom = 2;
  const int items = rounds(2000);
  Call producer([&] {
    for (int i = 0; i < items; ++i) {
      const std::scoped_lock guard(lock);
      not_full.wait([&] { return queue.size() < kRoom; });
      queue.push_back(i);
      not_empty.notify();
    }
  });
  for (int i = 0; i < items; ++i) {
    const std::scoped_lock guard(not_empty);
    while (queue.empty()) ASSERT_TRUE(not_empty.wait());
    ASSERT_EQ(queue.front(), i);
    ASSERT_LE(queue.size(), kRoom);
    queue.pop_front();
    not_full.notify();
  }
  producer.result();
  EXPECT_TRUE(lock.try_acquire());
  EXPECT_FALSE(Call([&] { return not_full.try_acquire(); }).result());
  lock.release();
}

// ---- Predicates --------------------------------------------------------------

TYPED_TEST(AnyCondition, returns_what_its_predicate_returned_last) {
  TypeParam condition;
  const auto number = [] { return 42; };
  const auto text = [] { return std::optional<std::string>("text"); };
  static_assert(std::is_same_v<decltype(condition.wait(number)), int>);
  static_assert(std::is_same_v<decltype(condition.wait(text)), std::optional<std::string>>);
  static_assert(std::is_same_v<decltype(condition.wait(1s, number)), bool>);
  static_assert(std::is_same_v<decltype(condition.wait(steady_clock::now(), number)), bool>);
  static_assert(std::is_same_v<decltype(condition.wait(std::stop_token(), number)), bool>);
  const std::scoped_lock guard(condition);
  EXPECT_EQ(condition.wait(number), 42);
  EXPECT_EQ(condition.wait(text), "text");
  EXPECT_TRUE(condition.wait(0s, number));
  EXPECT_TRUE(condition.wait(-1h, text));
  EXPECT_FALSE(condition.wait(0s, [] { return 0; }));
}

TYPED_TEST(AnyCondition, waits_until_its_predicate_holds) {
  TypeParam condition;
  int state = 0;
  Call waiter([&] {
    const std::scoped_lock guard(condition);
    return condition.wait([&] { return state == 4 ? state : 0; });
  });
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(falls_asleep(waiter));
    const std::scoped_lock guard(condition);
    ++state;
    condition.notify();
  }
  EXPECT_EQ(waiter.result(), 4);
}

TYPED_TEST(AnyCondition, keeps_one_deadline_over_many_looks_at_its_predicate) {
  TypeParam condition;
  std::atomic<bool> over = false;
  Call teaser([&] {
    while (!over) {
      {
        const std::scoped_lock guard(condition);
        condition.notify_all();
      }
      std::this_thread::sleep_for(200us);
    }
  });
  {
    const std::scoped_lock guard(condition);
    const auto start = steady_clock::now();
    int looks = 0;
    EXPECT_FALSE(condition.wait(30ms, [&] { return ++looks, false; }));
    EXPECT_GE(steady_clock::now() - start, 30ms);
    EXPECT_GE(looks, 2) << "before and after";
  }
  over = true;
}

// Though its time is over, what it waited for may be there when it has the lock again.
TYPED_TEST(AnyCondition, looks_once_more_when_its_time_is_over) {
  TypeParam condition;
  StopSource source;
  bool ready = false;
  int looks = 0;
  Call timed([&] {
    const std::scoped_lock guard(condition);
    return condition.wait(20ms, [&] { return ++looks, ready; });
  });
  Call stopped([&] {
    const std::scoped_lock guard(condition);
    return condition.wait(source.get_token(), [&] { return ready; });
  });
  ASSERT_TRUE(falls_asleep(stopped));
  condition.acquire();
  const bool in_time = looks < 2;  // or, on a busy machine, it gave up before we came
  std::this_thread::sleep_for(20ms);
  source.request_stop();
  ready = true;  // and no notify: both come back for another reason
  condition.release();
  EXPECT_EQ(timed.result(), in_time);
  EXPECT_TRUE(stopped.result());
}

TYPED_TEST(AnyCondition, gives_up_by_a_token_only_after_a_look_at_its_predicate) {
  TypeParam condition;
  const std::scoped_lock guard(condition);
  int looks = 0;
  EXPECT_FALSE(condition.wait(stopped_token(), [&] { return ++looks, false; }));
  EXPECT_GE(looks, 1);
  EXPECT_TRUE(condition.wait(stopped_token(), [] { return true; }));
}

TYPED_TEST(AnyCondition, calls_its_predicate_with_the_lock_held_and_passes_on_what_it_throws) {
  TypeParam condition;
  int looks = 0;
  const auto held = [&] { return !Call([&] { return condition.try_acquire(); }).result(); };
  Call waiter([&] {
    const std::scoped_lock guard(condition);
    try {
      condition.wait([&]() -> bool {
        EXPECT_TRUE(held());
        if (++looks == 1) return false;
        throw std::domain_error("from the predicate");
      });
    } catch (const std::domain_error&) {
      return held();
    }
    return false;
  });
  ASSERT_TRUE(eventually([&] {
    const std::scoped_lock guard(condition);
    return looks == 1;
  })) << "it has looked and given up the lock, so it waits";
  condition.acquire();
  condition.notify();
  condition.release();
  EXPECT_TRUE(waiter.result()) << "the lock is held when the exception comes out";
  EXPECT_TRUE(condition.try_acquire()) << "and free afterwards";
  condition.notify_all();
  condition.release();
}

// ---- Under stress ------------------------------------------------------------

// While somebody is in the list, notify() takes exactly one from it, and that one returns
// true even if its time ran out in the same moment: no notify is lost to a waiter that
// gives up.
TYPED_TEST(AnyCondition, matches_each_notify_with_one_waiter_though_others_give_up) {
  TypeParam condition;
  int waiting = 0;  // in wait(), and not yet notified
  int notifies = 0;
  int notified = 0;
  bool over = false;
  StopSource source;
  const auto notify = [&](std::ptrdiff_t n) {
    const int woken = static_cast<int>(std::min<std::ptrdiff_t>(n, waiting));
    condition.notify(n);
    waiting -= woken;
    notifies += woken;
  };
  Bunch waiters(8, [&](int index) {
    const std::scoped_lock guard(condition);
    while (!over) {
      ++waiting;
      bool by_notify = true;
      if (index < 5) by_notify = condition.wait(std::chrono::microseconds(20 * index));
      else if (index < 7) by_notify = condition.wait(100us, source.get_token());
      else by_notify = condition.wait();
      if (by_notify) ++notified;
      else --waiting;
    }
  });
  for (int i = 0; i < rounds(4000); ++i) {
    {
      const std::scoped_lock guard(condition);
      notify(1 + i % 3);
    }
    if (i == rounds(4000) / 2) source.request_stop();
    if (i % 4 == 0) std::this_thread::yield();
  }
  {
    const std::scoped_lock guard(condition);
    over = true;
    notify(1000);
  }
  waiters.join();
  EXPECT_EQ(notified, notifies);
  EXPECT_EQ(waiting, 0);
}

// Two kinds of waiters over one lock, 16 threads: as many tickets come out as went in.
TYPED_TEST(AnyCondition, passes_every_ticket_on_under_stress) {
  TypeParam condition;
  int tickets = 0;
  int taken = 0;
  const int each = rounds(1000);
  Bunch users(16, [&](int index) {
    for (int i = 0; i < each; ++i) {
      if (index % 2 == 0) {
        const std::scoped_lock guard(condition);
        ++tickets;
        condition.notify();
      } else {
        const std::scoped_lock guard(condition);
        while (tickets == 0) {
          if (index % 4 == 1) condition.wait();
          else static_cast<void>(condition.wait(100us));
        }
        --tickets;
        ++taken;
        // Who gave up took a ticket without its notify: hand that on, as one must.
        if (tickets > 0) condition.notify();
      }
    }
  });
  users.join();
  EXPECT_EQ(tickets, 0);
  EXPECT_EQ(taken, 8 * each);
}

TYPED_TEST(AnyCondition, hands_a_turn_round_a_circle) {
  constexpr int kUsers = 5;
  TypeParam condition;
  int turn = 0;
  Bunch users(kUsers, [&](int index) {
    for (int i = 0; i < rounds(300); ++i) {
      const std::scoped_lock guard(condition);
      condition.wait([&] { return turn % kUsers == index; });
      ++turn;
      condition.notify_all();
    }
  });
  users.join();
  EXPECT_EQ(turn, kUsers * rounds(300));
}

// ---- Condition over somebody else's lock --------------------------------------

// Whether it is held nobody can ask a std::mutex, but waiting works.
TEST(ForeignConditionTest, works_with_a_standard_mutex) {
  std::mutex mutex;
  BasicCondition<std::mutex> condition(mutex);
  int turn = 0;
  Bunch users(2, [&](int index) {
    for (int i = 0; i < rounds(500); ++i) {
      const std::scoped_lock guard(mutex);
      condition.wait([&] { return turn % 2 == index; });
      ++turn;
      condition.notify();
    }
  });
  users.join();
  EXPECT_EQ(turn, 2 * rounds(500));
  const std::scoped_lock guard(condition);
  EXPECT_FALSE(condition.wait(1ms));
  EXPECT_FALSE(condition.wait(stopped_token()));
}

// ---- Condition over an RLock -------------------------------------------------

TEST(ConditionTest, gives_an_rlock_up_through_all_its_levels_and_takes_it_back) {
  RLock lock;
  Condition condition(lock);
  std::atomic<bool> ready = false;
  Call waiter([&] {
    const auto deep = [&](auto wait) {
      for (int level = 0; level < 3; ++level) lock.acquire();
      const bool result = wait();
      EXPECT_EQ(lock.recursion_count(), 3u);
      for (int level = 0; level < 3; ++level) lock.release();
      EXPECT_FALSE(lock.is_owned());
      return result;
    };
    EXPECT_FALSE(deep([&] { return condition.wait(1ms); }));
    EXPECT_FALSE(deep([&] { return condition.wait(1ms, [] { return false; }); }));
    ready = true;
    return deep([&] { return condition.wait(); });
  });
  ASSERT_TRUE(eventually([&] { return ready && waiter.asleep(); }));
  {
    const std::scoped_lock guard(lock);
    condition.notify();
  }
  EXPECT_TRUE(waiter.result());
  EXPECT_EQ(lock.recursion_count(), 0u);
}

TEST(ConditionTest, keeps_the_depths_of_several_waiters_apart) {
  RLock lock;
  Condition condition(lock);
  bool go = false;
  Bunch waiters(6, [&](int index) {
    const std::size_t depth = 1 + static_cast<std::size_t>(index);
    for (std::size_t level = 0; level < depth; ++level) lock.acquire();
    condition.wait([&] { return go; });
    ASSERT_EQ(lock.recursion_count(), depth);
    for (std::size_t level = 0; level < depth; ++level) lock.release();
  });
  {
    const std::scoped_lock guard(lock);
    go = true;
    condition.notify_all();
  }
  waiters.join();
}

TEST(ConditionTest, may_be_notified_from_any_depth) {
  Condition condition;
  Call waiter([&] {
    const std::scoped_lock guard(condition);
    return condition.wait();
  });
  ASSERT_TRUE(falls_asleep(waiter));
  condition.acquire();
  condition.acquire();
  condition.notify();
  condition.release();
  EXPECT_TRUE(stays([&] { return !waiter.returned(); })) << "one level is still held";
  condition.release();
  EXPECT_TRUE(waiter.result());
}

TEST(ConditionTest, refuses_who_is_not_the_owner_while_another_is) {
  Condition condition;
  const std::scoped_lock guard(condition);
  Call other([&] {
    EXPECT_THROW(condition.wait(), RuntimeError);
    EXPECT_THROW(condition.wait(1ms), RuntimeError);
    EXPECT_THROW(condition.notify(), RuntimeError);
    EXPECT_THROW(condition.notify_all(), RuntimeError);
    EXPECT_THROW(condition.release(), RuntimeError);
  });
  other.result();
}

}  // namespace
}  // namespace nogil::testing::condition_test
