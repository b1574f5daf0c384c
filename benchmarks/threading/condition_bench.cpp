// Conditions side by side: nogil, the standard library, POSIX, abseil, nsync.
//
// Each rival is a Mutex, and a Condition made with one; several may share it.

#include <benchmark/benchmark.h>
#include <pthread.h>

#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "nogil/threading/condition.hpp"
#include "support/cases.hpp"
#include "support/measure.hpp"

#ifdef NOGIL_HAVE_ABSL
#include <absl/synchronization/mutex.h>
#endif
#ifdef NOGIL_HAVE_NSYNC
#include <nsync_cpp.h>
// Needs the one before it.
#include <nsync.h>
#endif

namespace {

// ---- The rivals ------------------------------------------------------------------------

struct NogilLock {
  static constexpr const char* kName = "nogil::LockCondition";
  using Mutex = nogil::Lock;
  using Condition = nogil::LockCondition;
};

struct NogilRLock {
  static constexpr const char* kName = "nogil::Condition";
  using Mutex = nogil::RLock;
  using Condition = nogil::Condition;
};

template <class C>
struct StdOver {
  using Mutex = std::mutex;
  struct Condition {
    explicit Condition(Mutex& lock) : mutex(lock) {}
    template <class Predicate>
    void wait(Predicate predicate) {
      std::unique_lock guard(mutex, std::adopt_lock);
      condition.wait(guard, predicate);
      guard.release();
    }
    void notify() { condition.notify_one(); }
    void notify_all() { condition.notify_all(); }
    Mutex& mutex;
    C condition;
  };
};
struct Std : StdOver<std::condition_variable> {
  static constexpr const char* kName = "std::condition_variable";
};
struct StdAny : StdOver<std::condition_variable_any> {
  static constexpr const char* kName = "std::condition_variable_any";
};

struct Posix {
  static constexpr const char* kName = "pthread_cond_t";
  struct Mutex {
    ~Mutex() { pthread_mutex_destroy(&mutex); }
    void lock() { pthread_mutex_lock(&mutex); }
    void unlock() { pthread_mutex_unlock(&mutex); }
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  };
  struct Condition {
    explicit Condition(Mutex& lock) : mutex(lock) {}
    ~Condition() { pthread_cond_destroy(&condition); }
    template <class Predicate>
    void wait(Predicate predicate) {
      while (!predicate()) pthread_cond_wait(&condition, &mutex.mutex);
    }
    void notify() { pthread_cond_signal(&condition); }
    void notify_all() { pthread_cond_broadcast(&condition); }
    Mutex& mutex;
    pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
  };
};

#ifdef NOGIL_HAVE_ABSL
struct Absl {
  static constexpr const char* kName = "absl::CondVar";
  struct Mutex {
    void lock() { mutex.Lock(); }
    void unlock() { mutex.Unlock(); }
    absl::Mutex mutex;
  };
  struct Condition {
    explicit Condition(Mutex& lock) : mutex(lock) {}
    template <class Predicate>
    void wait(Predicate predicate) {
      while (!predicate()) condition.Wait(&mutex.mutex);
    }
    void notify() { condition.Signal(); }
    void notify_all() { condition.SignalAll(); }
    Mutex& mutex;
    absl::CondVar condition;
  };
};
#else
struct Absl : bench::Absent {
  static constexpr const char* kName = "absl::CondVar";
};
#endif

#ifdef NOGIL_HAVE_NSYNC
struct Nsync {
  static constexpr const char* kName = "nsync_cv";
  struct Mutex {
    void lock() { nsync::nsync_mu_lock(&mu); }
    void unlock() { nsync::nsync_mu_unlock(&mu); }
    nsync::nsync_mu mu = NSYNC_MU_INIT;
  };
  struct Condition {
    explicit Condition(Mutex& lock) : mutex(lock) {}
    template <class Predicate>
    void wait(Predicate predicate) {
      while (!predicate()) nsync::nsync_cv_wait(&cv, &mutex.mu);
    }
    void notify() { nsync::nsync_cv_signal(&cv); }
    void notify_all() { nsync::nsync_cv_broadcast(&cv); }
    Mutex& mutex;
    nsync::nsync_cv cv = NSYNC_CV_INIT;
  };
};
#else
struct Nsync : bench::Absent {
  static constexpr const char* kName = "nsync_cv";
};
#endif

using Conditions = bench::Rivals<NogilLock, NogilRLock, Std, StdAny, Posix, Absl, Nsync>;

// ---- The cases -------------------------------------------------------------------------

// One thread holds the lock all the time and notifies, nobody waits: the price of telling
// nobody. (The lock has its own benchmark; nogil and Python want it held here.)
template <class R>
void condition_notify_nobody(benchmark::State& state) {
  typename R::Mutex mutex;
  typename R::Condition condition(mutex);
  const std::scoped_lock guard(mutex);
  bench::measure(state, [&] {
    condition.notify();
    benchmark::ClobberMemory();
  });
}

// Two threads hand a turn back and forth, each waiting for it under the lock: the price of
// two waits and two wake-ups, with the lock given up and taken again.
template <class R>
void condition_ping_pong(benchmark::State& state) {
  typename R::Mutex mutex;
  typename R::Condition to_partner(mutex);
  typename R::Condition to_us(mutex);
  bool partners_turn = false;
  std::int64_t returned = 0;
  bench::measure_with(
      state, 1,
      [&](std::int64_t rounds) {
        const std::scoped_lock guard(mutex);
        for (; rounds > 0; --rounds) {
          to_partner.wait([&] { return partners_turn; });
          ++returned;
          partners_turn = false;
          to_us.notify();
        }
      },
      [&] {
        const std::scoped_lock guard(mutex);
        partners_turn = true;
        to_partner.notify();
        to_us.wait([&] { return !partners_turn; });
      });
  bench::check(state, returned == state.iterations() + 1, "a turn was lost");
}

// One thread starts a round for 16 who wait for it, and waits until each has been through:
// the price of waking a crowd that wants the same lock next.
template <class R>
void condition_notify_all_16(benchmark::State& state) {
  constexpr int kWaiters = 16;
  typename R::Mutex mutex;
  typename R::Condition started(mutex);
  typename R::Condition finished(mutex);
  std::int64_t round = 0;
  std::int64_t passed = 0;
  bench::measure_with(
      state, kWaiters,
      [&](std::int64_t rounds) {
        const std::scoped_lock guard(mutex);
        for (std::int64_t next = 1; next <= rounds; ++next) {
          started.wait([&] { return round == next; });
          if (++passed == round * kWaiters) finished.notify();
        }
      },
      [&] {
        const std::scoped_lock guard(mutex);
        ++round;
        started.notify_all();
        finished.wait([&] { return passed == round * kWaiters; });
      });
  bench::check(state, passed == (state.iterations() + 1) * kWaiters, "a wake-up was lost");
}

[[maybe_unused]] const bool registered = [] {
  bench::compare(Conditions(), BENCH_CASE(condition_notify_nobody));
  bench::compare(Conditions(), BENCH_CASE(condition_ping_pong),
                 {.goals = {bench::at_most(0.1, "std::condition_variable")}});
  bench::compare(Conditions(), BENCH_CASE(condition_notify_all_16),
                 {.goals = {bench::at_most(0.35, "std::condition_variable")}});

  // At most 24 without the lock of their own.
  bench::size_of<nogil::Condition>("nogil::Condition and its RLock", 24 + sizeof(nogil::RLock));
  bench::size_of<nogil::LockCondition>("nogil::LockCondition and its Lock", 24 + sizeof(nogil::RLock));
  bench::size_of<std::condition_variable>("std::condition_variable");
  bench::size_of<std::condition_variable_any>("std::condition_variable_any");
#ifdef NOGIL_HAVE_ABSL
  bench::size_of<absl::CondVar>("absl::CondVar");
#endif
#ifdef NOGIL_HAVE_NSYNC
  bench::size_of<nsync::nsync_cv>("nsync_cv");
#endif
  return true;
}();

}  // namespace
