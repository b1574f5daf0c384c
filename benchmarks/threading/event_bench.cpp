// Events side by side: nogil, std::atomic_flag, and what one writes with a mutex and a
// condition variable of the standard library, abseil or nsync. std::latch and
// absl::Notification cannot be cleared, so they run in the first case only.

#include <benchmark/benchmark.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <latch>
#include <mutex>

#include "nogil/threading/event.hpp"
#include "support/cases.hpp"
#include "support/measure.hpp"

#ifdef NOGIL_HAVE_ABSL
#include <absl/synchronization/mutex.h>
#include <absl/synchronization/notification.h>
#endif
#ifdef NOGIL_HAVE_NSYNC
#include <nsync_cpp.h>
// Needs the one before it.
#include <nsync.h>
#endif

namespace {

// ---- The rivals ------------------------------------------------------------------------

struct Nogil : nogil::Event {
  static constexpr const char* kName = "nogil::Event";
};

struct StdCondition {
  static constexpr const char* kName = "std::condition_variable";
  void wait() {
    std::unique_lock guard(mutex);
    condition.wait(guard, [this] { return flag; });
  }
  void set() {
    const std::scoped_lock guard(mutex);
    flag = true;
    condition.notify_all();
  }
  void clear() {
    const std::scoped_lock guard(mutex);
    flag = false;
  }
  std::mutex mutex;
  std::condition_variable condition;
  bool flag = false;
};

struct StdFlag {
  static constexpr const char* kName = "std::atomic_flag";
  void wait() { flag.wait(false, std::memory_order_acquire); }
  void set() {
    flag.test_and_set(std::memory_order_release);
    flag.notify_all();
  }
  void clear() { flag.clear(std::memory_order_release); }
  std::atomic_flag flag;
};

struct StdLatch {
  static constexpr const char* kName = "std::latch";
  void wait() { latch.wait(); }
  void set() { latch.count_down(); }
  std::latch latch{1};
};

#ifdef NOGIL_HAVE_ABSL
struct AbslNotification {
  static constexpr const char* kName = "absl::Notification";
  void wait() { notification.WaitForNotification(); }
  void set() { notification.Notify(); }
  absl::Notification notification;
};
struct Absl {
  static constexpr const char* kName = "absl::Mutex+Await";
  void wait() { const absl::MutexLock guard(&mutex, absl::Condition(&flag)); }
  void set() {
    const absl::MutexLock guard(&mutex);
    flag = true;
  }
  void clear() {
    const absl::MutexLock guard(&mutex);
    flag = false;
  }
  absl::Mutex mutex;
  bool flag = false;
};
#else
struct AbslNotification : bench::Absent {
  static constexpr const char* kName = "absl::Notification";
};
struct Absl : bench::Absent {
  static constexpr const char* kName = "absl::Mutex+Await";
};
#endif

#ifdef NOGIL_HAVE_NSYNC
struct Nsync {
  static constexpr const char* kName = "nsync_mu+nsync_cv";
  void wait() {
    nsync::nsync_mu_lock(&mu);
    while (!flag) nsync::nsync_cv_wait(&cv, &mu);
    nsync::nsync_mu_unlock(&mu);
  }
  void set() {
    nsync::nsync_mu_lock(&mu);
    flag = true;
    nsync::nsync_cv_broadcast(&cv);
    nsync::nsync_mu_unlock(&mu);
  }
  void clear() {
    nsync::nsync_mu_lock(&mu);
    flag = false;
    nsync::nsync_mu_unlock(&mu);
  }
  nsync::nsync_mu mu = NSYNC_MU_INIT;
  nsync::nsync_cv cv = NSYNC_CV_INIT;
  bool flag = false;
};
#else
struct Nsync : bench::Absent {
  static constexpr const char* kName = "nsync_mu+nsync_cv";
};
#endif

using Events = bench::Rivals<Nogil, StdCondition, StdFlag, Absl, Nsync>;
using OneShots = bench::Rivals<Nogil, StdCondition, StdFlag, StdLatch, AbslNotification, Absl, Nsync>;

// ---- The cases -------------------------------------------------------------------------

// One thread waits for what has happened already: the price of asking.
template <class E>
void event_is_set(benchmark::State& state) {
  E event;
  event.set();
  std::int64_t passed = 0;
  bench::measure(state, [&] {
    event.wait();
    benchmark::DoNotOptimize(++passed);
  });
  bench::check(state, passed == state.iterations(), "a wait was lost");
}

// One thread sets and clears, nobody waits: the price of telling nobody.
template <class E>
void event_set_clear(benchmark::State& state) {
  E event;
  bench::measure(state, [&] {
    event.set();
    event.clear();
  });
  event.set();
  event.wait();
}

// Two threads hand a turn back and forth: the price of two waits and two wake-ups.
template <class E>
void event_ping_pong(benchmark::State& state) {
  E ping;
  E pong;
  std::int64_t returned = 0;  // belongs to whoever has the turn
  bench::measure_with(
      state, 1,
      [&](std::int64_t rounds) {
        for (; rounds > 0; --rounds) {
          ping.wait();
          ping.clear();
          ++returned;
          pong.set();
        }
      },
      [&] {
        ping.set();
        pong.wait();
        pong.clear();
      });
  bench::check(state, returned == state.iterations() + 1, "a turn was lost");
}

[[maybe_unused]] const bool registered = [] {
  bench::compare(OneShots(), BENCH_CASE(event_is_set));
  bench::compare(Events(), BENCH_CASE(event_set_clear));
  bench::compare(Events(), BENCH_CASE(event_ping_pong), {.goals = {bench::at_most(0.1, "std::condition_variable")}});

  bench::size_of<nogil::Event>("nogil::Event", 4);
  bench::size_of<StdCondition>("std::mutex+condition_variable+bool");
  bench::size_of<std::latch>("std::latch");
#ifdef NOGIL_HAVE_ABSL
  bench::size_of<absl::Notification>("absl::Notification");
#endif
  return true;
}();

}  // namespace
