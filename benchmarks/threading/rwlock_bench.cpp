// Reader-writer locks side by side: nogil, the standard library, POSIX, abseil, nsync,
// oneTBB, Boost.

#include <benchmark/benchmark.h>
#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <shared_mutex>

#include "nogil/threading/rwlock.hpp"
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
#include <oneapi/tbb/rw_mutex.h>
#include <oneapi/tbb/spin_rw_mutex.h>
#endif
#ifdef NOGIL_HAVE_BOOST
#include <boost/interprocess/sync/interprocess_sharable_mutex.hpp>
#endif

namespace {

// ---- The rivals, under the standard library's names --------------------------------------

struct Nogil : nogil::RWLock {
  static constexpr const char* kName = "nogil::RWLock";
};

struct Std : std::shared_mutex {
  static constexpr const char* kName = "std::shared_mutex";
};

// What std::shared_mutex is made of prefers readers. This kind lets writers go first.
#ifdef PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP
struct Posix {
  static constexpr const char* kName = "pthread_rwlock_t(writer)";
  ~Posix() { pthread_rwlock_destroy(&rwlock); }
  void lock() { pthread_rwlock_wrlock(&rwlock); }
  void unlock() { pthread_rwlock_unlock(&rwlock); }
  void lock_shared() { pthread_rwlock_rdlock(&rwlock); }
  void unlock_shared() { pthread_rwlock_unlock(&rwlock); }
  pthread_rwlock_t rwlock = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
};
#else
struct Posix : bench::Absent {
  static constexpr const char* kName = "pthread_rwlock_t(writer)";
};
#endif

#ifdef NOGIL_HAVE_ABSL
struct Absl {
  static constexpr const char* kName = "absl::Mutex";
  void lock() { mutex.WriterLock(); }
  void unlock() { mutex.WriterUnlock(); }
  void lock_shared() { mutex.ReaderLock(); }
  void unlock_shared() { mutex.ReaderUnlock(); }
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
  void lock() { nsync::nsync_mu_lock(&mu); }
  void unlock() { nsync::nsync_mu_unlock(&mu); }
  void lock_shared() { nsync::nsync_mu_rlock(&mu); }
  void unlock_shared() { nsync::nsync_mu_runlock(&mu); }
  nsync::nsync_mu mu = NSYNC_MU_INIT;
};
#else
struct Nsync : bench::Absent {
  static constexpr const char* kName = "nsync_mu";
};
#endif

#ifdef NOGIL_HAVE_TBB
struct Tbb : tbb::rw_mutex {
  static constexpr const char* kName = "tbb::rw_mutex";
};
struct TbbSpin : tbb::spin_rw_mutex {
  static constexpr const char* kName = "tbb::spin_rw_mutex";
  static constexpr bool kOnlySpins = true;
};
#else
struct Tbb : bench::Absent {
  static constexpr const char* kName = "tbb::rw_mutex";
};
struct TbbSpin : bench::Absent {
  static constexpr const char* kName = "tbb::spin_rw_mutex";
};
#endif

#ifdef NOGIL_HAVE_BOOST
struct Boost {
  static constexpr const char* kName = "boost::interprocess_sharable_mutex";
  void lock() { mutex.lock(); }
  void unlock() { mutex.unlock(); }
  void lock_shared() { mutex.lock_sharable(); }
  void unlock_shared() { mutex.unlock_sharable(); }
  boost::interprocess::interprocess_sharable_mutex mutex;
};
#else
struct Boost : bench::Absent {
  static constexpr const char* kName = "boost::interprocess_sharable_mutex";
};
#endif

using RWLocks = bench::Rivals<Nogil, Std, Posix, Absl, Nsync, Tbb, TbbSpin, Boost>;

// ---- The cases -------------------------------------------------------------------------

// One thread, a free lock, for reading: the price of the fast path.
template <class L>
void rwlock_read(benchmark::State& state) {
  L lock;
  std::int64_t value = 1;
  std::int64_t sum = 0;
  bench::measure(state, [&] {
    lock.lock_shared();
    benchmark::DoNotOptimize(value);
    sum += value;
    lock.unlock_shared();
  });
  bench::check(state, sum == state.iterations(), "a turn was lost");
}

// One thread, a free lock, for writing: the price of that fast path.
template <class L>
void rwlock_write(benchmark::State& state) {
  L lock;
  std::int64_t guarded = 0;
  bench::measure(state, [&] {
    lock.lock();
    benchmark::DoNotOptimize(++guarded);
    lock.unlock();
  });
  bench::check(state, guarded == state.iterations(), "a turn was lost");
}

// Two values that are equal outside of a write.
template <class L>
struct Pair {
  alignas(128) L lock;
  alignas(128) std::uint64_t first = 0;
  std::uint64_t second = 0;
  alignas(128) std::atomic<std::uint64_t> torn{0};

  void write() {
    const std::scoped_lock guard(lock);
    benchmark::DoNotOptimize(++first);
    benchmark::DoNotOptimize(++second);
  }
  void read() {
    const std::shared_lock guard(lock);
    benchmark::DoNotOptimize(first);
    benchmark::DoNotOptimize(second);
    if (first != second) ++torn;
  }
};

// Threads that only read, with nothing else to do: the price of sharing a reader count.
template <class L>
void rwlock_read_contended(benchmark::State& state) {
  Pair<L> pair;
  bench::fight(state, [&](int, std::uint64_t) { pair.read(); });
  bench::check(state, pair.torn == 0, "a reader saw half a write");
}

// Threads that write in every tenth turn and else read, with nothing else to do: the price
// of keeping readers and writers apart. Not the same turn in every thread.
template <class L>
void rwlock_90_10(benchmark::State& state) {
  Pair<L> pair;
  const std::uint64_t turns = bench::fight(state, [&](int number, std::uint64_t turn) {
    if ((turn + static_cast<std::uint64_t>(number) * 3) % 10 == 0) pair.write();
    else pair.read();
  });
  bench::check(state, pair.torn == 0, "a reader saw half a write");
  bench::check(state, pair.first == pair.second && pair.first * 10 + 400 > turns, "a write was lost");
}

[[maybe_unused]] const bool registered = [] {
  bench::compare(RWLocks(), BENCH_CASE(rwlock_read));
  bench::compare(RWLocks(), BENCH_CASE(rwlock_write));
  bench::compare(RWLocks(), BENCH_CASE(rwlock_read_contended), {.threads = {4}, .timing = bench::Timing::kWindow});
  bench::compare(RWLocks(), BENCH_CASE(rwlock_90_10), {.threads = {4}, .timing = bench::Timing::kWindow});

  bench::size_of<nogil::RWLock>("nogil::RWLock", 16);
  bench::size_of<std::shared_mutex>("std::shared_mutex");
#ifdef NOGIL_HAVE_TBB
  bench::size_of<tbb::rw_mutex>("tbb::rw_mutex");
#endif
  return true;
}();

}  // namespace
