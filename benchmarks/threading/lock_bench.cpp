// Locks side by side: nogil, the standard library, POSIX, abseil, nsync, oneTBB, Boost.
//
// Each rival is a type with a Guard, which holds the lock for as long as it lives: the
// way locks are used, and the only way some of them can be.

#include <benchmark/benchmark.h>
#include <pthread.h>

#include <chrono>
#include <cstdint>
#include <mutex>

#include "nogil/threading/lock.hpp"
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
#ifdef NOGIL_HAVE_TBB
#include <oneapi/tbb/mutex.h>
#include <oneapi/tbb/queuing_mutex.h>
#include <oneapi/tbb/spin_mutex.h>
#endif
#ifdef NOGIL_HAVE_BOOST
#include <boost/smart_ptr/detail/spinlock.hpp>
#endif

namespace {

using namespace std::chrono_literals;

// ---- The rivals ------------------------------------------------------------------------

struct Nogil : nogil::Lock {
  static constexpr const char* kName = "nogil::Lock";
  using Guard = std::scoped_lock<Nogil>;
};

struct Std : std::mutex {
  static constexpr const char* kName = "std::mutex";
  using Guard = std::scoped_lock<Std>;
};

struct StdTimed : std::timed_mutex {
  static constexpr const char* kName = "std::timed_mutex";
  using Guard = std::scoped_lock<StdTimed>;
};

// The default kind is what std::mutex is made of. This kind spins before it sleeps.
#ifdef PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP
struct PosixAdaptive {
  static constexpr const char* kName = "pthread_mutex_t(adaptive)";
  using Guard = std::scoped_lock<PosixAdaptive>;
  void lock() { pthread_mutex_lock(&mutex); }
  bool try_lock() { return pthread_mutex_trylock(&mutex) == 0; }
  void unlock() { pthread_mutex_unlock(&mutex); }
  pthread_mutex_t mutex = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;
};
#else
struct PosixAdaptive : bench::Absent {
  static constexpr const char* kName = "pthread_mutex_t(adaptive)";
};
#endif

struct PosixTimed {
  static constexpr const char* kName = "pthread_mutex_t";
  ~PosixTimed() { pthread_mutex_destroy(&mutex); }
  bool try_lock_for(std::chrono::seconds timeout) {
    timespec when;
    clock_gettime(CLOCK_REALTIME, &when);
    when.tv_sec += timeout.count();
    return pthread_mutex_timedlock(&mutex, &when) == 0;
  }
  void unlock() { pthread_mutex_unlock(&mutex); }
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
};

struct PosixSpin {
  static constexpr const char* kName = "pthread_spinlock_t";
  static constexpr bool kOnlySpins = true;
  using Guard = std::scoped_lock<PosixSpin>;
  PosixSpin() { pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE); }
  ~PosixSpin() { pthread_spin_destroy(&spin); }
  void lock() { pthread_spin_lock(&spin); }
  bool try_lock() { return pthread_spin_trylock(&spin) == 0; }
  void unlock() { pthread_spin_unlock(&spin); }
  pthread_spinlock_t spin;
};

#ifdef NOGIL_HAVE_ABSL
struct Absl {
  static constexpr const char* kName = "absl::Mutex";
  struct Guard {
    explicit Guard(Absl& lock) : held(&lock.mutex) {}
    absl::MutexLock held;
  };
  absl::Mutex mutex;
};
#else
struct Absl : bench::Absent {
  static constexpr const char* kName = "absl::Mutex";
};
#endif

#ifdef NOGIL_HAVE_NSYNC
struct Nsync {
  static constexpr const char* kName = "nsync_mu";
  using Guard = std::scoped_lock<Nsync>;
  void lock() { nsync::nsync_mu_lock(&mu); }
  bool try_lock() { return nsync::nsync_mu_trylock(&mu) != 0; }
  void unlock() { nsync::nsync_mu_unlock(&mu); }
  nsync::nsync_mu mu = NSYNC_MU_INIT;
};
#else
struct Nsync : bench::Absent {
  static constexpr const char* kName = "nsync_mu";
};
#endif

#ifdef NOGIL_HAVE_TBB
template <class M>
struct TbbLock {
  struct Guard {
    explicit Guard(TbbLock& lock) : held(lock.mutex) {}
    typename M::scoped_lock held;
  };
  M mutex;
};
struct Tbb : TbbLock<tbb::mutex> {
  static constexpr const char* kName = "tbb::mutex";
};
struct TbbSpin : TbbLock<tbb::spin_mutex> {
  static constexpr const char* kName = "tbb::spin_mutex";
  static constexpr bool kOnlySpins = true;
};
struct TbbQueuing : TbbLock<tbb::queuing_mutex> {
  static constexpr const char* kName = "tbb::queuing_mutex";
  static constexpr bool kOnlySpins = true;
};
#else
struct Tbb : bench::Absent {
  static constexpr const char* kName = "tbb::mutex";
};
struct TbbSpin : bench::Absent {
  static constexpr const char* kName = "tbb::spin_mutex";
};
struct TbbQueuing : bench::Absent {
  static constexpr const char* kName = "tbb::queuing_mutex";
};
#endif

