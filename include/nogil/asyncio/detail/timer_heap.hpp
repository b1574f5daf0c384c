// nogil/asyncio/detail/timer_heap.hpp -- which timer comes next.
//
// A heap with four children to a node, half as deep as one with two and as quick to
// search. Each timer knows its place, so that to cancel one is O(log n) and leaves nothing
// behind. Timers of the same moment come in the order in which they were added.

#pragma once

#include <cstddef>
#include <cstdint>

#include "nogil/asyncio/detail/ready.hpp"

namespace nogil::asyncio::detail {

// Run by the loop at a moment of its clock (nanoseconds), or soon after.
struct Timer : Ready {
  constexpr explicit Timer(Run function) noexcept : Ready(function) {}

  std::int64_t when = 0;
  std::uint32_t order = 0;  // among those of the same moment

 protected:
  ~Timer() = default;
};

class TimerHeap {
 public:
  TimerHeap() noexcept = default;
  TimerHeap(const TimerHeap&) = delete;
  TimerHeap& operator=(const TimerHeap&) = delete;
  ~TimerHeap() { delete[] heap_; }

  bool empty() const noexcept { return size_ == 0; }
  std::size_t size() const noexcept { return size_; }
  std::int64_t first() const noexcept { return heap_->when; }

  // A timer that is nowhere. Throws std::bad_alloc.
  void push(Timer& timer) {
    if (size_ == capacity_) [[unlikely]]
      grow();
    timer.order = next_order_++;
    timer.place = Ready::Place::kHeap;
    rise(size_++, {timer.when, &timer});
  }

  Timer& pop() noexcept {
    Timer& timer = *heap_->timer;
    remove(timer);
    return timer;
  }

  void remove(Timer& timer) noexcept {
    const std::size_t hole = timer.index;
    timer.place = Ready::Place::kNowhere;
    const Entry last = heap_[--size_];
    if (hole == size_) return;
    if (hole != 0 && before(last, heap_[parent(hole)])) rise(hole, last);
    else sink(hole, last);
  }

 private:
  // The moment beside the pointer: a search along the heap does not touch the timers.
  struct Entry {
    std::int64_t when;
    Timer* timer;
  };

  static constexpr std::size_t kChildren = 4;
  static constexpr std::size_t parent(std::size_t at) noexcept { return (at - 1) / kChildren; }

  static bool before(const Entry& a, const Entry& b) noexcept {
    if (a.when != b.when) return a.when < b.when;
    return static_cast<std::int32_t>(a.timer->order - b.timer->order) < 0;
  }

  void put(std::size_t at, const Entry& entry) noexcept {
    heap_[at] = entry;
    entry.timer->index = static_cast<std::uint32_t>(at);
  }

  void rise(std::size_t hole, const Entry entry) noexcept {
    for (; hole != 0 && before(entry, heap_[parent(hole)]); hole = parent(hole)) put(hole, heap_[parent(hole)]);
    put(hole, entry);
  }

  void sink(std::size_t hole, const Entry entry) noexcept {
    for (;;) {
      const std::size_t first = hole * kChildren + 1;
      if (first >= size_) break;
      const std::size_t end = first + kChildren < size_ ? first + kChildren : size_;
      std::size_t least = first;
      for (std::size_t child = first + 1; child < end; ++child) {
        if (before(heap_[child], heap_[least])) least = child;
      }
      if (!before(heap_[least], entry)) break;
      put(hole, heap_[least]);
      hole = least;
    }
    put(hole, entry);
  }

  [[gnu::noinline, gnu::cold]] void grow() {
    const std::size_t capacity = capacity_ == 0 ? kFirstCapacity : 2 * capacity_;
    auto* const larger = new Entry[capacity];
    for (std::size_t i = 0; i < size_; ++i) larger[i] = heap_[i];
    delete[] heap_;
    heap_ = larger;
    capacity_ = capacity;
  }

  static constexpr std::size_t kFirstCapacity = 16;

  Entry* heap_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
  std::uint32_t next_order_ = 0;
};

}  // namespace nogil::asyncio::detail
