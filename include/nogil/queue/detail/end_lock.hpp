// nogil/queue/detail/end_lock.hpp -- the lock of one end of a queue, and how far that end is.
//
//   const std::uint64_t tail = end.lock();
//   ...construct element number `tail`...
//   const auto sleeper = end.claim_sleeper();
//   end.unlock(tail, tail + 1);                 // it is there, and the lock is free
//   sleeper.wake();
//
// The count is how many elements ever went through this end. It has a cache line of its
// own: the other end looks at it again and again, and does not slow down who locks this one.
//
// The store of the count gives the lock back, too, and is the last time that an operation
// touches the queue: who sees it may destroy the queue at once. So whom to wake is found out
// before it; sleepers are built for that.
//
// Threads    Of one process only: an owner (below) is known by its thread_id().
// Cost       One locked instruction; none for an end that one thread uses alone. Two cache
//            lines, the first shared with Own: what only the holder may touch. The second may
//            hold something beside the count, for who looks at that.
// Source     Locks that belong to a thread until another wants them: K. Kawachiya and
//            others, "Lock Reservation" (2002); here the other one makes the kernel fence
//            the owner, and there is no second owner.

#pragma once

#include <atomic>
#include <cstdint>

#include "nogil/platform/cpu.hpp"
#include "nogil/platform/event_count.hpp"
#include "nogil/queue/detail/short_sleep.hpp"

namespace nogil::detail {

// After so many turns without another thread between, an end belongs to a thread.
inline constexpr std::uint32_t kTurnsToOwn = 64;

struct NothingBeside {};

template <class Platform, class Own, std::uint32_t kTurns = kTurnsToOwn, class Beside = NothingBeside>
class EndLock {
 public:
  using Claim = typename platform::BasicEventCount<Platform>::Claim;

  constexpr EndLock() noexcept = default;

  // Takes the lock; the count as its last holder left it.
  [[gnu::always_inline]] std::uint64_t lock() noexcept {
    const std::uint64_t count = count_.load(std::memory_order_acquire);
    const std::uint32_t me = caller();
    if (owner_.load(std::memory_order_relaxed) == me) {
      if (lock_as_owner(count, me)) [[likely]]
        return count;
    } else {
      std::uint64_t free = count;
      if (promised_.compare_exchange_strong(free, count + 1, std::memory_order_acquire, std::memory_order_relaxed))
          [[likely]] {
        if (turns_to_go_ != 0) count_turn(count, me);
        return count;
      }
    }
    return lock_slow();
  }

  // Gives the lock back, and moves the count on. From then on *this may be gone.
  void unlock(std::uint64_t from, std::uint64_t to) noexcept {
    if (to != from + 1) [[unlikely]] {
      auto& promised = promised_.load(std::memory_order_relaxed) < kRevoked ? promised_ : promised_by_owner_;
      promised.store(to, std::memory_order_release);
      if (to == from) return;
    }
    count_.store(to, std::memory_order_release);
  }

  std::uint64_t count() const noexcept { return count_.load(std::memory_order_acquire); }

  // Whether anybody may have the lock, at some moment during the call.
  bool is_held() const noexcept {
    std::uint64_t promised = promised_.load(std::memory_order_acquire);
    if (promised == kOwned) promised = promised_by_owner_.load(std::memory_order_acquire);
    return promised != count_.load(std::memory_order_acquire);
  }

  // Whether a thread sleeps for this lock, to be woken when it is free. By its holder.
  bool is_awaited() const noexcept { return sleepers_.waiting() != 0; }
  Claim claim_sleeper() noexcept { return sleepers_.claim(1); }

