// nogil/platform/own_threads.hpp -- how many threads of this process are the library's.
//
// A process may be forked while they are there, but not while other threads of the program's
// run, which may hold a lock that the child would wait for in vain. So whoever starts a
// thread of the library's own counts it, from before it begins until it ends.

#pragma once

#include <atomic>

#include "nogil/platform/thread_id.hpp"

namespace nogil::platform {

// A child begins with none: who forks sets it to 0 there.
[[gnu::visibility("default")]] inline constinit std::atomic<int> g_own_threads{0};

// Whether the calling thread is one.
[[gnu::visibility("default"), NOGIL_TLS_NEAR]] inline constinit thread_local bool t_own_thread = false;

// Counts a thread that is about to be started, unless begun() says that it was.
class OwnThreadToBe {
 public:
  OwnThreadToBe() noexcept { g_own_threads.fetch_add(1, std::memory_order_relaxed); }
  OwnThreadToBe(const OwnThreadToBe&) = delete;
  OwnThreadToBe& operator=(const OwnThreadToBe&) = delete;
  ~OwnThreadToBe() {
    if (!begun_) g_own_threads.fetch_sub(1, std::memory_order_relaxed);
  }
  void begun() noexcept { begun_ = true; }

 private:
  bool begun_ = false;
};

// In such a thread, from its first step to its last, when it is counted no more.
class OwnThread {
 public:
  OwnThread() noexcept { t_own_thread = true; }
  OwnThread(const OwnThread&) = delete;
  OwnThread& operator=(const OwnThread&) = delete;
  ~OwnThread() { g_own_threads.fetch_sub(1, std::memory_order_relaxed); }
};

}  // namespace nogil::platform
