// nogil/asyncio/detail/frame_pool.hpp -- memory for coroutine frames and tasks, used again.
//
// A frame lives for the time of one await, so the next one can have its memory. Compilers
// hardly ever leave the allocation out, and malloc is twice as slow where many tasks come
// and go.
//
// Threads    Each loop has a pool, for the thread in which it runs. Memory may be freed in
//            another thread, or when no loop runs: every block comes from malloc.
// Lifetime   A pool keeps at most kBytesKept, until its loop ends.
// Cost       A few loads and stores each way. Sizes above kLargest go to malloc.
//
// Off under AddressSanitizer, which finds a frame that is used after its end only if it
// sees that end.

#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>

#include "nogil/platform/thread_id.hpp"

#if defined(__SANITIZE_ADDRESS__)
#define NOGIL_FRAME_POOL 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NOGIL_FRAME_POOL 0
#endif
#endif
#if !defined(NOGIL_FRAME_POOL)
#define NOGIL_FRAME_POOL 1
#endif

namespace nogil::asyncio::detail {

class FramePool {
 public:
  static constexpr std::size_t kStep = 16;
  static constexpr std::size_t kLargest = 1024;
  static constexpr std::size_t kBytesKept = std::size_t{32} << 20;

  FramePool() = default;
  FramePool(const FramePool&) = delete;
  FramePool& operator=(const FramePool&) = delete;
  ~FramePool() {
    for (Block* first : free_) {
      while (Block* const block = first) {
        first = block->next;
        std::free(block);
      }
    }
  }

  void* allocate(std::size_t size) {
    const std::size_t kind = kind_of(size);
    if (kind < kKinds) {
      if (Block* const block = free_[kind]) {
        free_[kind] = block->next;
        kept_ -= bytes_of(kind);
        return block;
      }
    }
    return from_malloc(size);
  }

  void free(void* memory, std::size_t size) noexcept {
    const std::size_t kind = kind_of(size);
    if (kind < kKinds && kept_ < kBytesKept) {
      free_[kind] = ::new (memory) Block{free_[kind]};
      kept_ += bytes_of(kind);
    } else {
      std::free(memory);
    }
  }

  // Of the size of its kind, since a pool may get it back.
  [[gnu::noinline]] static void* from_malloc(std::size_t size) {
    if (void* const memory = std::malloc(bytes_of(kind_of(size)))) return memory;
    throw std::bad_alloc();
  }

  std::size_t kept() const noexcept { return kept_; }

 private:
  struct Block {
    Block* next;
  };

  // Sizes are 8 above a multiple of 16: so are those that malloc has without waste, as it
  // keeps 8 bytes of its own.
  static constexpr std::size_t kind_of(std::size_t size) noexcept { return (size + 7) / kStep; }
  static constexpr std::size_t bytes_of(std::size_t kind) noexcept { return kind * kStep + 8; }
  static constexpr std::size_t kKinds = kLargest / kStep + 1;

  Block* free_[kKinds] = {};
  std::size_t kept_ = 0;  // bytes in the lists
};

// Of the loop that runs in this thread.
[[gnu::visibility("default"), NOGIL_TLS_NEAR]] inline constinit thread_local FramePool* t_frame_pool = nullptr;

inline void* allocate_frame(std::size_t size) {
#if NOGIL_FRAME_POOL
  if (t_frame_pool != nullptr) [[likely]]
    return t_frame_pool->allocate(size);
#endif
  return FramePool::from_malloc(size);
}

inline void free_frame(void* memory, [[maybe_unused]] std::size_t size) noexcept {
#if NOGIL_FRAME_POOL
  if (t_frame_pool != nullptr) [[likely]]
    return t_frame_pool->free(memory, size);
#endif
  std::free(memory);
}

// Base of what lies in such memory.
struct Pooled {
  // NOLINTNEXTLINE(misc-new-delete-overloads): the delete below is its own
  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* memory, std::size_t size) noexcept { free_frame(memory, size); }
};

}  // namespace nogil::asyncio::detail
