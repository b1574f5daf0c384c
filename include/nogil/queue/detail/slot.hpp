// nogil/queue/detail/slot.hpp -- an element that can be moved about without a throw.
//
// Containers that move elements while they grow, or to keep an order, would lose one whose
// move throws half-way. Such a T lives in a box of its own, and the box moves.

#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

namespace nogil::detail {

// Owns one T. (std::unique_ptr would do, but <memory> is dearer than all of queue.hpp.)
template <class T>
class Box {
 public:
  explicit Box(T* item) noexcept : item_(item) {}
  Box(Box&& other) noexcept : item_(std::exchange(other.item_, nullptr)) {}
  Box& operator=(Box&& other) noexcept {
    std::swap(item_, other.item_);
    return *this;
  }
  ~Box() { delete item_; }

  T& operator*() const noexcept { return *item_; }

 private:
  T* item_;
};

// Not bool: a std::vector<bool> holds none.
template <class T>
inline constexpr bool kMovesQuietly =
    std::is_nothrow_move_constructible_v<T>&& std::is_nothrow_move_assignable_v<T> && !std::is_same_v<T, bool>;

template <class T>
using Slot = std::conditional_t<kMovesQuietly<T>, T, Box<T>>;

template <class T, class Item>
Slot<T> make_slot(Item&& item) {
  if constexpr (kMovesQuietly<T>) return T(std::forward<Item>(item));
  else return Slot<T>(new T(std::forward<Item>(item)));
}

template <class T>
auto& item_in(Slot<T>& slot) noexcept {
  if constexpr (kMovesQuietly<T>) return slot;
  else return *slot;
}
template <class T>
const T& item_in(const Slot<T>& slot) noexcept {
  if constexpr (kMovesQuietly<T>) return slot;
  else return *slot;
}

// Room for one more, so that adding it cannot throw once the element was moved from.
template <class Vector>
void make_room(Vector& slots) {
  if (slots.size() == slots.capacity()) slots.reserve(slots.empty() ? 1 : 2 * slots.size());
}

// After an element was taken off: gives memory back that an emptied queue would hold.
template <class Vector>
void release_if_empty(Vector& slots) noexcept {
  constexpr std::size_t kKept = 4096;
  if (slots.empty() && slots.capacity() * sizeof(typename Vector::value_type) > kKept) Vector().swap(slots);
}

}  // namespace nogil::detail
