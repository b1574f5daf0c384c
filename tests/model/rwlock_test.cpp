// RWLock under the model checker: detail::RWLockCore.

#include <gtest/gtest.h>

#include "check.hpp"
#include "model.hpp"
#include "mutants.hpp"
#include "nogil/threading/detail/rwlock_core.hpp"
#include "waits.hpp"

namespace {

using namespace nogil::model;
using nogil::detail::RWLockCore;
using nogil::platform::BasicStopSignal;
using nogil::platform::BasicWait;

// The lock, and what it guards.
template <class P>
class Guarded {
 public:
  bool read(BasicWait<P> wait = {}) {
    if (!lock_.try_acquire_read() && !lock_.acquire_read_slow(wait)) return false;
    const int before = data_;
    require(before == data_, "changed under a reader");
    lock_.release_read();
    return true;
  }

  bool write(BasicWait<P> wait = {}) {
    if (!lock_.try_acquire_write(P::thread_id()) && !lock_.acquire_write_slow(P::thread_id(), wait)) return false;
    data_ = data_ + 1;
    lock_.release_write();
    return true;
  }

  // Nobody holds it or waits for it any more.
  void require_free(int writes) {
    require(data_ == writes, "a write was lost");
    require(lock_.reader_count() == 0 && lock_.writer() == 0, "it is held by nobody");
    require(lock_.try_acquire_read(), "somebody still waits to write");
    lock_.release_read();
    require(lock_.try_acquire_write(P::thread_id()), "somebody still reads");
    lock_.release_write();
  }

  RWLockCore<P>& lock() { return lock_; }

