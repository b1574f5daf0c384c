// nogil/multiprocessing/detail/arena.hpp -- shared memory for results that are too large for a slot.
//
// The worker writes a result there, the parent reads it in place and gives the piece of
// memory back when it is done with it. The writer takes up what was given back, oldest
// first, so the memory is used as a ring; when it is empty, from the start again, where the
// caches are warm.
//
//   | mark | bytes … | mark | bytes … |                    mark: 1 when it was given back
//
// Threads    The writer: one thread at a time. A piece: one.
// Dying      Either side may die at any moment. The writer's book is its own; of what the other
//            side writes it reads the marks only, and believes them: one that has gone mad
//            spoils its own messages.
// Trust      A reader checks that a piece lies in the arena.
// Cost       No system call. Pages are taken from the system when they are first written.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <new>
#include <optional>
#include <utility>

#include "nogil/multiprocessing/detail/shared_object.hpp"

namespace nogil::multiprocessing::detail {

struct alignas(64) ArenaMark {
  std::atomic<std::uint32_t> given_back;
};

class ArenaWriter final : public ByteSource {
 public:
  ArenaWriter(std::byte* memory, std::size_t size) noexcept : memory_(memory), size_(size) {}

  std::byte* take(std::size_t bytes) noexcept override {
    try {
      const auto begin = find(bytes);
      return begin ? memory_ + *begin + sizeof(ArenaMark) : nullptr;
    } catch (...) {
      return nullptr;
    }
  }
  // Of what was not sent.
  void give_back(std::byte* memory) noexcept override {
    mark(begin_of(memory)).given_back.store(1, std::memory_order_release);
  }

  // Where a piece begins, for the reader.
  std::size_t begin_of(const std::byte* memory) const noexcept {
    return static_cast<std::size_t>(memory - memory_) - sizeof(ArenaMark);
  }

 private:
  struct Piece {
    std::size_t begin;
    std::size_t end;
  };

  std::optional<std::size_t> find(std::size_t bytes) {
    if (bytes > size_) return std::nullopt;
    const std::size_t need =
        sizeof(ArenaMark) + (bytes + sizeof(ArenaMark) - 1) / sizeof(ArenaMark) * sizeof(ArenaMark);
    while (!out_.empty() && mark(out_.front().begin).given_back.load(std::memory_order_acquire) != 0) out_.pop_front();
    std::size_t begin = 0;
    if (!out_.empty()) {
      const std::size_t oldest = out_.front().begin;
      begin = out_.back().end;
      if (begin <= oldest) {  // it has begun anew
        if (need > oldest - begin) return std::nullopt;
      } else if (need > size_ - begin) {
        if (need > oldest) return std::nullopt;
        begin = 0;
      }
    }
    if (need > size_ - begin) return std::nullopt;
    out_.push_back({begin, begin + need});
    new (memory_ + begin) ArenaMark{0};
    return begin;
  }

  ArenaMark& mark(std::size_t begin) noexcept { return *reinterpret_cast<ArenaMark*>(memory_ + begin); }

  std::byte* const memory_;
  const std::size_t size_;
  std::deque<Piece> out_;  // in order; the last may lie before the first
};

// The reader's hold on one message. It keeps the memory mapped.
class ArenaPiece {
 public:
  ArenaPiece() noexcept = default;

  // Throws DecodeError if there is no such piece in the arena.
  ArenaPiece(nogil::detail::Ref<SharedMapping> mapping, std::byte* memory, std::size_t arena, std::size_t begin,
             std::size_t bytes)
      : mapping_(std::move(mapping)) {
    if (begin % sizeof(ArenaMark) != 0 || begin > arena || arena - begin < sizeof(ArenaMark) ||
        arena - begin - sizeof(ArenaMark) < bytes) {
      throw_malformed("multiprocessing: a message lies in no arena");
    }
    mark_ = reinterpret_cast<ArenaMark*>(memory + begin);
    size_ = bytes;
  }
  ArenaPiece(ArenaPiece&& other) noexcept
      : mapping_(std::move(other.mapping_)), mark_(std::exchange(other.mark_, nullptr)), size_(other.size_) {}
  ArenaPiece& operator=(ArenaPiece&& other) noexcept {
    std::swap(mapping_, other.mapping_);
    std::swap(mark_, other.mark_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~ArenaPiece() {
    if (mark_ != nullptr) mark_->given_back.store(1, std::memory_order_release);
  }

  explicit operator bool() const noexcept { return mark_ != nullptr; }
  const std::byte* bytes() const noexcept { return reinterpret_cast<const std::byte*>(mark_ + 1); }
  std::size_t size() const noexcept { return size_; }

 private:
  nogil::detail::Ref<SharedMapping> mapping_;
  ArenaMark* mark_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace nogil::multiprocessing::detail
