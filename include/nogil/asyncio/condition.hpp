// nogil/asyncio/condition.hpp -- Condition: tasks wait until something they share has changed.
//
//   asyncio::Condition changed;                            // changed = asyncio.Condition()
//   {
//     auto guard = co_await changed.guard();               // async with changed:
//     co_await changed.wait([&] { return !jobs.empty(); });  //     await changed.wait_for(lambda: jobs)
//   }
//   …
//     changed.notify();                                    // with the lock held
//
// Threads    Of one loop: for the thread in which it runs.
// Fairness   Notified in the order in which they came; then they wait for the lock.
// Cancel     A task that is cancelled while it waits gets the lock back first, whatever else
//            comes; then CancelledError. A notification that it had got goes to another: so
//            now and then a task is woken for nothing, as in Python. wait(pred) is not.
// Lifetime   Must outlive its guards, and be outlived by the lock that it was given. A task
//            that waits when it is destroyed waits until it is cancelled.
// Cost       No allocation, to wait included.
// Errors     RuntimeError: wait() and notify() without the lock held; tasks of two loops.
// Python     asyncio.Condition of 3.13. wait(pred) is wait_for(), which is there too;
//            guard() and try_acquire() are ours.

#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

#include "nogil/asyncio/detail/condition_wait.hpp"
#include "nogil/asyncio/lock.hpp"

namespace nogil::asyncio {

class Condition : private detail::ConditionCore {
 public:
  // With a lock of its own, or yours.
  Condition() noexcept : lock_(&own_) {}
  explicit Condition(Lock& lock) noexcept : lock_(&lock) {}

  // ---- The lock's ------------------------------------------------------------------------

  detail::AcquireLock acquire() noexcept { return lock_->acquire(); }
  detail::AcquireGuard<detail::AcquireLock, Lock> guard() noexcept { return lock_->guard(); }
  [[nodiscard]] bool try_acquire() noexcept { return lock_->try_acquire(); }
  void release() { lock_->release(); }
  [[nodiscard]] bool locked() const noexcept { return lock_->locked(); }

  // ---- Wait --------------------------------------------------------------------------------

  // Gives the lock back, waits for a notification, and takes the lock again. Gives true.
  detail::ConditionWait wait() noexcept { return detail::ConditionWait(*this, *lock_); }

  // The same until the predicate says true: called with the lock held, by the task. Gives
  // its last value; throws what it throws, with the lock held.
  template <class Predicate>
  requires std::is_invocable_v<Predicate&> detail::ConditionWaitFor<Predicate> wait(Predicate predicate) {
    return {*this, *lock_, std::move(predicate)};
  }
  template <class Predicate>
  requires std::is_invocable_v<Predicate&> detail::ConditionWaitFor<Predicate> wait_for(Predicate predicate) {
    return {*this, *lock_, std::move(predicate)};
  }

  // ---- Notify ------------------------------------------------------------------------------

  // Wakes the n that have waited longest, or as many as there are. They go on once they have
  // the lock.
  void notify(std::ptrdiff_t n = 1) {
    check();
    ConditionCore::notify(n);
  }
  void notify_all() {
    check();
    ConditionCore::notify_all();
  }

 private:
  void check() const {
    if (!locked()) [[unlikely]]
      throw RuntimeError("Condition.notify: cannot notify on un-acquired lock");
  }

  Lock own_;
  Lock* lock_;
};

}  // namespace nogil::asyncio
