// nogil/queue/detail/stack_bag.hpp -- last in, first out. See guarded.hpp.

#pragma once

#include <utility>
#include <vector>

#include "nogil/queue/detail/slot.hpp"

namespace nogil::detail {

template <class T>
class StackBag {
 public:
  static constexpr bool kMayThrow = !std::is_nothrow_move_constructible_v<T>;

  struct Choice {};  // always the last

  template <class Item>
  void push(Item&& item) {
    make_room(slots_);
    if constexpr (kMovesQuietly<T>) slots_.emplace_back(std::forward<Item>(item));
    else slots_.push_back(make_slot<T>(std::forward<Item>(item)));
  }

  T& choose(Choice&) noexcept { return item_in<T>(slots_.back()); }

  void pop(const Choice&) noexcept {
    slots_.pop_back();
    release_if_empty(slots_);
  }

  StackBag none() const noexcept { return {}; }
  void swap(StackBag& other) noexcept { slots_.swap(other.slots_); }

 private:
  std::vector<Slot<T>> slots_;
};

}  // namespace nogil::detail
