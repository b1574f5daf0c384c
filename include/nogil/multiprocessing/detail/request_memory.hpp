// nogil/multiprocessing/detail/request_memory.hpp -- where a pool writes calls that are too large for a slot.
//
// Memory that all workers of a pool have mapped. A call is encoded right there, by the
// thread that submits it, whichever worker will run it; that one reads it in place. What
// is free is the parent's own knowledge: it takes a piece back when it destroys the task,
// which no worker is at any more.
//
// Threads    take() and give_back() from any thread.
// Cost       The first piece that is large enough, from the start on: so a few warm pages are
//            used again and again. Pages are taken from the system when they are first
//            written, and kept until the pool ends.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "nogil/multiprocessing/detail/frame.hpp"
#include "nogil/multiprocessing/detail/shared_object.hpp"
#include "nogil/platform/raw_lock.hpp"

namespace nogil::multiprocessing::detail {

// The first byte of the memory; the rest lies behind it.
struct RequestArea {
  std::uint64_t unused = 0;
};

class RequestMemory : public Handle<RequestArea> {
 public:
  static constexpr std::size_t kSize = std::size_t{64} << 20;

  RequestMemory() : Handle(kSize) {}
  explicit RequestMemory(Received received) : Handle(received) {}

  std::byte* begin() const noexcept { return extra(); }

  // Null: there are no such bytes in it.
  const std::byte* at(std::uint64_t offset, std::size_t size) const noexcept {
    return offset <= extra_size() && size <= extra_size() - offset ? extra() + offset : nullptr;
  }
};

class RequestHeap final : public ByteSource {
 public:
  explicit RequestHeap(const RequestMemory& memory) noexcept : begin_(memory.begin()) {}

  std::byte* take(std::size_t size) noexcept override {
    if (size > RequestMemory::kSize) return nullptr;
    const std::size_t need = (size + kGrain - 1) / kGrain * kGrain;
    const platform::RawGuard guard(lock_);
    std::size_t at = 0;
    std::size_t i = 0;
    for (; i != taken_.size() && taken_[i].begin - at < need; ++i) at = taken_[i].end;
    if (i == taken_.size() && RequestMemory::kSize - at < need) return nullptr;
    try {
      taken_.insert(taken_.begin() + static_cast<std::ptrdiff_t>(i), {at, at + need});
    } catch (...) {
      return nullptr;
    }
    return begin_ + at;
  }

  void give_back(std::byte* memory) noexcept override {
    const std::size_t begin = offset(memory);
    const platform::RawGuard guard(lock_);
    std::size_t low = 0;
    for (std::size_t high = taken_.size(); low + 1 < high;) {
      const std::size_t middle = low + (high - low) / 2;
      (taken_[middle].begin <= begin ? low : high) = middle;
    }
    taken_.erase(taken_.begin() + static_cast<std::ptrdiff_t>(low));
  }

  std::size_t offset(const std::byte* memory) const noexcept { return static_cast<std::size_t>(memory - begin_); }

 private:
  static constexpr std::size_t kGrain = 4096;

  struct Piece {
    std::size_t begin;
    std::size_t end;
  };

  std::byte* const begin_;
  platform::RawLock lock_;
  std::vector<Piece> taken_;  // in order; guarded by lock_
};

}  // namespace nogil::multiprocessing::detail
