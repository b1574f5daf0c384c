// Recursive locks side by side: nogil, the standard library, POSIX.
//
// abseil, nsync, oneTBB and Boost's header-only part have none.

#include <benchmark/benchmark.h>
#include <pthread.h>

#include <chrono>
#include <cstdint>
#include <mutex>

#include "nogil/threading/rlock.hpp"
#include "support/cases.hpp"
#include "support/measure.hpp"

namespace {

using namespace std::chrono_literals;

// ---- The rivals ------------------------------------------------------------------------

struct Nogil : nogil::RLock {
  static constexpr const char* kName = "nogil::RLock";
};

struct Std : std::recursive_mutex {
  static constexpr const char* kName = "std::recursive_mutex";
};

struct StdTimed : std::recursive_timed_mutex {
  static constexpr const char* kName = "std::recursive_timed_mutex";
};

struct Posix {
  static constexpr const char* kName = "pthread_mutex_t(recursive)";
  Posix() {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
  }
  ~Posix() { pthread_mutex_destroy(&mutex); }
  void lock() { pthread_mutex_lock(&mutex); }
  void unlock() { pthread_mutex_unlock(&mutex); }
  pthread_mutex_t mutex;
};

using RLocks = bench::Rivals<Nogil, Std, StdTimed, Posix>;
using TimedRLocks = bench::Rivals<Nogil, StdTimed>;

// ---- The cases -------------------------------------------------------------------------

// One thread, a free lock: the price of the fast path, and of noting the owner.
template <class L>
void rlock_first(benchmark::State& state) {
  L lock;
  std::int64_t guarded = 0;
  bench::measure(state, [&] {
    lock.lock();
    benchmark::DoNotOptimize(++guarded);
    lock.unlock();
  });
  bench::check(state, guarded == state.iterations(), "a turn was lost");
}

// One thread, a lock that it holds already: the price of taking it once more.
template <class L>
void rlock_again(benchmark::State& state) {
  L lock;
  std::int64_t guarded = 0;
  lock.lock();
  bench::measure(state, [&] {
    lock.lock();
    benchmark::DoNotOptimize(++guarded);
    lock.unlock();
  });
  lock.unlock();
  bench::check(state, guarded == state.iterations(), "a turn was lost");
}

// One thread, a free lock, a timeout that nobody needs: the price of allowing for one.
template <class L>
void rlock_timed_free(benchmark::State& state) {
  L lock;
  std::int64_t taken = 0;
  bench::measure(state, [&] {
    if (!lock.try_lock_for(3600s)) return;
    benchmark::DoNotOptimize(++taken);
    lock.unlock();
  });
  bench::check(state, taken == state.iterations(), "a free lock was refused");
}

// Threads after one lock and nothing else to do, each taking it three levels deep.
template <class L>
void rlock_contended(benchmark::State& state) {
  alignas(128) L lock;
  alignas(128) std::uint64_t guarded = 0;
  const std::uint64_t turns = bench::fight(state, [&](int, std::uint64_t) {
    lock.lock();
    lock.lock();
    lock.lock();
    benchmark::DoNotOptimize(++guarded);
    lock.unlock();
    lock.unlock();
    lock.unlock();
  });
  bench::check(state, guarded == turns, "two threads were inside at once");
}

[[maybe_unused]] const bool registered = [] {
  bench::compare(RLocks(), BENCH_CASE(rlock_first));
  bench::compare(RLocks(), BENCH_CASE(rlock_again), {.goals = {bench::at_most(0.25, "std::recursive_mutex")}});
  bench::compare(TimedRLocks(), BENCH_CASE(rlock_timed_free));
  bench::compare(RLocks(), BENCH_CASE(rlock_contended), {.threads = {2, 8}, .timing = bench::Timing::kWindow});

  bench::size_of<nogil::RLock>("nogil::RLock", 8);
  bench::size_of<std::recursive_mutex>("std::recursive_mutex");
  bench::size_of<std::recursive_timed_mutex>("std::recursive_timed_mutex");
  return true;
}();

}  // namespace
