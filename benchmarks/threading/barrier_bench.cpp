// Barriers side by side: nogil, the standard library, POSIX, a mutex and a condition.
//
// absl::Barrier lets one round through and deletes itself; nsync, oneTBB and Boost's
// header-only part have none.

#include <benchmark/benchmark.h>
#include <pthread.h>

#include <atomic>
#include <barrier>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "nogil/threading/barrier.hpp"
#include "support/cases.hpp"
#include "support/measure.hpp"

namespace {

// ---- The rivals ------------------------------------------------------------------------

struct Nogil : nogil::Barrier {
  static constexpr const char* kName = "nogil::Barrier";
  explicit Nogil(int parties) : Barrier(parties) {}
};

struct Std : std::barrier<> {
  static constexpr const char* kName = "std::barrier";
  explicit Std(int parties) : std::barrier<>(parties) {}
  void wait() { arrive_and_wait(); }
};

struct Posix {
  static constexpr const char* kName = "pthread_barrier_t";
  explicit Posix(int parties) { pthread_barrier_init(&barrier, nullptr, static_cast<unsigned>(parties)); }
  ~Posix() { pthread_barrier_destroy(&barrier); }
  void wait() { pthread_barrier_wait(&barrier); }
  pthread_barrier_t barrier;
};

struct StdMutex {
  static constexpr const char* kName = "std::mutex+condition_variable";
  explicit StdMutex(int all) : parties(all) {}
  void wait() {
    std::unique_lock guard(mutex);
    const std::uint64_t mine = round;
    if (++arrived == parties) {
      arrived = 0;
      ++round;
      condition.notify_all();
    } else {
      condition.wait(guard, [&] { return round != mine; });
    }
  }
  std::mutex mutex;
  std::condition_variable condition;
  const int parties;
  int arrived = 0;
  std::uint64_t round = 0;
};

using Barriers = bench::Rivals<Nogil, Std, Posix, StdMutex>;

// ---- The cases -------------------------------------------------------------------------

// state.range(0) threads meet, again and again, with nothing to do in between: the price
// of one round, for the slowest.
template <class B>
void barrier_round(benchmark::State& state) {
  const int threads = static_cast<int>(state.range(0));
  B barrier(threads);
  std::atomic<std::int64_t> rounds_of_helpers{0};
  bench::measure_with(
      state, threads - 1,
      [&](std::int64_t rounds) {
        for (std::int64_t left = rounds; left > 0; --left) barrier.wait();
        rounds_of_helpers += rounds;
      },
      [&] { barrier.wait(); });
  bench::check(state, rounds_of_helpers == (state.iterations() + 1) * (threads - 1), "a round was lost");
}

[[maybe_unused]] const bool registered = [] {
  bench::compare(Barriers(), BENCH_CASE(barrier_round),
                 {.threads = {2, 4, 8, 16},
                  .goals = {bench::at_most(1.0, "std::barrier"), bench::at_most(0.5, "pthread_barrier_t")}});

  // At most 24 without the action, which is a pointer.
  bench::size_of<nogil::Barrier>("nogil::Barrier", 24 + sizeof(void*));
  bench::size_of<std::barrier<>>("std::barrier (and more on the heap)");
  bench::size_of<pthread_barrier_t>("pthread_barrier_t");
  return true;
}();

}  // namespace
