// nogil/multiprocessing/condition.hpp -- Condition: wait, with a lock, until another process says so.
//
//   condition.acquire();
//   while (jobs.get() == 0) condition.wait();          // Python: condition.wait_for(…)
//   condition.release();
//
// Condition has an RLock, LockCondition a Lock: of its own, or yours. A handle, as they are:
// copies are the same condition.
//
// Threads    Every member from any number of threads and processes at once; wait and notify
//            with the lock held.
// Fairness   notify(n) lets through exactly the n that have waited longest; who died while
//            waiting does not count. There are no spurious wake-ups. The lock itself may go
//            to a newcomer first, so wait for a predicate.
// Errors     RuntimeError from wait and notify without the lock: exact with an RLock, with a
//            Lock only if nobody has it; and from wait() when 500 wait already. OwnerDied
//            from wait(), which has the lock then, if the lock's holder died meanwhile.
// Cost       Two or three pages of memory, and a file descriptor besides the lock's. notify()
//            looks at each who waits, and asks the system whether those it chose live.
// Python     multiprocessing.Condition.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "nogil/multiprocessing/detail/crowd.hpp"
#include "nogil/multiprocessing/lock.hpp"
#include "nogil/multiprocessing/rlock.hpp"

namespace nogil::multiprocessing {

namespace detail {

// Those who wait for a condition, each in a place of its own. Guarded by the user's lock,
// but for `state` on its way from a notifier to the one who waits. Each step leaves it
// whole, so a process may die between any two.
class Waiters {
 public:
  struct Place {
    std::atomic<std::uint32_t> state{kFree};
    std::uint64_t ticket = 0;  // in the order of coming
    Who who = 0;
  };

  // Null: all places are taken.
  Place* add(Who who) noexcept {
    Place* place = find_free();
    if (place == nullptr) {
      for (Place& other : places_) {
        if (!thread_lives(other.who)) other.state.store(kFree, std::memory_order_relaxed);
      }
      place = find_free();
    }
    if (place == nullptr) return nullptr;
    place->ticket = next_ticket_++;
    place->who = who;
    place->state.store(kWaiting, std::memory_order_relaxed);
    return place;
  }

  // Without the lock. Sleeps until notified, or the limit is reached.
  static void sleep(Place& place, Wait& wait) noexcept {
    for (detail::CrowdBackoff<Platform> backoff(wait); !notified(place) && backoff.again();) {
    }
    while (!notified(place) && wait.park(place.state, kWaiting, "condition")) {
    }
  }

  // Gives the place back; whether it was notified.
  static bool leave(Place& place) noexcept {
    return place.state.exchange(kFree, std::memory_order_acquire) == kNotified;
  }

  void notify(std::ptrdiff_t n) noexcept {
    for (; n > 0; --n) {
      Place* oldest = nullptr;
      while ((oldest = find_oldest()) != nullptr && !thread_lives(oldest->who)) {
        oldest->state.store(kFree, std::memory_order_relaxed);
      }
      if (oldest == nullptr) return;
      const auto address = Platform::address(oldest->state);
      oldest->state.store(kNotified, std::memory_order_release);
      Platform::futex_wake(address, 1);
    }
  }

 private:
  static constexpr std::uint32_t kFree = 0;
  static constexpr std::uint32_t kWaiting = 1;
  static constexpr std::uint32_t kNotified = 2;

  static bool notified(const Place& place) noexcept { return place.state.load(std::memory_order_acquire) == kNotified; }

  Place* find_free() noexcept {
    for (Place& place : places_) {
      if (place.state.load(std::memory_order_relaxed) == kFree) return &place;
    }
    return nullptr;
  }

  Place* find_oldest() noexcept {
    Place* oldest = nullptr;
    for (Place& place : places_) {
      const bool waits = place.state.load(std::memory_order_relaxed) == kWaiting;
      if (waits && (oldest == nullptr || place.ticket < oldest->ticket)) oldest = &place;
    }
    return oldest;
  }

  std::uint64_t next_ticket_ = 0;
  Place places_[500];
};

}  // namespace detail

template <class L = RLock>
class BasicCondition : public detail::Handle<detail::Waiters> {
 public:
  // With a lock of its own.
  BasicCondition() : Handle(0) {}

  // With yours.
  explicit BasicCondition(const L& lock) : Handle(0), lock_(lock) {}

  explicit BasicCondition(detail::Received received) : Handle(received), lock_(received) {}

