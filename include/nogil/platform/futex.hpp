// nogil/platform/futex.hpp -- sleep until a 32-bit word changes.
//
// The one place that talks to the kernel about sleeping: futex(2).
//
// Contract   futex_wait sleeps only if *word still equals `expected` when the kernel
//            looks; the look and the sleep are one atomic step against futex_wake.
//            It may return early for no reason: callers loop on their own condition.
//            futex_wake uses the word's address only, never its contents, so waking
//            an object that another thread has just destroyed is harmless: at worst
//            it wakes for no reason whoever sleeps at that address now.
// Scope      kPrivate words are slept on by threads of one process, which is faster;
//            kShared words may lie in memory shared between processes.

#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdlib>

#include "nogil/platform/deadline.hpp"

namespace nogil::platform {

enum class Scope : int { kPrivate = FUTEX_PRIVATE_FLAG, kShared = 0 };

inline constexpr std::uint32_t kEveryone = INT_MAX;

// Returns false only when the deadline has passed; true means "look again".
// The deadline is absolute on CLOCK_MONOTONIC, so a signal does not prolong it.
inline bool futex_wait(const std::uint32_t* word, std::uint32_t expected, Deadline deadline,
                       Scope scope = Scope::kPrivate) noexcept {
  const std::timespec when = deadline.is_never() ? std::timespec{} : deadline.to_timespec();
  const long rc = ::syscall(SYS_futex, word, FUTEX_WAIT_BITSET | static_cast<int>(scope), expected,
                            deadline.is_never() ? nullptr : &when, nullptr, FUTEX_BITSET_MATCH_ANY);
  if (rc == 0 || errno == EAGAIN || errno == EINTR) return true;
  if (errno == ETIMEDOUT) return false;
  std::abort();  // a mistake in this file; callers loop, so returning would spin for ever
}

// Wakes up to `count` of those who sleep on the word.
inline void futex_wake(const std::uint32_t* word, std::uint32_t count, Scope scope = Scope::kPrivate) noexcept {
  ::syscall(SYS_futex, word, FUTEX_WAKE | static_cast<int>(scope), count, nullptr, nullptr, 0);
}

}  // namespace nogil::platform
