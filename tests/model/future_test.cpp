// The state word of a future, its observers, and several futures together, under the model
// checker: detail::BasicTaskBlock and detail::BasicArrivals.

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>

#include "check.hpp"
#include "model.hpp"
#include "mutants.hpp"
#include "nogil/futures/detail/future_arrivals.hpp"
#include "nogil/futures/detail/task_block.hpp"
#include "waits.hpp"

namespace {

using namespace nogil::model;
using nogil::detail::BasicArrivals;
using nogil::detail::BasicObserver;
using nogil::detail::BasicTaskBlock;
using nogil::detail::FutureState;
using nogil::detail::TaskOp;
using nogil::detail::Told;
using nogil::platform::BasicWait;

// A block that goes when its last owner does, with a result that is no atomic.
template <class P>
struct Future {
  explicit Future(std::uint32_t refs) { block.emplace(&operate, refs); }

  // Found by the block, which a scenario has one of, or two.
  static inline Future* all[2] = {};
  static Future& of(const BasicTaskBlock<P>& block) {
    for (Future* const future : all) {
      if (future != nullptr && future->block && &*future->block == &block) return *future;
    }
    require(false, "no such block");
    return *all[0];
  }

  static std::uintptr_t operate(BasicTaskBlock<P>& block, TaskOp what) noexcept {
    Future& future = of(block);
    if (what == TaskOp::kCall) {
      future.runs = future.runs + 1;
      future.result = 42;
      return static_cast<std::uintptr_t>(FutureState::kFinished);
    }
    if (what == TaskOp::kDiscard) future.discards = future.discards + 1;
    if (what == TaskOp::kDestroy) {
      future.result = 0;  // nobody reads it any more
      future.block.reset();
      future.destroyed = true;
    }
    return 0;
  }