  // The lock's own verbs.
  bool acquire() { return lock_.acquire(); }
  template <class... Limits>
  requires platform::WaitLimits<Limits...>
  [[nodiscard]] bool acquire(const Limits&... limits) { return lock_.acquire(limits...); }
  [[nodiscard]] bool try_acquire() { return lock_.try_acquire(); }
  void release() { lock_.release(); }
  [[nodiscard]] bool locked() const noexcept { return lock_.locked(); }

  // The standard TimedLockable names: std::scoped_lock, std::unique_lock.
  void lock() { lock_.lock(); }
  [[nodiscard]] bool try_lock() { return lock_.try_lock(); }
  [[nodiscard]] bool try_lock_for(const platform::TimeLimit auto& timeout) { return lock_.try_lock_for(timeout); }
  [[nodiscard]] bool try_lock_until(const platform::TimeLimit auto& deadline) { return lock_.try_lock_until(deadline); }
  void unlock() { lock_.unlock(); }

  // Gives up the lock (an RLock through all its levels), waits until notified, and takes
  // the lock again, to the same depth. Always true, so the result may be ignored.
  // Throws RuntimeError, and has not waited, if the lock is not held.
  bool wait() {
    detail::Wait forever;
    return wait_once(forever);
  }

  // wait(timeout | deadline | stop_token | timeout, stop_token): waits no longer than
  // that, and then for the lock. Returns whether it was notified.
  template <class... Limits>
  requires platform::WaitLimits<Limits...>
  bool wait(const Limits&... limits) {
    return platform::within<detail::Platform>([this](detail::Wait& wait) { return wait_once(wait); }, limits...);
  }

  // Waits until pred(), called with the lock held, is true; not at all if it is. Returns
  // what it returned last.
  template <class Predicate>
  requires std::is_invocable_v<Predicate&>
  auto wait(Predicate pred) {
    detail::Wait forever;
    return wait_for_predicate(forever, pred);
  }

  // The same within a limit. False: pred() is still false.
  template <class Limit, class Predicate>
  requires platform::WaitLimits<Limit> && std::is_invocable_v<Predicate&>
  bool wait(const Limit& limit, Predicate pred) {
    return platform::within<detail::Platform>(
        [&](detail::Wait& wait) { return static_cast<bool>(wait_for_predicate(wait, pred)); }, limit);
  }

  // Lets through the n that have waited longest, or all if there are fewer. They go on when
  // they have the lock. Never waits.
  // Throws RuntimeError if the lock is not held, ValueError if n < 0; nothing has changed.
  void notify(std::ptrdiff_t n = 1) {
    require_lock("Condition.notify: the lock is not held");
    if (n < 0) throw ValueError("Condition.notify: n must be zero or more");
    object().notify(n);
  }

  void notify_all() {
    require_lock("Condition.notify_all: the lock is not held");
    object().notify(PTRDIFF_MAX);
  }

 private:
  friend struct detail::Adapter<BasicCondition>;

  void require_lock(const char* otherwise) const {
    if (!lock_.held_here()) throw RuntimeError(otherwise);
  }

  bool wait_once(detail::Wait& wait) {
    require_lock("Condition.wait: the lock is not held");
    auto* const place = object().add(detail::this_thread());
    if (place == nullptr) throw RuntimeError("Condition.wait: 500 wait for it already");
    const auto levels = lock_.release_all();
    detail::Waiters::sleep(*place, wait);
    bool owner_died = false;
    for (;;) {
      try {
        lock_.acquire();
        break;
      } catch (const OwnerDied&) {
        owner_died = true;
      }
    }
    lock_.set_levels(levels);
    const bool notified = detail::Waiters::leave(*place);
    if (owner_died) detail::throw_owner_died("Condition.wait: Lock");
    return notified;
  }

  template <class Predicate>
  auto wait_for_predicate(detail::Wait& wait, Predicate& pred) {
    require_lock("Condition.wait: the lock is not held");
    for (bool notified = true;;) {
      auto result = pred();
      if (static_cast<bool>(result) || !notified) return result;
      notified = wait_once(wait);
    }
  }

  L lock_;
};

using Condition = BasicCondition<RLock>;
using LockCondition = BasicCondition<Lock>;

namespace detail {

template <class L>
struct Adapter<BasicCondition<L>> {
  static void save(OutputArchive& out, const BasicCondition<L>& condition) {
    out.write_file(HandleAccess::fd(condition));
    Adapter<L>::save(out, condition.lock_);
  }
  static BasicCondition<L> load(InputArchive& in) { return BasicCondition<L>(Received{in}); }
};

}  // namespace detail

}  // namespace nogil::multiprocessing
