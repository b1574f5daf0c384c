// nogil/platform/cpu.hpp -- small facts and habits of the processor.

#pragma once

#if !defined(__linux__)
#error "nogil knows Linux only: another system needs its own files in nogil/platform/"
#endif

#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <bit>
#include <cstddef>

namespace nogil::platform {

// Things written by different threads are kept this far apart. A constant, not
// std::hardware_destructive_interference_size, which changes with compiler flags
// and would make two halves of one program disagree about a layout.
inline constexpr std::size_t kCacheLine = 64;

// Tells the core that this is a spin loop.
inline void cpu_relax() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb");
#endif
}

// Asks for a cache line that will be written to soon. Does nothing else, whatever the address.
inline void prefetch_to_write(const void* address) noexcept {
#if defined(__x86_64__)
  // As __builtin_prefetch(address, 1), which is a prefetch for reading unless -mprfchw is given.
  asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(address)));
#else
  __builtin_prefetch(address, 1);
#endif
}

// The cores that the scheduler may give to the calling thread, at least 1.
inline int affinity_count() noexcept {
  unsigned long mask[1024] = {};  // room for 65,536 cores; the kernel refuses a mask that is too small
  const long bytes = ::syscall(SYS_sched_getaffinity, 0, sizeof mask, mask);
  int cores = 0;
  for (long word = 0; word < bytes / static_cast<long>(sizeof *mask); ++word) cores += std::popcount(mask[word]);
  return cores > 0 ? cores : 1;
}

// 0 until it is asked for.
[[gnu::visibility("default")]] inline constinit std::atomic<int> g_cores{0};

// How many cores may run this process. Looked up once, at the first contended wait.
inline int core_count() noexcept {
  int cores = g_cores.load(std::memory_order_relaxed);
  if (cores == 0) [[unlikely]]
    g_cores.store(cores = affinity_count(), std::memory_order_relaxed);
  return cores;
}

// Whether to spin before a sleep: 0 until it is asked for, then 1 for no and 2 for yes. A
// program that sets it before its first wait decides for itself (the tests do, to see every
// wait sleep).
[[gnu::visibility("default")]] inline constinit std::atomic<int> g_spinning{0};

// Whether there is more than one core: when not, spinning only keeps away the thread that
// is waited for.
inline bool several_cores() noexcept {
  int spinning = g_spinning.load(std::memory_order_relaxed);
  if (spinning == 0) [[unlikely]]
    g_spinning.store(spinning = core_count() > 1 ? 2 : 1, std::memory_order_relaxed);
  return spinning > 1;
}

}  // namespace nogil::platform
