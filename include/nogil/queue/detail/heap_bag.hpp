// nogil/queue/detail/heap_bag.hpp -- smallest first. See guarded.hpp.
//
// A heap with four children to a node, which touches fewer cache lines than one with two.
// All comparisons come before the first move: one that throws finds the heap as it was.

#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "nogil/queue/detail/slot.hpp"

namespace nogil::detail {

template <class T, class Compare>
class HeapBag {
 public:
  static constexpr bool kMayThrow = true;  // comparisons may

  explicit HeapBag(Compare less) : less_(std::move(less)) {}

  template <class Item>
  void push(Item&& item) {
    std::size_t place = slots_.size();
    while (place != 0 && less_(static_cast<const T&>(item), at(parent(place)))) place = parent(place);
    make_room(slots_);
    slots_.push_back(make_slot<T>(std::forward<Item>(item)));
    if (place == slots_.size() - 1) return;
    // From here on nothing throws.
    Slot<T> added = std::move(slots_.back());
    for (std::size_t hole = slots_.size() - 1; hole != place; hole = parent(hole)) {
      slots_[hole] = std::move(slots_[parent(hole)]);
    }
    slots_[place] = std::move(added);
  }

  // The root; and remembers which nodes move up when it is gone, and where the last goes.
  T& choose() {
    const std::size_t size = slots_.size() - 1;  // afterwards
    steps_ = 0;
    for (std::size_t node = 0; first_child(node) < size;) {
      const std::size_t end = first_child(node) + kChildren < size ? first_child(node) + kChildren : size;
      std::size_t least = first_child(node);
      for (std::size_t child = least + 1; child < end; ++child) {
        if (less_(at(child), at(least))) least = child;
      }
      if (!less_(at(least), at(size))) break;
      path_[steps_++] = node = least;
    }
    return item_in<T>(slots_.front());
  }

  void pop() noexcept {
    std::size_t hole = 0;
    for (std::size_t step = 0; step < steps_; ++step) {
      slots_[hole] = std::move(slots_[path_[step]]);
      hole = path_[step];
    }
    if (hole != slots_.size() - 1) slots_[hole] = std::move(slots_.back());
    slots_.pop_back();
    release_if_empty(slots_);
  }

  HeapBag none() const { return HeapBag(less_); }
  void swap(HeapBag& other) noexcept { slots_.swap(other.slots_); }

 private:
  static constexpr std::size_t kChildren = 4;
  static constexpr std::size_t kDeepest = sizeof(std::size_t) * 8 / 2;  // levels of four

  static constexpr std::size_t parent(std::size_t node) noexcept { return (node - 1) / kChildren; }
  static constexpr std::size_t first_child(std::size_t node) noexcept { return node * kChildren + 1; }
  const T& at(std::size_t node) const noexcept { return item_in<T>(slots_[node]); }

  std::vector<Slot<T>> slots_;
  std::size_t path_[kDeepest] = {};  // of choose(), for pop()
  std::size_t steps_ = 0;
  [[no_unique_address]] Compare less_;
};

}  // namespace nogil::detail
