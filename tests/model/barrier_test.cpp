// Barrier under the model checker: detail::BarrierCore.

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <stdexcept>

#include "check.hpp"
#include "model.hpp"
#include "mutants.hpp"
#include "nogil/threading/detail/barrier_core.hpp"
#include "waits.hpp"

namespace {

using namespace nogil::model;
using nogil::detail::BarrierCore;
using nogil::platform::BasicStopSignal;
using nogil::platform::BasicWait;

template <class P>
std::int64_t arrive(BarrierCore<P>& barrier, BasicWait<P> wait = {}) {
  return barrier.arrive(wait, false, [] {});
}

constexpr std::int64_t kBroken = BarrierCore<Platform>::kBrokenBarrier;

// Each writes before the barrier what all read after it, again and again.
template <class P>
void meet(int threads, int rounds) {
  BarrierCore<P> barrier(static_cast<std::uint32_t>(threads));
  Plain<int> written[2][3];
  const auto party = [&](int me) {
    return [&, me] {
      for (int round = 0; round < rounds; ++round) {
        written[round % 2][me] = round + 1;
        require(arrive(barrier) != kBroken, "nobody broke it");
        for (int other = 0; other < threads; ++other) {
          require(written[round % 2][other] == round + 1, "somebody had not arrived");
        }
      }
    };
  };
  if (threads == 2) together(party(0), party(1));
  else together(party(0), party(1), party(2));
  require(barrier.waiting() == 0, "somebody is still counted");
}

TEST(ModelBarrier, lets_nobody_go_on_before_all_have_come) {
  EXPECT_TRUE(holds([] { meet<Platform>(2, 1); }, {.bounds = {.deviations = 6}}));
  EXPECT_TRUE(holds([] { meet<Platform>(3, 1); }));
}

TEST(ModelBarrier, can_be_used_again_at_once) {
  EXPECT_TRUE(holds([] { meet<Platform>(2, 3); }));
  EXPECT_TRUE(holds([] { meet<Platform>(3, 2); }));
}

TEST(ModelBarrier, needs_each_part_of_its_protocol) {
  EXPECT_TRUE(fails("data race", [] { meet<WithoutRelease>(2, 1); }));
  EXPECT_TRUE(fails("data race", [] { meet<WithoutAcquire>(2, 1); }));
  EXPECT_TRUE(fails("deadlock", [] { meet<WithoutWake>(2, 1); }));
  EXPECT_TRUE(fails("deadlock", [] { meet<WakingOne>(3, 1); }));
  EXPECT_TRUE(fails("deadlock", [] { meet<BlindSleep>(2, 1); }));
}

TEST(ModelBarrier, must_change_phase_and_count_in_one_step) {
  const Outcome outcome = explore([] { meet<PlatformOf<PhaseBeforeCount>>(2, 2); });
  EXPECT_NE(outcome.failure, "") << "the phase is bumped before the count is reset";
}

TEST(ModelBarrier, gives_each_its_own_index) {
  EXPECT_TRUE(holds([] {
    BarrierCore<Platform> barrier(3);
    std::int64_t index[3] = {};
    const auto party = [&](int me) { return [&, me] { index[me] = arrive(barrier); }; };
    together(party(0), party(1), party(2));
    require(index[0] + index[1] + index[2] == 3 && index[0] * index[1] * index[2] == 0, "not 0, 1 and 2");
  }));
}

TEST(ModelBarrier, runs_the_action_before_anybody_goes_on) {
  EXPECT_TRUE(holds([] {
    BarrierCore<Platform> barrier(2);
    Plain<int> before[2], action = 0;
    const auto party = [&](int me) {
      return [&, me] {
        before[me] = 1;
        BasicWait<Platform> wait;
        barrier.arrive(wait, true, [&] { action = before[0] + before[1]; });
        require(action == 2, "went on before the action");
      };
    };
    together(party(0), party(1));
  }));
}

TEST(ModelBarrier, breaks_when_the_action_throws) {
  EXPECT_TRUE(holds([] {
    BarrierCore<Platform> barrier(2);
    Atomic<std::uint32_t> thrown, broken;
    const auto party = [&] {
      BasicWait<Platform> wait;
      try {
        require(barrier.arrive(wait, true, [] { throw std::runtime_error("action"); }) == kBroken, "let through");
        broken.fetch_add(1, std::memory_order_relaxed);
      } catch (const std::runtime_error&) {
        thrown.fetch_add(1, std::memory_order_relaxed);
      }
    };
    together(party, party);
    require(thrown.load() == 1 && broken.load() == 1, "the exception goes to the one that ran the action");
    require(barrier.broken(), "it is not broken");
  }));
}

// ---- Limits, abort, reset ----------------------------------------------------------------

template <class P>
void time_out() {
  BarrierCore<P> barrier(2);
  std::int64_t a = 0, b = 0;
  together([&] { a = arrive(barrier, for_some_time<P>()); }, [&] { b = arrive(barrier); });
  require((a == kBroken) == (b == kBroken), "broken for one, passed for the other");
  require(barrier.broken() == (a == kBroken), "broken, and not");
}

TEST(ModelBarrier, breaks_for_all_or_none_when_a_timeout_races_with_the_last_arrival) {
  EXPECT_TRUE(holds(time_out<Platform>, {.bounds = {.deviations = 6}}));
  EXPECT_TRUE(fails("deadlock", [] {
    BarrierCore<WithoutWake> barrier(3);
    together([&] { arrive(barrier, for_some_time<WithoutWake>()); }, [&] { arrive(barrier); });
  })) << "nobody tells the others";
}

TEST(ModelBarrier, breaks_for_all_three) {
  EXPECT_TRUE(holds([] {
    BarrierCore<Platform> barrier(3);
    std::int64_t a = 0, b = 0, c = 0;
    together([&] { a = arrive(barrier, for_some_time()); }, [&] { b = arrive(barrier); }, [&] { c = arrive(barrier); });
    require((a == kBroken) == (b == kBroken) && (b == kBroken) == (c == kBroken), "broken for some");
  }));
}

TEST(ModelBarrier, breaks_when_a_stop_is_requested) {
  EXPECT_TRUE(holds([] {
    BarrierCore<Platform> barrier(2);
    BasicStopSignal<Platform> signal;
    std::int64_t a = 0, b = 0;
    together([&] { a = arrive(barrier, until(signal)); }, [&] { signal.request(); }, [&] { b = arrive(barrier); });
    require((a == kBroken) == (b == kBroken), "broken for one, passed for the other");
  }));
}

TEST(ModelBarrier, lets_everybody_go_when_it_is_aborted) {
  EXPECT_TRUE(holds([] {
    BarrierCore<Platform> barrier(3);
    together([&] { require(arrive(barrier) == kBroken, "passed"); },
             [&] { require(arrive(barrier) == kBroken, "passed"); }, [&] { barrier.abort(); });
    require(barrier.broken(), "it is not broken");
  }));
}

TEST(ModelBarrier, is_new_after_a_reset) {
  EXPECT_TRUE(holds([] {
    BarrierCore<Platform> barrier(2);
    std::int64_t a = 0, b = 0;
    together([&] { a = arrive(barrier, for_some_time()); }, [&] { b = arrive(barrier, for_some_time()); },
             [&] { barrier.reset(); });
    if (!barrier.broken()) require((a == kBroken) == (b == kBroken), "passed alone");
    barrier.reset();
    require(!barrier.broken() && barrier.waiting() == 0, "it is not new");
    std::int64_t first = 2, second = 2;
    together([&] { first = arrive(barrier); }, [&] { second = arrive(barrier); });
    require(first + second == 1, "it does not work any more");
  }));
}

TEST(ModelBarrier, survives_an_abort_and_a_reset_while_threads_wait) {
  EXPECT_TRUE(holds([] {
    BarrierCore<Platform> barrier(2);
    together([&] { arrive(barrier, for_some_time()); },
             [&] {
               barrier.abort();
               barrier.reset();
             });
    if (barrier.broken()) barrier.reset();
    require(barrier.waiting() == 0, "somebody is still counted");
    together([&] { require(arrive(barrier) != kBroken, "broken"); },
             [&] { require(arrive(barrier) != kBroken, "broken"); });
  }));
}

TEST(ModelBarrier, may_be_destroyed_by_the_last_to_be_let_through) {
  EXPECT_TRUE(holds(
      [] {
        std::optional<BarrierCore<Platform>> barrier(std::in_place, 2);
        together(
            [&] {
              const bool last = arrive(*barrier) == 1;
              if (!last) barrier.reset();
            },
            [&] {
              const bool last = arrive(*barrier) == 1;
              if (!last) barrier.reset();
            });
      },
      {.bounds = {.deviations = 6}}));
}

}  // namespace
