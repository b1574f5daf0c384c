// nogil/threading/semaphore.hpp -- Semaphore and BoundedSemaphore.
//
// A semaphore holds a number of permits. acquire() takes one, waiting while there is
// none; release() puts permits back and wakes waiters.
//
//   nogil::Semaphore connections(3);            // at most three at a time
//   {
//     std::scoped_lock permit(connections);     // Python: with connections:
//     talk_to_the_server();
//   }
//
// Threads    Every member except construction and destruction may be called from any
//            number of threads at once. Permits have no owner: one thread may release
//            what another acquired.
// Ordering   What a thread did before release() is visible to the thread whose acquire()
//            takes that permit.
// Fairness   None promised. A newcomer may take a permit ahead of a sleeper.
// Lifetime   Once its acquire() has returned, a thread may destroy the semaphore even if
//            the release() that let it through has not returned yet. Nobody may be
//            waiting at that point.
// Errors     ValueError from the constructor and release(); see there.
// Cost       16 bytes. Without contention, acquire() and release() are one
//            compare-and-swap each and make no system call. Waiting looks again for at
//            most 7 us, then sleeps (platform/backoff.hpp).
// Python     threading.Semaphore and threading.BoundedSemaphore.
//            acquire(blocking=False) is try_acquire().

#pragma once

#include <cstddef>
#include <cstdint>

#include "nogil/platform/errors.hpp"
#include "nogil/platform/wait.hpp"
#include "nogil/threading/detail/semaphore_core.hpp"

namespace nogil {

class Semaphore {
 public:
  // The most permits that a semaphore can hold.
  static constexpr std::ptrdiff_t max_value() noexcept { return Core::kMax; }

  // Throws ValueError unless 0 <= value <= max_value().
  explicit constexpr Semaphore(std::ptrdiff_t value = 1) : Semaphore(value, Core::kMax) {}

  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  // Takes a permit, waiting for one as long as it takes. Always true, as in Python, so
  // the result may be ignored.
  bool acquire() {
    if (!core_.try_acquire()) [[unlikely]]
      acquire_forever();
    return true;
  }

  // acquire(timeout | deadline | stop_token | timeout, stop_token): waits no longer than
  // that. Returns whether it got a permit; a free one is taken whatever the limit.
  template <class... Limits>
  requires platform::WaitLimits<Limits...>
  [[nodiscard]] bool acquire(const Limits&... limits) {
    return try_acquire() ||
           platform::within([this](platform::Wait& wait) { return core_.acquire_slow(wait); }, limits...);
  }

  // Takes a permit if one is free right now. Never waits, never fails spuriously.
  [[nodiscard]] bool try_acquire() noexcept { return core_.try_acquire(); }

  // Puts back `n` permits and wakes up to `n` waiters. Never waits.
  // Throws ValueError, and changes nothing, if n < 1 or if there would be more permits
  // than the semaphore may hold.
  void release(std::ptrdiff_t n = 1) {
    if (n < 1 || n > max_value() || !core_.release(static_cast<std::uint32_t>(n))) [[unlikely]]
      refuse(n);
  }

  // The number of free permits at some moment during the call. For display and tests:
  // with other threads at work it is out of date when you read it.
  [[nodiscard]] std::ptrdiff_t value() const noexcept { return core_.value(); }

  // The standard TimedLockable names, for std::scoped_lock and std::unique_lock.
  void lock() { acquire(); }
  [[nodiscard]] bool try_lock() noexcept { return try_acquire(); }
  [[nodiscard]] bool try_lock_for(const platform::TimeLimit auto& timeout) { return acquire(timeout); }
  [[nodiscard]] bool try_lock_until(const platform::TimeLimit auto& deadline) { return acquire(deadline); }
  void unlock() { release(); }

 protected:
  // Never holds more than `limit` permits.
  constexpr Semaphore(std::ptrdiff_t value, std::ptrdiff_t limit)
      : core_(static_cast<std::uint32_t>(value), static_cast<std::uint32_t>(limit)) {
    if (value < 0 || value > max_value()) throw ValueError("Semaphore: value must be between 0 and max_value()");
  }

 private:
  using Core = detail::SemaphoreCore<platform::Native>;

  [[gnu::noinline, gnu::cold]] void acquire_forever() {
    platform::Wait wait;
    core_.acquire_slow(wait);
  }

  [[noreturn, gnu::noinline, gnu::cold]] static void refuse(std::ptrdiff_t n) {
    throw ValueError(n < 1 ? "Semaphore.release: n must be one or more" : "Semaphore released too many times");
  }

  Core core_;
};

// A semaphore that never holds more permits than it started with. Releasing one too many
// throws ValueError: it is the sign of a bug in the caller.
class BoundedSemaphore : public Semaphore {
 public:
  explicit constexpr BoundedSemaphore(std::ptrdiff_t value = 1) : Semaphore(value, value) {}
};

}  // namespace nogil
