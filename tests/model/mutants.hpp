// tests/model/mutants.hpp -- machines that make a mistake in the algorithm that runs on them.
//
// The source of the algorithm is the library's own. What a mutant changes is what one of
// its operations does: so each stands for a small mistake in that source, and the checker
// must find it.

#pragma once

#include <atomic>
#include <cstdint>

#include "model.hpp"
#include "nogil/platform/deadline.hpp"

namespace nogil::model {

// ---- Every algorithm -----------------------------------------------------------------

// Forgets to publish: release becomes relaxed.
struct NoRelease : AsWritten {
  static constexpr std::memory_order order(std::memory_order asked) noexcept {
    if (asked == std::memory_order_acq_rel) return std::memory_order_acquire;
    return asked == std::memory_order_release ? std::memory_order_relaxed : asked;
  }
};

// Forgets to look: acquire becomes relaxed.
struct NoAcquire : AsWritten {
  static constexpr std::memory_order order(std::memory_order asked) noexcept {
    if (asked == std::memory_order_acq_rel) return std::memory_order_release;
    return asked == std::memory_order_acquire ? std::memory_order_relaxed : asked;
  }
};

using WithoutRelease = EditedPlatform<NoRelease>;
using WithoutAcquire = EditedPlatform<NoAcquire>;

// Never wakes anybody.
struct WithoutWake : Platform {
  static void futex_wake(Address, std::uint32_t) noexcept {}
};

// Wakes one where more were to be woken.
struct WakingOne : Platform {
  static void futex_wake(Address address, std::uint32_t) noexcept { Platform::futex_wake(address, 1); }
};

// Sleeps whatever the word says: the look before the sleep is not part of it.
struct BlindSleep : Platform {
  template <class Word>
  static bool futex_wait(const Word& word, std::uint32_t expected, platform::Deadline deadline) noexcept {
    const auto now = static_cast<std::uint32_t>(word.load(std::memory_order_relaxed));
    if (now != expected) return true;
    return Platform::futex_wait(word, static_cast<std::uint32_t>(word.load(std::memory_order_relaxed)), deadline);
  }
};

// ---- OwnerWord -------------------------------------------------------------------------

// Takes the lock after a sleep without a mark for those who go on sleeping.
struct NoMark : AsWritten {
  static constexpr std::uint64_t value(std::uint64_t old, std::uint64_t next) noexcept {
    return old == 0 ? next & 0x7fff'ffff : next;
  }
};

// ---- EventCore ---------------------------------------------------------------------------

// Sets and clears the flag, and never counts how often.
struct NoGeneration : AsWritten {
  static constexpr std::uint64_t value(std::uint64_t, std::uint64_t next) noexcept { return next & 3; }
};

// clear() forgets those who sleep.
struct ClearsMark : AsWritten {
  static constexpr std::uint64_t value(std::uint64_t old, std::uint64_t next) noexcept {
    return (old & 1) != 0 && (next & 1) == 0 ? next & ~std::uint64_t{2} : next;
  }
};

// ---- Steps that are taken in two ------------------------------------------------------

template <template <class> class AtomicType>
struct PlatformOf : Platform {
  template <class T>
  using Atomic = AtomicType<T>;
};

// ReentrantWord: its owner leaves its number in the level when it gives the lock back.
template <class T>
struct LeavesItsNumber : model::Atomic<T> {
  using model::Atomic<T>::Atomic;
  void store(T value, std::memory_order order) noexcept {
    if (value != 0) model::Atomic<T>::store(value, order);
  }
};

// SemaphoreCore: release() looks for waiters first, and adds the permit without looking
// again.
template <class T>
struct LooksBeforeAdding : model::Atomic<T> {
  using model::Atomic<T>::Atomic;
  T fetch_add(T n, std::memory_order order) noexcept {
    if (order != std::memory_order_release) return model::Atomic<T>::fetch_add(n, order);
    const T seen = this->load(std::memory_order_relaxed);
    model::Atomic<T>::fetch_add(n, order);
    return seen;
  }
  bool compare_exchange_weak(T& expected, T desired, std::memory_order success, std::memory_order failure) noexcept {
    if (success != std::memory_order_release) {
      return model::Atomic<T>::compare_exchange_weak(expected, desired, success, failure);
    }
    model::Atomic<T>::fetch_add(desired - expected, success);
    return true;
  }
  bool compare_exchange_strong(T& expected, T desired, std::memory_order success, std::memory_order failure) noexcept {
    if (success != std::memory_order_release) {
      return model::Atomic<T>::compare_exchange_strong(expected, desired, success, failure);
    }
    const T seen = this->load(failure);
    if (seen != expected) {
      expected = seen;
      return false;
    }
    model::Atomic<T>::fetch_add(desired - expected, success);
    return true;
  }
};

// WaitList: the waiter lies down without asking whether it was notified meanwhile.
template <class T>
struct LiesDownBlindly : model::Atomic<T> {
  using model::Atomic<T>::Atomic;
  bool compare_exchange_strong(T& expected, T desired, std::memory_order success, std::memory_order failure) noexcept {
    constexpr T kAsleep = 1;  // and no lock's owner, in a scenario where thread 0 takes none
    if (desired != kAsleep) return model::Atomic<T>::compare_exchange_strong(expected, desired, success, failure);
    this->exchange(desired, success);
    return true;
  }
};

// BarrierCore: the phase ends in one step, and those who have passed are uncounted in
// the next.
template <class T>
struct PhaseBeforeCount : model::Atomic<T> {
  using model::Atomic<T>::Atomic;
  bool compare_exchange_weak(T& expected, T desired, std::memory_order success, std::memory_order failure) noexcept {
    constexpr T kLow = 0xffff'ffff;
    constexpr T kPhase = kLow - 15;
    if ((expected & kPhase) == (desired & kPhase) || (expected & ~kLow) == 0) {
      return model::Atomic<T>::compare_exchange_weak(expected, desired, success, failure);
    }
    const T gone = expected & ~kLow;
    if (!model::Atomic<T>::compare_exchange_weak(expected, desired | gone, success, failure)) return false;
    this->fetch_sub(gone, std::memory_order_acq_rel);
    return true;
  }
};

// BasicEventCount: who gives up takes an announcement back, whosever it is by then.
template <class T>
struct WithdrawsBlindly : model::Atomic<T> {
  using model::Atomic<T>::Atomic;
  bool compare_exchange_weak(T& expected, T desired, std::memory_order success, std::memory_order failure) noexcept {
    constexpr T kWaiter = T{1} << 32;
    if (expected - desired != kWaiter) {
      return model::Atomic<T>::compare_exchange_weak(expected, desired, success, failure);
    }
    this->fetch_sub(kWaiter, success);
    return true;
  }
};

// BasicEventCount: who is about to sleep leaves the fence to the others, who have none.
struct WithoutHeavyFence : Platform {
  static void heavy_fence() noexcept {}
};

}  // namespace nogil::model
