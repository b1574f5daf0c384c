// nogil/threading/lock.hpp -- Lock: one thread at a time.
//
//   nogil::Lock lock;
//   {
//     std::scoped_lock guard(lock);        // Python: with lock:
//     ++counter;
//   }
//
// Threads    Every member except construction and destruction may be called from any
//            number of threads at once. A Lock has no owner: any thread may release it.
// Ordering   What a thread did before release() is visible to the next that acquires.
// Fairness   None promised: a newcomer may go ahead of a sleeper.
// Lifetime   A thread that holds the lock may release and destroy it at once, and so
//            may the next that acquires it, even if the release() that let it through
//            has not returned yet. Nobody may be waiting at that point.
// Errors     RuntimeError from release() of a lock that is not locked. DeadlockError
//            from acquire(), if deadlock::set_policy asks for it.
// Cost       4 bytes, constant-initialised. Without contention acquire() is one
//            compare-and-swap and release() one exchange; no system call. Waiting looks
//            again for about 3 us, then sleeps (platform/backoff.hpp).
// Python     threading.Lock. acquire(blocking=False) is try_acquire(), and
//            acquire(timeout=2) is acquire(2s).

#pragma once

#include "nogil/platform/errors.hpp"
#include "nogil/platform/wait.hpp"
#include "nogil/threading/detail/deadlock_watch.hpp"
#include "nogil/threading/detail/owner_word.hpp"

namespace nogil {

class Lock {
 public:
  constexpr Lock() noexcept = default;
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

  // Takes the lock, waiting for as long as that lasts. Always true, as in Python, so
  // the result may be ignored.
  bool acquire() {
    if (!try_acquire()) [[unlikely]]
      acquire_forever();
    return true;
  }

  // acquire(timeout | deadline | stop_token | timeout, stop_token): waits no longer than
  // that. Returns whether it took the lock; a free one is taken whatever the limit.
  template <class... Limits>
  requires platform::WaitLimits<Limits...>
  [[nodiscard]] bool acquire(const Limits&... limits) {
    return try_acquire() || platform::within([this](platform::Wait& wait) { return acquire_slow(wait); }, limits...);
  }

  // Takes the lock if it is free right now. Never waits, never fails spuriously.
  [[nodiscard]] bool try_acquire() noexcept { return state_.try_lock(platform::thread_id()); }

  // Gives the lock back, and wakes a thread that sleeps for it. Never waits.
  // Throws RuntimeError, and changes nothing, if it is not locked.
  void release() {
    if (!state_.unlock()) [[unlikely]]
      throw_unlocked();
  }

  // Whether somebody held it at some moment during the call.
  [[nodiscard]] bool locked() const noexcept { return state_.owner() != 0; }

  // The standard TimedLockable names: std::scoped_lock, std::unique_lock, std::lock.
  void lock() { acquire(); }
  [[nodiscard]] bool try_lock() noexcept { return try_acquire(); }
  [[nodiscard]] bool try_lock_for(const platform::TimeLimit auto& timeout) { return acquire(timeout); }
  [[nodiscard]] bool try_lock_until(const platform::TimeLimit auto& deadline) { return acquire(deadline); }
  void unlock() { release(); }

 private:
  template <class L>
  friend class BasicCondition;

  [[gnu::noinline, gnu::cold]] bool acquire_slow(platform::Wait& wait, bool may_throw = true) {
    detail::DeadlockWatch watch(state_.word(), detail::LockKind::kLock, wait.endless(), may_throw);
    return state_.lock_slow(platform::thread_id(), wait, watch);
  }

  [[gnu::noinline, gnu::cold]] void acquire_forever() {
    platform::Wait wait;
    acquire_slow(wait);
  }

  [[noreturn, gnu::noinline, gnu::cold]] static void throw_unlocked() {
    throw RuntimeError("Lock.release: the lock is not locked");
  }

  // What a Condition needs of its lock.
  bool held_here() const noexcept { return locked(); }
  int release_all() {
    release();
    return 1;
  }
  void acquire_again(int) {
    platform::Wait wait;
    if (!try_acquire()) acquire_slow(wait, false);
  }

  detail::NativeOwnerWord state_;
};

}  // namespace nogil
