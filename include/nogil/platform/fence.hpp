// nogil/platform/fence.hpp -- a fence that is free on one side and dear on the other.
//
// Two threads each store, then load what the other stored. At least one of them must
// see the other's store, or a waiter sleeps while the one who should wake it saw
// nobody. Usually both pay for a full fence. Here the side that runs often pays
// nothing: light_fence() only keeps the compiler from reordering, because
// heavy_fence(), on the side about to sleep, makes the kernel run a full fence on
// every core that executes this process: membarrier(2), PRIVATE_EXPEDITED.
//
// Where membarrier is missing (old kernel, seccomp, gVisor), between processes, and
// under ThreadSanitizer, both are full fences.
//
// Cost    light: one relaxed load. heavy: 0.3 us on an idle machine, 5-10 us when other
//         cores run this process, more with more cores; so sleep rarely.
// Source  membarrier(2); the pairing argument is in the kernel's
//         Documentation/scheduler/membarrier.rst.

#pragma once

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>

#include "nogil/platform/futex.hpp"

#if defined(__SANITIZE_THREAD__)
#define NOGIL_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define NOGIL_TSAN 1
#endif
#endif

namespace nogil::platform {

enum class Membarrier : int { kUnknown, kReady, kMissing };

// Whether this process may use membarrier. Asked of the kernel once.
[[gnu::visibility("default")]] inline constinit std::atomic<Membarrier> g_membarrier{Membarrier::kUnknown};

[[gnu::noinline, gnu::cold]] inline Membarrier register_membarrier() noexcept {
#ifdef NOGIL_TSAN
  const bool ready = false;  // ThreadSanitizer sees only the fences of the program
#else
  const bool ready = ::syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
#endif
  const Membarrier answer = ready ? Membarrier::kReady : Membarrier::kMissing;
  g_membarrier.store(answer, std::memory_order_relaxed);
  return answer;
}

template <Scope kScope>
[[gnu::always_inline]] inline bool membarrier_ready() noexcept {
  if constexpr (kScope == Scope::kShared) return false;
  Membarrier answer = g_membarrier.load(std::memory_order_relaxed);
  if (answer == Membarrier::kUnknown) [[unlikely]]
    answer = register_membarrier();
  return answer == Membarrier::kReady;
}

// ThreadSanitizer does not understand fences, but it does understand this: an
// exchange on a word of the thread's own is a full fence on every machine here.
inline void full_fence() noexcept {
#ifdef NOGIL_TSAN
  static std::atomic<int> word{0};
  word.fetch_add(1, std::memory_order_seq_cst);
#else
  std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
}

// After the store, before the load, on the side that runs often.
template <Scope kScope = Scope::kPrivate>
[[gnu::always_inline]] inline void light_fence() noexcept {
  if (membarrier_ready<kScope>()) [[likely]]
    std::atomic_signal_fence(std::memory_order_seq_cst);
  else full_fence();
}

// After the store, before the load, on the side about to sleep.
template <Scope kScope = Scope::kPrivate>
void heavy_fence() noexcept {
  if (!membarrier_ready<kScope>()) full_fence();
  else if (::syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) != 0) std::abort();
}

}  // namespace nogil::platform
