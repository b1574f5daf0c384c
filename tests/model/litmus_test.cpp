// Tests of the checker itself, on textbook examples: what the memory model allows must
// be found, and what it forbids must not.

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <stdexcept>

#include "check.hpp"
#include "model.hpp"

namespace {

using namespace nogil::model;
using nogil::platform::Deadline;

using Word = Atomic<std::uint32_t>;

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr auto kAcquire = std::memory_order_acquire;
constexpr auto kRelease = std::memory_order_release;
constexpr auto kSeqCst = std::memory_order_seq_cst;

const Deadline kSoon = Deadline::after(std::chrono::hours(1));

// ---- Store buffering: each stores, then loads what the other stored -----------------

template <class Left, class Right>
auto store_buffering(std::memory_order store, std::memory_order load, Left left, Right right) {
  return [=] {
    Word x, y;
    std::uint32_t saw_x = 2, saw_y = 2;
    together(
        [&] {
          x.store(1, store);
          left();
          saw_y = y.load(load);
        },
        [&] {
          y.store(1, store);
          right();
          saw_x = x.load(load);
        });
    require(saw_x == 1 || saw_y == 1, "neither saw the other");
  };
}

constexpr auto kNothing = [] {};
constexpr auto kFull = [] { full_fence(); };
constexpr auto kLight = [] { Platform::light_fence(); };
constexpr auto kHeavy = [] { Platform::heavy_fence(); };

TEST(StoreBuffering, may_hide_both_stores_without_fences) {
  EXPECT_TRUE(fails("neither saw", store_buffering(kRelaxed, kRelaxed, kNothing, kNothing)));
  EXPECT_TRUE(fails("neither saw", store_buffering(kRelease, kAcquire, kNothing, kNothing)));
}

TEST(StoreBuffering, may_hide_both_stores_with_one_fence) {
  EXPECT_TRUE(fails("neither saw", store_buffering(kRelaxed, kRelaxed, kFull, kNothing)));
}

TEST(StoreBuffering, shows_one_store_with_two_fences) {
  EXPECT_TRUE(holds(store_buffering(kRelaxed, kRelaxed, kFull, kFull)));
}

TEST(StoreBuffering, shows_one_store_in_one_total_order) {
  EXPECT_TRUE(holds(store_buffering(kSeqCst, kSeqCst, kNothing, kNothing)));
}

TEST(StoreBuffering, shows_one_store_with_a_light_and_a_heavy_fence) {
  EXPECT_TRUE(holds(store_buffering(kRelaxed, kRelaxed, kLight, kHeavy)));
  EXPECT_TRUE(holds(store_buffering(kRelaxed, kRelaxed, kHeavy, kHeavy)));
}

TEST(StoreBuffering, may_hide_both_stores_with_two_light_fences) {
  EXPECT_TRUE(fails("neither saw", store_buffering(kRelaxed, kRelaxed, kLight, kLight)));
}

// ---- Message passing: data, then a flag ----------------------------------------------

auto message_passing(std::memory_order store, std::memory_order load) {
  return [=] {
    Word flag;
    Plain<int> data = 0;
    together(
        [&] {
          data = 42;
          flag.store(1, store);
        },
        [&] {
          if (flag.load(load) == 1) require(data == 42, "the flag came without the data");
        });
  };
}

TEST(MessagePassing, needs_release_and_acquire) {
  EXPECT_TRUE(holds(message_passing(kRelease, kAcquire)));
  EXPECT_TRUE(fails("data race", message_passing(kRelaxed, kAcquire)));
  EXPECT_TRUE(fails("data race", message_passing(kRelease, kRelaxed)));
}

auto relaxed_message_passing(bool fence_left, bool fence_right) {
  return [=] {
    Word flag, data;
    together(
        [&] {
          data.store(42, kRelaxed);
          if (fence_left) full_fence();
          flag.store(1, kRelaxed);
        },
        [&] {
          if (flag.load(kRelaxed) == 0) return;
          if (fence_right) full_fence();
          require(data.load(kRelaxed) == 42, "the flag came without the data");
        });
  };
}

TEST(MessagePassing, works_through_fences) {
  EXPECT_TRUE(holds(relaxed_message_passing(true, true)));
  EXPECT_TRUE(fails("without the data", relaxed_message_passing(true, false)));
  EXPECT_TRUE(fails("without the data", relaxed_message_passing(false, true)));
}

TEST(MessagePassing, goes_through_a_release_sequence_of_other_threads) {
  EXPECT_TRUE(holds([] {
    Word flag;
    Plain<int> data = 0;
    together(
        [&] {
          data = 42;
          flag.store(1, kRelease);
        },
        [&] {
          std::uint32_t one = 1;
          flag.compare_exchange_strong(one, 2, kRelaxed, kRelaxed);
        },
        [&] {
          if (flag.load(kAcquire) == 2) require(data == 42, "the chain is broken");
        });
  }));
}

TEST(MessagePassing, ends_with_a_relaxed_store_that_overwrites_the_flag) {
  EXPECT_TRUE(fails("data race", [] {
    Word flag;
    Plain<int> data = 0;
    together(
        [&] {
          data = 42;
          flag.store(1, kRelease);
          flag.store(2, kRelaxed);
        },
        [&] {
          if (flag.load(kAcquire) == 2) require(data == 42, "");
        });
  }));
}

TEST(MessagePassing, is_cumulative) {
  EXPECT_TRUE(holds([] {
    Word x, y;
    Plain<int> data = 0;
    together(
        [&] {
          data = 42;
          x.store(1, kRelease);
        },
        [&] {
          if (x.load(kAcquire) == 1) y.store(1, kRelease);
        },
        [&] {
          if (y.load(kAcquire) == 1) require(data == 42, "the second link is weaker");
        });
  }));
}

// ---- Coherence ---------------------------------------------------------------------------

TEST(Coherence, forbids_to_see_an_older_value_after_a_newer) {
  EXPECT_TRUE(holds([] {
    Word x;
    together([&] { x.store(1, kRelaxed); }, [&] { x.store(2, kRelaxed); },
             [&] {
               const std::uint32_t first = x.load(kRelaxed);
               const std::uint32_t second = x.load(kRelaxed);
               require(first == 0 || second != 0, "back to the beginning");
             });
  }));
}

TEST(Coherence, lets_all_threads_see_one_order_of_the_stores) {
  EXPECT_TRUE(holds([] {
    Word x;
    std::uint32_t a = 0, b = 0, c = 0, d = 0;
    together(
        [&] {
          x.store(1, kRelaxed);
          x.store(2, kRelaxed);
        },
        [&] {
          a = x.load(kRelaxed);
          b = x.load(kRelaxed);
        },
        [&] {
          c = x.load(kRelaxed);
          d = x.load(kRelaxed);
        });
    require(a <= b && c <= d, "an order of one's own");
  }));
}

TEST(Coherence, lets_every_change_read_the_latest_value) {
  EXPECT_TRUE(holds([] {
    Word x;
    const auto add = [&] { x.fetch_add(1, kRelaxed); };
    together(add, add, add);
    require(x.load(kRelaxed) == 3, "an increment was lost");
  }));
}

TEST(Coherence, allows_an_old_value_to_make_a_compare_exchange_fail) {
  EXPECT_TRUE(fails("failed", [] {
    Word lock{1}, told;
    together(
        [&] {
          lock.store(0, kRelaxed);
          told.store(1, kRelaxed);
        },
        [&] {
          if (told.load(kRelaxed) == 0) return;
          std::uint32_t free = 0;
          require(lock.compare_exchange_strong(free, 1, kAcquire, kRelaxed), "failed");
        });
  }));
}

// Independent reads of independent writes: two readers, two orders.
auto iriw(std::memory_order store, std::memory_order load) {
  return [=] {
    Word x, y;
    std::uint32_t a = 0, b = 0, c = 0, d = 0;
    together([&] { x.store(1, store); }, [&] { y.store(1, store); },
             [&] {
               a = x.load(load);
               b = y.load(load);
             },
             [&] {
               c = y.load(load);
               d = x.load(load);
             });
    require(!(a == 1 && b == 0 && c == 1 && d == 0), "the readers disagree");
  };
}

TEST(IndependentReads, may_disagree_about_independent_writes) {
  EXPECT_TRUE(fails("disagree", iriw(kRelease, kAcquire)));
}

TEST(IndependentReads, agree_in_one_total_order) {
  EXPECT_TRUE(holds(iriw(kSeqCst, kSeqCst)));
}

// ---- Sleep ---------------------------------------------------------------------------------

TEST(Sleep, lasts_until_somebody_wakes_the_sleeper) {
  EXPECT_TRUE(holds([] {
    Word word;
    together(
        [&] {
          while (word.load(kRelaxed) == 0) Platform::futex_wait(word, 0, Deadline::never());
        },
        [&] {
          word.store(1, kRelaxed);
          Platform::futex_wake(Platform::address(word), 1);
        });
  }));
}

TEST(Sleep, is_a_deadlock_when_nobody_wakes_the_sleeper) {
  EXPECT_TRUE(fails("deadlock: thread 1 sleeps for ever", [] {
    Word word;
    together(
        [&] {
          while (word.load(kRelaxed) == 0) Platform::futex_wait(word, 0, Deadline::never());
        },
        [&] { word.store(1, kRelaxed); });
  }));
}

TEST(Sleep, may_end_for_no_reason) {
  EXPECT_TRUE(fails("too early", [] {
    Word word;
    together(
        [&] {
          Platform::futex_wait(word, 0, Deadline::never());
          require(word.load(kRelaxed) == 1, "too early");
        },
        [&] {
          word.store(1, kSeqCst);
          Platform::futex_wake(Platform::address(word), 1);
        });
  }));
}

TEST(Sleep, may_reach_its_deadline_at_any_moment) {
  EXPECT_TRUE(fails("late", [] {
    Word word;
    together([&] { require(Platform::futex_wait(word, 0, kSoon), "late"); },
             [&] {
               word.store(1, kRelaxed);
               Platform::futex_wake(Platform::address(word), 1);
             });
  }));
}

TEST(Sleep, is_not_late_for_who_was_woken) {
  EXPECT_TRUE(holds([] {
    Word word, asleep;
    bool in_time = true;
    together([&] { in_time = Platform::futex_wait(word, 0, kSoon); },
             [&] {
               word.store(1, kRelaxed);
               Platform::futex_wake(Platform::address(word), 1);
               asleep.store(1, kRelaxed);
             });
    require(in_time || asleep.load(kRelaxed) == 1, "");
  }));
}

TEST(Sleep, may_end_for_any_one_of_two_sleepers) {
  const auto one_of_two = [](std::uint32_t wanted) {
    return [wanted] {
      Word word, done, asleep;
      const auto sleep = [&] {
        asleep.fetch_add(1, kRelaxed);
        Platform::futex_wait(word, 0, Deadline::never());
        const std::uint32_t me = Platform::thread_id();
        if (done.exchange(me, kRelaxed) == 0) require(me != wanted, "this one first");
      };
      together(sleep, sleep, [&] {
        Platform::futex_wake(Platform::address(word), 1);
        word.store(1, kRelaxed);
        Platform::futex_wake(Platform::address(word), 2);
      });
    };
  };
  EXPECT_TRUE(fails("this one first", one_of_two(2)));
  EXPECT_TRUE(fails("this one first", one_of_two(3)));
}

// ---- Lifetimes and the rest ---------------------------------------------------------------

TEST(Lifetime, ends_with_the_destructor) {
  EXPECT_TRUE(fails("after its destruction", [] {
    std::optional<Word> word(std::in_place, 0u);
    Word gone;
    together(
        [&] {
          word.reset();
          gone.store(1, kRelease);
        },
        [&] {
          if (gone.load(kAcquire) == 1) word->load(kRelaxed);
        });
  }));
}

TEST(Lifetime, must_end_after_the_last_use_in_every_schedule) {
  EXPECT_TRUE(fails("nothing makes sure that thread 2 has finished", [] {
    std::optional<Word> word(std::in_place, 0u);
    Word used;
    together(
        [&] {
          if (used.load(kRelaxed) == 1) word.reset();
        },
        [&] {
          word->load(kRelaxed);
          used.store(1, kRelease);
        });
  }));
}

TEST(Lifetime, does_not_matter_to_who_wakes_an_address) {
  EXPECT_TRUE(holds([] {
    std::optional<Word> word(std::in_place, 0u);
    together(
        [&] {
          while (word->load(kAcquire) == 0) Platform::futex_wait(*word, 0, Deadline::never());
          word.reset();
        },
        [&] {
          const auto address = Platform::address(*word);
          word->store(1, kRelease);
          Platform::futex_wake(address, 1);
        });
  }));
}

TEST(Livelock, is_found) {
  EXPECT_TRUE(fails("livelock", [] {
    Word never;
    together([&] {
      while (never.load(kRelaxed) == 0) Platform::yield();
    });
  }));
}

TEST(Yield, lets_those_go_on_who_are_waited_for) {
  EXPECT_TRUE(holds([] {
    Word flag;
    const auto wait = [&] {
      while (flag.load(kRelaxed) == 0) Platform::yield();
    };
    together(wait, wait, [&] { flag.store(1, kRelaxed); });
  }));
}

TEST(Exceptions, may_be_in_flight_in_several_threads) {
  EXPECT_TRUE(holds([] {
    Word word;
    const auto body = [&] {
      try {
        throw std::runtime_error(std::to_string(Platform::thread_id()));
      } catch (const std::exception& error) {
        word.fetch_add(1, kRelaxed);
        require(error.what() == std::to_string(Platform::thread_id()), "somebody else's exception");
      }
    };
    together(body, body);
  }));
}

TEST(Exceptions, must_not_leave_a_thread) {
  EXPECT_TRUE(fails("an exception went out: oh", [] { together([] { throw std::runtime_error("oh"); }); }));
}

// ---- A lock from the books -------------------------------------------------------------------

// U. Drepper, "Futexes Are Tricky" (2011), mutex 2, with a mistake if asked for one.
enum class Mistake { kNone, kRelaxedUnlock, kNoMarkAfterSleep, kNoWake };

template <Mistake kMistake>
class BookLock {
 public:
  void lock() {
    std::uint32_t seen = 0;
    if (word_.compare_exchange_strong(seen, 1, kAcquire, kRelaxed)) return;
    if (kMistake == Mistake::kNoMarkAfterSleep) {
      for (;;) {
        seen = 1;
        word_.compare_exchange_strong(seen, 2, kRelaxed, kRelaxed);
        if (seen != 0) Platform::futex_wait(word_, 2, Deadline::never());
        seen = 0;
        if (word_.compare_exchange_strong(seen, 1, kAcquire, kRelaxed)) return;
      }
    }
    while (word_.exchange(2, kAcquire) != 0) Platform::futex_wait(word_, 2, Deadline::never());
  }

