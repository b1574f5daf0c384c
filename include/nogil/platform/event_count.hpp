// nogil/platform/event_count.hpp -- sleep until some condition of yours may have changed.
//
// Turns any data structure that answers at once ("empty", "full") into one that can be
// waited for, without a lock, and without a cost for those who do not wait:
//
//   // who waits                                     // who changes the condition
//   while (!try_take()) {                            put();
//     const auto key = count.prepare();              count.notify(1);
//     if (try_take()) { count.cancel(key); break; }
//     if (!count.wait(key, wait)) { ... gave up ... }
//   }
//
// Threads    Everything but destruction, from any number of threads at once.
// Contract   A notify() after prepare() ends the wait(), also when it comes before it.
//            wait() returns true if a notify() came, even one meant for somebody else, and
//            now and then for no reason: look again. False: the limit was reached and no
//            notify() came.
//            Who was let through and leaves without taking, while there is something to
//            take, must notify(1) in turn: the wake-up may have been another's.
// Cost       8 bytes. notify() with nobody waiting: a light fence and one load.
//            prepare(): an atomic add and a heavy fence (platform/fence.hpp).
// Source     The event count of D. Reed and R. Kanodia (1979), with waiters claimed by
//            the waker, so that notifying again before they run costs no system call.

#pragma once

#include <atomic>
#include <cstdint>

#include "nogil/platform/native.hpp"
#include "nogil/platform/wait.hpp"

namespace nogil::platform {

template <class Platform>
class BasicEventCount {
 public:
  using Key = std::uint32_t;

  constexpr BasicEventCount() noexcept = default;
  BasicEventCount(const BasicEventCount&) = delete;
  BasicEventCount& operator=(const BasicEventCount&) = delete;

  // Announces that this thread may wait. Look at the condition again after it, and then
  // call wait() or cancel().
  Key prepare() noexcept {
    const Key key = sequence(state_.fetch_add(kWaiter, std::memory_order_acq_rel));
    Platform::heavy_fence();
    return key;
  }

  // Takes the announcement back.
  void cancel(Key key) noexcept { withdraw(key); }

  // Sleeps until a notify(), or the limit is reached; a trace calls it a wait for `what`.
  bool wait(Key key, BasicWait<Platform>& wait, const char* what = "queue") noexcept {
    if (sequence(state_.load(std::memory_order_acquire)) != key) return true;
    const bool woken = wait.park(state_, key, what);
    return !withdraw(key) || woken;
  }

  // After the condition has changed: wakes up to n of those who announced themselves.
  void notify(std::uint32_t n) noexcept {
    Platform::light_fence();
    claim(n).wake();
  }

  void notify_all() noexcept { notify(kEveryone); }

  // notify() in two halves, without its fence, for who may not touch the event count any
  // more when the condition has changed: claim() before that, and wake() after it, which
  // uses an address only. Correct if a waiter can tell, looking again after prepare(),
  // that such a change is under way.
  class Claim {
   public:
    void wake() const noexcept {
      if (count_ != 0) [[unlikely]]
        Platform::futex_wake(address_, count_);
    }

   private:
    friend class BasicEventCount;
    typename Platform::Address address_{};
    std::uint32_t count_ = 0;
  };
  Claim claim(std::uint32_t n) noexcept {
    const std::uint64_t seen = state_.load(std::memory_order_relaxed);
    return waiters(seen) == 0 ? Claim() : claim_slow(seen, n);
  }

  // How many are announced, at some moment during the call; at least those who sleep.
  std::uint32_t waiting() const noexcept { return waiters(state_.load(std::memory_order_relaxed)); }

 private:
  // state_ holds
  //
  //   bits  0..31   sequence   changes with each notify that found a waiter; the futex word
  //   bits 32..63   waiters    announced, and neither claimed by a notify nor withdrawn
  //
  // A notify claims waiters and changes `sequence` in one step, so that further ones make
  // no system call for them. A waiter withdraws only while `sequence` is still its key:
  // otherwise its announcement may have been claimed, and taking one away would take that
  // of somebody who sleeps. `waiters` may be above the number of sleepers: that costs a
  // wake-up for nobody.
  //
  // A wake-up goes to the word, not to the waiter that was claimed for it: one who lay down
  // since may get it. So whoever is woken looks again, also while `sequence` is still his
  // key. The one who was claimed then sleeps on uncounted, but not for ever: a claim of some
  // leaves others counted who cannot withdraw any more, and one that leaves nobody counted
  // wakes all who sleep.
  //
  // No wake-up is lost. Either the load in notify() sees the waiter, or the waiter's look
  // after prepare() sees the new condition: that is what the two fences are for.
  static constexpr std::uint64_t kWaiter = std::uint64_t{1} << 32;

  static constexpr std::uint32_t sequence(std::uint64_t state) noexcept { return static_cast<std::uint32_t>(state); }
  static constexpr std::uint32_t waiters(std::uint64_t state) noexcept {
    return static_cast<std::uint32_t>(state >> 32);
  }

  // False: a notify came first.
  bool withdraw(Key key) noexcept {
    std::uint64_t seen = state_.load(std::memory_order_acquire);
    while (sequence(seen) == key) {
      if (state_.compare_exchange_weak(seen, seen - kWaiter, std::memory_order_acq_rel, std::memory_order_acquire)) {
        return true;
      }
    }
    return false;
  }

  [[gnu::noinline]] Claim claim_slow(std::uint64_t seen, std::uint32_t n) noexcept {
    Claim claim;
    std::uint64_t next;
    do {
      if (waiters(seen) == 0) return Claim();
      const std::uint32_t left = n < waiters(seen) ? waiters(seen) - n : 0;
      claim.count_ = left != 0 ? n : kEveryone;
      next = left * kWaiter + (sequence(seen) + 1);
    } while (!state_.compare_exchange_weak(seen, next, std::memory_order_acq_rel, std::memory_order_relaxed));
    claim.address_ = Platform::address(state_);
    return claim;
  }

  typename Platform::template Atomic<std::uint64_t> state_{0};
};

using EventCount = BasicEventCount<Native>;

}  // namespace nogil::platform
