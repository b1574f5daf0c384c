// Tests of nogil::Barrier, after CPython's lock_tests.BarrierTests.

#include "nogil/threading/barrier.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <limits>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "support/threads.hpp"
#include "support/wait_suite.hpp"

namespace nogil::testing::barrier_test {

static_assert(sizeof(detail::BarrierCore<platform::Native>) <= 24, "a barrier without its action and default timeout");
static_assert(!std::is_copy_constructible_v<Barrier> && !std::is_move_constructible_v<Barrier>);
static_assert(!std::is_convertible_v<int, Barrier>);
static_assert(std::is_same_v<decltype(std::declval<Barrier&>().wait()), std::ptrdiff_t>);
static_assert(std::is_same_v<decltype(std::declval<Barrier&>().wait(1s)), std::ptrdiff_t>);

NOGIL_WAIT_SUITE(Barrier, TimedWait, BarrierDoor<Barrier>);

namespace {

// A thread in barrier.wait(limits...), and what came of it: its index, or -1 when the
// barrier broke.
template <class... Limits>
std::unique_ptr<Call<std::ptrdiff_t>> arrive(Barrier& barrier, Limits... limits) {
  return std::make_unique<Call<std::ptrdiff_t>>([&barrier, limits...]() -> std::ptrdiff_t {
    try {
      return barrier.wait(limits...);
    } catch (const BrokenBarrierError&) {
      return -1;
    }
  });
}

constexpr std::ptrdiff_t kBroke = -1;

TEST(BarrierTest, refuses_fewer_than_one_party) {
  EXPECT_THROW(Barrier{0}, ValueError);
  EXPECT_THROW(Barrier{-1}, ValueError);
  EXPECT_THROW(Barrier{std::numeric_limits<std::ptrdiff_t>::min()}, ValueError);
  EXPECT_THROW(Barrier{0}, std::invalid_argument) << "an error that standard code can catch";
}

TEST(BarrierTest, is_whole_and_empty_when_made) {
  Barrier barrier(3);
  EXPECT_EQ(barrier.parties(), 3);
  EXPECT_EQ(barrier.n_waiting(), 0);
  EXPECT_FALSE(barrier.broken());
}

TEST(BarrierTest, of_one_lets_everyone_through_at_once) {
  int actions = 0;
  Barrier barrier(1, [&] { ++actions; });
  EXPECT_EQ(barrier.wait(), 0);
  EXPECT_EQ(barrier.wait(0s), 0) << "what is free is taken";
  EXPECT_EQ(barrier.wait(-1h), 0);
  EXPECT_EQ(barrier.wait(steady_clock::time_point::min()), 0);
  EXPECT_EQ(barrier.wait(std::chrono::hours::max()), 0);
  EXPECT_EQ(actions, 5);
  EXPECT_FALSE(barrier.broken());
}

TEST(BarrierTest, lets_the_last_through_whatever_its_timeout) {
  Barrier barrier(2);
  for (int round = 0; round < 4; ++round) {
    auto first = arrive(barrier);
    ASSERT_TRUE(eventually([&] { return barrier.n_waiting() == 1; }));
    switch (round) {
      case 0:
        EXPECT_EQ(barrier.wait(0s), 1);
        break;
      case 1:
        EXPECT_EQ(barrier.wait(-1h), 1);
        break;
      case 2:
        EXPECT_EQ(barrier.wait(steady_clock::time_point::min()), 1);
        break;
      default:
        EXPECT_EQ(barrier.wait(FloatSeconds(kNaN)), 1);
        break;
    }
    EXPECT_EQ(first->result(), 0);
  }
}

TEST(BarrierTest, gives_each_its_own_index_in_order_of_arrival) {
  Barrier barrier(4);
  for (int round = 0; round < 3; ++round) {
    std::vector<std::unique_ptr<Call<std::ptrdiff_t>>> waiters;
    for (int i = 0; i < 3; ++i) {
      waiters.push_back(arrive(barrier));
      ASSERT_TRUE(eventually([&] { return barrier.n_waiting() == i + 1; }));
    }
    EXPECT_TRUE(falls_asleep(waiters)) << "nobody goes before the last has come";
    EXPECT_EQ(barrier.wait(), 3);
    EXPECT_EQ(barrier.n_waiting(), 0);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(waiters[static_cast<std::size_t>(i)]->result(), i);
  }
}

// As CPython's test_barrier_10: nobody is in the next phase while another is in the last.
TEST(BarrierTest, keeps_its_parties_in_step_for_thousands_of_rounds) {
  for (const int parties : {2, 3, 8, 16}) {
    const int phases = rounds(parties > 4 ? 500 : 3000);
    Barrier barrier(parties);
    std::vector<std::atomic<int>> phase(static_cast<std::size_t>(parties));
    std::atomic<int> index_zero = 0;
    std::atomic<long> index_sum = 0;
    Bunch users(parties, [&](int me) {
      for (int i = 1; i <= phases; ++i) {
        phase[static_cast<std::size_t>(me)].store(i, std::memory_order_relaxed);
        const auto index = barrier.wait();
        ASSERT_GE(index, 0);
        ASSERT_LT(index, parties);
        index_zero += index == 0;
        index_sum += index;
        for (const auto& other : phase) {
          const int seen = other.load(std::memory_order_relaxed);
          ASSERT_GE(seen, i);
          ASSERT_LE(seen, i + 1);
        }
      }
    });
    users.join();
    EXPECT_EQ(index_zero, phases);
    EXPECT_EQ(index_sum, static_cast<long>(phases) * parties * (parties - 1) / 2);
    EXPECT_EQ(barrier.n_waiting(), 0);
    EXPECT_FALSE(barrier.broken());
  }
}

// More threads than parties: whichever come together go together.
TEST(BarrierTest, serves_more_threads_than_it_has_parties) {
  constexpr int kParties = 3;
  std::atomic<int> generations = 0;
  Barrier barrier(kParties, [&] { ++generations; });
  std::atomic<int> through = 0;
  std::atomic<int> zeros = 0;
  Bunch users(10, [&] {
    try {
      for (;;) {
        zeros += barrier.wait() == 0;
        ++through;
      }
    } catch (const BrokenBarrierError&) {
    }
  });
  ASSERT_TRUE(eventually([&] { return generations >= rounds(2000); }));
  barrier.abort();
  users.join();
  EXPECT_EQ(through, kParties * zeros);
  const int given_up = generations - zeros;  // whose action ran when the barrier was broken
  EXPECT_TRUE(given_up == 0 || given_up == 1) << given_up;
  EXPECT_EQ(barrier.n_waiting(), 0);
}

TEST(BarrierTest, publishes_what_its_parties_wrote_before) {
  constexpr std::size_t kParties = 4;
  Barrier barrier(kParties);
  int plain[kParties] = {};  // not atomic: ThreadSanitizer checks the ordering for us
  Bunch users(kParties, [&](int me) {
    for (int round = 1; round <= rounds(1000); ++round) {
      plain[me] = round;
      barrier.wait();
      for (const int other : plain) ASSERT_EQ(other, round);
      barrier.wait();
    }
  });
  users.join();
}

TEST(BarrierTest, knows_how_many_wait) {
  Barrier barrier(4);
  auto a = arrive(barrier);
  ASSERT_TRUE(eventually([&] { return barrier.n_waiting() == 1; }));
  auto b = arrive(barrier);
  ASSERT_TRUE(eventually([&] { return barrier.n_waiting() == 2; }));
  barrier.abort();
  EXPECT_EQ(a->result(), kBroke);
  EXPECT_EQ(b->result(), kBroke);
  EXPECT_EQ(barrier.n_waiting(), 0);
}

// ---- The action --------------------------------------------------------------

TEST(BarrierTest, runs_its_action_once_in_the_last_to_arrive_before_the_others_go_on) {
  int plain = 0;  // written by the action alone: the others must see it
  std::thread::id ran_in;
  std::atomic<bool> go = false;
  std::atomic<bool> running = false;
  Barrier barrier(3, [&] {
    running = true;
    EXPECT_TRUE(eventually([&] { return go.load(); }));
    ++plain;
    ran_in = std::this_thread::get_id();
  });
  for (int round = 1; round <= 5; ++round) {
    go = running = false;
    const auto wait_and_look = [&] {
      barrier.wait();
      return plain;
    };
    Call a(wait_and_look);
    Call b(wait_and_look);
    ASSERT_TRUE(falls_asleep(a, b));
    std::thread::id last_id;
    Call last([&] {
      last_id = std::this_thread::get_id();
      EXPECT_EQ(barrier.wait(), 2);
      return ran_in == std::this_thread::get_id();
    });
    ASSERT_TRUE(eventually([&] { return running.load(); }));
    EXPECT_TRUE(stays([&] { return a.asleep() && b.asleep(); })) << "the action is not done";
    go = true;
    EXPECT_TRUE(last.result());
    EXPECT_EQ(a.result(), round);
    EXPECT_EQ(b.result(), round);
  }
}

TEST(BarrierTest, breaks_when_its_action_throws_and_gives_the_exception_to_the_last) {
  bool fails = true;
  Barrier barrier(3, [&] {
    if (fails) throw std::domain_error("from the action");
  });
  auto a = arrive(barrier);
  auto b = arrive(barrier, 1h);
  ASSERT_TRUE(falls_asleep(*a, *b));
  EXPECT_THROW(barrier.wait(), std::domain_error);
  EXPECT_EQ(a->result(), kBroke);
  EXPECT_EQ(b->result(), kBroke);
  EXPECT_TRUE(barrier.broken());
  EXPECT_EQ(barrier.n_waiting(), 0);
  EXPECT_THROW(barrier.wait(), BrokenBarrierError);
  fails = false;
  barrier.reset();
  EXPECT_FALSE(barrier.broken());
  a = arrive(barrier);
  b = arrive(barrier);
  ASSERT_TRUE(falls_asleep(*a, *b));
  EXPECT_EQ(barrier.wait(), 2);
  EXPECT_GE(a->result(), 0);
  EXPECT_GE(b->result(), 0);
}

TEST(BarrierTest, lets_its_action_look_at_it) {
  Barrier* self = nullptr;
  std::ptrdiff_t parties = 0;
  bool broken = true;
  Barrier barrier(2, [&] {
    parties = self->parties();
    broken = self->broken();
    static_cast<void>(self->n_waiting());
  });
  self = &barrier;
  auto first = arrive(barrier);
  ASSERT_TRUE(falls_asleep(*first));
  EXPECT_EQ(barrier.wait(), 1);
  EXPECT_EQ(parties, 2);
  EXPECT_FALSE(broken);
  first->result();
}

// All have come: a time that runs out while the action runs breaks nothing any more.
TEST(BarrierTest, is_not_broken_by_a_timeout_that_runs_out_during_the_action) {
  for (int round = 0; round < 5; ++round) {
    std::atomic<bool> go = false;
    bool ran = false;
    Barrier barrier(3, [&] {
      ran = true;
      EXPECT_TRUE(eventually([&] { return go.load(); }));
    });
    auto timed = arrive(barrier, 20ms);
    auto endless = arrive(barrier);
    ASSERT_TRUE(eventually([&] { return barrier.n_waiting() == 2 || barrier.broken(); }));
    auto last = arrive(barrier, 0s);
    std::this_thread::sleep_for(25ms);
    go = true;
    const bool passed = last->result() == 2;
    EXPECT_EQ(passed, ran) << "unless, on a busy machine, it was over before the last had come";
    EXPECT_EQ(passed, !barrier.broken());
    EXPECT_EQ(timed->result() == kBroke, !passed);
    EXPECT_EQ(endless->result() == kBroke, !passed);
  }
}

TEST(BarrierTest, keeps_a_move_only_action) {
  auto count = std::make_unique<int>(0);
  int* const seen = count.get();
  Barrier barrier(1, [count = std::move(count)] { ++*count; });
  barrier.wait();
  barrier.wait();
  EXPECT_EQ(*seen, 2);
}

// ---- Timeouts ----------------------------------------------------------------

TEST(BarrierTest, breaks_for_everybody_when_one_times_out) {
  Barrier barrier(5);
  auto endless = arrive(barrier);
  auto patient = arrive(barrier, 1h);
  auto until = arrive(barrier, steady_clock::now() + 1h);
  ASSERT_TRUE(falls_asleep(*endless, *patient, *until));
  const auto start = steady_clock::now();
  EXPECT_THROW(barrier.wait(20ms), BrokenBarrierError);
  EXPECT_GE(steady_clock::now() - start, 20ms);
  EXPECT_TRUE(barrier.broken());
  EXPECT_EQ(endless->result(), kBroke);
  EXPECT_EQ(patient->result(), kBroke);
  EXPECT_EQ(until->result(), kBroke);
  EXPECT_THROW(barrier.wait(), BrokenBarrierError) << "and for who comes later";
  EXPECT_THROW(barrier.wait(1h), BrokenBarrierError);
}

TEST(BarrierTest, breaks_at_once_when_somebody_would_not_wait) {
  Barrier barrier(2);
  EXPECT_THROW(barrier.wait(0s), BrokenBarrierError);
  EXPECT_TRUE(barrier.broken());
  barrier.reset();
  EXPECT_THROW(barrier.wait(-1h), BrokenBarrierError);
  EXPECT_TRUE(barrier.broken());
  EXPECT_THROW(barrier.wait(), Error) << "an error that is caught with all of the library's";
}

TEST(BarrierTest, breaks_for_everybody_when_one_is_stopped) {
  Barrier barrier(4);
  StopSource source;
  auto endless = arrive(barrier);
  auto stoppable = arrive(barrier, source.get_token());
  auto timed = arrive(barrier, 1h, source.get_token());
  ASSERT_TRUE(falls_asleep(*endless, *stoppable, *timed));
  source.request_stop();
  EXPECT_EQ(endless->result(), kBroke);
  EXPECT_EQ(stoppable->result(), kBroke);
  EXPECT_EQ(timed->result(), kBroke);
  EXPECT_TRUE(barrier.broken());
  barrier.reset();
  EXPECT_THROW(barrier.wait(stopped_token()), BrokenBarrierError);
}

TEST(BarrierTest, uses_its_own_timeout_where_none_is_given) {
  Barrier barrier(2, {}, 20ms);
  const auto start = steady_clock::now();
  EXPECT_THROW(barrier.wait(), BrokenBarrierError);
  EXPECT_GE(steady_clock::now() - start, 20ms);
  EXPECT_TRUE(barrier.broken());
  barrier.reset();
  auto patient = arrive(barrier, 1h);
  ASSERT_TRUE(falls_asleep(*patient));
  EXPECT_TRUE(stays([&] { return patient->asleep(); })) << "the call's timeout replaces the barrier's";
  EXPECT_EQ(barrier.wait(), 1);
  EXPECT_EQ(patient->result(), 0);
}

TEST(BarrierTest, takes_a_huge_timeout_of_its_own_for_endless) {
  const auto waits_on = [](auto timeout) {
    Barrier barrier(2, {}, timeout);
    auto first = arrive(barrier);
    ASSERT_TRUE(falls_asleep(*first));
    EXPECT_EQ(barrier.wait(), 1);
    EXPECT_EQ(first->result(), 0);
  };
  waits_on(std::chrono::hours::max());
  waits_on(std::chrono::nanoseconds::max());
  waits_on(FloatSeconds(kInfinity));
  waits_on(1h);
}

TEST(BarrierTest, breaks_at_once_with_a_timeout_of_its_own_that_is_not_positive) {
  for (const auto timeout : {0ns, -1ns, std::chrono::nanoseconds::min()}) {
    Barrier barrier(2, {}, timeout);
    EXPECT_THROW(barrier.wait(), BrokenBarrierError);
  }
}

TEST(BarrierTest, has_an_action_and_a_timeout_of_its_own_together) {
  int actions = 0;
  Barrier barrier(
      2, [&] { ++actions; }, 1h);
  auto first = arrive(barrier);
  ASSERT_TRUE(falls_asleep(*first));
  EXPECT_EQ(barrier.wait(), 1);
  EXPECT_EQ(first->result(), 0);
  EXPECT_EQ(actions, 1);
}

// ---- Abort and reset ---------------------------------------------------------

TEST(BarrierTest, stays_broken_by_an_abort_until_it_is_reset) {
  Barrier barrier(3);
  auto a = arrive(barrier);
  auto b = arrive(barrier, 1h);
  ASSERT_TRUE(falls_asleep(*a, *b));
  barrier.abort();
  EXPECT_EQ(a->result(), kBroke);
  EXPECT_EQ(b->result(), kBroke);
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(barrier.broken());
    EXPECT_THROW(barrier.wait(), BrokenBarrierError);
    EXPECT_EQ(barrier.n_waiting(), 0);
    barrier.abort();
  }
  barrier.reset();
  EXPECT_FALSE(barrier.broken());
  a = arrive(barrier);
  b = arrive(barrier);
  ASSERT_TRUE(falls_asleep(*a, *b));
  EXPECT_EQ(barrier.wait(), 2);
  EXPECT_EQ(a->result() + b->result(), 1);
}

TEST(BarrierTest, throws_its_waiters_out_by_a_reset_and_is_whole_at_once) {
  Barrier barrier(3);
  for (int round = 0; round < rounds(100); ++round) {
    auto a = arrive(barrier);
    auto b = arrive(barrier, 1h);
    ASSERT_TRUE(eventually([&] { return barrier.n_waiting() == 2; }));
    if (round % 2 == 0) {
      ASSERT_TRUE(falls_asleep(*a, *b));
    }
    barrier.reset();
    ASSERT_FALSE(barrier.broken());
    // The next generation may form while the last is still on its way out.
    auto c = arrive(barrier);
    auto d = arrive(barrier);
    ASSERT_TRUE(eventually([&] { return barrier.n_waiting() == 2; })) << "those who were thrown out do not count";
    ASSERT_EQ(a->result(), kBroke);
    ASSERT_EQ(b->result(), kBroke);
    ASSERT_EQ(barrier.wait(), 2);
    ASSERT_EQ(c->result() + d->result(), 1);
  }
}

TEST(BarrierTest, does_nothing_by_a_reset_without_waiters) {
  Barrier barrier(2);
  barrier.reset();
  barrier.reset();
  EXPECT_FALSE(barrier.broken());
  EXPECT_EQ(barrier.n_waiting(), 0);
  auto first = arrive(barrier);
  ASSERT_TRUE(falls_asleep(*first));
  EXPECT_EQ(barrier.wait(), 1);
  EXPECT_EQ(first->result(), 0);
}

// As CPython's test_abort_and_reset: in each round one aborts, all find it broken, one
// resets, and the next round works.
TEST(BarrierTest, is_mended_by_its_parties_again_and_again) {
  constexpr int kParties = 4;
  Barrier barrier(kParties), meeting(kParties);
  std::atomic<int> broke = 0, passed = 0;
  Bunch users(kParties, [&](int me) {
    for (int round = 0; round < rounds(200); ++round) {
      try {
        if (me == round % kParties) barrier.abort();
        barrier.wait();
      } catch (const BrokenBarrierError&) {
        ++broke;
      }
      if (meeting.wait() == 0) barrier.reset();
      meeting.wait();
      barrier.wait();
      ++passed;
      meeting.wait();
    }
  });
  users.join();
  EXPECT_EQ(broke, kParties * rounds(200));
  EXPECT_EQ(passed, kParties * rounds(200));
}

// Timeouts, aborts and resets race with arrivals. Nobody hangs, no round lets through
// more or fewer than all, and afterwards the barrier works.
TEST(BarrierTest, never_hangs_or_splits_a_round_under_stress) {
  constexpr int kParties = 3;
  std::atomic<int> generations = 0;
  Barrier barrier(kParties, [&] { ++generations; });
  std::atomic<int> through = 0, zeros = 0, finished = 0;
  Bunch users(8, [&](int me) {
    for (int i = 0; i < rounds(1000); ++i) {
      try {
        const auto index = me % 2 == 0 ? barrier.wait(1h) : barrier.wait(std::chrono::microseconds(50 * me));
        ++through;
        zeros += index == 0;
      } catch (const BrokenBarrierError&) {
        std::this_thread::yield();
      }
    }
    ++finished;
  });
  for (int i = 0; finished < 8; ++i) {
    if (i % 7 == 0) barrier.abort();
    barrier.reset();
    std::this_thread::sleep_for(20us);
  }
  users.join();
  EXPECT_EQ(through, kParties * zeros);
  EXPECT_LE(zeros, generations) << "an abort or a reset may come while the action runs";
  barrier.reset();
  auto a = arrive(barrier);
  auto b = arrive(barrier);
  ASSERT_TRUE(falls_asleep(*a, *b));
  EXPECT_EQ(barrier.wait(), 2);
  EXPECT_EQ(a->result() + b->result(), 1);
}

// ---- Lifetime ----------------------------------------------------------------

// The last to leave destroys it. Which of the others' calls have returned it may know
// only by its own count, so each must touch the barrier no more once it is let through.
TEST(BarrierTest, may_be_destroyed_by_the_last_to_leave) {
  constexpr int kParties = 3;
  for (int round = 0; round < rounds(1000); ++round) {
    auto barrier = std::make_unique<Barrier>(kParties);
    std::atomic<int> left = kParties;
    Bunch users(kParties, [&, raw = barrier.get()](int me) {
      if (me == 0) raw->wait();
      else raw->wait(1h);
      if (left.fetch_sub(1) == 1) barrier.reset();
    });
    users.join();
    ASSERT_EQ(barrier, nullptr);
  }
}

}  // namespace
}  // namespace nogil::testing::barrier_test
