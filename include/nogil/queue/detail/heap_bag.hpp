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
  static constexpr std::size_t kChildren = 4;
  static constexpr std::size_t kDeepest = sizeof(std::size_t) * 8 / 2;  // levels of four

 public:
  static constexpr bool kMayThrow = true;  // comparisons may

  // Which nodes move up when the root is gone, one after the other; then the last goes where
  // the last of them was. Made by choose() for pop(), on the stack of who takes the root.
  class Choice {
    friend class HeapBag;
    std::size_t path_[kDeepest];
    std::size_t steps_ = 0;
  };

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

  // The root.
  T& choose(Choice& choice) {
    const std::size_t size = slots_.size() - 1;  // afterwards
    for (std::size_t node = 0; first_child(node) < size;) {
      const std::size_t least = least_child(first_child(node), size);
      if (!less_(at(least), at(size))) break;
      choice.path_[choice.steps_++] = node = least;
    }
    return item_in<T>(slots_.front());
  }

  void pop(const Choice& choice) noexcept {
    std::size_t hole = 0;
    for (std::size_t step = 0; step < choice.steps_; ++step) {
      slots_[hole] = std::move(slots_[choice.path_[step]]);
      hole = choice.path_[step];
    }
    if (hole != slots_.size() - 1) slots_[hole] = std::move(slots_.back());
    slots_.pop_back();
    release_if_empty(slots_);
  }

  HeapBag none() const { return HeapBag(less_); }
  void swap(HeapBag& other) noexcept { slots_.swap(other.slots_); }

 private:
  static constexpr std::size_t parent(std::size_t node) noexcept { return (node - 1) / kChildren; }
  static constexpr std::size_t first_child(std::size_t node) noexcept { return node * kChildren + 1; }

  // Of up to four children from `first` on. Which it is cannot be predicted: so no branches.
  std::size_t least_child(std::size_t first, std::size_t size) const {
    if (size - first >= kChildren) [[likely]] {
      const std::size_t left = first + is_less(first + 1, first);
      const std::size_t right = first + 2 + is_less(first + 3, first + 2);
      return left + (right - left) * is_less(right, left);
    }
    std::size_t least = first;
    for (std::size_t child = first + 1; child < size; ++child) {
      if (is_less(child, least) != 0) least = child;
    }
    return least;
  }
  std::size_t is_less(std::size_t a, std::size_t b) const { return less_(at(a), at(b)) ? 1 : 0; }

  const T& at(std::size_t node) const noexcept { return item_in<T>(slots_[node]); }

  std::vector<Slot<T>> slots_;
  [[no_unique_address]] Compare less_;
};

}  // namespace nogil::detail
