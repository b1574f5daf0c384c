// Semaphores side by side: nogil, the standard library, POSIX, Boost, and what one writes
// with a mutex and a condition variable of the standard library, abseil or nsync.

#include <benchmark/benchmark.h>
#include <semaphore.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <semaphore>

#include "nogil/threading/semaphore.hpp"
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
#ifdef NOGIL_HAVE_BOOST
#include <boost/interprocess/sync/interprocess_semaphore.hpp>
#endif

namespace {

using namespace std::chrono_literals;

// ---- The rivals ------------------------------------------------------------------------

struct Nogil : nogil::Semaphore {
  static constexpr const char* kName = "nogil::Semaphore";
  explicit Nogil(int value) : Semaphore(value) {}
  bool acquire_for(std::chrono::seconds timeout) { return acquire(timeout); }
};

struct NogilBounded : nogil::BoundedSemaphore {
  static constexpr const char* kName = "nogil::BoundedSemaphore";
  explicit NogilBounded(int value) : BoundedSemaphore(value) {}
  bool acquire_for(std::chrono::seconds timeout) { return acquire(timeout); }
};

struct Std : std::counting_semaphore<> {
  static constexpr const char* kName = "std::counting_semaphore";
  explicit Std(int value) : std::counting_semaphore<>(value) {}
  bool acquire_for(std::chrono::seconds timeout) { return try_acquire_for(timeout); }
};

struct Posix {
  static constexpr const char* kName = "sem_t";
  explicit Posix(int value) { sem_init(&semaphore, 0, static_cast<unsigned>(value)); }
  ~Posix() { sem_destroy(&semaphore); }
  void acquire() { sem_wait(&semaphore); }
  void release() { sem_post(&semaphore); }
  bool acquire_for(std::chrono::seconds timeout) {
    timespec when;
    clock_gettime(CLOCK_REALTIME, &when);
    when.tv_sec += timeout.count();
    return sem_timedwait(&semaphore, &when) == 0;
  }
  sem_t semaphore;
};

// Also the shape of Python's own Semaphore.
struct StdMutex {
  static constexpr const char* kName = "std::mutex+condition_variable";
  explicit StdMutex(int initial) : value(initial) {}
  void acquire() {
    std::unique_lock guard(mutex);
    condition.wait(guard, [this] { return value > 0; });
    --value;
  }
  void release() {
    const std::scoped_lock guard(mutex);
    ++value;
    condition.notify_one();
  }
  bool acquire_for(std::chrono::seconds timeout) {
    std::unique_lock guard(mutex);
    if (!condition.wait_for(guard, timeout, [this] { return value > 0; })) return false;
    --value;
    return true;
  }
  std::mutex mutex;
  std::condition_variable condition;
  int value;
};

#ifdef NOGIL_HAVE_ABSL
struct Absl {
  static constexpr const char* kName = "absl::Mutex+Await";
  explicit Absl(int initial) : value(initial) {}
  void acquire() {
    const absl::MutexLock guard(&mutex, absl::Condition(
                                            +[](int* v) { return *v > 0; }, &value));
    --value;
  }
  void release() {
    const absl::MutexLock guard(&mutex);
    ++value;
  }
  absl::Mutex mutex;
  int value;
};
#else
struct Absl : bench::Absent {
  static constexpr const char* kName = "absl::Mutex+Await";
};
#endif

#ifdef NOGIL_HAVE_NSYNC
struct Nsync {
  static constexpr const char* kName = "nsync_mu+nsync_cv";
  explicit Nsync(int initial) : value(initial) {}
  void acquire() {
    nsync::nsync_mu_lock(&mu);
    while (value == 0) nsync::nsync_cv_wait(&cv, &mu);
    --value;
    nsync::nsync_mu_unlock(&mu);
  }
  void release() {
    nsync::nsync_mu_lock(&mu);
    ++value;
    nsync::nsync_cv_signal(&cv);
    nsync::nsync_mu_unlock(&mu);
  }
  nsync::nsync_mu mu = NSYNC_MU_INIT;
  nsync::nsync_cv cv = NSYNC_CV_INIT;
  int value;
};
#else
struct Nsync : bench::Absent {
  static constexpr const char* kName = "nsync_mu+nsync_cv";
};
#endif

#ifdef NOGIL_HAVE_BOOST
struct Boost : boost::interprocess::interprocess_semaphore {
  static constexpr const char* kName = "boost::interprocess_semaphore";
  explicit Boost(int value) : interprocess_semaphore(static_cast<unsigned>(value)) {}
  void acquire() { wait(); }
  void release() { post(); }
};
#else
struct Boost : bench::Absent {
  static constexpr const char* kName = "boost::interprocess_semaphore";
};
#endif

using Semaphores = bench::Rivals<Nogil, NogilBounded, Std, Posix, StdMutex, Absl, Nsync, Boost>;
// Those that may hold more permits than they began with.
using Unbounded = bench::Rivals<Nogil, Std, Posix, StdMutex, Absl, Nsync, Boost>;
using FoughtOver = bench::Rivals<Nogil, NogilBounded, Posix, StdMutex, Absl, Nsync, Boost>;
using TimedSemaphores = bench::Rivals<Nogil, NogilBounded, Std, Posix, StdMutex>;

// ---- The cases -------------------------------------------------------------------------

// One thread takes one of `permits` and gives it back: fast paths. Nothing else is in the
// loop: even counting the turns would cost as much as a tenth of them.
template <class S>
void take_and_give_back(benchmark::State& state, int permits) {
  S semaphore(permits);
  bench::measure(state, [&] {
    semaphore.acquire();
    benchmark::ClobberMemory();
    semaphore.release();
  });
  for (int left = permits; left > 0; --left) semaphore.acquire();  // would hang if one was lost
}

// One thread, one permit, 1 -> 0 -> 1: the price of guarding something with a semaphore,
// above all of a release() that finds no permits, but nobody waiting either.
template <class S>
void semaphore_1_0_1(benchmark::State& state) {
  take_and_give_back<S>(state, 1);
}

// One thread, eight permits, 8 -> 7 -> 8: the price of the counting alone.
template <class S>
void semaphore_8_7_8(benchmark::State& state) {
  take_and_give_back<S>(state, 8);
}

// One thread, one permit, a timeout that nobody needs: the price of allowing for one.
template <class S>
void semaphore_timed_free(benchmark::State& state) {
  S semaphore(1);
  std::int64_t taken = 0;
  bench::measure(state, [&] {
    if (!semaphore.acquire_for(3600s)) return;
    benchmark::DoNotOptimize(++taken);
    semaphore.release();
  });
  bench::check(state, taken == state.iterations(), "a free permit was refused");
}

// Two threads hand a turn back and forth: the price of two waits and two wake-ups.
template <class S>
void semaphore_ping_pong(benchmark::State& state) {
  S ping(0);
  S pong(0);
  std::int64_t returned = 0;  // belongs to whoever has the turn
  bench::measure_with(
      state, 1,
      [&](std::int64_t rounds) {
        for (; rounds > 0; --rounds) {
          ping.acquire();
          ++returned;
          pong.release();
        }
      },
      [&] {
        ping.release();
        pong.acquire();
      });
  bench::check(state, returned == state.iterations() + 1, "a turn was lost");
}

// Threads after two permits and nothing else to do: the price of fighting over them.
// Without std::counting_semaphore: libstdc++ 12's can lose a wake-up, and then a thread
// would wait for ever (GCC bugs 98033 and 104928).
template <class S>
void semaphore_contended(benchmark::State& state) {
  alignas(128) S semaphore(2);
  bench::fight(state, [&](int, std::uint64_t) {
    semaphore.acquire();
    semaphore.release();
  });
  for (int left = 2; left > 0; --left) semaphore.acquire();  // would hang if one was lost
}

[[maybe_unused]] const bool registered = [] {
  bench::compare(Semaphores(), BENCH_CASE(semaphore_1_0_1),
                 {.goals = {bench::at_most(0.06, "std::counting_semaphore")}});
  bench::compare(Semaphores(), BENCH_CASE(semaphore_8_7_8));
  bench::compare(TimedSemaphores(), BENCH_CASE(semaphore_timed_free));
  bench::compare(Unbounded(), BENCH_CASE(semaphore_ping_pong));
  bench::compare(FoughtOver(), BENCH_CASE(semaphore_contended), {.threads = {4}, .timing = bench::Timing::kWindow});

  bench::size_of<nogil::Semaphore>("nogil::Semaphore", 16);
  bench::size_of<nogil::BoundedSemaphore>("nogil::BoundedSemaphore", 16);
  bench::size_of<std::counting_semaphore<>>("std::counting_semaphore");
  bench::size_of<sem_t>("sem_t");
  return true;
}();

}  // namespace
