// Tests of nogil::RWLock: its writer's side as a lock, both sides as waits, and what is its own.

#include "nogil/threading/rwlock.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>
#include <stop_token>
#include <thread>
#include <type_traits>
#include <vector>

#include "support/lock_suite.hpp"
#include "support/threads.hpp"
#include "support/wait_suite.hpp"

namespace nogil::testing::rwlock_test {

static_assert(sizeof(RWLock) <= 16);
static_assert(!std::is_copy_constructible_v<RWLock> && !std::is_move_constructible_v<RWLock>);

using RWDoors = ::testing::Types<ReadDoor<RWLock>, WriteDoor<RWLock, false>, WriteDoor<RWLock, true>>;
INSTANTIATE_TYPED_TEST_SUITE_P(RWLockWriter, AnyLock, WriteKind<RWLock>);
NOGIL_WAIT_SUITE(RWLock, TimedWait, RWDoors);
NOGIL_WAIT_SUITE(RWLock, StoppableWait, RWDoors);
NOGIL_WAIT_SUITE(RWLock, TimedStoppableWait, RWDoors);
NOGIL_WAIT_SUITE(RWLock, WaitForWhatIsFree, RWDoors);

namespace {

constinit RWLock g_lock;

// What another thread could do with the lock right now.
bool others_may_read(RWLock& lock) {
  return Call([&] {
           const bool taken = lock.try_acquire_read();
           if (taken) lock.release_read();
           return taken;
         })
      .result();
}
bool others_may_write(RWLock& lock) {
  return Call([&] {
           const bool taken = lock.try_acquire_write();
           if (taken) lock.release_write();
           return taken;
         })
      .result();
}

TEST(RWLockTest, is_ready_before_any_code_runs) {
  EXPECT_TRUE(g_lock.acquire_read());
  g_lock.release_read();
  EXPECT_TRUE(g_lock.acquire_write());
  g_lock.release_write();
}

TEST(RWLockTest, lets_readers_in_together_and_a_writer_alone) {
  RWLock lock;
  EXPECT_TRUE(lock.acquire_read());
  EXPECT_TRUE(others_may_read(lock));
  EXPECT_FALSE(others_may_write(lock));
  lock.release_read();
  EXPECT_TRUE(lock.acquire_write());
  EXPECT_FALSE(others_may_read(lock));
  EXPECT_FALSE(others_may_write(lock));
  lock.release_write();
  EXPECT_TRUE(others_may_read(lock));
  EXPECT_TRUE(others_may_write(lock));
}

TEST(RWLockTest, holds_many_readers_at_once) {
  RWLock lock;
  std::atomic<int> inside = 0;
  Bunch readers(8, [&] {
    const std::shared_lock guard(lock);
    ++inside;
    EXPECT_TRUE(eventually([&] { return inside == 8; }));
  });
  readers.join();
  EXPECT_TRUE(others_may_write(lock));
}

TEST(RWLockTest, lets_the_writer_in_only_when_the_last_reader_has_gone) {
  RWLock lock;
  Keeper first, second;
  first.run([&] { lock.acquire_read(); });
  second.run([&] { lock.acquire_read(); });
  Call writer([&] {
    lock.acquire_write();
    lock.release_write();
  });
  ASSERT_TRUE(falls_asleep(writer));
  first.run([&] { lock.release_read(); });
  EXPECT_TRUE(stays([&] { return !writer.returned(); }));
  second.run([&] { lock.release_read(); });
  writer.result();
}

TEST(RWLockTest, lets_all_waiting_readers_in_together) {
  RWLock lock;
  lock.acquire_write();
  std::atomic<int> inside = 0;
  Bunch readers(5, [&](int index) {
    if (index % 2 == 0) lock.acquire_read();
    else EXPECT_TRUE(lock.acquire_read(1h));
    ++inside;
    EXPECT_TRUE(eventually([&] { return inside == 5; }));
    lock.release_read();
  });
  EXPECT_TRUE(stays([&] { return inside == 0; }));
  lock.release_write();
  readers.join();
}

TEST(RWLockTest, works_with_the_standard_guards) {
  RWLock lock;
  {
    const std::shared_lock reader(lock);
    EXPECT_TRUE(others_may_read(lock));
    EXPECT_FALSE(others_may_write(lock));
  }
  {
    const std::unique_lock writer(lock);
    EXPECT_FALSE(others_may_read(lock));
  }
  {
    const std::shared_lock reader(lock, 1h);
    EXPECT_TRUE(reader.owns_lock());
    EXPECT_FALSE(others_may_write(lock));
  }
  {
    const std::shared_lock reader(lock, steady_clock::now());
    EXPECT_TRUE(reader.owns_lock()) << "free, so taken";
  }
  {
    const std::unique_lock writer(lock, 1h);
    EXPECT_TRUE(writer.owns_lock());
    Call other([&] {
      EXPECT_FALSE(std::shared_lock(lock, std::try_to_lock).owns_lock());
      const auto start = steady_clock::now();
      EXPECT_FALSE(std::shared_lock(lock, 10ms).owns_lock());
      EXPECT_GE(steady_clock::now() - start, 10ms);
      EXPECT_FALSE(lock.try_lock_shared_for(0s));
      EXPECT_FALSE(lock.try_lock_shared_until(std::chrono::system_clock::now() + 1ms));
      EXPECT_FALSE(lock.try_lock_shared());
      EXPECT_FALSE(lock.try_lock());
    });
    other.result();
  }
  try {
    const std::shared_lock reader(lock);
    throw std::domain_error("out of the block");
  } catch (const std::domain_error&) {
  }
  EXPECT_TRUE(others_may_write(lock)) << "an exception leaves it free, too";
}

// ---- Misuse ------------------------------------------------------------------

TEST(RWLockTest, refuses_to_release_what_is_not_held) {
  RWLock lock;
  EXPECT_THROW(lock.release_read(), RuntimeError);
  EXPECT_THROW(lock.release_write(), RuntimeError);
  EXPECT_THROW(lock.unlock(), std::runtime_error);
  EXPECT_THROW(lock.unlock_shared(), std::runtime_error);
  EXPECT_TRUE(others_may_write(lock)) << "a refused release changes nothing";
  lock.acquire_read();
  EXPECT_THROW(lock.release_write(), RuntimeError);
  EXPECT_FALSE(others_may_write(lock));
  lock.release_read();
  EXPECT_THROW(lock.release_read(), RuntimeError);
  lock.acquire_write();
  EXPECT_THROW(lock.release_read(), RuntimeError);
  EXPECT_FALSE(others_may_read(lock));
  lock.release_write();
  EXPECT_THROW(lock.release_write(), RuntimeError);
  EXPECT_TRUE(others_may_read(lock));
  EXPECT_TRUE(others_may_write(lock));
}

TEST(RWLockTest, refuses_a_release_by_another_thread) {
  RWLock lock;
  lock.acquire_read();
  EXPECT_THROW(Call([&] { lock.release_read(); }).result(), RuntimeError);
  EXPECT_FALSE(others_may_write(lock));
  lock.release_read();
  lock.acquire_write();
  EXPECT_THROW(Call([&] { lock.release_write(); }).result(), RuntimeError);
  EXPECT_FALSE(others_may_read(lock));
  lock.release_write();
}

TEST(RWLockTest, refuses_to_upgrade_a_reader) {
  RWLock lock;
  lock.acquire_read();
  EXPECT_THROW(lock.acquire_write(), RuntimeError);
  EXPECT_THROW(static_cast<void>(lock.acquire_write(0s)), RuntimeError);
  EXPECT_THROW(static_cast<void>(lock.acquire_write(1h)), RuntimeError);
  EXPECT_THROW(static_cast<void>(lock.acquire_write(stopped_token())), RuntimeError);
  EXPECT_THROW(lock.lock(), RuntimeError);
  EXPECT_FALSE(lock.try_acquire_write());
  EXPECT_TRUE(others_may_read(lock)) << "it still reads";
  EXPECT_FALSE(others_may_write(lock));
  Call other([&] {
    const std::shared_lock guard(lock);
    EXPECT_THROW(lock.acquire_write(), RuntimeError) << "also when there are other readers";
  });
  other.result();
  lock.release_read();
  EXPECT_TRUE(lock.acquire_write()) << "who has given up reading may write";
  lock.release_write();
}

TEST(RWLockTest, is_not_reentrant_and_says_so_instead_of_waiting_for_itself) {
  RWLock lock;
  lock.acquire_write();
  EXPECT_THROW(lock.acquire_write(), RuntimeError);
  EXPECT_THROW(lock.acquire_read(), RuntimeError);
  EXPECT_FALSE(lock.try_acquire_write());
  EXPECT_FALSE(lock.try_acquire_read());
  EXPECT_FALSE(others_may_read(lock));
  lock.release_write();
  EXPECT_TRUE(others_may_write(lock));
}

TEST(RWLockTest, keeps_the_holds_of_several_locks_apart) {
  std::vector<std::unique_ptr<RWLock>> locks;
  for (int i = 0; i < 40; ++i) locks.push_back(std::make_unique<RWLock>());
  for (auto& lock : locks) lock->acquire_read();
  for (std::size_t i = 0; i < locks.size(); i += 2) locks[i]->release_read();
  for (std::size_t i = 0; i < locks.size(); ++i) {
    EXPECT_EQ(others_may_write(*locks[i]), i % 2 == 0);
    if (i % 2 == 0) {
      EXPECT_THROW(locks[i]->release_read(), RuntimeError);
    } else {
      EXPECT_THROW(locks[i]->acquire_write(), RuntimeError);
    }
  }
  for (std::size_t i = 1; i < locks.size(); i += 2) locks[i]->release_read();
  for (auto& lock : locks) EXPECT_TRUE(others_may_write(*lock));
}

// ---- Fairness ----------------------------------------------------------------

TEST(RWLockTest, lets_a_writer_in_though_readers_never_stop_coming) {
  RWLock lock;
  std::atomic<bool> over = false;
  std::atomic<int> reads = 0;
  Bunch readers(4, [&] {
    while (!over) {
      const std::shared_lock guard(lock);
      const int before = ++reads;
      // Stays for a while after another has come in, so that there is always one inside.
      for (int i = 0; i < 20 && reads == before; ++i) std::this_thread::yield();
    }
  });
  ASSERT_TRUE(eventually([&] { return reads > 100; }));
  for (int round = 0; round < rounds(50); ++round) {
    lock.acquire_write();
    lock.release_write();
  }
  over = true;
  readers.join();
}

TEST(RWLockTest, lets_a_reader_in_though_writers_never_stop_coming) {
  RWLock lock;
  std::atomic<bool> over = false;
  std::atomic<int> writes = 0;
  Bunch writers(3, [&] {
    while (!over) {
      const std::scoped_lock guard(lock);
      ++writes;
    }
  });
  ASSERT_TRUE(eventually([&] { return writes > 100; }));
  for (int round = 0; round < rounds(50); ++round) {
    lock.acquire_read();
    lock.release_read();
  }
  over = true;
  writers.join();
}

// A writer that waits may hold up readers that come later; when it gives up, they must
// come in although nobody releases anything.
TEST(RWLockTest, lets_waiting_readers_in_when_the_writer_before_them_gives_up) {
  for (int round = 0; round < rounds(30); ++round) {
    RWLock lock;
    lock.acquire_read();
    StopSource source;
    Call writer([&] { return round % 2 == 0 ? lock.acquire_write(source.get_token()) : lock.acquire_write(5ms); });
    Call endless_reader([&] {
      lock.acquire_read();
      lock.release_read();
    });
    Call timed_reader([&] {
      EXPECT_TRUE(lock.acquire_read(1h));
      lock.release_read();
    });
    if (round % 2 == 0) {
      ASSERT_TRUE(falls_asleep(writer));
      for (int i = 0; i < round * 5; ++i) std::this_thread::yield();
    }
    source.request_stop();
    ASSERT_FALSE(writer.result());
    endless_reader.result();
    timed_reader.result();
    lock.release_read();
    ASSERT_TRUE(lock.acquire_write(0s));
    lock.release_write();
  }
}

TEST(RWLockTest, keeps_one_of_two_writers_waiting_when_the_other_gives_up) {
  RWLock lock;
  lock.acquire_read();
  StopSource source;
  Call stopped([&] { return lock.acquire_write(source.get_token()); });
  Call endless([&] {
    lock.acquire_write();
    lock.release_write();
  });
  ASSERT_TRUE(falls_asleep(stopped, endless));
  source.request_stop();
  EXPECT_FALSE(stopped.result());
  EXPECT_TRUE(stays([&] { return !endless.returned(); }));
  lock.release_read();
  endless.result();
}

TEST(RWLockTest, lets_writers_and_readers_in_after_a_writer_released_it) {
  for (int round = 0; round < rounds(100); ++round) {
    RWLock lock;
    lock.acquire_write();
    std::atomic<int> inside = 0;
    Bunch crowd(6, [&](int index) {
      if (index % 2 == 0) {
        lock.acquire_write();
        ++inside;
        lock.release_write();
      } else {
        lock.acquire_read();
        ++inside;
        lock.release_read();
      }
    });
    if (round % 10 == 0) {
      ASSERT_TRUE(stays([&] { return inside == 0; }));
    }
    lock.release_write();
    crowd.join();
    ASSERT_EQ(inside, 6);
  }
}

// ---- Under stress ------------------------------------------------------------

TEST(RWLockTest, publishes_between_readers_and_writers) {
  RWLock lock;
  int a = 0, b = 0;  // not atomic: ThreadSanitizer checks the ordering for us
  Bunch users(4, [&](int index) {
    for (int i = 0; i < rounds(5000); ++i) {
      if (index < 2) {
        const std::scoped_lock guard(lock);
        ++a;
        ++b;
      } else {
        const std::shared_lock guard(lock);
        ASSERT_EQ(a, b);
      }
    }
  });
  users.join();
  EXPECT_EQ(a, 2 * rounds(5000));
}

TEST(RWLockTest, keeps_readers_and_writers_apart_under_stress) {
  RWLock lock;
  StopSource never;
  std::atomic<int> readers = 0;
  std::atomic<int> writers = 0;
  Bunch users(16, [&](int index) {
    for (int i = 0; i < rounds(1500); ++i) {
      const auto timeout = std::chrono::microseconds(i % 60);
      bool got = true;
      if (index % 4 != 0) {
        switch ((index + i) % 4) {
          case 0:
            lock.acquire_read();
            break;
          case 1:
            got = lock.try_acquire_read();
            break;
          case 2:
            got = lock.acquire_read(timeout);
            break;
          default:
            got = lock.acquire_read(timeout, never.get_token());
            break;
        }
        if (!got) continue;
        ++readers;
        ASSERT_EQ(writers, 0);
        if (i % 32 == 0) std::this_thread::yield();
        --readers;
        lock.release_read();
      } else {
        switch ((index + i) % 4) {
          case 0:
            lock.acquire_write();
            break;
          case 1:
            got = lock.try_acquire_write();
            break;
          case 2:
            got = lock.acquire_write(timeout);
            break;
          default:
            got = lock.acquire_write(timeout, never.get_token());
            break;
        }
        if (!got) continue;
        ASSERT_EQ(++writers, 1);
        ASSERT_EQ(readers, 0);
        if (i % 32 == 0) std::this_thread::yield();
        --writers;
        lock.release_write();
      }
    }
  });
  users.join();
  EXPECT_TRUE(others_may_write(lock));
  EXPECT_TRUE(others_may_read(lock));
}

// Writers that time out or are stopped, at every moment, must not strand anyone.
TEST(RWLockTest, strands_nobody_when_writers_give_up_under_stress) {
  RWLock lock;
  std::atomic<bool> over = false;
  Bunch impatient(3, [&](int index) {
    while (!over) {
      StopSource source;
      if (index == 0) {
        Call stopper([&] { source.request_stop(); });
        if (lock.acquire_write(source.get_token())) lock.release_write();
      } else if (lock.acquire_write(std::chrono::microseconds(10 * index))) {
        lock.release_write();
      }
    }
  });
  Bunch patient(4, [&](int index) {
    for (int i = 0; i < rounds(1000); ++i) {
      if (index == 0 && i % 8 == 0) {
        lock.acquire_write();
        lock.release_write();
      } else {
        lock.acquire_read();
        if (i % 16 == 0) std::this_thread::yield();
        lock.release_read();
      }
    }
  });
  patient.join();
  over = true;
  impatient.join();
  EXPECT_TRUE(others_may_write(lock));
}

}  // namespace
}  // namespace nogil::testing::rwlock_test
