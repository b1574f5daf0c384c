// How ends of a queue between processes wait for each other, under the model checker:
// multiprocessing's Doorbell.

#include "nogil/multiprocessing/detail/doorbell.hpp"

#include <gtest/gtest.h>

#include <cstdint>

#include "check.hpp"
#include "model.hpp"
#include "mutants.hpp"
#include "waits.hpp"

namespace {

using namespace nogil::model;
using nogil::multiprocessing::detail::Doorbell;
using nogil::platform::BasicWait;

// A sleeper looks again by itself now and then, which would hide that it was not woken.
template <class P>
struct NeverLooksAgain : P {
  template <class Word>
  static bool futex_wait(const Word& word, std::uint32_t expected, nogil::platform::Deadline deadline) noexcept {
    const bool moment = P::patience(deadline) == Patience::kMoment;
    return P::futex_wait(word, expected, moment ? nogil::platform::Deadline::never() : deadline);
  }
};

// What SharedFifo does round the bell, with a number for the elements.
template <class P>
class Pile {
 public:
  void put() {
    elements_.fetch_add(1, std::memory_order_seq_cst);
    bell_.ring();
  }
  void end() {
    ended_.store(1, std::memory_order_seq_cst);
    bell_.ring_for_all();
  }

  // False: the limit was reached, or the end.
  bool get(BasicWait<P> wait = {}) {
    bool slept = false;
    for (bool in_time = true;;) {
      if (try_get()) {
        if (slept && elements_.load(std::memory_order_seq_cst) != 0) bell_.ring();
        return true;
      }
      if (!in_time || ended_.load(std::memory_order_seq_cst) != 0) return false;
      in_time = bell_.wait(wait, slept, [this] {
        return elements_.load(std::memory_order_seq_cst) != 0 || ended_.load(std::memory_order_seq_cst) != 0;
      });
    }
  }

 private:
  bool try_get() {
    std::uint32_t seen = elements_.load(std::memory_order_seq_cst);
    while (seen != 0) {
      if (elements_.compare_exchange_strong(seen, seen - 1, std::memory_order_seq_cst, std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  typename P::template Atomic<std::uint32_t> elements_{0};
  typename P::template Atomic<std::uint32_t> ended_{0};
  Doorbell<P> bell_;
};

template <class P>
void one_getter() {
  Pile<P> pile;
  together([&] { require(pile.get() && pile.get(), "there are two"); }, [&] { pile.put(); }, [&] { pile.put(); });
}

template <class P>
void two_getters() {
  Pile<P> pile;
  const auto get = [&] { require(pile.get(), "there is one for each"); };
  together(get, get, [&] {
    pile.put();
    pile.put();
  });
}

template <class P>
void getter_that_is_stopped() {
  Pile<P> pile;
  nogil::platform::BasicStopSignal<P> signal;
  together([&] { require(pile.get(), "who waits for ever gets one"); }, [&] { pile.get(until(signal)); },
           [&] {
             pile.put();
             pile.put();
             signal.request();
           });
}

template <class P>
void end_for_two() {
  Pile<P> pile;
  const auto get = [&] { require(!pile.get(), "there is none"); };
  together(get, get, [&] { pile.end(); });
}

TEST(ModelDoorbell, wakes_one_for_each_element) {
  EXPECT_TRUE(holds(one_getter<NeverLooksAgain<Platform>>));
  EXPECT_TRUE(holds(two_getters<NeverLooksAgain<Platform>>));
}

TEST(ModelDoorbell, is_rung_again_for_the_next) {
  EXPECT_TRUE(holds(getter_that_is_stopped<NeverLooksAgain<Platform>>));
}

TEST(ModelDoorbell, wakes_all_at_the_end) {
  EXPECT_TRUE(holds(end_for_two<NeverLooksAgain<Platform>>));
}

// Orders that are relaxed where the algorithm asks for all.
struct NoTotalOrder : AsWritten {
  static constexpr std::memory_order order(std::memory_order asked) noexcept {
    return asked == std::memory_order_seq_cst ? std::memory_order_relaxed : asked;
  }
};

TEST(ModelDoorbell, needs_each_part_of_its_protocol) {
  EXPECT_TRUE(fails("deadlock", one_getter<NeverLooksAgain<EditedPlatform<NoTotalOrder>>>));
  EXPECT_TRUE(fails("deadlock", one_getter<NeverLooksAgain<WithoutWake>>));
  EXPECT_TRUE(fails("deadlock", one_getter<NeverLooksAgain<BlindSleep>>));
  EXPECT_TRUE(fails("deadlock", end_for_two<NeverLooksAgain<WakingOne>>));
}

}  // namespace
