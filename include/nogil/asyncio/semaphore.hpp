// nogil/asyncio/semaphore.hpp -- Semaphore and BoundedSemaphore: so many tasks at a time.
//
//   asyncio::Semaphore connections(10);              // connections = asyncio.Semaphore(10)
//   {
//     auto permit = co_await connections.guard();    // async with connections:
//     co_await fetch(url);
//   }
//
// Threads    Of one loop: for the thread in which it runs.
// Fairness   First come, first served: a newcomer waits behind those who wait, even if there
//            are permits.
// Cancel     A task that is cancelled while it waits takes no permit; one that it was to get
//            goes to the next.
// Lifetime   Must outlive its guards. A task that waits when it is destroyed waits until it
//            is cancelled.
// Cost       No allocation, to wait included.
// Errors     ValueError: fewer than no permits; a BoundedSemaphore was released too often.
//            RuntimeError: waited for by tasks of two loops.
// Python     asyncio.Semaphore and BoundedSemaphore of 3.13. try_acquire(), value() and
//            guard() are ours.

#pragma once

#include <coroutine>
#include <cstddef>
#include <limits>

#include "nogil/asyncio/detail/guard.hpp"
#include "nogil/asyncio/detail/patient_waiter.hpp"

namespace nogil::asyncio {

namespace detail {

// value_ permits are free. Who is in woken_ has one that is not counted in it any more.
//
// Invariant: if there are free permits and somebody is in waiting_, then somebody is in
// woken_, who will wake him. So nobody waits for ever beside a permit.
class SemaphoreCore {
 public:
  SemaphoreCore(const SemaphoreCore&) = delete;
  SemaphoreCore& operator=(const SemaphoreCore&) = delete;

  // Whether acquire() would wait.
  [[nodiscard]] bool locked() const noexcept { return value_ == 0 || !waiting_.empty() || !woken_.empty(); }

  // Free permits.
  [[nodiscard]] std::ptrdiff_t value() const noexcept { return value_; }

  // Takes a permit if there is one and nobody waits. Does not wait.
  [[nodiscard]] bool try_acquire() noexcept {
    if (locked()) return false;
    --value_;
    return true;
  }

  // Gives a permit back, and wakes the task that has waited longest. Throws ValueError if a
  // BoundedSemaphore would have more than at its start.
  void release() {
    if (value_ >= bound_) [[unlikely]]
      throw ValueError("BoundedSemaphore.release: released too many times");
    ++value_;
    wake_next();
  }

 protected:
  SemaphoreCore(std::ptrdiff_t value, std::ptrdiff_t bound) : value_(value), bound_(bound) {
    if (value < 0) throw ValueError("Semaphore: the initial value must be >= 0");
  }
  ~SemaphoreCore() = default;

 private:
  friend class AcquirePermit;
  template <class>
  friend class asyncio::Guard;

  void give_back() noexcept {
    if (value_ < bound_) ++value_;
    wake_next();
  }

  bool wake_next() noexcept {
    if (waiting_.empty() || value_ == 0) return false;
    PatientWaiter& first = waiting_.front();
    first.unlink();
    woken_.push_back(first);
    --value_;
    first.call();
    return true;
  }

  // In the look() of one that is in woken_.
  void settle(PatientWaiter& waiter) noexcept {
    waiter.unlink();
    if (waiter.gave_up()) ++value_;
    while (wake_next()) {
    }
  }

  WaiterList waiting_;
  WaiterList woken_;
  std::ptrdiff_t value_;
  const std::ptrdiff_t bound_;
};

class [[nodiscard]] AcquirePermit : public PatientWaiter {
 public:
  explicit AcquirePermit(SemaphoreCore& semaphore) noexcept : PatientWaiter(kKind, &look), semaphore_(&semaphore) {}

  bool await_ready() noexcept { return semaphore_->try_acquire(); }
  void await_suspend(std::coroutine_handle<> awaiting) {
    check_loop(semaphore_->waiting_, "Semaphore");
    semaphore_->waiting_.push_back(*this);
    suspend(awaiting);
  }
  bool await_resume() const {
    throw_if_cancelled();
    return true;
  }

 private:
  // Who was woken stays in its list, as it has a permit to give back.
  static bool cancel(Waiter& waiter) noexcept {
    auto& self = static_cast<AcquirePermit&>(waiter);
    if (!self.called() && self.linked()) self.unlink();
    return give_up(self);
  }
  static void look(Ready& node) noexcept {
    auto& self = from<AcquirePermit>(node);
    if (self.linked()) self.semaphore_->settle(self);
    self.end();
  }
  static constexpr Kind kKind = {&cancel, "Semaphore.acquire"};

  SemaphoreCore* semaphore_;
};

}  // namespace detail

class Semaphore : public detail::SemaphoreCore {
 public:
  // Throws ValueError if value < 0.
  explicit Semaphore(std::ptrdiff_t value = 1) : SemaphoreCore(value, std::numeric_limits<std::ptrdiff_t>::max()) {}

  // Waits until there is a permit, and takes it. Gives true. Throws CancelledError: then it
  // has taken none.
  detail::AcquirePermit acquire() noexcept { return detail::AcquirePermit(*this); }

  // The same, and gives a Guard that releases it at the end of its block.
  detail::AcquireGuard<detail::AcquirePermit, detail::SemaphoreCore> guard() noexcept {
    return detail::AcquireGuard<detail::AcquirePermit, detail::SemaphoreCore>(*this);
  }

 protected:
  Semaphore(std::ptrdiff_t value, std::ptrdiff_t bound) : SemaphoreCore(value, bound) {}
};

// One that never has more permits than at its start: to release one too many is an error.
class BoundedSemaphore : public Semaphore {
 public:
  explicit BoundedSemaphore(std::ptrdiff_t value = 1) : Semaphore(value, value) {}
};

}  // namespace nogil::asyncio
