// nogil/threading/rlock.hpp -- RLock: a lock that its holder may take again.
//
//   nogil::RLock lock;
//   void walk(Node* node) {
//     std::scoped_lock guard(lock);        // Python: with lock:
//     for (Node* child : node->children) walk(child);
//   }
//
// Threads    Every member except construction and destruction may be called from any
//            number of threads at once. The thread that acquired it owns it, and must
//            release it as often as it acquired it.
// Ordering   What a thread did before its last release() is visible to the next owner.
// Fairness   None promised: a newcomer may go ahead of a sleeper.
// Lifetime   As Lock: the thread that was let through may destroy it at once.
// Errors     RuntimeError from release() by any thread but the owner. DeadlockError from
//            an acquire() that closes a cycle of RLocks (threading/deadlock.hpp).
// Cost       8 bytes, constant-initialised. First acquire one compare-and-swap, release
//            one exchange; taking it again, and giving that back, is a load, a comparison
//            and a store.
// Python     threading.RLock. is_owned() and recursion_count() are its _is_owned and
//            _recursion_count.

#pragma once

#include <cstddef>
#include <cstdint>

#include "nogil/platform/errors.hpp"
#include "nogil/platform/wait.hpp"
#include "nogil/threading/detail/deadlock_watch.hpp"
#include "nogil/threading/detail/reentrant_word.hpp"

namespace nogil {

class RLock {
 public:
  constexpr RLock() noexcept = default;
  RLock(const RLock&) = delete;
  RLock& operator=(const RLock&) = delete;

  // Takes the lock, waiting for as long as that lasts; at once if this thread has it.
  // Always true, as in Python, so the result may be ignored.
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

  // Takes the lock if it is free, or this thread's, right now. Never waits.
  [[nodiscard]] bool try_acquire() noexcept { return state_.try_lock(platform::thread_id()); }

  // Gives back one acquire(); with the last of them the lock, waking a thread that
  // sleeps for it. Never waits.
  // Throws RuntimeError, and changes nothing, if the calling thread does not own it.
  void release() {
    if (!state_.unlock(platform::thread_id())) [[unlikely]]
      throw_not_owned();
  }

  // Whether some thread held it at some moment during the call.
  [[nodiscard]] bool locked() const noexcept { return state_.owner_word().owner() != 0; }

  // Whether the calling thread owns it: exact.
  [[nodiscard]] bool is_owned() const noexcept { return state_.owned_by(platform::thread_id()); }

  // How often the calling thread has acquired and not yet released it.
  [[nodiscard]] std::size_t recursion_count() const noexcept { return state_.levels(platform::thread_id()); }

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
    detail::DeadlockWatch watch(state_.owner_word().word(), detail::LockKind::kRLock, wait.endless(), may_throw);
    return state_.lock_slow(platform::thread_id(), wait, watch);
  }

  [[gnu::noinline, gnu::cold]] void acquire_forever() {
    platform::Wait wait;
    acquire_slow(wait);
  }

  [[noreturn, gnu::noinline, gnu::cold]] static void throw_not_owned() {
    throw RuntimeError("RLock.release: the calling thread does not own the lock");
  }

  // What a Condition needs of its lock: to give up all levels, and take as many back.
  bool held_here() const noexcept { return is_owned(); }
  std::uint32_t release_all() {
    if (!is_owned()) throw_not_owned();
    return state_.unlock_all(platform::thread_id());
  }
  void acquire_again(std::uint32_t levels) {
    platform::Wait wait;
    if (!try_acquire()) acquire_slow(wait, false);
    state_.set_levels(platform::thread_id(), levels);
  }

  detail::ReentrantWord<platform::Native> state_;
};

}  // namespace nogil
