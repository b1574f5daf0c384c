// The event count under the model checker: platform::BasicEventCount.

#include "nogil/platform/event_count.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>

#include "check.hpp"
#include "model.hpp"
#include "mutants.hpp"
#include "waits.hpp"

namespace {

using namespace nogil::model;
using nogil::platform::BasicEventCount;
using nogil::platform::BasicStopSignal;
using nogil::platform::BasicWait;

// Items that one asks for at once, with an event count to wait for them. Relaxed where it
// can be, so that all the order there is comes from the event count.
template <class P>
class Items {
 public:
  void put(std::uint32_t n = 1) {
    items_.fetch_add(n, std::memory_order_relaxed);
    count_.notify(n);
  }

  bool try_take() {
    std::uint32_t seen = items_.load(std::memory_order_relaxed);
    while (seen != 0) {
      if (items_.compare_exchange_strong(seen, seen - 1, std::memory_order_relaxed, std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  bool take(BasicWait<P> wait = {}) {
    while (!try_take()) {
      const auto key = count_.prepare();
      if (try_take()) {
        count_.cancel(key);
        return true;
      }
      if (!count_.wait(key, wait)) {
        // A wake-up may have come for an item that is still there: it is taken, so no
        // other waiter needs it.
        return try_take();
      }
    }
    return true;
  }

  std::uint32_t left() { return items_.load(std::memory_order_relaxed); }
  std::uint32_t waiting() { return count_.waiting(); }

 private:
  Atomic<std::uint32_t> items_;
  BasicEventCount<P> count_;
};

template <class P>
void one_for_one() {
  Items<P> items;
  together([&] { items.take(); }, [&] { items.put(); });
  require(items.left() == 0, "an item is left");
  require(items.waiting() == 0, "a waiter is left");
}

template <class P>
void two_for_two() {
  Items<P> items;
  const auto take = [&] { items.take(); };
  together(take, take, [&] {
    items.put();
    items.put();
  });
  require(items.left() == 0, "an item is left");
}

TEST(ModelEventCount, loses_no_wake_up) {
  EXPECT_TRUE(holds(one_for_one<Platform>, {.bounds = {.deviations = 6}}));
  EXPECT_TRUE(holds(two_for_two<Platform>));
}

TEST(ModelEventCount, needs_each_part_of_its_protocol) {
  EXPECT_TRUE(fails("deadlock", one_for_one<WithoutHeavyFence>));
  EXPECT_TRUE(fails("deadlock", one_for_one<WithoutWake>));
  EXPECT_TRUE(fails("deadlock", one_for_one<BlindSleep>));
}

// One takes two, and may lie down again while the wake-up for the other is still on its way.
template <class P>
void lie_down_before_the_wake_up_of_another() {
  Items<P> items;
  together([&] { items.take(); },
           [&] {
             items.take();
             items.take();
           },
           [&] {
             items.put();
             items.put();
             items.put();
           });
}

TEST(ModelEventCount, loses_no_wake_up_that_another_gets) {
  EXPECT_TRUE(holds(lie_down_before_the_wake_up_of_another<Platform>));
}

template <class P>
void put_two_at_once() {
  Items<P> items;
  const auto take = [&] { items.take(); };
  together(take, take, [&] { items.put(2); });
}

TEST(ModelEventCount, wakes_as_many_as_it_is_told) {
  EXPECT_TRUE(holds(put_two_at_once<Platform>));
  EXPECT_TRUE(fails("deadlock", put_two_at_once<WakingOne>));
}

TEST(ModelEventCount, wakes_everybody_with_notify_all) {
  EXPECT_TRUE(holds([] {
    Atomic<std::uint32_t> open;
    BasicEventCount<Platform> count;
    const auto wait = [&] {
      while (open.load(std::memory_order_relaxed) == 0) {
        const auto key = count.prepare();
        if (open.load(std::memory_order_relaxed) != 0) return count.cancel(key);
        BasicWait<Platform> forever;
        count.wait(key, forever);
      }
    };
    together(wait, wait, [&] {
      open.store(1, std::memory_order_relaxed);
      count.notify_all();
    });
  }));
}

// A waiter that gives up while a notify claims it, beside one that waits for ever.
template <class P>
void give_up_beside_others() {
  Items<P> items;
  std::uint32_t taken = 1;
  together([&] { items.take(); },
           [&] {
             if (items.take(for_some_time<P>())) ++taken;
           },
           [&] {
             items.put();
             items.put();
           });
  require(items.left() == 2 - taken, "an item was lost, or made up");
}

TEST(ModelEventCount, is_not_confused_by_a_timeout_that_races_with_a_claim) {
  EXPECT_TRUE(holds(give_up_beside_others<Platform>));
  EXPECT_TRUE(fails("deadlock", give_up_beside_others<PlatformOf<WithdrawsBlindly>>)) << "a plain decrement";
}

template <class P>
void tell_whether_a_notify_came() {
  BasicEventCount<P> count;
  Atomic<std::uint32_t> notified;
  together(
      [&] {
        const auto key = count.prepare();
        BasicWait<P> wait = for_some_time<P>();
        if (count.wait(key, wait)) require(notified.load(std::memory_order_relaxed) == 1, "there was no notify");
      },
      [&] {
        notified.store(1, std::memory_order_relaxed);
        count.notify(1);
      });
  require(count.waiting() == 0, "a waiter is left");
}

TEST(ModelEventCount, shows_a_waiter_what_was_done_before_the_notify) {
  EXPECT_TRUE(holds(tell_whether_a_notify_came<Platform>, {.bounds = {.deviations = 6}}));
  EXPECT_TRUE(fails("there was no notify", tell_whether_a_notify_came<WithoutAcquire>));
}

TEST(ModelEventCount, may_be_destroyed_by_the_thread_it_let_through) {
  EXPECT_TRUE(holds([] {
    std::optional<BasicEventCount<Platform>> count(std::in_place);
    Atomic<std::uint32_t> go;
    together(
        [&] {
          const auto key = count->prepare();
          go.store(1, std::memory_order_release);
          BasicWait<Platform> wait = for_some_time();  // with which the model wakes nobody for no reason
          if (count->wait(key, wait)) count.reset();
        },
        [&] {
          while (go.load(std::memory_order_acquire) == 0) Platform::yield();
          count->notify(1);
        });
  }));
}

// notify() in two halves: the change is under way, the waiter is claimed, the change is
// made, and from then on the event count may be gone; then the wake-up.
template <class P>
void claim_then_change_then_wake() {
  constexpr std::uint32_t kUnderWay = 1, kMade = 2;
  std::optional<BasicEventCount<P>> count(std::in_place);
  Atomic<std::uint32_t> change;
  together(
      [&] {
        for (;;) {
          const auto key = count->prepare();
          const std::uint32_t seen = change.load(std::memory_order_acquire);
          if (seen == 0) {
            BasicWait<P> forever;
            count->wait(key, forever);
          } else {
            count->cancel(key);
            if (seen == kMade) break;
            P::yield();
          }
        }
        count.reset();
      },
      [&] {
        change.store(kUnderWay, std::memory_order_relaxed);
        P::light_fence();
        const auto claim = count->claim(1);
        change.store(kMade, std::memory_order_release);
        claim.wake();
      });
}

TEST(ModelEventCount, may_be_destroyed_between_the_halves_of_a_notify) {
  EXPECT_TRUE(holds(claim_then_change_then_wake<Platform>, {.bounds = {.deviations = 6}}));
  EXPECT_TRUE(fails("deadlock", claim_then_change_then_wake<WithoutHeavyFence>));
}

TEST(ModelEventCount, ends_a_wait_when_a_stop_is_requested) {
  EXPECT_TRUE(holds([] {
    Items<Platform> items;
    BasicStopSignal<Platform> signal;
    bool got = false;
    together([&] { got = items.take(until(signal)); }, [&] { signal.request(); }, [&] { items.put(); });
    require(items.left() == (got ? 0 : 1), "an item was lost, or made up");
  }));
}

}  // namespace