  std::optional<BasicTaskBlock<P>> block;
  Plain<int> result = 0;
  Plain<int> runs = 0;
  Plain<int> discards = 0;
  bool destroyed = false;
};

// The scenario's futures, known to `all` for as long as it lasts.
template <class P>
struct Registered : Future<P> {
  explicit Registered(std::uint32_t refs, int place = 0) : Future<P>(refs) { Future<P>::all[place] = this; }
};

template <class P>
bool wait_for(BasicTaskBlock<P>& block, BasicWait<P> wait = {}) {
  return block.wait(wait);
}

// ---- Run, wait, let go ---------------------------------------------------------------------

template <class P>
void run_and_wait() {
  Registered<P> future(2);
  together([&] { future.block->run(1); },
           [&] {
             require(wait_for(*future.block), "a wait without a limit gave up");
             require(future.result == 42, "no result");
             future.block->drop();
           });
  require(future.destroyed && future.runs == 1, "not run, or not destroyed");
}

template <class P>
void run_and_wait_twice() {
  Registered<P> future(3);
  const auto wait = [&] {
    require(wait_for(*future.block), "a wait without a limit gave up");
    require(future.result == 42, "no result");
    future.block->drop();
  };
  together([&] { future.block->run(1); }, wait, wait);
  require(future.destroyed && future.runs == 1, "not run, or not destroyed");
}

TEST(ModelFuture, gives_its_result_to_everybody_and_goes_with_the_last) {
  EXPECT_TRUE(holds(run_and_wait<Platform>, {.bounds = {.deviations = 6}}));
  EXPECT_TRUE(holds(run_and_wait_twice<Platform>));
}

// Shows the result in one step, and looks who waits in another, before it.
template <class T>
struct LooksBeforeShowing : nogil::model::Atomic<T> {
  using nogil::model::Atomic<T>::Atomic;
  T fetch_add(T step, std::memory_order order) noexcept {
    if (order != std::memory_order_acq_rel) return nogil::model::Atomic<T>::fetch_add(step, order);
    constexpr T kMarks = 8 + 16;
    const T marks = this->load(std::memory_order_acquire) & kMarks;
    return (nogil::model::Atomic<T>::fetch_add(step, order) & ~kMarks) | marks;
  }
};

TEST(ModelFuture, needs_each_part_of_its_protocol) {
  EXPECT_TRUE(fails("data race", run_and_wait<WithoutRelease>));
  EXPECT_TRUE(fails("data race", run_and_wait<WithoutAcquire>));
  EXPECT_TRUE(fails("deadlock", run_and_wait<WithoutWake>));
  EXPECT_TRUE(fails("deadlock", run_and_wait_twice<WakingOne>));
  EXPECT_TRUE(fails("deadlock", run_and_wait<BlindSleep>));
  EXPECT_TRUE(fails("deadlock", run_and_wait<PlatformOf<LooksBeforeShowing>>));
  EXPECT_TRUE(fails("no such block", [] {
    // Lets go before it has told.
    Registered<Platform> future(2);
    together(
        [&] {
          future.block->claim(1);
          future.block->drop();
          future.block->finish(future.block->call());
        },
        [&] {
          wait_for(*future.block, not_at_all());
          future.block->drop();
        });
  }));
}

TEST(ModelFuture, is_run_by_who_waits_or_by_who_takes_it_from_the_queue) {
  EXPECT_TRUE(holds(
      [] {
        Registered<Platform> future(2);
        together([&] { future.block->run(1); },
                 [&] {
                   if (future.block->claim(2)) future.block->finish(future.block->call());
                   require(wait_for(*future.block), "a wait without a limit gave up");
                   require(future.result == 42, "no result");
                   future.block->drop();
                 });
        require(future.destroyed && future.runs == 1, "run not once, or not destroyed");
      },
      {.bounds = {.deviations = 6}}));
}

TEST(ModelFuture, can_be_waited_for_for_some_time) {
  EXPECT_TRUE(holds([] {
    Registered<Platform> future(3);
    together([&] { future.block->run(1); },
             [&] {
               if (wait_for(*future.block, for_some_time())) require(future.result == 42, "no result");
               future.block->drop();
             },
             [&] {
               require(wait_for(*future.block), "a wait without a limit gave up");
               future.block->drop();
             });
    require(future.destroyed, "not destroyed");
  }));
}

// ---- Cancel, set ---------------------------------------------------------------------------

template <class P>
void cancel_or_run() {
  Registered<P> future(3);
  bool cancelled = false;
  together([&] { future.block->run(1); },
           [&] {
             cancelled = future.block->cancel();
             future.block->drop();
           },
           [&] {
             require(wait_for(*future.block), "a wait without a limit gave up");
             if (!future.block->cancelled()) require(future.result == 42, "no result");
             future.block->drop();
           });
  require(future.destroyed, "not destroyed");
  require(future.runs == (cancelled ? 0 : 1) && future.discards == (cancelled ? 1 : 0),
          "run and cancelled, or neither");
}

TEST(ModelFuture, is_either_run_or_cancelled) {
  EXPECT_TRUE(holds(cancel_or_run<Platform>));
  EXPECT_TRUE(fails("deadlock", cancel_or_run<WithoutWake>));
  EXPECT_TRUE(fails("data race", cancel_or_run<WithoutRelease>));
}

TEST(ModelFuture, is_set_by_one_of_two_or_cancelled) {
  EXPECT_TRUE(holds([] {
    Registered<Platform> future(4);
    int set = 0;
    bool cancelled = false;
    const auto setter = [&] {
      const FutureState found = future.block->begin_set();
      if (found <= FutureState::kRunning) {
        future.result = 42;
        ++set;
        future.block->set_and_drop(FutureState::kFinished);
      } else {
        future.block->drop();
      }
    };
    together(setter, setter, [&] {
      cancelled = future.block->cancel();
      future.block->drop();
    });
    require(set + cancelled == 1, "set and cancelled, or twice, or not at all");
    require(future.block->done(), "not done");
    if (!cancelled) require(future.result == 42, "no result");
    future.block->drop();
    require(future.destroyed, "not destroyed");
  }));
}

TEST(ModelFuture, can_be_set_after_it_could_not_be) {
  EXPECT_TRUE(holds([] {
    Registered<Platform> future(2);
    together(
        [&] {
          const FutureState found = future.block->begin_set();
          if (found > FutureState::kRunning) return;
          future.block->unset(found);  // its result's copy threw
          if (future.block->begin_set() > FutureState::kRunning) return;
          future.result = 42;
          future.block->set(FutureState::kFinished);
        },
        [&] {
          if (!future.block->cancel()) {
            require(wait_for(*future.block), "a wait without a limit gave up");
            require(future.result == 42, "no result");
          }
          future.block->drop();
        });
    future.block->drop();
    require(future.destroyed, "not destroyed");
  }));
}

// ---- Observe -------------------------------------------------------------------------------

template <class P>
struct Callback : BasicObserver<P> {
  explicit Callback(Plain<int>& n) : BasicObserver<P>(&told, Told::kAfter), calls(n) {}
  static void told(BasicObserver<P>& self, BasicTaskBlock<P>& block) noexcept {
    require(block.done(), "told before it is done");
    Callback& callback = static_cast<Callback&>(self);
    callback.calls = callback.calls + 1;
  }
  Plain<int>& calls;
};

// Two who come with callbacks of their own while it is run, and one looks at the result.
template <class P>
void call_back() {
  Registered<P> future(3);
  Plain<int> calls_1 = 0, calls_2 = 0;
  Callback<P> first(calls_1), second(calls_2);
  const auto observe = [&](Callback<P>& callback) {
    if (!future.block->observe(callback)) callback.tell(callback, *future.block);
    future.block->drop();
  };
  together([&] { future.block->run(1); }, [&] { observe(first); }, [&] { observe(second); });
  require(future.destroyed, "not destroyed");
  require(calls_1 == 1 && calls_2 == 1, "a callback was not called once");
}

// Forgets that the observers own the block: takes the step that marks it without the owner.
struct NoOwner : AsWritten {
  static constexpr std::uint64_t value(std::uint64_t old, std::uint64_t next) noexcept {
    constexpr std::uint64_t kObserved = 16, kRef = std::uint64_t{1} << 32;
    return (old & 31) < 3 && next == old + kObserved + kRef ? next - kRef : next;
  }
};

TEST(ModelFuture, calls_each_callback_once) {
  EXPECT_TRUE(holds(call_back<Platform>));
  EXPECT_TRUE(fails("not destroyed", call_back<PlatformOf<LooksBeforeShowing>>));
  EXPECT_TRUE(fails("after its destruction", call_back<EditedPlatform<NoOwner>>));
  EXPECT_TRUE(fails("deadlock", call_back<WithoutWake>)) << "who waits for the list's lock";
}

TEST(ModelFuture, calls_back_when_it_is_cancelled) {
  EXPECT_TRUE(holds([] {
    Registered<Platform> future(3);
    Plain<int> calls = 0;
    Callback<Platform> callback(calls);
    together([&] { future.block->run(1); },
             [&] {
               future.block->cancel();
               future.block->drop();
             },
             [&] {
               if (!future.block->observe(callback)) callback.tell(callback, *future.block);
               future.block->drop();
             });
    require(future.destroyed && calls == 1, "not destroyed, or not called once");
  }));
}

// ---- Several -------------------------------------------------------------------------------

template <class P>
void watch_two(bool for_ever) {
  Registered<P> first(2, 0), second(2, 1);
  Future<P>* const futures[] = {&first, &second};
  together([&] { first.block->run(1); }, [&] { second.block->run(1); },
           [&] {
             int taken = 0;
             {
               typename BasicArrivals<P>::Watch watches[2];
               BasicArrivals<P> arrivals(watches);
               for (std::uint32_t i = 0; i < 2; ++i) arrivals.watch(i, *futures[i]->block);
               BasicWait<P> wait = for_ever ? BasicWait<P>() : for_some_time<P>();
               bool seen[2] = {};
               while (taken < 2 && arrivals.wait(wait)) {
                 const std::uint32_t i = arrivals.take();
                 require(!seen[i], "taken twice");
                 require(futures[i]->result == 42, "no result");
                 seen[i] = true;
                 ++taken;
               }
               for (std::uint32_t i = 0; i < 2; ++i) {
                 if (!seen[i]) arrivals.forget(i, *futures[i]->block);
               }
             }
             if (for_ever) require(taken == 2, "a wait without a limit gave up");
             for (Future<P>* const future : futures) future->block->drop();
           });
  require(first.destroyed && second.destroyed, "not destroyed");
}

template <class P>
void watch_until_both() {
  Registered<P> first(2, 0), second(2, 1);
  Future<P>* const futures[] = {&first, &second};
  together([&] { first.block->run(1); }, [&] { second.block->run(1); },
           [&] {
             {
               typename BasicArrivals<P>::Watch watches[2];
               BasicArrivals<P> arrivals(watches);
               for (std::uint32_t i = 0; i < 2; ++i) arrivals.watch(i, *futures[i]->block);
               arrivals.skip_to_last(2);
               BasicWait<P> wait;
               require(arrivals.wait(wait), "a wait without a limit gave up");
               for (std::uint32_t i = 0; i < 2; ++i) {
                 require(futures[i]->block->done(), "it is not over for all");
                 require(futures[i]->result == 42, "no result");
                 arrivals.forget(i, *futures[i]->block);
               }
             }
             for (Future<P>* const future : futures) future->block->drop();
           });
  require(first.destroyed && second.destroyed, "not destroyed");
}

// Leaves its number without learning in the same step whether somebody sleeps.
template <class T>
struct LeavesBlindly : nogil::model::Atomic<T> {
  using nogil::model::Atomic<T>::Atomic;
  T exchange(T value, std::memory_order order) noexcept {
    if (order != std::memory_order_acq_rel) return nogil::model::Atomic<T>::exchange(value, order);
    const T old = this->load(std::memory_order_acquire);
    this->store(value, std::memory_order_release);
    return old;
  }
};

TEST(ModelFuture, arrives_once_where_several_are_watched) {
  EXPECT_TRUE(holds([] { watch_two<Platform>(true); }));
  EXPECT_TRUE(fails("deadlock", [] { watch_two<WithoutWake>(true); }));
  EXPECT_TRUE(fails("deadlock", [] { watch_two<BlindSleep>(true); }));
  EXPECT_TRUE(fails("data race", [] { watch_two<WithoutRelease>(true); }));
  EXPECT_TRUE(fails("deadlock", [] { watch_two<PlatformOf<LeavesBlindly>>(true); }));
}

TEST(ModelFuture, can_be_watched_until_all_are_done) {
  EXPECT_TRUE(holds(watch_until_both<Platform>));
  EXPECT_TRUE(fails("deadlock", watch_until_both<WithoutWake>));
  EXPECT_TRUE(fails("deadlock", watch_until_both<PlatformOf<LeavesBlindly>>));
}

TEST(ModelFuture, can_be_watched_for_some_time) {
  EXPECT_TRUE(holds([] { watch_two<Platform>(false); }));
}

}  // namespace
