// nogil/multiprocessing/rlock.hpp -- RLock: a lock between processes that its holder may take again.
//
// Threads    The thread that acquired it owns it, and must release it as often as it
//            acquired it. A Lock's other promises hold: see lock.hpp.
// Dead holder  As with Lock; and a thread that ends while it holds the lock counts as dead.
// Errors     RuntimeError from release() by any thread but the owner. OwnerDied.
// Cost       As Lock. Taking it again is a load and a store.
// Python     multiprocessing.RLock.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "nogil/multiprocessing/lock.hpp"

namespace nogil::multiprocessing {

namespace detail {

struct RobustLevels {
  RobustWord<Platform> word;
  std::atomic<std::uint32_t> levels{0};  // written by the owner only, and meaningless without one
};

}  // namespace detail

class RLock : public detail::Handle<detail::RobustLevels>, public detail::LockVerbs<RLock> {
 public:
  // Throws std::system_error when there is no memory or no file descriptor left.
  RLock() : Handle(0) {}
  explicit RLock(detail::Received received) : Handle(received) {}

  // Takes it if it is free, or this thread's, right now. Never waits; if it is another's, asks
  // the system whether that one lives, which takes some 10 us. Throws OwnerDied if not.
  [[nodiscard]] bool try_acquire() {
    detail::Wait now(platform::Deadline::immediate());
    return try_now() || acquire_within(now);
  }

  // Gives back one acquire(); with the last of them the lock. Never waits.
  // Throws RuntimeError, and changes nothing, if the calling thread does not own it.
  void release() {
    if (!is_owned()) throw_not_owned();
    if (object().levels.load(std::memory_order_relaxed) == 1) object().word.unlock();
    else object().levels.fetch_sub(1, std::memory_order_relaxed);
  }

  // Whether some thread held it at some moment during the call.
  [[nodiscard]] bool locked() const noexcept { return object().word.owner() != 0; }

  // Whether the calling thread owns it: exact.
  [[nodiscard]] bool is_owned() const noexcept { return object().word.owner() == detail::this_thread(); }

  // How often the calling thread has acquired and not yet released it.
  [[nodiscard]] std::size_t recursion_count() const noexcept {
    return is_owned() ? object().levels.load(std::memory_order_relaxed) : 0;
  }

 private:
  friend class detail::LockVerbs<RLock>;
  template <class L>
  friend class BasicCondition;

  [[noreturn, gnu::noinline, gnu::cold]] static void throw_not_owned() {
    throw RuntimeError("RLock.release: the calling thread does not own the lock");
  }

  bool try_now() noexcept {
    const detail::Who me = detail::this_thread();
    if (object().word.try_lock(me)) return object().levels.store(1, std::memory_order_relaxed), true;
    if (object().word.owner() != me) return false;
    object().levels.fetch_add(1, std::memory_order_relaxed);
    return true;
  }
  bool acquire_within(detail::Wait& wait) {
    const auto taking = object().word.lock_slow(detail::this_thread(), wait, detail::thread_lives);
    if (taking == detail::Taking::kOwnerDied) detail::throw_owner_died("RLock");
    if (taking == detail::Taking::kGaveUp) return false;
    set_levels(1);
    return true;
  }

  // What a Condition needs of its lock.
  bool held_here() const noexcept { return is_owned(); }
  std::uint32_t release_all() {
    if (!is_owned()) throw_not_owned();
    const std::uint32_t levels = object().levels.load(std::memory_order_relaxed);
    object().word.unlock();
    return levels;
  }
  void set_levels(std::uint32_t levels) noexcept { object().levels.store(levels, std::memory_order_relaxed); }
};

}  // namespace nogil::multiprocessing
