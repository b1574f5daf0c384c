// nogil/queue/detail/block.hpp -- room for some elements of a queue, and the next such room.

#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

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

// Elements [head, tail) and their blocks, no longer part of a queue.
template <class T>
struct DetachedBlocks {
  Block<T>* block;       // where the last element was taken; null: nowhere yet
  Block<T>* first;       // then this is the first block
  std::uint64_t number;  // of `block`
  std::uint64_t head;
  std::uint64_t tail;

  void destroy() noexcept {
    for (; head != tail; ++head) {
      if (head / Block<T>::kSlots != number) advance();
      block->at(head)->~T();
    }
    while (block != nullptr) delete std::exchange(block, block->next);
  }

  void advance() noexcept {
    Block<T>* const next = block == nullptr ? first : block->next;
    delete std::exchange(block, next);
    number = head / Block<T>::kSlots;
  }
};

}  // namespace nogil::detail
