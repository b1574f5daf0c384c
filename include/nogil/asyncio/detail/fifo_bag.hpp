// nogil/asyncio/detail/fifo_bag.hpp -- first in, first out: a ring that grows.
//
// In the form of queue/detail/stack_bag.hpp and heap_bag.hpp.

#pragma once

#include <cstddef>
#include <new>
#include <utility>

#include "nogil/queue/detail/slot.hpp"

namespace nogil::asyncio::detail {

template <class T>
class FifoBag {
  using Slot = nogil::detail::Slot<T>;

 public:
  struct Choice {};  // always the first

  FifoBag() noexcept = default;
  FifoBag(const FifoBag&) = delete;
  FifoBag& operator=(const FifoBag&) = delete;
  FifoBag(FifoBag&& other) noexcept { swap(other); }
  ~FifoBag() {
    clear();
    free(slots_);
  }

  template <class Item>
  void push(Item&& item) {
    Slot made = nogil::detail::make_slot<T>(std::forward<Item>(item));
    if (size() == capacity_) [[unlikely]]
      resize(capacity_ == 0 ? kFirst : capacity_ * 2);
    ::new (static_cast<void*>(at(tail_))) Slot(std::move(made));
    ++tail_;
  }

  T& choose(Choice&) noexcept { return nogil::detail::item_in<T>(*at(head_)); }

  void pop(const Choice&) noexcept {
    at(head_)->~Slot();
    ++head_;
    if (head_ == tail_ && capacity_ * sizeof(Slot) > kKept) [[unlikely]] {
      free(std::exchange(slots_, nullptr));
      capacity_ = 0;
    }
  }

  FifoBag none() const noexcept { return {}; }
  void swap(FifoBag& other) noexcept {
    std::swap(slots_, other.slots_);
    std::swap(capacity_, other.capacity_);
    std::swap(head_, other.head_);
    std::swap(tail_, other.tail_);
  }

 private:
  static constexpr std::size_t kFirst = 8;
  static constexpr std::align_val_t kAlign{alignof(Slot)};
  static constexpr std::size_t kKept = 4096;  // bytes that an emptied queue may hold

  std::size_t size() const noexcept { return tail_ - head_; }
  Slot* at(std::size_t number) const noexcept { return slots_ + (number & (capacity_ - 1)); }

  void clear() noexcept {
    for (; head_ != tail_; ++head_) at(head_)->~Slot();
  }

  [[gnu::noinline]] void resize(std::size_t capacity) {
    Slot* const slots = static_cast<Slot*>(::operator new(capacity * sizeof(Slot), kAlign));
    const std::size_t count = size();
    for (std::size_t i = 0; i < count; ++i) {
      ::new (static_cast<void*>(slots + i)) Slot(std::move(*at(head_ + i)));
      at(head_ + i)->~Slot();
    }
    free(slots_);
    slots_ = slots;
    capacity_ = capacity;
    head_ = 0;
    tail_ = count;
  }

  static void free(Slot* slots) noexcept { ::operator delete(slots, kAlign); }

  Slot* slots_ = nullptr;
  std::size_t capacity_ = 0;  // a power of two
  std::size_t head_ = 0;      // numbers that count on, and wrap
  std::size_t tail_ = 0;
};

}  // namespace nogil::asyncio::detail
