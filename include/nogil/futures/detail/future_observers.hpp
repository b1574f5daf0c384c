// nogil/futures/detail/future_observers.hpp -- who wants to be told when a future is done.
//
// A list with its lock in the pointer to it, so that it costs a future 8 bytes. Observers
// are nodes of their owners' memory: on the stack of a thread that waits for several
// futures, in a callback's own block, in the frame of a coroutine.
//
// Threads    lock() to unlock() is one thread at a time: a few instructions, never user
//            code. Who finds the list locked sleeps.

#pragma once

#include <atomic>
#include <cstdint>

#include "nogil/platform/deadline.hpp"
#include "nogil/platform/node_ring.hpp"

namespace nogil::detail {

template <class Platform>
class BasicTaskBlock;

// Whether an observer is told while the list is locked, or afterwards.
enum class Told : std::uint8_t {
  kLocked,  // a few instructions that wake a waiter. It may leave the list again until then
  kAfter,   // anything, in the order in which they came; from then on it belongs to itself
};

template <class Platform>
struct BasicObserver {
  using Tell = void (*)(BasicObserver& self, BasicTaskBlock<Platform>& done) noexcept;

  constexpr BasicObserver(Tell function, Told when) noexcept : tell(function), told(when) {}
  BasicObserver(const BasicObserver&) = delete;
  BasicObserver& operator=(const BasicObserver&) = delete;

  bool listed() const noexcept { return previous != nullptr; }

  // A ring, as long as it is listed.
  BasicObserver* next = nullptr;
  BasicObserver* previous = nullptr;
  const Tell tell;
  const Told told;
};

template <class Platform>
class alignas(8) BasicObservers {
 public:
  using Observer = BasicObserver<Platform>;

  // Locks the list for as long as it lives.
  class Guard {
   public:
    explicit Guard(BasicObservers& list) noexcept : list_(list), first_(list.lock()) {}
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    ~Guard() { list_.unlock(first_); }

    void append(Observer& observer) noexcept { platform::append_to_ring(first_, observer); }
    void remove(Observer& observer) noexcept { platform::remove_from_ring(first_, observer); }

    Observer* first() const noexcept { return first_; }

   private:
    BasicObservers& list_;
    Observer* first_;
  };

 private:
  // word_ holds the address of the first observer, or 0, and in its lowest bits
  //
  //   bit 0   locked
  //   bit 1   contended   somebody may be asleep until it is unlocked
  //
  // Who has slept takes the lock as contended, as it cannot know whether others still
  // sleep; so who unlocks sees the mark as long as anybody does. (As RawLock.) Only the
  // low half of the word can be slept on; the marks are there.
  static constexpr std::uint64_t kLocked = 1;
  static constexpr std::uint64_t kContended = 2;

  static Observer* first(std::uint64_t word) noexcept {
    return reinterpret_cast<Observer*>(static_cast<std::uintptr_t>(word & ~(kLocked | kContended)));
  }

  Observer* lock() noexcept {
    std::uint64_t seen = word_.load(std::memory_order_relaxed);
    if ((seen & kLocked) == 0 &&
        word_.compare_exchange_strong(seen, seen | kLocked, std::memory_order_acquire, std::memory_order_relaxed)) {
      return first(seen);
    }
    return lock_slow();
  }

  [[gnu::noinline, gnu::cold]] Observer* lock_slow() noexcept {
    std::uint64_t seen;
    while (((seen = word_.fetch_or(kLocked | kContended, std::memory_order_acquire)) & kLocked) != 0) {
      Platform::futex_wait(word_, static_cast<std::uint32_t>(seen | kLocked | kContended), platform::Deadline::never());
    }
    return first(seen);
  }

  void unlock(Observer* first) noexcept {
    const auto address = Platform::address(word_);
    // From here on *this may be gone.
    if ((word_.exchange(reinterpret_cast<std::uintptr_t>(first), std::memory_order_release) & kContended) != 0) {
      Platform::futex_wake(address, 1);
    }
  }

  typename Platform::template Atomic<std::uint64_t> word_{0};
};

}  // namespace nogil::detail
