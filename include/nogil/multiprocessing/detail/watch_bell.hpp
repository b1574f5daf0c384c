// nogil/multiprocessing/detail/watch_bell.hpp -- rung by workers for whoever watches over their pool.
//
// Two kinds of threads watch: those that wait for a result, for a moment and without sleeping;
// and the pool's manager, which sleeps when there is nothing to do. A worker that rings makes
// a system call only if the manager is to be woken.
//
//   // who watches                                // the manager
//   bell.stay_awake();                            const auto calls = bell.calls();
//   const auto seen = bell.rung();                const auto seen = bell.rung();
//   look();                                       look();
//   // again when rung() is not `seen`            if (bell.hand_over(seen)) bell.sleep(calls, wait);
//   if (!bell.hand_over(seen)) bell.call();
//
// Threads    ring() and call() by anybody, in any process. The rest by threads of the pool's
//            own process; stay_awake() and hand_over() by one at a time (the pool's lock).
// Contract   A ringing after rung() was read is seen by who looks at rung() again, or finds
//            the manager called. No ringing is lost: ring() changes the number before it
//            looks whether to call, and hand_over() asks to be called before it looks at the
//            number for the last time.
// Dying      A worker that dies between changing the number and calling leaves a manager that
//            sleeps. Whoever sees it dead calls.

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
    rung_.fetch_add(1, std::memory_order_seq_cst);
    if (watch_.load(std::memory_order_seq_cst) == kCall &&
        watch_.exchange(kAwake, std::memory_order_seq_cst) == kCall) {
      call();
    }
  }

  // Ends the manager's sleep, or its next one, if it has read calls() already.
  void call() noexcept {
    calls_.fetch_add(1, std::memory_order_release);
    Platform::futex_wake(Platform::address(calls_), 1);
  }

  std::uint32_t rung() const noexcept { return rung_.load(std::memory_order_acquire); }
  std::uint32_t calls() const noexcept { return calls_.load(std::memory_order_acquire); }

  // Nobody has to be called: somebody looks at rung().
  void stay_awake() noexcept { watch_.store(kAwake, std::memory_order_seq_cst); }

  // From now on the manager is called. False: somebody has rung after `seen`.
  bool hand_over(std::uint32_t seen) noexcept {
    watch_.store(kCall, std::memory_order_seq_cst);
    return rung_.load(std::memory_order_seq_cst) == seen;
  }

  void sleep(std::uint32_t calls, Wait& wait) noexcept { wait.park(calls_, calls, platform::kForWork); }

 private:
  static constexpr std::uint32_t kAwake = 0;
  static constexpr std::uint32_t kCall = 1;

  alignas(platform::kCacheLine) typename Platform::template Atomic<std::uint32_t> rung_{0};
  // Apart: the pool's own threads write it while workers ring.
  alignas(platform::kCacheLine) typename Platform::template Atomic<std::uint32_t> watch_{kAwake};
  typename Platform::template Atomic<std::uint32_t> calls_{0};  // what the manager sleeps on
};

}  // namespace nogil::multiprocessing::detail
