// How a pool's workers sleep and are woken, under the model checker: detail::Parking.

#include "nogil/futures/detail/parking.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>

#include "check.hpp"
#include "model.hpp"
#include "mutants.hpp"

namespace {

using namespace nogil::model;
using nogil::detail::Parking;

// What the workers of a test do beside the protocol, each a mistake that a pool could make.
struct Habits {
  bool look_before_sleep = true;
  bool pass_the_search_on = true;
  std::uint32_t most_searching = 1;
};

// Tasks that one asks for at once, and workers that take them. Relaxed where it can be, so
// that all the order there is comes from the parking.
template <class P, std::uint32_t kWorkers>
class Workshop {
 public:
  using Seat = typename Parking<P>::Seat;
  using Posture = typename Parking<P>::Posture;

  explicit Workshop(Habits habits = {}) : habits_(habits) {
    for (Seat& seat : seats_) seat.posture.store(Parking<P>::kUp, std::memory_order_relaxed);
  }

  void make() {
    tasks_.fetch_add(1, std::memory_order_relaxed);
    if (parking_.wanted()) wake_one();
  }
  void make_often() {
    tasks_.fetch_add(1, std::memory_order_relaxed);
    if (parking_.wanted_often()) wake_one();
  }

  // Worker `index`: until it has had `turns` tasks. If each of the workers gets as many as
  // there are for it, the end of all is the proof that none slept beside a task.
  void work(std::uint32_t index, int turns = 1) {
    bool searching = false;
    while (turns != 0) {
      if (!searching) searching = parking_.enter_search(habits_.most_searching);
      if (try_take()) {
        --turns;
        if (searching) leave_search();
        searching = false;
        continue;
      }
      parking_.sit_down(seats_[index], searching);
      searching = false;
      if (habits_.look_before_sleep && tasks() != 0) {
        searching = parking_.get_up(seats_[index]);
      } else {
        parking_.sleep(seats_[index]);
        searching = true;
      }
    }
    if (searching) leave_search();
  }

  std::uint32_t tasks() { return tasks_.load(std::memory_order_relaxed); }
  Parking<P>& parking() { return parking_; }