 private:
  // promised_ is where the count will be when the holder gives the lock back, as far as he
  // knows: at first one more. So the lock is free while promised_ == count_, and taking it
  // is one compare-and-swap from what was just read of the count. As both only grow, but for
  // a holder that gives up, who knew an old count finds another promise. Giving back:
  //
  //   one more      count_ comes up to the promise
  //   more          first the promise is moved, to another number than the count; then so
  //   none          the promise is taken back
  //
  // A thread that uses the end alone for a while becomes its owner. Then promised_ is kOwned,
  // which no compare-and-swap expects, and the owner promises in a word that no other thread
  // writes, with a plain store and a look whether it is still the owner. Who else wants the
  // lock first makes promised_ kRevoked, and so holds it against all others; then takes the
  // ownership away, and passes a heavy fence. Either the owner will see that, and take its
  // promise back; or its promise is seen, and waited for. There is no second owner: the first
  // may still be about to store a promise that it made as such, and take it back.
  static constexpr std::uint64_t kOwned = ~std::uint64_t{0};
  static constexpr std::uint64_t kRevoked = kOwned - 1;
  static constexpr std::uint32_t kNobody = ~std::uint32_t{0};

  // Who calls; 0: a thread that has no number yet, and gets none for want of memory. It uses
  // the lock as all others do, but never becomes its owner.
  static std::uint32_t caller() noexcept {
    try {
      return Platform::thread_id();
    } catch (...) {
      return 0;
    }
  }

  [[gnu::always_inline]] bool lock_as_owner(std::uint64_t count, std::uint32_t me) noexcept {
    // Not free: T's constructor uses the queue that it is put into.
    if (promised_by_owner_.load(std::memory_order_relaxed) != count) [[unlikely]]
      return false;
    promised_by_owner_.store(count + 1, std::memory_order_relaxed);
    Platform::light_fence();
    if (owner_.load(std::memory_order_relaxed) == me) [[likely]]
      return true;
    promised_by_owner_.store(count, std::memory_order_release);
    return false;
  }

  // With the lock, which no thread owns nor ever has. Until then there is room in the owner's
  // word for who had the last turn.
  void count_turn(std::uint64_t count, std::uint32_t me) noexcept {
    if (me == 0) return;
    if (promised_by_owner_.load(std::memory_order_relaxed) != me) {
      promised_by_owner_.store(me, std::memory_order_relaxed);
      turns_to_go_ = kTurns;
    } else if (--turns_to_go_ == 0) {
      promised_by_owner_.store(count + 1, std::memory_order_relaxed);
      owner_.store(me, std::memory_order_relaxed);
      promised_.store(kOwned, std::memory_order_release);
    }
  }

  [[gnu::noinline, gnu::cold]] std::uint64_t lock_slow() noexcept;

  template <class U>
  using Atomic = typename Platform::template Atomic<U>;

  alignas(platform::kCacheLine) Atomic<std::uint64_t> promised_{0};
  Atomic<std::uint64_t> promised_by_owner_{0};
  Atomic<std::uint32_t> owner_{kNobody};
  std::uint32_t turns_to_go_ = kTurns;  // until who has had the last ones is the owner; 0: one had its time
  platform::BasicEventCount<Platform> sleepers_;

 public:
  Own own;

 private:
  alignas(platform::kCacheLine) Atomic<std::uint64_t> count_{0};

 public:
  [[no_unique_address]] Beside beside;
};

template <class Platform, class Own, std::uint32_t kTurns, class Beside>
std::uint64_t EndLock<Platform, Own, kTurns, Beside>::lock_slow() noexcept {
  std::uint64_t count = 0;
  std::uint64_t seen = 0;
  wait_until_taken(sleepers_, [&] {
    count = count_.load(std::memory_order_acquire);
    seen = promised_.load(std::memory_order_relaxed);
    return (seen == count || seen == kOwned) &&
           promised_.compare_exchange_strong(seen, seen == kOwned ? kRevoked : count + 1, std::memory_order_acquire,
                                             std::memory_order_relaxed);
  });
  if (seen != kOwned) return count;
  owner_.store(kNobody, std::memory_order_relaxed);
  Platform::heavy_fence();
  wait_until_taken(sleepers_, [&] {
    const std::uint64_t promised = promised_by_owner_.load(std::memory_order_acquire);
    count = count_.load(std::memory_order_acquire);
    return promised == count;
  });
  promised_.store(count + 1, std::memory_order_relaxed);  // unlock() has what must be seen
  return count;
}

}  // namespace nogil::detail
