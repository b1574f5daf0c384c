// Event under the model checker: detail::EventCore.

#include <gtest/gtest.h>

#include <optional>

#include "check.hpp"
#include "model.hpp"
#include "mutants.hpp"
#include "nogil/threading/detail/event_core.hpp"
#include "waits.hpp"

namespace {

using namespace nogil::model;
using nogil::detail::EventCore;
using nogil::platform::BasicStopSignal;
using nogil::platform::BasicWait;

template <class P>
bool wait_for(EventCore<P>& event, BasicWait<P> wait = {}) {
  return event.is_set() || event.wait_slow(wait);
}

template <class P>
void set_once() {
  EventCore<P> event;
  Plain<int> data = 0;
  const auto wait = [&] {
    require(wait_for(event), "a wait without a limit gave up");
    require(data == 1, "not ordered by set()");
  };
  together(wait, wait, [&] {
    data = 1;
    event.set();
  });
}

TEST(ModelEvent, lets_everybody_through) {
  EXPECT_TRUE(holds(set_once<Platform>));
}

TEST(ModelEvent, needs_each_part_of_its_protocol) {
  EXPECT_TRUE(fails("data race", set_once<WithoutRelease>));
  EXPECT_TRUE(fails("data race", set_once<WithoutAcquire>));
  EXPECT_TRUE(fails("deadlock", set_once<WithoutWake>));
  EXPECT_TRUE(fails("deadlock", set_once<WakingOne>));
  EXPECT_TRUE(fails("deadlock", set_once<BlindSleep>));
}

// An atomic that lets the scenario know when somebody has looked at it. The counter is no
// part of the model: it orders nothing.
int looks = 0;

template <class Base>
struct CountsLooks : Base {
  template <class T>
  struct Atomic : Base::template Atomic<T> {
    using Base::template Atomic<T>::Atomic;
    T load(std::memory_order order) const noexcept {
      const T seen = Base::template Atomic<T>::load(order);
      ++looks;
      return seen;
    }
  };
};

// A pulse that begins when the waiter has taken its first look, and not necessarily more.
template <class Base>
void pulse_while_waiting() {
  using P = CountsLooks<Base>;
  EventCore<P> event;
  looks = 0;
  together(
      [&] {
        BasicWait<P> forever;
        require(event.wait_slow(forever), "a wait without a limit gave up");
      },
      [&] {
        while (looks == 0) P::yield();
        event.set();
        event.clear();
      });
}

TEST(ModelEvent, lets_through_who_was_waiting_even_if_it_is_cleared_at_once) {
  EXPECT_TRUE(holds(pulse_while_waiting<Platform>, {.bounds = {.deviations = 6}}));
  EXPECT_TRUE(fails("deadlock", pulse_while_waiting<EditedPlatform<NoGeneration>>));
}

template <class P>
void clear_before_the_last_set() {
  EventCore<P> event;
  Atomic<std::uint32_t> cleared;
  together([&] { wait_for(event); },
           [&] {
             event.clear();
             cleared.store(1, std::memory_order_release);
           },
           [&] {
             event.set();
             while (cleared.load(std::memory_order_acquire) == 0) P::yield();
             event.set();
           });
  require(event.is_set(), "the last set() came after clear()");
}

TEST(ModelEvent, keeps_its_sleepers_through_clear) {
  EXPECT_TRUE(holds(clear_before_the_last_set<Platform>));
}

template <class P>
void give_up() {
  EventCore<P> event;
  Plain<int> data = 0;
  together([&] { wait_for(event); },
           [&] {
             if (wait_for(event, for_some_time<P>())) require(data == 1, "not ordered by set()");
           },
           [&] {
             data = 1;
             event.set();
           });
}

TEST(ModelEvent, can_be_given_up) {
  EXPECT_TRUE(holds(give_up<Platform>));
}

template <class P>
void destroy_when_let_through() {
  std::optional<EventCore<P>> event(std::in_place);
  together(
      [&] {
        wait_for(*event);
        event.reset();
      },
      [&] { event->set(); });
}

TEST(ModelEvent, may_be_destroyed_by_the_thread_it_let_through) {
  EXPECT_TRUE(holds(destroy_when_let_through<Platform>, {.bounds = {.deviations = 6}}));
  EXPECT_TRUE(fails("nothing makes sure", destroy_when_let_through<WithoutRelease>));
}

TEST(ModelEvent, ends_a_wait_when_a_stop_is_requested) {
  EXPECT_TRUE(holds([] {
    EventCore<Platform> event;
    BasicStopSignal<Platform> signal;
    Plain<int> data = 0;
    together(
        [&] {
          if (wait_for(event, until(signal))) require(data == 1, "not ordered by set()");
        },
        [&] { signal.request(); },
        [&] {
          data = 1;
          event.set();
        });
  }));
}

}  // namespace
