// The bell of a pool of processes under the model checker: multiprocessing's WatchBell.

#include "nogil/multiprocessing/detail/watch_bell.hpp"

#include <gtest/gtest.h>

#include <cstdint>

#include "check.hpp"
#include "model.hpp"
#include "mutants.hpp"
#include "nogil/threading/detail/owner_word.hpp"
#include "waits.hpp"

namespace {

using namespace nogil::model;
using nogil::detail::OwnerWord;
using nogil::multiprocessing::detail::WatchBell;
using nogil::platform::BasicWait;

// What workers have done, relaxed: all the order there is comes from the bell and the lock.
template <class P>
class Pool {
 public:
  void work() {
    done_.fetch_add(1, std::memory_order_relaxed);
    bell_.ring();
  }

  // To the last of `all` results.
  void manage(std::uint32_t all) {
    for (;;) {
      const std::uint32_t calls = bell_.calls();
      if (done() == all) return;
      lock();
      bell_.hand_over();
      const bool over = done() == all;
      unlock();
      BasicWait<P> forever;
      if (!over) bell_.sleep(calls, forever);
    }
  }

  // Looks once, and leaves the rest to the manager, who wants to know of the end.
  void watch(std::uint32_t all) {
    lock();
    bell_.stay_awake();
    unlock();
    const bool over = done() == all;
    lock();
    bell_.hand_over();
    if (over || done() == all) bell_.call();
    unlock();
  }

 private:
  std::uint32_t done() const { return done_.load(std::memory_order_relaxed); }

  void lock() {
    const std::uint32_t me = P::thread_id();
    BasicWait<P> forever;
    if (!lock_.try_lock(me)) lock_.lock_slow(me, forever, [] {});
  }
  void unlock() { lock_.unlock(); }

  WatchBell<P> bell_;
  Atomic<std::uint32_t> done_;
  OwnerWord<P> lock_;
};

template <class P>
void two_workers() {
  Pool<P> pool;
  const auto work = [&] { pool.work(); };
  together([&] { pool.manage(2); }, work, work);
}

template <class P>
void with_a_watcher(int watches) {
  Pool<P> pool;
  together([&] { pool.manage(1); }, [&] { pool.work(); },
           [&] {
             for (int i = 0; i < watches; ++i) pool.watch(1);
           });
}

TEST(ModelWatchBell, wakes_the_manager_for_each_result) {
  EXPECT_TRUE(holds(two_workers<Platform>));
}

TEST(ModelWatchBell, is_handed_over_without_losing_a_ringing) {
  EXPECT_TRUE(holds([] { with_a_watcher<Platform>(1); }));
  EXPECT_TRUE(holds([] { with_a_watcher<Platform>(2); }));
}

template <class P>
struct WithoutFences : P {
  static void full_fence() noexcept {}
};

TEST(ModelWatchBell, needs_each_part_of_its_protocol) {
  EXPECT_TRUE(fails("deadlock", two_workers<WithoutFences<Platform>>));
  EXPECT_TRUE(fails("deadlock", two_workers<WithoutWake>));
  EXPECT_TRUE(fails("deadlock", two_workers<BlindSleep>));
}

}  // namespace
