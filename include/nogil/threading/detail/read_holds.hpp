// nogil/threading/detail/read_holds.hpp -- which RWLocks the calling thread reads.
//
// A reader count does not say whose it is, so an upgrade (a reader that wants to write,
// and would wait for itself) and a release by a stranger could not be told from honest
// calls. Each thread therefore keeps a short list of its own.
//
// Cost    About a nanosecond for each acquire and release. Beyond kTracked locks held
//         for reading at once by one thread, the rest are counted but not told apart.

#pragma once

#include <cstdint>

#include "nogil/platform/thread_id.hpp"

namespace nogil::detail {

class ReadHolds {
 public:
  bool contains(const void* lock) const noexcept {
    for (std::uint32_t i = 0; i < tracked_; ++i) {
      if (held_[i] == lock) return true;
    }
    return false;
  }

  void add(const void* lock) noexcept {
    if (tracked_ < kTracked) held_[tracked_++] = lock;
    else ++untracked_;
  }

  // False: this thread does not hold it.
  bool remove(const void* lock) noexcept {
    for (std::uint32_t i = tracked_; i-- > 0;) {
      if (held_[i] == lock) {
        held_[i] = held_[--tracked_];
        return true;
      }
    }
    if (untracked_ == 0) return false;
    --untracked_;
    return true;
  }

 private:
  static constexpr std::uint32_t kTracked = 8;

  const void* held_[kTracked] = {};  // [0, tracked_), in no order
  std::uint32_t tracked_ = 0;
  std::uint32_t untracked_ = 0;
};

[[gnu::visibility("default"), NOGIL_TLS_NEAR]] inline constinit thread_local ReadHolds t_read_holds;

}  // namespace nogil::detail
