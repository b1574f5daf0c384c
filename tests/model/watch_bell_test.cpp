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
      const std::uint32_t seen = bell_.rung();
      if (done_.load(std::memory_order_relaxed) == all) return;
      lock();
      const bool handed_over = bell_.hand_over(seen);
      unlock();
      BasicWait<P> forever;
      if (handed_over) bell_.sleep(calls, forever);
    }
  }

  // Looks once, and leaves the rest to the manager. What it has seen itself is no news: only
  // the end, if it was the last, is for the manager to know.
  void watch(std::uint32_t all) {
    lock();
    bell_.stay_awake();
    unlock();
    const std::uint32_t seen = bell_.rung();
    const bool over = done_.load(std::memory_order_relaxed) == all;
    lock();
    if (!bell_.hand_over(seen) || over) bell_.call();
    unlock();
  }

 private:
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

// Orders that are relaxed where the algorithm asks for all.
struct NoTotalOrder : AsWritten {
  static constexpr std::memory_order order(std::memory_order asked) noexcept {
    return asked == std::memory_order_seq_cst ? std::memory_order_relaxed : asked;
  }
};

TEST(ModelWatchBell, needs_each_part_of_its_protocol) {
  EXPECT_TRUE(fails("deadlock", two_workers<EditedPlatform<NoTotalOrder>>));
  EXPECT_TRUE(fails("deadlock", two_workers<WithoutWake>));
  EXPECT_TRUE(fails("deadlock", two_workers<BlindSleep>));
}

}  // namespace
