// What task_done() and join() count, under the model checker: detail::TaskCount.

#include "nogil/queue/detail/task_count.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>

#include "check.hpp"
#include "model.hpp"
#include "mutants.hpp"
#include "waits.hpp"

namespace {

using namespace nogil::model;
using nogil::detail::TaskCount;
using nogil::platform::BasicStopSignal;
using nogil::platform::BasicWait;

// A queue that has nothing but a count of its puts.
template <class P>
class Work {
 public:
  explicit Work(std::uint64_t puts) : puts_(puts) {}

  void put() { puts_.fetch_add(1, std::memory_order_release); }
  bool done() { return tasks_.task_done(counted()); }
  bool join(BasicWait<P> wait = {}) { return tasks_.join(wait, counted()); }
  void drop(std::uint64_t count) {
    const auto joiners = tasks_.drop(puts_.load(std::memory_order_acquire), count);
    joiners.wake();
  }
  std::uint64_t unfinished() { return tasks_.unfinished(counted()); }

 private:
  auto counted() {
    return [this] { return puts_.load(std::memory_order_acquire); };
  }

  typename P::template Atomic<std::uint64_t> puts_;
  TaskCount<P> tasks_;
};

template <class P>
void join_one() {
  Work<P> work(1);
  Plain<int> result = 0;
  together(
      [&] {
        result = 5;
        require(work.done(), "one was due");
      },
      [&] {
        work.join();
        require(result == 5, "joined too early");
      });
}

template <class P>
void join_two_workers() {
  Work<P> work(2);
  Plain<int> first = 0, second = 0;
  together(
      [&] {
        first = 1;
        require(work.done(), "two were due");
      },
      [&] {
        second = 1;
        require(work.done(), "two were due");
      },
      [&] {
        work.join();
        require(first == 1 && second == 1, "joined too early");
      });
}

template <class P>
void join_twice() {
  Work<P> work(1);
  together([&] { work.join(); }, [&] { work.join(); }, [&] { work.done(); });
}

TEST(ModelTaskCount, lets_a_join_through_when_all_is_done) {
  EXPECT_TRUE(holds(join_one<Platform>, {.bounds = {.deviations = 6}}));
  EXPECT_TRUE(holds(join_two_workers<Platform>));
  EXPECT_TRUE(holds(join_twice<Platform>));
}

TEST(ModelTaskCount, needs_each_part_of_its_protocol) {
  EXPECT_TRUE(fails("data race", join_one<WithoutRelease>));
  EXPECT_TRUE(fails("data race", join_one<WithoutAcquire>));
  EXPECT_TRUE(fails("deadlock", join_one<WithoutWake>));
  EXPECT_TRUE(fails("deadlock", join_one<BlindSleep>));
  EXPECT_TRUE(fails("deadlock", join_twice<WakingOne>));
}

// What is put meanwhile may hold a join up; it must not be forgotten, and nobody with it.
template <class P>
void put_meanwhile() {
  Work<P> work(1);
  together([&] { work.join(); }, [&] { require(work.done(), "one was due"); },
           [&] {
             work.put();
             require(work.done(), "one was due");
           });
  require(work.unfinished() == 0, "something is left");
}

TEST(ModelTaskCount, counts_what_is_put_meanwhile) {
  EXPECT_TRUE(holds(put_meanwhile<Platform>));
  EXPECT_TRUE(fails("deadlock", put_meanwhile<WithoutWake>));
}

TEST(ModelTaskCount, refuses_what_is_too_much) {
  EXPECT_TRUE(holds([] {
    Work<Platform> work(1);
    bool first = false, second = false;
    together([&] { first = work.done(); }, [&] { second = work.done(); });
    require(first != second, "one was due");
  }));
}

template <class P>
void drop_the_rest() {
  Work<P> work(3);
  together([&] { work.join(); }, [&] { work.done(); }, [&] { work.drop(2); });
  require(work.unfinished() == 0, "something is left");
}

TEST(ModelTaskCount, lets_a_join_through_when_the_rest_is_dropped) {
  EXPECT_TRUE(holds(drop_the_rest<Platform>));
  EXPECT_TRUE(fails("deadlock", drop_the_rest<WithoutWake>));
  EXPECT_TRUE(holds([] {
    Work<Platform> work(1);
    together([&] { work.done(); }, [&] { work.drop(1); });
    require(work.unfinished() == 0, "it went below zero");
  }));
}

TEST(ModelTaskCount, lets_a_join_give_up) {
  EXPECT_TRUE(holds([] {
    Work<Platform> work(1);
    together([&] { work.join(for_some_time()); }, [&] { work.join(); }, [&] { work.done(); });
    require(work.unfinished() == 0, "something is left");
  }));
  EXPECT_TRUE(holds([] {
    Work<Platform> work(1);
    BasicStopSignal<Platform> signal;
    together([&] { require(!work.join(until(signal)), "nothing is done"); }, [&] { signal.request(); });
  }));
  EXPECT_TRUE(holds([] {
    Work<Platform> work(1);
    require(!work.join(not_at_all()), "nothing is done");
  }));
}

template <class P>
void destroy_when_joined() {
  std::optional<Work<P>> work(std::in_place, 1);
  together([raw = &*work] { raw->done(); },
           [&] {
             work->join();
             work.reset();
           });
}

TEST(ModelTaskCount, may_be_destroyed_by_the_thread_that_joined) {
  EXPECT_TRUE(holds(destroy_when_joined<Platform>, {.bounds = {.deviations = 6}}));
  EXPECT_TRUE(fails("nothing makes sure", destroy_when_joined<WithoutRelease>));
}

}  // namespace
