// nogil/futures/detail/block_cache.hpp -- the memory that tasks and futures live in.
//
//   void* const place = allocate_block<sizeof(Block), alignof(Block)>();
//   free_block<sizeof(Block), alignof(Block)>(place);         // in any thread
//
// Each thread has a cache of blocks of 64 and of 128 bytes, so that a task costs no call
// of an allocator. Blocks come from slabs, which know whose they are: a thread that frees
// another's block collects a chain of them and gives that back in one step, so that what a
// producer allocates and its workers free goes round without a lock. Larger blocks, and
// all under AddressSanitizer, which could not see a mistake otherwise, come from operator
// new.
//
// Threads    From any thread at any time, also while it ends, and after main().
// Memory     Slabs are kept until the program ends. The cache of a thread that ended goes,
//            with all that it has and all that is still given back to it, to the next
//            thread that needs one.
// Fork       The child keeps the cache of the thread that forked. What the others had is
//            not used again there, as they may have been in the middle of a step.
// Cost       a few instructions; a locked step for each 32 blocks of another thread.

#pragma once

#include <pthread.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

#include "nogil/platform/cpu.hpp"
#include "nogil/platform/raw_lock.hpp"
#include "nogil/platform/thread_id.hpp"

#if defined(__SANITIZE_ADDRESS__)
#define NOGIL_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NOGIL_ASAN 1
#endif
#endif

namespace nogil::detail {

inline constexpr std::size_t kSmallBlock = 64;
inline constexpr std::size_t kLargeBlock = 128;

class alignas(platform::kCacheLine) BlockCache {
 public:
  BlockCache() = default;
  BlockCache(const BlockCache&) = delete;
  BlockCache& operator=(const BlockCache&) = delete;

  // The calling thread's cache.
  static BlockCache& mine();

  // A block of class 0 (kSmallBlock bytes) or 1 (kLargeBlock), aligned to 64. Only in the
  // cache's own thread. Throws std::bad_alloc.
  template <int kClass>
  void* allocate() {
    Shelf& shelf = shelves_[kClass];
    Free* const block = shelf.free;
    if (block == nullptr) [[unlikely]]
      return allocate_slow(kClass);
    shelf.free = block->next;
    platform::prefetch_to_write(block->later);
    return block;
  }

  // Takes a block of whatever cache. Only in the cache's own thread.
  template <int kClass>
  void free(void* place) noexcept {
    BlockCache* const owner = slab_of(place)->owner;
    if (owner == this) [[likely]] {
      put_back<kClass>(place);
    } else {
      Free* const block = ::new (place) Free{nullptr, place};
      collect(kClass, block, owner);
    }
  }

  // Takes a block back that came from allocate() here. Only in the cache's own thread.
  template <int kClass>
  void put_back(void* place) noexcept {
    shelves_[kClass].free = ::new (place) Free{shelves_[kClass].free, place};
  }

  // Gives others' blocks back now that did not fill a chain yet: for a thread that is
  // about to sleep for long.
  void flush() noexcept {
    for (Shelf& shelf : shelves_) give_back(shelf);
  }

 private:
  // Blocks that lie free are chained through their first word. What another thread has freed
  // is in its core's cache: so each of these names one that will be allocated some turns
  // later, to be asked for in time. The others name themselves.
  struct Free {
    Free* next;
    void* later;
  };

  // The beginning of each slab; the blocks follow at multiples of their size. Slabs are
  // aligned, so that a block finds its own, and end a little before the next one could
  // begin: an allocator that keeps its notes there can put them side by side.
  struct alignas(platform::kCacheLine) Slab {
    BlockCache* owner;
    Slab* next;
  };
  static constexpr std::size_t kSlabAlign = 8192;
  static constexpr std::size_t kSlabSize = kSlabAlign - 64;
  static constexpr int kChainLength = 32;
  static constexpr int kTurnsAhead = 4;

  struct Shelf {
    Free* free = nullptr;  // the thread's own, ready to use

    // Blocks of one other cache that the thread has freed.
    Free* first = nullptr;
    Free* last = nullptr;
    BlockCache* owner = nullptr;
    int count = 0;
    Free* latest[kTurnsAhead] = {};
  };

  static Slab* slab_of(void* place) noexcept {
    return reinterpret_cast<Slab*>(reinterpret_cast<std::uintptr_t>(place) & ~(kSlabAlign - 1));
  }

  void* allocate_slow(int kind);
  void collect(int kind, Free* block, BlockCache* owner) noexcept;
  void give_back(Shelf& shelf) noexcept;

  static void at_thread_exit(void* cache) noexcept;
  static void before_fork() noexcept;
  static void after_fork_in_parent() noexcept;
  static void after_fork_in_child() noexcept;
  static BlockCache& adopt();

  // Before main(): see platform/thread_id.hpp.
  static inline const int s_at_fork = ::pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);

  Shelf shelves_[2];
  Slab* slabs_ = nullptr;
  BlockCache* next_ = nullptr;
  BlockCache* next_unused_ = nullptr;

  // Chains that others gave back, each pushed in one step. Its own thread takes all at
  // once, so no step depends on a block that may have come back meanwhile.
  struct alignas(platform::kCacheLine) Returned {
    std::atomic<Free*> first[2] = {};
  };
  Returned returned_;
};

// The caches of all threads that ever had one.
struct BlockCacheRegistry {
  platform::RawLock lock;
  BlockCache* all = nullptr;     // through next_, so that leak checkers find them
  BlockCache* unused = nullptr;  // of threads that ended, through next_unused_
  bool prepared = false;         // the key exists
  pthread_key_t key = 0;
};
[[gnu::visibility("default")]] inline constinit BlockCacheRegistry g_block_caches;
[[gnu::visibility("default"), NOGIL_TLS_NEAR]] inline constinit thread_local BlockCache* t_block_cache = nullptr;

