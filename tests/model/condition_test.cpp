// Condition under the model checker: detail::WaitList beside detail::OwnerWord.

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>

#include "check.hpp"
#include "model.hpp"
#include "mutants.hpp"
#include "nogil/threading/detail/owner_word.hpp"
#include "nogil/threading/detail/wait_list.hpp"
#include "waits.hpp"

namespace {

using namespace nogil::model;
using nogil::detail::OwnerWord;
using nogil::detail::WaitList;
using nogil::platform::BasicStopSignal;
using nogil::platform::BasicWait;

enum class Mistake { kNone, kListsItselfTooLate, kTrustsItsTimeout };

// BasicCondition::wait_once and its lock, on the platform of the model.
template <class P, Mistake kMistake = Mistake::kNone>
class Condition {
 public:
  void lock() {
    BasicWait<P> forever;
    const std::uint32_t me = P::thread_id();
    if (!lock_.try_lock(me)) lock_.lock_slow(me, forever, [] {});
  }
  void unlock() { require(lock_.unlock(), "the lock was free"); }

  bool wait(BasicWait<P> limit = {}) {
    typename WaitList<P>::Node node;
    if (kMistake != Mistake::kListsItselfTooLate) add(node);
    unlock();
    if (kMistake == Mistake::kListsItselfTooLate) add(node);
    node.sleep(limit);
    const bool timed_out = !node.notified();
    lock();
    if (kMistake == Mistake::kTrustsItsTimeout ? !timed_out : node.notified()) return true;
    remove(node);
    return false;
  }

  void notify(std::ptrdiff_t n) {
    list_ = list_ + 1;
    waiters_.notify(n);
  }
  void notify_all() {
    list_ = list_ + 1;
    waiters_.notify_all();
  }

  bool empty() const { return waiters_.empty(); }

 private:
  void add(typename WaitList<P>::Node& node) {
    list_ = list_ + 1;
    waiters_.add(node);
  }
  void remove(typename WaitList<P>::Node& node) {
    list_ = list_ + 1;
    waiters_.remove(node);
  }

  OwnerWord<P> lock_;
  WaitList<P> waiters_;
  Plain<int> list_ = 0;  // stands for the list's pointers, whose races the model cannot see
};

template <class C>
void hand_over() {
  C condition;
  Plain<bool> ready = false;
  together(
      [&] {
        condition.lock();
        while (!ready) condition.wait();
        condition.unlock();
      },
      [&] {
        condition.lock();
        ready = true;
        condition.notify(1);
        condition.unlock();
      });
  require(condition.empty(), "a waiter is left in the list");
}

TEST(ModelCondition, loses_no_notification) {
  EXPECT_TRUE(holds(hand_over<Condition<Platform>>, {.bounds = {.deviations = 6}}));
}

TEST(ModelCondition, needs_each_part_of_its_protocol) {
  EXPECT_TRUE(fails("data race", hand_over<Condition<WithoutRelease>>));
  EXPECT_TRUE(fails("deadlock", hand_over<Condition<WithoutWake>>));
  EXPECT_TRUE(fails("deadlock", hand_over<Condition<BlindSleep>>));
  EXPECT_TRUE(fails("deadlock", hand_over<Condition<PlatformOf<LiesDownBlindly>>>))
      << "its state is not looked at again";
  EXPECT_TRUE(fails("data race", hand_over<Condition<Platform, Mistake::kListsItselfTooLate>>));
}

// Two wait, one is notified, once, when both are in the list.
template <class C>
void notify_exactly_one() {
  C condition;
  Plain<int> waiting = 0;
  Plain<int> through = 0;
  const auto wait = [&] {
    condition.lock();
    const int place = waiting;
    waiting = place + 1;
    require(condition.wait(), "a wait without a limit gave up");
    require(through == place, "the one who came later was let through first");
    through = through + 1;
    condition.unlock();
  };
  together(wait, wait, [&] {
    for (int done = 0; done < 2;) {
      condition.lock();
      const bool due = waiting == 2 && through == done;
      if (due) condition.notify(1);
      condition.unlock();
      if (due) ++done;
      else Platform::yield();
    }
  });
}

TEST(ModelCondition, lets_through_exactly_as_many_as_it_is_told_and_in_their_order) {
  EXPECT_TRUE(holds(notify_exactly_one<Condition<Platform>>));
}

TEST(ModelCondition, lets_through_everybody_with_notify_all) {
  EXPECT_TRUE(holds([] {
    Condition<Platform> condition;
    Plain<bool> ready = false;
    const auto wait = [&] {
      condition.lock();
      while (!ready) condition.wait();
      condition.unlock();
    };
    together(wait, wait, [&] {
      condition.lock();
      ready = true;
      condition.notify_all();
      condition.unlock();
    });
  }));
}

// One notification for two waiters, of which one may give up. If it was notified, it must
// know, for it has to notify the other.
template <class C>
void time_out_against_notify() {
  C condition;
  Plain<int> waiting = 0;
  const auto wait = [&](BasicWait<Platform> limit, bool passes_on) {
    condition.lock();
    waiting = waiting + 1;
    if (condition.wait(limit) && passes_on) condition.notify(1);
    condition.unlock();
  };
  together([&] { wait(for_some_time(), true); }, [&] { wait(for_ever(), false); },
           [&] {
             for (bool done = false; !done;) {
               condition.lock();
               done = waiting == 2;
               if (done) condition.notify(1);
               condition.unlock();
               if (!done) Platform::yield();
             }
           });
  require(condition.empty(), "a waiter is left in the list");
}

TEST(ModelCondition, has_one_answer_when_a_timeout_races_with_a_notification) {
  EXPECT_TRUE(holds(time_out_against_notify<Condition<Platform>>));
  EXPECT_TRUE(fails("deadlock", time_out_against_notify<Condition<Platform, Mistake::kTrustsItsTimeout>>));
}

// One waiter for ever, one that may give up or be stopped, and an item for each.
template <class C>
void give_up_beside_others(bool stopped) {
  C condition;
  BasicStopSignal<Platform> signal;
  Plain<int> items = 0;
  Plain<int> taken = 0;
  const auto take = [&](BasicWait<Platform> limit) {
    condition.lock();
    bool in_time = true;
    while (items == 0 && in_time) in_time = condition.wait(limit);
    if (items != 0) {
      items = items - 1;
      taken = taken + 1;
    }
    condition.unlock();
  };
  const auto put = [&] {
    condition.lock();
    items = items + 1;
    condition.notify(1);
    condition.unlock();
  };
  together([&] { take(for_ever()); }, [&] { take(stopped ? until(signal) : for_some_time()); },
           [&] {
             put();
             if (stopped) signal.request();
             put();
           });
  require(items + taken == 2, "an item was lost, or made up");
  require(condition.empty(), "a waiter is left in the list");
}

TEST(ModelCondition, loses_no_notification_to_a_waiter_that_gives_up) {
  EXPECT_TRUE(holds([] { give_up_beside_others<Condition<Platform>>(false); }));
  EXPECT_TRUE(holds([] { give_up_beside_others<Condition<Platform>>(true); }));
}

TEST(ModelCondition, ends_a_wait_when_a_stop_is_requested) {
  EXPECT_TRUE(holds([] {
    Condition<Platform> condition;
    BasicStopSignal<Platform> signal;
    together(
        [&] {
          condition.lock();
          require(!condition.wait(until(signal)), "nobody notified");
          condition.unlock();
        },
        [&] { signal.request(); });
    require(condition.empty(), "a waiter is left in the list");
  }));
}

}  // namespace
