// nogil/threading/condition.hpp -- Condition: wait under a lock until somebody notifies.
//
//   nogil::Condition condition;                              // Python:
//   std::deque<int> items;
//
//   std::scoped_lock guard(condition);                       // with condition:
//   condition.wait([&] { return !items.empty(); });          //     condition.wait_for(lambda: items)
//
//   std::scoped_lock guard(condition);                       // with condition:
//   items.push_back(1);                                      //     items.append(1)
//   condition.notify();                                      //     condition.notify()
//
// Condition has an RLock, LockCondition a Lock; BasicCondition<L> takes any lockable L.
// Either of its own, or yours: several conditions may share one lock.
//
// Threads    Every member except construction and destruction may be called from any
//            number of threads at once; wait and notify with the lock held.
// Ordering   The lock's: a wait returns holding it.
// Fairness   First come, first served: notify(n) lets through exactly the n threads that
//            have waited longest. There are no spurious wake-ups. The lock itself may go
//            to a newcomer first, so wait for a predicate.
// Errors     RuntimeError from wait and notify without the lock: exact with an RLock;
//            with a Lock, which has no owner, only if nobody has it; unchecked with locks
//            of other libraries.
// Lifetime   Nobody may be waiting when it is destroyed.
// Cost       24 bytes and its own lock. notify() with nobody waiting is two loads.
//            Waiting looks again for at most 7 us, then sleeps.
// Python     threading.Condition. wait_for(predicate, timeout) is wait(timeout, predicate).

#pragma once

#include <cstddef>
#include <type_traits>

#include "nogil/platform/errors.hpp"
#include "nogil/platform/wait.hpp"
#include "nogil/threading/detail/wait_list.hpp"
#include "nogil/threading/lock.hpp"
#include "nogil/threading/rlock.hpp"

namespace nogil {

template <class L = RLock>
class BasicCondition {
 public:
  // With a lock of its own.
  constexpr BasicCondition() : own_(), lock_(&own_.lock) {}

  // With yours, which must live longer than the condition.
  constexpr explicit BasicCondition(L& lock) noexcept : own_(nullptr), lock_(&lock) {}

  BasicCondition(const BasicCondition&) = delete;
  BasicCondition& operator=(const BasicCondition&) = delete;

  constexpr ~BasicCondition() {
    if (lock_ == &own_.lock) own_.lock.~L();
  }

  // The lock's own verbs, with whatever limits it takes.
  template <class... Limits>
  requires requires(L& lock, const Limits&... limits) { lock.acquire(limits...); }
  auto acquire(const Limits&... limits) { return lock_->acquire(limits...); }
  [[nodiscard]] bool try_acquire() noexcept { return lock_->try_acquire(); }
  void release() { lock_->release(); }
  [[nodiscard]] bool locked() const noexcept { return lock_->locked(); }

  // The standard TimedLockable names: std::scoped_lock, std::unique_lock.
  void lock() { lock_->lock(); }
  [[nodiscard]] bool try_lock() { return lock_->try_lock(); }
  [[nodiscard]] bool try_lock_for(const platform::TimeLimit auto& timeout) { return lock_->try_lock_for(timeout); }
  [[nodiscard]] bool try_lock_until(const platform::TimeLimit auto& deadline) {
    return lock_->try_lock_until(deadline);
  }
  void unlock() { lock_->unlock(); }

  // Gives up the lock (an RLock through all its levels), waits until notified, and takes
  // the lock again, to the same depth. Always true, so the result may be ignored.
  // Throws RuntimeError, and has not waited, if the lock is not held.
  bool wait() {
    platform::Wait wait;
    return wait_once(wait);
  }

  // wait(timeout | deadline | stop_token | timeout, stop_token): waits no longer than
  // that, and then for the lock. Returns whether it was notified.
  template <class... Limits>
  requires platform::WaitLimits<Limits...>
  bool wait(const Limits&... limits) {
    return platform::within([this](platform::Wait& wait) { return wait_once(wait); }, limits...);
  }

  // Waits until pred(), called with the lock held, is true; not at all if it is. Returns
  // what it returned last.
  template <class Predicate>
  requires std::is_invocable_v<Predicate&>
  auto wait(Predicate pred) {
    platform::Wait wait;
    return wait_for_predicate(wait, pred);
  }

  // The same within a limit: wait(timeout | deadline | stop_token, pred), and with
  // (timeout, stop_token, pred). False: pred() is still false.
  template <class Limit, class Predicate>
  requires platform::WaitLimits<Limit> && std::is_invocable_v<Predicate&>
  bool wait(const Limit& limit, Predicate pred) {
    return platform::within([&](platform::Wait& wait) { return static_cast<bool>(wait_for_predicate(wait, pred)); },
                            limit);
  }
  template <platform::TimeLimit Time, class Predicate>
  requires std::is_invocable_v<Predicate&>
  bool wait(const Time& limit, const std::stop_token& token, Predicate pred) {
    return platform::within([&](platform::Wait& wait) { return static_cast<bool>(wait_for_predicate(wait, pred)); },
                            limit, token);
  }

  // Lets through the n threads that have waited longest, or all if there are fewer.
  // They go on when they have the lock. Never waits.
  // Throws RuntimeError if the lock is not held, ValueError if n < 0; nothing has changed.
  void notify(std::ptrdiff_t n = 1) {
    require_lock("Condition.notify: the lock is not held");
    if (n < 0) throw ValueError("Condition.notify: n must be zero or more");
    waiters_.notify(n);
  }

  void notify_all() {
    require_lock("Condition.notify_all: the lock is not held");
    waiters_.notify_all();
  }

 private:
  using WaitList = detail::WaitList<platform::Native>;

  // Whether the lock tells who holds it, and can be given up through all its levels.
  static constexpr bool kOurs = std::is_same_v<L, Lock> || std::is_same_v<L, RLock>;

  void require_lock(const char* otherwise) const {
    if constexpr (kOurs) {
      if (!lock_->held_here()) [[unlikely]]
        throw_not_held(otherwise);
    }
  }

  [[noreturn, gnu::noinline, gnu::cold]] static void throw_not_held(const char* text) { throw RuntimeError(text); }

  // A node that is still in the list was not notified. Both sides of that question, the
  // notifier and the waiter that has the lock again, hold the lock, so it has one answer.
  bool wait_once(platform::Wait& wait) {
    require_lock("Condition.wait: the lock is not held");
    WaitList::Node node;
    waiters_.add(node);
    if constexpr (kOurs) {
      const auto depth = lock_->release_all();
      node.sleep(wait);
      lock_->acquire_again(depth);
    } else {
      lock_->unlock();
      node.sleep(wait);
      lock_->lock();
    }
    if (node.notified()) return true;
    waiters_.remove(node);
    return false;
  }

  template <class Predicate>
  auto wait_for_predicate(platform::Wait& wait, Predicate& pred) {
    require_lock("Condition.wait: the lock is not held");
    for (bool notified = true;;) {
      auto result = pred();
      if (static_cast<bool>(result) || !notified) return result;
      notified = wait_once(wait);
    }
  }

  // A lock, or the room for one.
  union OwnLock {
    constexpr OwnLock() : lock() {}
    constexpr explicit OwnLock(std::nullptr_t) noexcept : none() {}
    constexpr ~OwnLock() {}  // BasicCondition knows whether there is one

    char none;
    L lock;
  };

  WaitList waiters_;  // guarded by *lock_
  OwnLock own_;
  L* const lock_;  // &own_.lock, or the user's
};

using Condition = BasicCondition<RLock>;
using LockCondition = BasicCondition<Lock>;

}  // namespace nogil
