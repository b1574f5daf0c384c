// nogil/multiprocessing/semaphore.hpp -- Semaphore and BoundedSemaphore between processes.
//
// A handle, as Lock is: copies are the same semaphore.
//
// Threads    Every member from any number of threads and processes at once. Permits have no
//            owner: anyone may release what another acquired.
// Dead holder  A permit that a process had when it died is gone: nobody knows whose it was.
// Ordering, fairness, errors   As nogil::Semaphore, whose algorithm it is.
// Cost       Without contention one compare-and-swap; no system call. A page of memory and
//            a file descriptor.
// Python     multiprocessing.Semaphore and BoundedSemaphore.

#pragma once

#include <cstddef>
#include <cstdint>

#include "nogil/errors.hpp"
#include "nogil/multiprocessing/detail/shared_object.hpp"
#include "nogil/multiprocessing/detail/verbs.hpp"
#include "nogil/threading/detail/semaphore_core.hpp"

namespace nogil::multiprocessing {

class Semaphore : public detail::Handle<nogil::detail::SemaphoreCore<detail::Platform>>,
                  public detail::LockVerbs<Semaphore> {
 public:
  // The most permits that a semaphore can hold.
  static constexpr std::ptrdiff_t max_value() noexcept { return SharedObject::kMax; }

  // Throws ValueError unless 0 <= value <= max_value().
  explicit Semaphore(std::ptrdiff_t value = 1) : Semaphore(value, max_value()) {}
  explicit Semaphore(detail::Received received) : Handle(received) {}

  // Takes a permit if one is free right now. Never waits, never fails spuriously.
  [[nodiscard]] bool try_acquire() noexcept { return object().try_acquire(); }

  // Puts back `n` permits and wakes up to `n` waiters. Never waits.
  // Throws ValueError, and changes nothing, if n < 1 or if there would be more permits
  // than the semaphore may hold.
  void release(std::ptrdiff_t n = 1) {
    if (n < 1) throw ValueError("Semaphore.release: n must be one or more");
    if (n > max_value() || !object().release(static_cast<std::uint32_t>(n))) {
      throw ValueError("Semaphore released too many times");
    }
  }

  // The number of free permits at some moment during the call.
  [[nodiscard]] std::ptrdiff_t value() const noexcept { return object().value(); }

 protected:
  // Never holds more than `limit` permits.
  Semaphore(std::ptrdiff_t value, std::ptrdiff_t limit)
      : Handle(0, checked(value), static_cast<std::uint32_t>(limit)) {}

 private:
  friend class detail::LockVerbs<Semaphore>;

  static std::uint32_t checked(std::ptrdiff_t value) {
    if (value < 0 || value > max_value()) throw ValueError("Semaphore: value must be between 0 and max_value()");
    return static_cast<std::uint32_t>(value);
  }

  bool try_now() noexcept { return try_acquire(); }
  bool acquire_within(detail::Wait& wait) { return object().acquire_slow(wait); }
};

// A semaphore that never holds more permits than it started with. Releasing one too many
// throws ValueError: it is the sign of a bug in the caller.
class BoundedSemaphore : public Semaphore {
 public:
  explicit BoundedSemaphore(std::ptrdiff_t value = 1) : Semaphore(value, value) {}
  explicit BoundedSemaphore(detail::Received received) : Semaphore(received) {}
};

}  // namespace nogil::multiprocessing