#ifdef NOGIL_HAVE_BOOST
// What Boost's own atomic shared pointers lock with. boost::mutex is pthread_mutex_t.
struct BoostSpin {
  static constexpr const char* kName = "boost::spinlock";
  static constexpr bool kOnlySpins = true;
  struct Guard {
    explicit Guard(BoostSpin& lock) : held(lock.spin) {}
    boost::detail::spinlock::scoped_lock held;
  };
  boost::detail::spinlock spin = BOOST_DETAIL_SPINLOCK_INIT;
};
#else
struct BoostSpin : bench::Absent {
  static constexpr const char* kName = "boost::spinlock";
};
#endif

using Locks =
    bench::Rivals<Nogil, Std, StdTimed, PosixAdaptive, PosixSpin, Absl, Nsync, Tbb, TbbSpin, TbbQueuing, BoostSpin>;
using ContendedLocks =
    bench::Rivals<Nogil, Std, PosixAdaptive, PosixSpin, Absl, Nsync, Tbb, TbbSpin, TbbQueuing, BoostSpin>;
using TimedLocks = bench::Rivals<Nogil, StdTimed, PosixTimed>;

// ---- The cases -------------------------------------------------------------------------

// One thread, a free lock: the price of the fast path, two locked instructions.
template <class L>
void lock_uncontended(benchmark::State& state) {
  L lock;
  std::int64_t guarded = 0;
  bench::measure(state, [&] {
    const typename L::Guard guard(lock);
    benchmark::DoNotOptimize(++guarded);
  });
  bench::check(state, guarded == state.iterations(), "a turn was lost");
}

// One thread, a free lock, a timeout that nobody needs: the price of allowing for one.
template <class L>
void lock_timed_free(benchmark::State& state) {
  L lock;
  std::int64_t taken = 0;
  bench::measure(state, [&] {
    if (!lock.try_lock_for(3600s)) return;
    benchmark::DoNotOptimize(++taken);
    lock.unlock();
  });
  bench::check(state, taken == state.iterations(), "a free lock was refused");
}

// What the locks of a fight guard: not on the lock's own cache line, for any rival.
template <class L>
struct Guarded {
  alignas(128) L lock;
  alignas(128) std::uint64_t counters[4] = {};

  void turn() {
    const typename L::Guard guard(lock);
    for (std::uint64_t& counter : counters) benchmark::DoNotOptimize(++counter);
  }
  bool complete(std::uint64_t turns) const {
    for (const std::uint64_t counter : counters) {
      if (counter != turns) return false;
    }
    return true;
  }
};

// All threads after one lock and nothing else to do: the price of fighting over it. The
// best answer is to let one thread go on for a while, so look at the share, too.
template <class L>
void lock_contended(benchmark::State& state) {
  Guarded<L> guarded;
  const std::uint64_t turns = bench::fight(state, [&](int, std::uint64_t) { guarded.turn(); });
  bench::check(state, guarded.complete(turns), "two threads were inside at once");
}

// The same, with 100 ns of work of its own that each thread does between two turns: the
// price of a lock that is busy, but not all there is.
template <class L>
void lock_contended_100ns(benchmark::State& state) {
  Guarded<L> guarded;
  const int rounds = bench::rounds_for(100ns);
  const std::uint64_t turns = bench::fight(state, [&, rounds](int, std::uint64_t) {
    guarded.turn();
    bench::work(rounds);
  });
  bench::check(state, guarded.complete(turns), "two threads were inside at once");
}

[[maybe_unused]] const bool registered = [] {
  bench::compare(Locks(), BENCH_CASE(lock_uncontended), {.goals = {bench::at_most(0.92, "std::mutex")}});
  bench::compare(TimedLocks(), BENCH_CASE(lock_timed_free), {.goals = {bench::at_most(0.35, "std::timed_mutex")}});
  bench::compare(ContendedLocks(), BENCH_CASE(lock_contended),
                 {.threads = {2, 4, 8, 16},
                  .timing = bench::Timing::kWindow,
                  .goals = {bench::at_least(3, "std::mutex").from(4)}});
  bench::compare(ContendedLocks(), BENCH_CASE(lock_contended_100ns),
                 {.threads = {2, 4, 8, 16},
                  .timing = bench::Timing::kWindow,
                  .goals = {bench::at_least(0.95, bench::kBestPeer).from(4), bench::share_at_least(0.5).from(4)}});

  bench::size_of<nogil::Lock>("nogil::Lock", 4);
  bench::size_of<std::mutex>("std::mutex");
  bench::size_of<std::timed_mutex>("std::timed_mutex");
#ifdef NOGIL_HAVE_ABSL
  bench::size_of<absl::Mutex>("absl::Mutex");
#endif
#ifdef NOGIL_HAVE_NSYNC
  bench::size_of<nsync::nsync_mu>("nsync_mu");
#endif
#ifdef NOGIL_HAVE_TBB
  bench::size_of<tbb::mutex>("tbb::mutex");
#endif
  return true;
}();

}  // namespace
