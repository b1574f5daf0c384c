// nogil/multiprocessing/detail/fetched_pool.hpp -- a pool whose results are fetched by who waits for them.
//
// A future of such a pool names it in its block, as the block's executor(). It may outlive the
// pool: so there is a list of the pools that live, in which who waits looks it up.
//
// Threads    Everything from any thread.
// Fork       The child has none of its parent's pools: the list is empty there.

#pragma once

#include <pthread.h>

#include <cstdint>

#include "nogil/futures/detail/future_await.hpp"
#include "nogil/multiprocessing/detail/child.hpp"
#include "nogil/platform/raw_lock.hpp"
#include "nogil/threading/detail/ref.hpp"

namespace nogil::multiprocessing::detail {

class FetchedPool : public Child::Listener {
 public:
  // What its blocks say whose they are.
  void* executor() noexcept {
    return reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(this) | nogil::detail::kFetched);
  }

 protected:
  // From now on it can be found; and, before it goes, no more.
  void enlist() {
    const platform::RawGuard guard(s_lock);
    nogil::detail::g_fetch.store(&fetch_for, std::memory_order_relaxed);
    next_ = s_first;
    s_first = this;
  }
  void retire() noexcept {
    const platform::RawGuard guard(s_lock);
    for (FetchedPool** at = &s_first; *at != nullptr; at = &(*at)->next_) {
      if (*at != this) continue;
      *at = next_;
      return;
    }
  }

  // Helps a moment, so that `awaited` may become done. Runs no callback.
  virtual void fetch(nogil::detail::TaskBlock& awaited) noexcept = 0;

 private:
  static void fetch_for(nogil::detail::TaskBlock& awaited) noexcept {
    if (const nogil::detail::Ref<FetchedPool> pool = find(awaited.executor())) pool->fetch(awaited);
  }

  static nogil::detail::Ref<FetchedPool> find(const void* executor) noexcept {
    const platform::RawGuard guard(s_lock);
    for (FetchedPool* pool = s_first; pool != nullptr; pool = pool->next_) {
      if (pool->executor() != executor) continue;
      pool->add_owner();
      return nogil::detail::Ref<FetchedPool>(pool);
    }
    return {};
  }

  static void forget_after_fork() noexcept {
    s_lock.reset_after_fork();
    s_first = nullptr;
  }

  // Before main(): see platform/thread_id.hpp.
  static inline const int s_at_fork = ::pthread_atfork(nullptr, nullptr, forget_after_fork);

  static inline constinit platform::RawLock s_lock;
  static inline constinit FetchedPool* s_first = nullptr;  // guarded by s_lock

  FetchedPool* next_ = nullptr;
};

}  // namespace nogil::multiprocessing::detail
