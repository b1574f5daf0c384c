// nogil/multiprocessing/detail/frame.hpp -- what is sent from one process to another.
//
// Bytes, and file descriptors that travel beside them: the shared memory behind a Lock
// or a Queue is one.

#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

#include "nogil/platform/fd.hpp"

namespace nogil::multiprocessing::detail {

// Bytes that grow at their end, not set to anything before they are written. Small ones
// need no memory of their own.
class Bytes {
 public:
  Bytes() noexcept = default;
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;
  Bytes(Bytes&& other) noexcept : heap_(std::exchange(other.heap_, nullptr)), size_(other.size_), room_(other.room_) {
    if (heap_ == nullptr) std::memcpy(near_, other.near_, size_);
    other.size_ = 0;
    other.room_ = kNear;
  }
  Bytes& operator=(Bytes&& other) noexcept {
    if (this != &other) {
      this->~Bytes();
      new (this) Bytes(std::move(other));
    }
    return *this;
  }
  ~Bytes() { std::free(heap_); }

  const std::byte* data() const noexcept { return heap_ != nullptr ? heap_ : near_; }
  std::byte* data() noexcept { return heap_ != nullptr ? heap_ : near_; }
  std::size_t size() const noexcept { return size_; }

  // So many fit before it must grow.
  std::size_t room() const noexcept { return room_; }

  // None, and as much room as before.
  void clear() noexcept { size_ = 0; }

  // Room for `more` bytes at the end, which are part of it from now on.
  std::byte* extend(std::size_t more) {
    if (more > room_ - size_) [[unlikely]]
      grow(more);
    std::byte* const end = (heap_ != nullptr ? heap_ : near_) + size_;
    size_ += more;
    return end;
  }

  // Lets go of what lies behind the first `size` bytes.
  void shrink(std::size_t size) noexcept { size_ = size; }

 private:
  static constexpr std::size_t kNear = 104;

  [[gnu::noinline]] void grow(std::size_t more) {
    std::size_t room = room_ * 2;
    if (room - size_ < more) room = size_ + more;
    void* const memory = room < size_ ? nullptr : std::realloc(heap_, room);
    if (memory == nullptr) throw std::bad_alloc();
    if (heap_ == nullptr) std::memcpy(memory, near_, size_);
    heap_ = static_cast<std::byte*>(memory);
    room_ = room;
  }

  std::byte* heap_ = nullptr;  // null: the bytes lie in near_
  std::size_t size_ = 0;
  std::size_t room_ = kNear;
  std::byte near_[kNear];
};

struct Frame {
  Bytes bytes;
  std::vector<platform::Fd> files;
};

// A frame that takes over the room which an earlier one of this thread had, and leaves its own
// to the next: what is asked of the system for each large message, and given back, costs
// more than the copying.
class ReusedFrame {
 public:
  ReusedFrame() noexcept : frame_{std::move(spare()), {}} {}
  ReusedFrame(const ReusedFrame&) = delete;
  ReusedFrame& operator=(const ReusedFrame&) = delete;
  ~ReusedFrame() {
    frame_.bytes.clear();
    if (frame_.bytes.room() <= kMostKept && frame_.bytes.room() > spare().room()) spare() = std::move(frame_.bytes);
  }

  Frame& operator*() noexcept { return frame_; }
  Frame* operator->() noexcept { return &frame_; }

 private:
  static constexpr std::size_t kMostKept = std::size_t{4} << 20;

  static Bytes& spare() noexcept {
    static thread_local Bytes spare;
    return spare;
  }

  Frame frame_;
};

}  // namespace nogil::multiprocessing::detail
