// nogil/multiprocessing/detail/ring.hpp -- slots in shared memory, from one writer to one reader.
//
//   if (ring.has_room()) {                    if (!ring.empty()) {
//     fill(ring.next());                        use(ring.first());
//     ring.push();                              ring.pop();
//   }                                         }
//
// Threads    One writer and one reader at a time.
// Ordering   What the writer did before push() is visible to the reader that finds the slot;
//            what the reader did before pop() to the writer that finds the room.
// Dying      Either side may die at any moment: a slot is there as a whole or not at all.
// Trust      The reader of a ring whose writer has gone mad gets wrong slots, never a slot
//            that is not there: counts are taken modulo the size.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "nogil/multiprocessing/detail/crowd.hpp"
#include "nogil/platform/backoff.hpp"
#include "nogil/platform/cpu.hpp"
#include "nogil/platform/wait.hpp"

namespace nogil::multiprocessing::detail {

template <class Platform, class Slot, std::uint32_t kSlots>
class Ring {
  static_assert((kSlots & (kSlots - 1)) == 0);

 public:
  // By the writer.
  bool has_room() const noexcept {
    return tail_.load(std::memory_order_relaxed) - head_.load(std::memory_order_acquire) < kSlots;
  }
  Slot& next() noexcept { return slots_[tail_.load(std::memory_order_relaxed) % kSlots]; }
  void push() noexcept { tail_.store(tail_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }
  // Of a slot that was pushed and not popped: place() was its, before push().
  std::uint32_t place() const noexcept { return tail_.load(std::memory_order_relaxed); }
  Slot& at(std::uint32_t place) noexcept { return slots_[place % kSlots]; }

  // After push(), when there is time: the reader has had the next slot's lines, a lap ago.
  void prepare_next() noexcept {
    const char* const slot = reinterpret_cast<const char*>(&next());
    platform::prefetch_to_write(slot);
    if constexpr (sizeof(Slot) > platform::kCacheLine) platform::prefetch_to_write(slot + platform::kCacheLine);
  }

  // By the reader.
  bool empty() const noexcept { return tail_.load(std::memory_order_acquire) == head_.load(std::memory_order_relaxed); }
  Slot& first() noexcept { return slots_[head_.load(std::memory_order_relaxed) % kSlots]; }
  void pop() noexcept { head_.store(head_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }

 private:
  alignas(platform::kCacheLine) typename Platform::template Atomic<std::uint32_t> tail_{0};  // pushed so far
  alignas(platform::kCacheLine) typename Platform::template Atomic<std::uint32_t> head_{0};  // popped so far
  alignas(platform::kCacheLine) Slot slots_[kSlots];
};

// Wakes whoever sleeps for it: for one who looks at several rings, or waits for one to fill.
//
//   const auto seen = bell.look();      // then look at what it is rung for; nothing there?
//   bell.wait(seen, wait);              // until it is rung after look()
//
// No ringing is lost: ring() changes the word before it asks for sleepers, and a sleeper says
// that it is one before it looks at the word for the last time. If the one who rings dies
// between the two, wake_all(), by whoever sees him dead, makes up for it.
template <class Platform>
class Bell {
 public:
  using Wait = platform::BasicWait<Platform>;

  std::uint32_t look() const noexcept { return rung_.load(std::memory_order_acquire); }

  void ring() noexcept {
    rung_.fetch_add(1, std::memory_order_seq_cst);
    if (sleepers_.load(std::memory_order_seq_cst) != 0) Platform::futex_wake(Platform::address(rung_), 1U << 30);
  }

  void wake_all() noexcept {
    rung_.fetch_add(1, std::memory_order_seq_cst);
    Platform::futex_wake(Platform::address(rung_), 1U << 30);
  }

  void wait(std::uint32_t seen, Wait& wait) noexcept {
    for (CrowdBackoff<Platform> backoff(wait); look() == seen && backoff.again();) {
    }
    sleep(seen, wait);
  }

  // wait() that does not look around before it sleeps.
  void sleep(std::uint32_t seen, Wait& wait) noexcept {
    if (look() != seen) return;
    sleepers_.fetch_add(1, std::memory_order_seq_cst);
    if (rung_.load(std::memory_order_seq_cst) == seen) wait.park(rung_, seen, platform::kForWork);
    sleepers_.fetch_sub(1, std::memory_order_relaxed);
  }

 private:
  typename Platform::template Atomic<std::uint32_t> rung_{0};
  typename Platform::template Atomic<std::uint32_t> sleepers_{0};
};

}  // namespace nogil::multiprocessing::detail
