// nogil/threading/detail/read_holds.hpp -- which RWLocks the calling thread reads.
//
// A reader count does not say whose it is, so an upgrade (a reader that wants to write,
// and would wait for itself) and a release by a stranger could not be told from honest
// calls. Each thread therefore keeps a short list of its own.
//
// Cost    About a nanosecond for each acquire and release. A thread that reads more than
//         kNear locks at once keeps the rest in an allocated list, until it reads few again.

#pragma once

#include <cstddef>
#include <cstdlib>

#include "nogil/platform/thread_id.hpp"

namespace nogil::detail {

class ReadHolds {
 public:
  bool contains(const void* lock) const noexcept { return find(lock) != nullptr; }

  void add(const void* lock) noexcept {
    if (count_ < kNear) near_[count_++] = lock;
    else add_far(lock);
  }

  // False: this thread does not hold it.
  bool remove(const void* lock) noexcept {
    const void** const entry = find(lock);
    if (entry == nullptr) return false;
    --count_;
    *entry = count_ < kNear ? near_[count_] : far_[count_ - kNear];  // the last one fills the gap
    if (count_ == kNear) [[unlikely]] {
      std::free(far_);
      far_ = nullptr;
      room_ = 0;
    }
    return true;
  }

 private:
  static constexpr std::size_t kNear = 8;

  const void** find(const void* lock) const noexcept {
    for (std::size_t i = count_; i-- > 0;) {
      const void* const* const entry = i < kNear ? &near_[i] : &far_[i - kNear];
      if (*entry == lock) return const_cast<const void**>(entry);
    }
    return nullptr;
  }

  [[gnu::noinline, gnu::cold]] void add_far(const void* lock) noexcept {
    if (count_ - kNear == room_) {
      room_ = 2 * room_ + kNear;
      far_ = static_cast<const void**>(std::realloc(far_, room_ * sizeof *far_));
      if (far_ == nullptr) std::abort();  // no memory for a hundred bytes
    }
    far_[count_++ - kNear] = lock;
  }

  // Entry i is near_[i], or far_[i - kNear].
  const void* near_[kNear] = {};
  const void** far_ = nullptr;
  std::size_t room_ = 0;
  std::size_t count_ = 0;
};

[[gnu::visibility("default"), NOGIL_TLS_NEAR]] inline constinit thread_local ReadHolds t_read_holds;

}  // namespace nogil::detail
