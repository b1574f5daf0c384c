// nogil/multiprocessing/detail/watch_bell.hpp -- rung by workers for whoever watches over their pool.
//
// Two kinds of threads watch: those that wait for a result, for a moment and without sleeping;
// and the pool's manager, which sleeps when there is nothing to do. A worker that rings makes
// a system call only if the manager is to be woken.
//
//   // a worker                                   // the manager
//   responses.push();                             const auto calls = bell.calls();
//   bell.ring();                                  look();
//                                                 bell.hand_over();
//   // who watches                                if (!anything_there()) bell.sleep(calls, wait);
//   bell.stay_awake();
//   look();                                       // again and again
//   bell.hand_over();
//   if (anything_there()) bell.call();
//
// Threads    ring() and call() by anybody, in any process. The rest by threads of the pool's
//            own process; stay_awake() and hand_over() by one at a time (the pool's lock).
// Contract   What was done before ring() is seen by who looks after hand_over(), or the manager
//            is called: each side passes a full fence between its store and its look.
// Dying      A worker that dies before it calls leaves a manager that sleeps. Whoever sees it
//            dead calls.
// Cost       ring() writes nothing while somebody watches.

#pragma once

#include <atomic>
#include <cstdint>

#include "nogil/platform/cpu.hpp"
#include "nogil/platform/wait.hpp"

namespace nogil::multiprocessing::detail {

template <class Platform>
class WatchBell {
 public:
  using Wait = platform::BasicWait<Platform>;

  void ring() noexcept {
    Platform::full_fence();
    if (watch_.load(std::memory_order_relaxed) == kCall &&
        watch_.exchange(kAwake, std::memory_order_acq_rel) == kCall) {
      call();
    }
  }

  // Ends the manager's sleep, or its next one, if it has read calls() already.
  void call() noexcept {
    calls_.fetch_add(1, std::memory_order_release);
    Platform::futex_wake(Platform::address(calls_), 1);
  }

  std::uint32_t calls() const noexcept { return calls_.load(std::memory_order_acquire); }

  // Nobody has to be called: somebody looks.
  void stay_awake() noexcept {
    if (watch_.load(std::memory_order_relaxed) != kAwake) watch_.store(kAwake, std::memory_order_relaxed);
  }

  // From now on the manager is called. Look once more after it.
  void hand_over() noexcept {
    watch_.store(kCall, std::memory_order_relaxed);
    Platform::full_fence();
  }

  void sleep(std::uint32_t calls, Wait& wait) noexcept { wait.park(calls_, calls, platform::kForWork); }

 private:
  static constexpr std::uint32_t kAwake = 0;
  static constexpr std::uint32_t kCall = 1;

  alignas(platform::kCacheLine) typename Platform::template Atomic<std::uint32_t> watch_{kAwake};
  typename Platform::template Atomic<std::uint32_t> calls_{0};  // what the manager sleeps on
};

}  // namespace nogil::multiprocessing::detail
