// nogil/queue/detail/index_lock.hpp -- a lock whose word also holds a count.
//
// One end of a queue: whoever holds the lock may move the end on, and the store that gives
// the lock back publishes where it is now. So an operation on a queue costs one locked
// instruction.
//
//   const std::uint64_t tail = end.lock();
//   ...construct the element...
//   const auto sleeper = end.claim_sleeper();
//   end.unlock(tail + 1);                       // it is there, and the lock is free
//   sleeper.wake();
//
// The store is the last time that an operation touches the queue: who sees the new count
// may destroy the queue at once. So whom to wake is found out before it; sleepers are
// built for that.

#pragma once

#include <atomic>
#include <cstdint>

#include "nogil/platform/event_count.hpp"
#include "nogil/queue/detail/short_sleep.hpp"

namespace nogil::detail {

template <class Platform>
class IndexLock {
 public:
  using Claim = typename platform::BasicEventCount<Platform>::Claim;

  constexpr IndexLock() noexcept = default;

  // Takes the lock; the count as its last holder left it.
  std::uint64_t lock() noexcept {
    std::uint64_t seen = state_.load(std::memory_order_relaxed);
    if ((seen & kHeld) == 0 && state_.compare_exchange_strong(seen, seen | kHeld, std::memory_order_acquire,
                                                              std::memory_order_relaxed)) [[likely]] {
      return seen / kOne;
    }
    return lock_slow();
  }

  // Whether a thread sleeps for this lock, to be woken when it is free. By its holder.
  bool is_awaited() const noexcept { return sleepers_.waiting() != 0; }
  Claim claim_sleeper() noexcept { return sleepers_.claim(1); }

  // Gives the lock back with this count. From then on *this may be gone.
  void unlock(std::uint64_t count) noexcept { state_.store(count * kOne, std::memory_order_release); }

  // Count and lock in one look, without the lock.
  struct View {
    std::uint64_t count;
    bool held;
  };
  View view() const noexcept {
    const std::uint64_t seen = state_.load(std::memory_order_acquire);
    return {seen / kOne, (seen & kHeld) != 0};
  }
  std::uint64_t count() const noexcept { return view().count; }
  bool is_held() const noexcept { return view().held; }

 private:
  // state_ holds
  //
  //   bit  0       held
  //   bits 1..63   count
  static constexpr std::uint64_t kHeld = 1;
  static constexpr std::uint64_t kOne = 2;

  [[gnu::noinline, gnu::cold]] std::uint64_t lock_slow() noexcept;

  typename Platform::template Atomic<std::uint64_t> state_{0};
  platform::BasicEventCount<Platform> sleepers_;
};

template <class Platform>
std::uint64_t IndexLock<Platform>::lock_slow() noexcept {
  std::uint64_t seen = 0;
  wait_until_taken(sleepers_, [&] {
    seen = state_.load(std::memory_order_relaxed);
    return (seen & kHeld) == 0 &&
           state_.compare_exchange_strong(seen, seen | kHeld, std::memory_order_acquire, std::memory_order_relaxed);
  });
  return seen / kOne;
}

}  // namespace nogil::detail
