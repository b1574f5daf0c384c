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
// Cost       What is transferred between two cores is the slot itself. A reader that looks again
//            and again looks at the slot's own first line; the writer asks how far the reader
//            is only when it has filled the ring since it last asked.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "nogil/platform/cpu.hpp"

namespace nogil::multiprocessing::detail {

template <class Platform, class Slot, std::uint32_t kSlots>
class Ring {
  static_assert((kSlots & (kSlots - 1)) == 0);

 public:
  // By the writer.
  bool has_room() noexcept {
    if (tail_ - head_known_ < kSlots) return true;
    head_known_ = head_.load(std::memory_order_acquire);
    return tail_ - head_known_ < kSlots;
  }
  Slot& next() noexcept { return at(tail_); }
  void push() noexcept {
    cells_[tail_ % kSlots].stamp.store(tail_ + 1, std::memory_order_release);
    ++tail_;
  }
  // Of a slot that was pushed and not popped: place() was its, before push().
  std::uint32_t place() const noexcept { return tail_; }
  Slot& at(std::uint32_t place) noexcept { return cells_[place % kSlots].slot; }

  // After push(), when there is time: the reader has had the next slot's lines, a lap ago.
  void prepare_next() noexcept {
    const char* const cell = reinterpret_cast<const char*>(&cells_[tail_ % kSlots]);
    platform::prefetch_to_write(cell);
    if constexpr (sizeof(Cell) > platform::kCacheLine) platform::prefetch_to_write(cell + platform::kCacheLine);
  }

  // By the reader; empty() by others too, to whom it is a guess.
  bool empty() const noexcept {
    const std::uint32_t head = head_.load(std::memory_order_relaxed);
    return cells_[head % kSlots].stamp.load(std::memory_order_acquire) != head + 1;
  }
  Slot& first() noexcept { return at(head_.load(std::memory_order_relaxed)); }
  void pop() noexcept { head_.store(head_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }

 private:
  struct Cell {
    // How many had been pushed with the slot that lies here: the reader, who knows how many it
    // has popped, tells by it whether the slot is the next one.
    typename Platform::template Atomic<std::uint32_t> stamp{0};
    Slot slot;
  };

  alignas(platform::kCacheLine) std::uint32_t tail_ = 0;  // pushed so far: the writer's own
  std::uint32_t head_known_ = 0;                          // head_, as the writer saw it last
  alignas(platform::kCacheLine) typename Platform::template Atomic<std::uint32_t> head_{0};  // popped so far
  alignas(platform::kCacheLine) Cell cells_[kSlots];
};

}  // namespace nogil::multiprocessing::detail
