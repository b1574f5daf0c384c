// nogil/mpi/detail/body_memory.hpp -- memory for large calls and results, which is used again.
//
// To ask the system for a megabyte, and touch it for the first time, takes longer than to send
// it. And a rank of the same machine need not be sent it at all: it has this memory mapped
// (neighbours.hpp), and reads a body where it was written. Then the body is lent: it is the
// reader who gives it back, by a mark in front of it.
//
//   | mark | bytes … | mark | bytes … |          each mark at the beginning of a page
//
// Threads    Everything from any thread.
// Fork       A child gets nothing from it, and writes nothing to it.
// Cost       A lock that is held while a piece is looked for. Pages are taken from the system when
//            they are first written, and kept: at most 64 MiB. What does not fit in is malloc()'s.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <vector>

#include "nogil/multiprocessing/detail/arena.hpp"
#include "nogil/multiprocessing/detail/crowd.hpp"
#include "nogil/multiprocessing/detail/life.hpp"
#include "nogil/multiprocessing/detail/request_memory.hpp"
#include "nogil/platform/raw_lock.hpp"

namespace nogil::mpi::detail {

using multiprocessing::detail::ArenaMark;
using multiprocessing::detail::RequestMemory;

class BodyMemory final : public multiprocessing::detail::ByteSource {
 public:
  // In number of pages; what is not in this memory is nowhere.
  static constexpr std::size_t kPage = 4096;
  static constexpr std::uint32_t kNowhere = ~std::uint32_t{0};

  // What the memory begins with, and no other memory does.
  struct Name {
    std::uint64_t who;
    std::uint64_t place;
    std::uint64_t time;

    bool operator==(const Name&) const = default;
  };

  // This process's. Null: the system has none for it.
  static BodyMemory* here() noexcept {
    alignas(BodyMemory) static std::byte place[sizeof(BodyMemory)];
    static BodyMemory* const memory = make(place);  // for ever: what it gave may come back late
    return memory;
  }

  std::byte* take(std::size_t size) noexcept override {
    if (size < kSmallest || multiprocessing::detail::this_process() != owner_) return nullptr;
    take_back_lent();
    std::byte* const piece = heap_.take(sizeof(ArenaMark) + size);
    if (piece == nullptr) return nullptr;
    ::new (piece) ArenaMark{0};
    return piece + sizeof(ArenaMark);
  }

  void give_back(std::byte* memory) noexcept override {
    if (multiprocessing::detail::this_process() == owner_) heap_.give_back(memory - sizeof(ArenaMark));
  }

  // ---- For ranks of the same machine -----------------------------------------------------------

  const RequestMemory& memory() const noexcept { return memory_; }
  const Name& name() const noexcept { return name_; }

  // Where a body lies that is to be sent.
  std::uint32_t page_of(const std::byte* body) const noexcept {
    const std::byte* const begin = memory_.begin();
    if (body < begin || body >= begin + RequestMemory::kSize) return kNowhere;
    return static_cast<std::uint32_t>(static_cast<std::size_t>(body - begin) / kPage);
  }

  // From now on it is another process's to give back.
  void lend(std::uint32_t page) {
    const platform::RawGuard guard(lock_);
    lent_.push_back(page);
  }

 private:
  static constexpr std::size_t kSmallest = std::size_t{16} << 10;

  BodyMemory()
      : name_{owner_, reinterpret_cast<std::uintptr_t>(this),
              static_cast<std::uint64_t>(multiprocessing::detail::Crowd::clock())} {
    std::memcpy(heap_.take(kPage), &name_, sizeof name_);  // the first page
  }

  static BodyMemory* make(std::byte* place) noexcept {
    try {
      return ::new (place) BodyMemory;
    } catch (...) {
      return nullptr;
    }
  }

  void take_back_lent() noexcept {
    const platform::RawGuard guard(lock_);
    for (std::size_t i = lent_.size(); i-- > 0;) {
      std::byte* const piece = memory_.begin() + std::size_t{lent_[i]} * kPage;
      if (std::launder(reinterpret_cast<ArenaMark*>(piece))->given_back.load(std::memory_order_acquire) == 0) continue;
      heap_.give_back(piece);
      lent_[i] = lent_.back();
      lent_.pop_back();
    }
  }

  const multiprocessing::detail::Who owner_ = multiprocessing::detail::this_process();
  const RequestMemory memory_{};
  multiprocessing::detail::RequestHeap heap_{memory_};
  const Name name_;
  platform::RawLock lock_;
  std::vector<std::uint32_t> lent_{};  // pages; guarded by lock_
};

}  // namespace nogil::mpi::detail