  void unlock() {
    const auto order = kMistake == Mistake::kRelaxedUnlock ? kRelaxed : kRelease;
    if (word_.exchange(0, order) == 2 && kMistake != Mistake::kNoWake) {
      Platform::futex_wake(Platform::address(word_), 1);
    }
  }

 private:
  Word word_;
};

template <Mistake kMistake>
void three_take_turns() {
  BookLock<kMistake> lock;
  Plain<int> turns = 0;
  const auto take = [&] {
    lock.lock();
    turns = turns + 1;
    lock.unlock();
  };
  together(take, take, take);
  require(turns == 3, "a turn was lost");
}

TEST(BookLock, is_right) {
  EXPECT_TRUE(holds(three_take_turns<Mistake::kNone>));
}

TEST(BookLock, is_wrong_with_each_mistake) {
  EXPECT_TRUE(fails("data race", three_take_turns<Mistake::kRelaxedUnlock>));
  EXPECT_TRUE(fails("deadlock", three_take_turns<Mistake::kNoMarkAfterSleep>));
  EXPECT_TRUE(fails("deadlock", three_take_turns<Mistake::kNoWake>));
}

TEST(Schedule, can_be_run_again) {
  const auto scenario = [] { three_take_turns<Mistake::kNoWake>(); };
  for (const long exhaustive : {300'000L, 0L}) {
    const Outcome first = explore(scenario, {.exhaustive = exhaustive, .random = 100'000});
    const std::size_t from = first.report.find('"') + 1;
    const std::string schedule = first.report.substr(from, first.report.find('"', from) - from);
    ASSERT_NE(first.failure, "");
    ::setenv("NOGIL_MODEL_SCHEDULE", schedule.c_str(), 1);
    const Outcome again = explore(scenario);
    ::unsetenv("NOGIL_MODEL_SCHEDULE");
    EXPECT_EQ(first.failure, again.failure);
  }
}

}  // namespace