 private:
  RWLockCore<P> lock_;
  Plain<int> data_ = 0;
};

template <class P>
void one_reader_one_writer() {
  Guarded<P> guarded;
  together([&] { guarded.read(); }, [&] { guarded.write(); });
  guarded.require_free(1);
}

template <class P>
void two_readers_one_writer() {
  Guarded<P> guarded;
  together([&] { guarded.read(); }, [&] { guarded.read(); }, [&] { guarded.write(); });
  guarded.require_free(1);
}

template <class P>
void one_reader_two_writers() {
  Guarded<P> guarded;
  together([&] { guarded.read(); }, [&] { guarded.write(); }, [&] { guarded.write(); });
  guarded.require_free(2);
}

TEST(ModelRWLock, keeps_writers_from_everybody) {
  EXPECT_TRUE(holds(one_reader_one_writer<Platform>, {.bounds = {.deviations = 6}}));
  EXPECT_TRUE(holds(two_readers_one_writer<Platform>));
  EXPECT_TRUE(holds(one_reader_two_writers<Platform>));
}

TEST(ModelRWLock, needs_each_part_of_its_protocol) {
  EXPECT_TRUE(fails("data race", one_reader_one_writer<WithoutRelease>));
  EXPECT_TRUE(fails("data race", one_reader_one_writer<WithoutAcquire>));
  EXPECT_TRUE(fails("deadlock", one_reader_one_writer<WithoutWake>));
  EXPECT_TRUE(fails("deadlock", one_reader_one_writer<BlindSleep>));
}

TEST(ModelRWLock, can_be_used_again_and_again) {
  EXPECT_TRUE(holds([] {
    Guarded<Platform> guarded;
    const auto both = [&] {
      guarded.read();
      guarded.write();
    };
    together(both, both);
    guarded.require_free(2);
  }));
}

TEST(ModelRWLock, lets_readers_in_together) {
  EXPECT_TRUE(holds([] {
    RWLockCore<Platform> lock;
    Atomic<std::uint32_t> inside;
    const auto read = [&] {
      BasicWait<Platform> forever;
      if (!lock.try_acquire_read()) lock.acquire_read_slow(forever);
      inside.fetch_add(1, std::memory_order_relaxed);
      // Each waits for the other with the lock held.
      while (inside.load(std::memory_order_relaxed) != 2) Platform::yield();
      lock.release_read();
    };
    together(read, read);
  }));
}

TEST(ModelRWLock, loses_no_wake_up_to_a_writer_that_gives_up) {
  EXPECT_TRUE(holds([] {
    Guarded<Platform> guarded;
    int writes = 0;
    guarded.lock().try_acquire_read();
    together(
        [&] {
          if (guarded.write(for_some_time())) ++writes;
        },
        [&] { guarded.read(); }, [&] { guarded.lock().release_read(); });
    guarded.require_free(writes);
  }));
  EXPECT_TRUE(holds([] {
    Guarded<Platform> guarded;
    int writes = 1;
    guarded.lock().try_acquire_read();
    together(
        [&] {
          if (guarded.write(for_some_time())) ++writes;
        },
        [&] { guarded.write(); }, [&] { guarded.lock().release_read(); });
    guarded.require_free(writes);
  }));
}

TEST(ModelRWLock, lets_a_reader_in_when_the_writer_that_kept_it_out_gives_up) {
  EXPECT_TRUE(holds([] {
    RWLockCore<Platform> lock;
    lock.try_acquire_read();
    together(
        [&] {
          BasicWait<Platform> wait = for_some_time();
          if (lock.acquire_write_slow(Platform::thread_id(), wait)) require(false, "a reader holds it");
        },
        [&] {
          BasicWait<Platform> forever;
          lock.acquire_read_slow(forever);
          lock.release_read();
        });
    require(lock.reader_count() == 1, "the first reader holds it");
    lock.release_read();
  }));
}

TEST(ModelRWLock, loses_no_wake_up_to_a_reader_that_gives_up) {
  EXPECT_TRUE(holds([] {
    Guarded<Platform> guarded;
    guarded.lock().try_acquire_write(Platform::thread_id());
    together([&] { guarded.read(for_some_time()); }, [&] { guarded.read(); }, [&] { guarded.lock().release_write(); });
    guarded.require_free(0);
  }));
  EXPECT_TRUE(holds([] {
    Guarded<Platform> guarded;
    guarded.lock().try_acquire_write(Platform::thread_id());
    together([&] { guarded.read(for_some_time()); }, [&] { guarded.write(); }, [&] { guarded.lock().release_write(); });
    guarded.require_free(1);
  }));
}

TEST(ModelRWLock, ends_a_wait_when_a_stop_is_requested) {
  EXPECT_TRUE(holds([] {
    RWLockCore<Platform> lock;
    BasicStopSignal<Platform> signal;
    lock.try_acquire_write(Platform::thread_id());
    together(
        [&] {
          BasicWait<Platform> wait = until(signal);
          require(!lock.acquire_read_slow(wait), "a writer holds it");
        },
        [&] { signal.request(); });
    lock.release_write();
    require(lock.try_acquire_write(Platform::thread_id()), "somebody is still counted");
  }));
  EXPECT_TRUE(holds([] {
    RWLockCore<Platform> lock;
    BasicStopSignal<Platform> signal;
    lock.try_acquire_write(Platform::thread_id());
    together(
        [&] {
          BasicWait<Platform> wait = until(signal);
          require(!lock.acquire_write_slow(Platform::thread_id(), wait), "a writer holds it");
        },
        [&] { signal.request(); });
    lock.release_write();
    require(lock.try_acquire_read(), "somebody is still counted");
  }));
}

// A reader that was admitted and does not get to run, while writers come and give up and
// other readers come and go: it must not take a later turn for its own.
TEST(ModelRWLock, lets_an_admitted_reader_find_out_late) {
  EXPECT_TRUE(holds(
      [] {
        constexpr int kTurns = 9;
        RWLockCore<Platform> lock;
        Atomic<std::uint32_t> over;
        lock.try_acquire_write(Platform::thread_id());
        together(
            [&] {
              until_asleep(1);
              lock.release_write();
              for (int i = 0; i < kTurns; ++i) {
                BasicWait<Platform> wait = for_some_time();
                if (lock.acquire_write_slow(Platform::thread_id(), wait)) lock.release_write();
              }
              over.store(1, std::memory_order_release);
            },
            [&] {
              for (int i = 0; i < kTurns; ++i) {
                BasicWait<Platform> forever;
                lock.acquire_read_slow(forever);
                lock.release_read();
              }
            },
            [&] {
              BasicWait<Platform> forever;
              lock.acquire_read_slow(forever);
              while (over.load(std::memory_order_acquire) == 0) Platform::yield();
              lock.release_read();
            });
        require(lock.reader_count() == 0, "somebody still reads");
        require(lock.try_acquire_write(Platform::thread_id()), "somebody is still counted");
      },
      {.exhaustive = 10'000, .random = 25'000}));
}

}  // namespace
