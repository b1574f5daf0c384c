// Tests of detail::BlockCache, and of the blocks that tasks live in.

#include "nogil/futures/detail/block_cache.hpp"
#include "nogil/platform/fence.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "support/threads.hpp"

namespace nogil::testing::block_cache_test {

namespace {

using detail::BlockCache;
using detail::kLargeBlock;
using detail::kSmallBlock;

// Blocks of class 0 from the calling thread's cache, or back to it.
std::vector<void*> take(int count) {
  std::vector<void*> blocks;
  for (int i = 0; i < count; ++i) blocks.push_back(BlockCache::mine().allocate<0>());
  return blocks;
}
void give(const std::vector<void*>& blocks) {
  for (void* const block : blocks) BlockCache::mine().free<0>(block);
}

// Whether the calling thread gets all of these again, if it takes many. What it had left
// comes before what others gave back.
bool all_come_again(const std::vector<void*>& blocks) {
  const std::set<void*> known(blocks.begin(), blocks.end());
  std::size_t again = 0;
  std::vector<void*> taken;
  while (again < blocks.size() && taken.size() < 20'000) {
    taken.push_back(BlockCache::mine().allocate<0>());
    again += known.count(taken.back());
  }
  give(taken);
  return again == blocks.size();
}

template <class Function>
void in_a_thread(Function function) {
  std::thread(function).join();
}

TEST(BlockCacheTest, gives_each_block_to_one_owner_at_a_time) {
  std::set<std::uintptr_t> seen;
  std::vector<void*> small, large;
  for (int i = 0; i < 1000; ++i) {
    void* const a = BlockCache::mine().allocate<0>();
    void* const b = BlockCache::mine().allocate<1>();
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(a) % 64, 0u);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(b) % 64, 0u);
    std::memset(a, i, kSmallBlock);
    std::memset(b, i, kLargeBlock);
    seen.insert(reinterpret_cast<std::uintptr_t>(a));
    seen.insert(reinterpret_cast<std::uintptr_t>(b));
    small.push_back(a);
    large.push_back(b);
  }
  EXPECT_EQ(seen.size(), 2000u);
  for (std::size_t i = 0; i < 1000; ++i) {
    EXPECT_EQ(static_cast<unsigned char*>(small[i])[kSmallBlock - 1], i % 256);
    EXPECT_EQ(static_cast<unsigned char*>(large[i])[kLargeBlock - 1], i % 256);
    BlockCache::mine().free<0>(small[i]);
    BlockCache::mine().free<1>(large[i]);
  }
}

TEST(BlockCacheTest, uses_the_block_again_that_was_freed_last) {
  void* const block = BlockCache::mine().allocate<0>();
  BlockCache::mine().free<0>(block);
  EXPECT_EQ(BlockCache::mine().allocate<0>(), block);
  BlockCache::mine().free<0>(block);
}

TEST(BlockCacheTest, gets_back_what_others_free) {
  const std::vector<void*> blocks = take(1000);
  in_a_thread([&] { give(blocks); });
  EXPECT_TRUE(all_come_again(blocks));
}

TEST(BlockCacheTest, gives_a_few_blocks_back_when_it_is_asked_to) {
  const std::vector<void*> blocks = take(5);
  std::atomic<bool> flushed{false};
  std::atomic<bool> leave{false};
  std::thread other([&] {
    give(blocks);
    BlockCache::mine().flush();
    flushed = true;
    while (!leave) std::this_thread::yield();
  });
  EXPECT_TRUE(eventually([&] { return flushed.load(); }));
  EXPECT_TRUE(all_come_again(blocks));
  leave = true;
  other.join();
}

TEST(BlockCacheTest, inherits_from_threads_that_have_ended) {
  std::vector<void*> blocks;
  in_a_thread([&] {
    blocks = take(300);
    give(blocks);
  });
  // The next one that needs a cache takes that one.
  in_a_thread([&] {
    const std::set<void*> known(blocks.begin(), blocks.end());
    const std::vector<void*> mine = take(300);
    for (void* const block : mine) EXPECT_EQ(known.count(block), 1u);
    give(mine);
  });
}

TEST(BlockCacheTest, takes_back_what_outlived_its_thread) {
  BlockCache::mine();  // so that it is not this thread that inherits
  std::vector<void*> blocks;
  in_a_thread([&] { blocks = take(300); });
  give(blocks);
  BlockCache::mine().flush();
  in_a_thread([&] { EXPECT_TRUE(all_come_again(blocks)) << "the next thread has the cache of the one that ended"; });
}

TEST(BlockCacheTest, can_be_used_while_a_thread_ends) {
  struct Late {
    void* block = nullptr;
    ~Late() {
      if (block != nullptr) BlockCache::mine().free<0>(block);
      BlockCache::mine().free<0>(BlockCache::mine().allocate<0>());
    }
  };
  in_a_thread([] {
    static thread_local Late late;
    late.block = BlockCache::mine().allocate<0>();
  });
}

TEST(BlockCacheTest, goes_round_between_many_threads) {
  constexpr int kThreads = 4;
  std::mutex mutex;
  std::deque<unsigned char*> passed;
  Bunch threads(kThreads, [&](int index) {
    for (int i = 0; i < rounds(20'000); ++i) {
      auto* const mine = static_cast<unsigned char*>(BlockCache::mine().allocate<0>());
      std::memset(mine, index, kSmallBlock);
      unsigned char* other = nullptr;
      {
        const std::scoped_lock guard(mutex);
        passed.push_back(mine);
        if (passed.size() > 100) {
          other = passed.front();
          passed.pop_front();
        }
      }
      if (other == nullptr) continue;
      EXPECT_EQ(other[0], other[kSmallBlock - 1]) << "somebody else writes here";
      BlockCache::mine().free<0>(other);
    }
  });
  threads.join();
  for (unsigned char* const block : passed) BlockCache::mine().free<0>(block);
}

TEST(BlockCacheTest, works_on_in_a_child_process) {
#ifdef NOGIL_TSAN
  GTEST_SKIP() << "ThreadSanitizer itself may hang in a fork while threads come and go";
#endif
  std::atomic<bool> stop{false};
  Bunch busy(2, [&] {
    while (!stop) in_a_thread([] { give(take(10)); });
  });
  const auto fork_and_use = [] {
    const ::pid_t child = ::fork();
    if (child == 0) {
      give(take(500));
      ::_exit(0);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  };
  for (int i = 0; i < rounds(30); ++i) {
    fork_and_use();
    in_a_thread(fork_and_use);  // which has no cache yet
  }
  stop = true;
}

TEST(BlockCacheTest, leaves_what_is_large_to_the_allocator) {
  EXPECT_EQ((detail::kBlockClass<kLargeBlock + 1, 8>), 2);
  EXPECT_EQ((detail::kBlockClass<kSmallBlock, 128>), 2);
  void* const large = detail::allocate_block<4096, 8>();
  void* const aligned = detail::allocate_block<100, 256>();
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(aligned) % 256, 0u);
  detail::free_block<4096, 8>(large);
  detail::free_block<100, 256>(aligned);
}

}  // namespace
}  // namespace nogil::testing::block_cache_test
