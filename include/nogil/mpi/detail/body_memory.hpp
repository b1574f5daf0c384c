// nogil/mpi/detail/body_memory.hpp -- memory for large calls and results, which is used again.
//
// To ask the system for a megabyte, and touch it for the first time, takes longer than to send
// it. So blocks that were given back are kept, some of each size.
//
// Threads    take() and give_back() from any thread.
// Cost       A lock that is held for a few instructions. At most 64 MiB are kept.

#pragma once

#include <bit>
#include <cstddef>
#include <cstdlib>
#include <new>

#include "nogil/multiprocessing/detail/frame.hpp"
#include "nogil/platform/raw_lock.hpp"

namespace nogil::mpi::detail {

class BodyMemory final : public multiprocessing::detail::ByteSource {
 public:
  // This process's.
  static BodyMemory& here() noexcept {
    alignas(BodyMemory) static std::byte place[sizeof(BodyMemory)];
    static BodyMemory* const memory = ::new (place) BodyMemory;  // for ever: what it gave may come back late
    return *memory;
  }

  std::byte* take(std::size_t size) noexcept override {
    if (size < kSmallest || size > kLargest) return nullptr;
    const auto order = static_cast<std::size_t>(std::bit_width(size - 1));
    {
      const platform::RawGuard guard(lock_);
      if (Block* const block = free_[order]) {
        free_[order] = block->next;
        kept_ -= std::size_t{1} << order;
        return begin_of(block);
      }
    }
    void* const memory = std::malloc(sizeof(Block) + (std::size_t{1} << order));
    return memory != nullptr ? begin_of(::new (memory) Block{order, nullptr}) : nullptr;
  }

  void give_back(std::byte* memory) noexcept override {
    Block* const block = reinterpret_cast<Block*>(memory) - 1;
    const std::size_t size = std::size_t{1} << block->order;
    {
      const platform::RawGuard guard(lock_);
      if (kept_ + size <= kMostKept) {
        block->next = free_[block->order];
        free_[block->order] = block;
        kept_ += size;
        return;
      }
    }
    std::free(block);
  }

 private:
  static constexpr std::size_t kSmallest = std::size_t{4} << 10;
  static constexpr std::size_t kLargest = std::size_t{32} << 20;
  static constexpr std::size_t kMostKept = std::size_t{64} << 20;

  struct alignas(std::max_align_t) Block {
    std::size_t order;  // its size is 2 to that
    Block* next;
  };

  static std::byte* begin_of(Block* block) noexcept { return reinterpret_cast<std::byte*>(block + 1); }

  platform::RawLock lock_;
  Block* free_[64] = {};  // guarded by lock_
  std::size_t kept_ = 0;  // guarded by lock_
};

}  // namespace nogil::mpi::detail
