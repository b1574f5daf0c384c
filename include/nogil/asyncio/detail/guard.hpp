// nogil/asyncio/detail/guard.hpp -- what `co_await lock.guard()` gives.

#pragma once

#include <utility>

namespace nogil::asyncio {

// Holds a lock, or a permit, and gives it back when it is destroyed. Moved, not copied. The
// Lock must outlive it.
template <class Lock>
class [[nodiscard]] Guard {
 public:
  explicit Guard(Lock& held) noexcept : lock_(&held) {}
  Guard(Guard&& other) noexcept : lock_(std::exchange(other.lock_, nullptr)) {}
  Guard& operator=(Guard&& other) noexcept {
    std::swap(lock_, other.lock_);
    return *this;
  }
  // Does nothing if somebody else has given it back.
  ~Guard() {
    if (lock_ != nullptr) lock_->give_back();
  }

  // Before its end. Does nothing the second time.
  void release() noexcept {
    if (lock_ != nullptr) std::exchange(lock_, nullptr)->give_back();
  }

  [[nodiscard]] bool owns_lock() const noexcept { return lock_ != nullptr; }

 private:
  Lock* lock_;
};

namespace detail {

// An Acquire that gives a guard.
template <class Acquire, class Lock>
class [[nodiscard]] AcquireGuard : public Acquire {
 public:
  explicit AcquireGuard(Lock& lock) noexcept : Acquire(lock), lock_(&lock) {}
  Guard<Lock> await_resume() {
    Acquire::await_resume();
    return Guard<Lock>(*lock_);
  }

 private:
  Lock* lock_;
};

}  // namespace detail

}  // namespace nogil::asyncio
