// nogil/asyncio/lock.hpp -- Lock: one task at a time, also across its awaits.
//
//   asyncio::Lock lock;                              // lock = asyncio.Lock()
//   {
//     auto guard = co_await lock.guard();            // async with lock:
//     balance = co_await withdraw(balance);
//   }
//
// Threads    Of one loop: for the thread in which it runs.
// Owner      None, as in Python: any task may release it, and a callback too. Not recursive.
// Fairness   First come, first served. Nobody overtakes a task that waits.
// Cancel     A task that is cancelled while it waits does not get it; the next one does.
// Lifetime   Must outlive its guards. A task that waits when it is destroyed waits until it
//            is cancelled.
// Cost       No allocation, to wait included. Free: a few instructions, and no other task runs.
// Errors     RuntimeError: released when it is not locked; waited for by tasks of two loops.
// Python     asyncio.Lock. try_acquire() and guard() are ours.

#pragma once

#include <coroutine>

#include "nogil/asyncio/detail/guard.hpp"
#include "nogil/asyncio/detail/patient_waiter.hpp"

namespace nogil::asyncio {

namespace detail {

// Locked, or free; and who waits, the one that was woken included until it has looked. So a
// newcomer never finds it free while somebody waits.
class LockCore {
 public:
  [[nodiscard]] bool locked() const noexcept { return locked_; }

  // Takes it if it is free, unless others wait for it. Does not wait.
  [[nodiscard]] bool try_acquire() noexcept {
    if (locked_ || somebody_waits()) return false;
    return locked_ = true;
  }

  // Gives it back, and wakes the task that has waited longest. Throws RuntimeError if it is
  // not locked.
  void release() {
    if (!locked_) [[unlikely]]
      throw RuntimeError("Lock.release: it is not locked");
    give_back();
  }

 protected:
  LockCore() noexcept = default;
  LockCore(const LockCore&) = delete;
  LockCore& operator=(const LockCore&) = delete;
  ~LockCore() = default;

 private:
  friend class AcquireLock;
  friend class ConditionWait;
  template <class>
  friend class asyncio::Guard;

  void give_back() noexcept {
    locked_ = false;
    wake_first();
  }

  void wait(PatientWaiter& waiter) noexcept { waiters_.push_back(waiter); }

  // In a waiter's look(). True: it has the lock.
  bool settle(PatientWaiter& waiter) noexcept {
    waiter.unlink();
    if (!waiter.gave_up()) return locked_ = true;
    if (!locked_) wake_first();
    return false;
  }

  // One that was called already will take it, or wake the next one.
  void wake_first() noexcept {
    if (!waiters_.empty() && !waiters_.front().called()) waiters_.front().call();
  }

  bool somebody_waits() noexcept {
    if (waiters_.empty()) [[likely]]
      return false;
    bool found = false;
    waiters_.for_each([&found](PatientWaiter& waiter) {
      found = !waiter.gave_up_asleep();
      return !found;
    });
    return found;
  }

  WaiterList waiters_;
  bool locked_ = false;
};

class [[nodiscard]] AcquireLock : public PatientWaiter {
 public:
  explicit AcquireLock(LockCore& lock) noexcept : PatientWaiter(kKind, &look), lock_(&lock) {}

  bool await_ready() noexcept { return lock_->try_acquire(); }
  void await_suspend(std::coroutine_handle<> awaiting) {
    check_loop(lock_->waiters_, "Lock");
    lock_->wait(*this);
    suspend(awaiting);
  }
  bool await_resume() const {
    throw_if_cancelled();
    return true;
  }

 private:
  static void look(Ready& node) noexcept {
    auto& self = from<AcquireLock>(node);
    if (self.linked()) self.lock_->settle(self);
    self.end();
  }
  static constexpr Kind kKind = {&give_up, "Lock.acquire"};

  LockCore* lock_;
};

}  // namespace detail

class Lock : public detail::LockCore {
 public:
  Lock() noexcept = default;

  // Waits until it is free, and takes it. Gives true. Throws CancelledError: then it has
  // not got it.
  detail::AcquireLock acquire() noexcept { return detail::AcquireLock(*this); }

  // The same, and gives a Guard that releases it at the end of its block.
  detail::AcquireGuard<detail::AcquireLock, Lock> guard() noexcept {
    return detail::AcquireGuard<detail::AcquireLock, Lock>(*this);
  }
};

}  // namespace nogil::asyncio