 private:
  bool try_take() {
    std::uint32_t seen = tasks();
    while (seen != 0) {
      if (tasks_.compare_exchange_strong(seen, seen - 1, std::memory_order_relaxed, std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  void leave_search() {
    if (parking_.leave_search() && habits_.pass_the_search_on && tasks() != 0) wake_one();
  }

  void wake_one() {
    Posture was;
    if (Seat* const seat = parking_.claim(was)) parking_.wake(*seat);
  }

  const Habits habits_;
  Seat seats_[kWorkers];
  Parking<P> parking_{seats_, 0};
  Atomic<std::uint32_t> tasks_;
};

template <class P>
void one_worker() {
  Workshop<P, 1> shop;
  together([&] { shop.work(0, 2); },
           [&] {
             shop.make();
             shop.make();
           });
  require(shop.parking().searching() == 0, "a worker is counted as searching that has gone");
}

template <class P>
void two_workers() {
  Workshop<P, 2> shop;
  together([&] { shop.work(0); }, [&] { shop.work(1); },
           [&] {
             shop.make();
             shop.make();
           });
  require(shop.parking().searching() == 0, "a worker is counted as searching that has gone");
}

TEST(ModelParking, loses_no_wake_up) {
  EXPECT_TRUE(holds(one_worker<Platform>, {.bounds = {.deviations = 5}}));
  EXPECT_TRUE(holds(two_workers<Platform>));
}

// A worker's own tasks make tasks, too, while the other one searches or sleeps.
template <class P>
void a_worker_makes_work() {
  Workshop<P, 2> shop;
  together(
      [&] {
        shop.make();
        shop.work(0);
      },
      [&] { shop.work(1); }, [&] { shop.make(); });
}

TEST(ModelParking, wakes_a_worker_for_what_another_has_made) {
  EXPECT_TRUE(holds(a_worker_makes_work<Platform>));
}

template <class P>
void two_producers() {
  Workshop<P, 2> shop;
  const auto make = [&] { shop.make(); };
  together([&] { shop.work(0); }, [&] { shop.work(1); }, make, make);
}

TEST(ModelParking, wakes_two_for_two_producers) {
  EXPECT_TRUE(holds(two_producers<Platform>));
}

// Two of three tasks by one that leaves the fence to the searchers.
template <class P>
void one_makes_often() {
  Workshop<P, 2> shop;
  together([&] { shop.work(0, 2); }, [&] { shop.work(1); },
           [&] {
             shop.make_often();
             shop.make_often();
             shop.make_often();
           });
  require(shop.parking().searching() == 0, "a worker is counted as searching that has gone");
}

template <class P>
void two_make_often() {
  Workshop<P, 2> shop;
  together([&] { shop.work(0, 2); }, [&] { shop.work(1); },
           [&] {
             shop.make_often();
             shop.make_often();
           },
           [&] { shop.make_often(); });
}

TEST(ModelParking, wakes_for_those_who_pass_no_fence) {
  EXPECT_TRUE(holds(one_makes_often<Platform>));
  EXPECT_TRUE(holds(two_make_often<Platform>));
}

TEST(ModelParking, may_let_all_search) {
  EXPECT_TRUE(holds([] {
    Workshop<Platform, 2> shop({.most_searching = 2});
    together([&] { shop.work(0); }, [&] { shop.work(1); },
             [&] {
               shop.make();
               shop.make();
             });
  }));
}

TEST(ModelParking, takes_nobody_for_a_sleeper_that_got_up_again) {
  // Three on the stack; one of them, not on top, gets up, works, and sits down again.
  EXPECT_TRUE(holds([] {
    Workshop<Platform, 3> shop;
    together([&] { shop.work(0, 2); }, [&] { shop.work(1); }, [&] { shop.make(); },
             [&] {
               shop.make();
               shop.make();
             });
  }));
}

// ---- Mistakes that it must find ----------------------------------------------------------

// wanted() believes its first look, that another one searches; or the searcher its own, that
// there is no more.
struct TrustsTheSearcher : Platform {
  static void full_fence() noexcept {}
};

// get_up() leaves the stack as it is, and claim() wakes whoever is on it.
template <class T>
struct TakesStaleForSeated : nogil::model::Atomic<T> {
  using nogil::model::Atomic<T>::Atomic;
  T exchange(T value, std::memory_order order = std::memory_order_seq_cst) noexcept {
    const T old = nogil::model::Atomic<T>::exchange(value, order);
    return sizeof(T) == 4 && old == T{Parking<Platform>::kStale} ? T{Parking<Platform>::kSeated} : old;
  }
};

// The searcher's fence reaches nobody else.
struct KeepsTheFenceToItself : Platform {
  static void heavy_fence() noexcept { full_fence(); }
};

TEST(ModelParking, needs_each_part_of_its_protocol) {
  EXPECT_TRUE(fails("deadlock", one_makes_often<KeepsTheFenceToItself>));
  EXPECT_TRUE(fails("deadlock", one_worker<WithoutHeavyFence>));
  EXPECT_TRUE(fails("deadlock", one_worker<WithoutWake>));
  EXPECT_TRUE(fails("deadlock", one_worker<BlindSleep>));
  EXPECT_TRUE(fails("deadlock", two_workers<TrustsTheSearcher>));
  EXPECT_TRUE(fails("deadlock", two_workers<WithoutRelease>));
  EXPECT_TRUE(fails("deadlock", two_workers<WithoutAcquire>));
}

TEST(ModelParking, needs_its_users_to_look_again) {
  EXPECT_TRUE(fails("deadlock", [] {
    Workshop<Platform, 1> shop({.look_before_sleep = false});
    together([&] { shop.work(0); }, [&] { shop.make(); });
  }));
  EXPECT_TRUE(fails("deadlock", [] {
    Workshop<Platform, 2> shop({.pass_the_search_on = false});
    together([&] { shop.work(0); }, [&] { shop.work(1); },
             [&] {
               shop.make();
               shop.make();
             });
  }));
}

TEST(ModelParking, tells_who_sleeps_from_who_got_up) {
  EXPECT_TRUE(fails("", [] {
    Workshop<PlatformOf<TakesStaleForSeated>, 3> shop;
    together([&] { shop.work(0, 2); }, [&] { shop.work(1); }, [&] { shop.make(); },
             [&] {
               shop.make();
               shop.make();
             });
  }));
}

}  // namespace
