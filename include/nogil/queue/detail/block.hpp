// nogil/queue/detail/block.hpp -- room for some elements of a queue, and the next such room.

#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

namespace nogil::detail {

// Uninitialised: the queue knows which slots hold an element.
template <class T>
struct Block {
  // A power of two, so that a slot is found without a division; about 1-4 KiB a block.
  static constexpr std::size_t kSlots = sizeof(T) <= 8 ? 128 : sizeof(T) <= 64 ? 64 : sizeof(T) <= 512 ? 16 : 4;

  // Where the element with this number lies, if it lies in this block.
  T* at(std::uint64_t number) noexcept { return std::launder(reinterpret_cast<T*>(place(number))); }
  void* place(std::uint64_t number) noexcept { return slots + number % kSlots * sizeof(T); }

  Block* next = nullptr;
  alignas(T) unsigned char slots[kSlots * sizeof(T)];
};

}  // namespace nogil::detail
