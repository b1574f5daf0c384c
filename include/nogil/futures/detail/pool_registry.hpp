// nogil/futures/detail/pool_registry.hpp -- which pools there are, for the sake of fork().
//
// A child process has none of its parent's workers. A pool that it finds itself with is
// lost: what is queued there is never run, nor is what was running. So that nobody waits
// for that, the thread that forked gets a WaitHelper in the child that throws instead of
// letting it sleep.
//
// Lifetime   A lost pool is never freed: a future that is not done tells by its address
//            that it is one of those.

#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <new>

#include "nogil/futures/detail/task_block.hpp"
#include "nogil/platform/errors.hpp"
#include "nogil/platform/raw_lock.hpp"

namespace nogil::detail {

// Base of what is registered; it is so as long as it lives.
class RegisteredPool {
 public:
  RegisteredPool(const RegisteredPool&) = delete;
  RegisteredPool& operator=(const RegisteredPool&) = delete;

  // Whether this process is a child of the one that the pool was made in.
  bool lost() const noexcept { return generation_ != s_generation.load(std::memory_order_relaxed); }

  // Throws BrokenThreadPool if this block is not done and belongs to a lost pool.
  static void require_reachable(TaskBlock& block) {
    if (s_generation.load(std::memory_order_relaxed) == 0 || block.executor() == nullptr) return;
    bool lost = false;
    {
      const platform::RawGuard guard(s_lock);
      for (const RegisteredPool* pool = s_first; pool != nullptr; pool = pool->next_) {
        lost = lost || (pool->executor_ == block.executor() && pool->lost());
      }
    }
    if (lost && !block.done()) throw_lost();
  }

  [[noreturn]] static void throw_lost() {
    throw BrokenThreadPool("ThreadPoolExecutor: its threads stayed in the process that this one was forked from");
  }

  // Whether a block that is not done, and says that it belongs to `executor`, is a task of a
  // ThreadPoolExecutor. (Then that is alive: it does not end before its tasks.)
  static bool is_pool(const void* executor) noexcept {
    const platform::RawGuard guard(s_lock);
    for (const RegisteredPool* pool = s_first; pool != nullptr; pool = pool->next_) {
      if (pool->executor_ == executor) return true;
    }
    return false;
  }

  // Guards what the workers of all pools note about whom they wait for (worker.hpp).
  static platform::RawLock& waits_lock() noexcept { return s_waits_lock; }

 protected:
  // `executor`: what its blocks say whose they are.
  explicit RegisteredPool(const void* executor)
      : executor_(executor), generation_(s_generation.load(std::memory_order_relaxed)) {
    const platform::RawGuard guard(s_lock);
    next_ = s_first;
    if (next_ != nullptr) next_->previous_ = this;
    s_first = this;
  }
  ~RegisteredPool() {
    const platform::RawGuard guard(s_lock);
    (previous_ == nullptr ? s_first : previous_->next_) = next_;
    if (next_ != nullptr) next_->previous_ = previous_;
  }

 private:
  class Orphan final : public WaitHelper {
   public:
    virtual ~Orphan() = default;
    bool help(TaskBlock& awaited, bool) override {
      require_reachable(awaited);
      return false;
    }
    void awake() noexcept override {}
  };

  static void before_fork() noexcept {
    s_waits_lock.lock();
    s_lock.lock();
  }
  static void after_fork_in_parent() noexcept {
    s_lock.unlock();
    s_waits_lock.unlock();
  }
  static void after_fork_in_child() noexcept {
    s_lock.reset_after_fork();
    s_waits_lock.reset_after_fork();
    if (s_first == nullptr) return;  // nothing can be lost
    s_generation.fetch_add(1, std::memory_order_relaxed);
    if (t_wait_helper == nullptr) t_wait_helper = ::new (s_orphan) Orphan;
  }

  // Before main(): see platform/thread_id.hpp.
  static inline const int s_at_fork = ::pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);

  static inline constinit platform::RawLock s_lock;
  static inline constinit platform::RawLock s_waits_lock;                // taken before s_lock, if both are
  static inline constinit std::atomic<std::uint32_t> s_generation{0};    // how many such forks led to this process
  static inline constinit RegisteredPool* s_first = nullptr;             // guarded by s_lock
  alignas(Orphan) static inline unsigned char s_orphan[sizeof(Orphan)];  // never destroyed: needed to the last

  const void* const executor_;
  const std::uint32_t generation_;
  RegisteredPool* next_ = nullptr;
  RegisteredPool* previous_ = nullptr;
};

}  // namespace nogil::detail