inline BlockCache& BlockCache::mine() {
  BlockCache* const cache = t_block_cache;
  if (cache != nullptr) [[likely]]
    return *cache;
  return adopt();
}

[[gnu::noinline, gnu::cold]] inline BlockCache& BlockCache::adopt() {
  BlockCacheRegistry& caches = g_block_caches;
  const platform::RawGuard guard(caches.lock);
  if (!caches.prepared) {
    // Keys' destructors run after those of thread_local objects, which may hold futures.
    if (::pthread_key_create(&caches.key, at_thread_exit) != 0) std::abort();
    caches.prepared = true;
  }
  BlockCache* cache = caches.unused;
  if (cache != nullptr) {
    caches.unused = cache->next_unused_;
  } else {
    cache = new BlockCache;
    cache->next_ = caches.all;
    caches.all = cache;
  }
  t_block_cache = cache;
  ::pthread_setspecific(caches.key, cache);
  return *cache;
}

inline void BlockCache::at_thread_exit(void* arg) noexcept {
  BlockCache* const cache = static_cast<BlockCache*>(arg);
  cache->flush();
  t_block_cache = nullptr;
  BlockCacheRegistry& caches = g_block_caches;
  const platform::RawGuard guard(caches.lock);
  cache->next_unused_ = caches.unused;
  caches.unused = cache;
}

inline void BlockCache::before_fork() noexcept {
  g_block_caches.lock.lock();
}
inline void BlockCache::after_fork_in_parent() noexcept {
  g_block_caches.lock.unlock();
}
inline void BlockCache::after_fork_in_child() noexcept {
  g_block_caches.lock.reset_after_fork();
}

[[gnu::noinline]] inline void* BlockCache::allocate_slow(int kind) {
  Shelf& shelf = shelves_[kind];
  Free* first = returned_.first[kind].load(std::memory_order_relaxed);
  if (first != nullptr) first = returned_.first[kind].exchange(nullptr, std::memory_order_acquire);
  if (first == nullptr) {
    const std::size_t size = kind == 0 ? kSmallBlock : kLargeBlock;
    char* const memory = static_cast<char*>(::operator new (kSlabSize, std::align_val_t{kSlabAlign}));
    slabs_ = ::new (memory) Slab{this, slabs_};
    for (std::size_t offset = (kSlabSize / size - 1) * size; offset >= size; offset -= size) {
      first = ::new (memory + offset) Free{first, memory + offset};
    }
  }
  shelf.free = first->next;
  return first;
}

[[gnu::noinline]] inline void BlockCache::collect(int kind, Free* block, BlockCache* owner) noexcept {
  Shelf& shelf = shelves_[kind];
  if (shelf.owner != owner) {
    give_back(shelf);
    shelf.owner = owner;
  }
  if (shelf.count == 0) shelf.last = block;
  Free*& latest = shelf.latest[shelf.count % kTurnsAhead];
  if (shelf.count >= kTurnsAhead) block->later = latest;
  latest = block;
  block->next = shelf.first;
  shelf.first = block;
  if (++shelf.count == kChainLength) give_back(shelf);
}

inline void BlockCache::give_back(Shelf& shelf) noexcept {
  if (shelf.count == 0) return;
  std::atomic<Free*>& returned = shelf.owner->returned_.first[&shelf - shelves_];
  Free* before = returned.load(std::memory_order_relaxed);
  do {
    shelf.last->next = before;
  } while (!returned.compare_exchange_weak(before, shelf.first, std::memory_order_release, std::memory_order_relaxed));
  shelf.first = nullptr;
  shelf.count = 0;
}

// ---- Any size ---------------------------------------------------------------------------

#ifdef NOGIL_ASAN
inline constexpr bool kBlocksAreCached = false;
#else
inline constexpr bool kBlocksAreCached = true;
#endif

// 0 or 1: the class of such a block; 2: none.
template <std::size_t kSize, std::size_t kAlign>
inline constexpr int kBlockClass = !kBlocksAreCached || kAlign > kSmallBlock ? 2
                                   : kSize <= kSmallBlock                    ? 0
                                   : kSize <= kLargeBlock                    ? 1
                                                                             : 2;

template <std::size_t kSize, std::size_t kAlign>
void* allocate_block() {
  if constexpr (constexpr int kClass = kBlockClass<kSize, kAlign>; kClass < 2) {
    return BlockCache::mine().template allocate<kClass>();
  } else if constexpr (kAlign <= __STDCPP_DEFAULT_NEW_ALIGNMENT__) {
    return ::operator new(kSize);
  } else {
    return ::operator new (kSize, std::align_val_t{kAlign});
  }
}

template <std::size_t kSize, std::size_t kAlign>
void free_block(void* place) noexcept {
  if constexpr (constexpr int kClass = kBlockClass<kSize, kAlign>; kClass < 2) {
    BlockCache::mine().template free<kClass>(place);
  } else if constexpr (kAlign <= __STDCPP_DEFAULT_NEW_ALIGNMENT__) {
    ::operator delete(place);
  } else {
    ::operator delete (place, std::align_val_t{kAlign});
  }
}

// free_block() in the thread that has allocated it.
template <std::size_t kSize, std::size_t kAlign>
void free_own_block(void* place) noexcept {
  if constexpr (constexpr int kClass = kBlockClass<kSize, kAlign>; kClass < 2) {
    BlockCache::mine().template put_back<kClass>(place);
  } else {
    free_block<kSize, kAlign>(place);
  }
}

}  // namespace nogil::detail
