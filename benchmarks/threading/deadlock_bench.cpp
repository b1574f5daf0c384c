// Deadlock detection on and off, side by side; and beside abseil's, which reports orders
// of locking that might deadlock one day, in builds with its checks on.

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdint>
#include <mutex>

#include "nogil/threading/deadlock.hpp"
#include "nogil/threading/lock.hpp"
#include "nogil/threading/rlock.hpp"
#include "support/cases.hpp"
#include "support/measure.hpp"

#ifdef NOGIL_HAVE_ABSL
#include <absl/synchronization/mutex.h>
#endif

namespace {

using namespace std::chrono_literals;

// ---- The rivals: a Lock, and a Detection that is on or off while it lives ----------------

template <class L, nogil::deadlock::Policy kPolicy>
struct Nogil {
  using Lock = L;
  struct Detection {
    Detection() { nogil::deadlock::set_policy(kPolicy); }
    ~Detection() { nogil::detail::g_deadlock_policy = before; }
    Detection(const Detection&) = delete;
    Detection& operator=(const Detection&) = delete;
    // Other cases run in between, with what is the default.
    nogil::detail::DeadlockPolicy before = nogil::detail::deadlock_policy();
  };
};
struct LockOn : Nogil<nogil::Lock, nogil::deadlock::Policy::raise> {
  static constexpr const char* kName = "nogil::Lock,raise";
};
struct LockOff : Nogil<nogil::Lock, nogil::deadlock::Policy::off> {
  static constexpr const char* kName = "nogil::Lock,off";
};
struct RLockOn : Nogil<nogil::RLock, nogil::deadlock::Policy::raise> {
  static constexpr const char* kName = "nogil::RLock,raise";
};
struct RLockOff : Nogil<nogil::RLock, nogil::deadlock::Policy::off> {
  static constexpr const char* kName = "nogil::RLock,off";
};

// Has no detection: what a lock costs without any.
struct Std {
  static constexpr const char* kName = "std::mutex";
  using Lock = std::mutex;
  struct Detection {
    Detection() {}
  };
};

#ifdef NOGIL_HAVE_ABSL
template <absl::OnDeadlockCycle kMode>
struct AbslLock {
  struct Lock {
    void lock() { mutex.Lock(); }
    void unlock() { mutex.Unlock(); }
    absl::Mutex mutex;
  };
  struct Detection {
    Detection() { absl::SetMutexDeadlockDetectionMode(kMode); }
    ~Detection() { absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore); }
    Detection(const Detection&) = delete;
    Detection& operator=(const Detection&) = delete;
  };
};
struct AbslOn : AbslLock<absl::OnDeadlockCycle::kReport> {
  static constexpr const char* kName = "absl::Mutex,report";
};
struct AbslOff : AbslLock<absl::OnDeadlockCycle::kIgnore> {
  static constexpr const char* kName = "absl::Mutex,ignore";
};
#else
struct AbslOn : bench::Absent {
  static constexpr const char* kName = "absl::Mutex,report";
};
struct AbslOff : bench::Absent {
  static constexpr const char* kName = "absl::Mutex,ignore";
};
#endif

using Detections = bench::Rivals<LockOn, LockOff, RLockOn, RLockOff, Std, AbslOn, AbslOff>;

// ---- The cases -------------------------------------------------------------------------

// One thread, a free lock: what being watched costs when nothing can go wrong.
template <class R>
void deadlock_uncontended(benchmark::State& state) {
  const typename R::Detection detection;
  typename R::Lock lock;
  std::int64_t guarded = 0;
  bench::measure(state, [&] {
    const std::scoped_lock guard(lock);
    benchmark::DoNotOptimize(++guarded);
  });
  bench::check(state, guarded == state.iterations(), "a turn was lost");
}

// One thread, two free locks, one inside the other: detection by order of locking pays for
// each pair.
template <class R>
void deadlock_nested(benchmark::State& state) {
  const typename R::Detection detection;
  typename R::Lock outer;
  typename R::Lock inner;
  std::int64_t guarded = 0;
  bench::measure(state, [&] {
    const std::scoped_lock first(outer);
    const std::scoped_lock second(inner);
    benchmark::DoNotOptimize(++guarded);
  });
  bench::check(state, guarded == state.iterations(), "a turn was lost");
}

// Threads after one lock that each keeps for 20 us, longer than anybody stays awake: what
// being watched costs a thread that goes to sleep. All above 20 us is for the hand-over.
template <class R>
void deadlock_parking(benchmark::State& state) {
  const typename R::Detection detection;
  typename R::Lock lock;
  std::uint64_t guarded = 0;
  const int rounds = bench::rounds_for(20us);
  const std::uint64_t turns = bench::fight(state, [&, rounds](int, std::uint64_t) {
    const std::scoped_lock guard(lock);
    bench::work(rounds);
    ++guarded;
  });
  bench::check(state, guarded == turns, "two threads were inside at once");
}

[[maybe_unused]] const bool registered = [] {
  bench::compare(Detections(), BENCH_CASE(deadlock_uncontended), {.goals = {bench::at_most(1.05, "nogil::Lock,off")}});
  bench::compare(Detections(), BENCH_CASE(deadlock_nested), {.goals = {bench::at_most(1.05, "nogil::Lock,off")}});
  bench::compare(Detections(), BENCH_CASE(deadlock_parking), {.threads = {2, 4}, .timing = bench::Timing::kWindow});
  return true;
}();

}  // namespace
