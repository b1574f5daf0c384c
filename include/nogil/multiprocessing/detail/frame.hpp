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

// Memory for bytes that another process will read where they lie.
class ByteSource {
 public:
  // Null: there is none, now.
  virtual std::byte* take(std::size_t size) noexcept = 0;
  virtual void give_back(std::byte* memory) noexcept = 0;

  virtual ~ByteSource() = default;
};

// Bytes that grow at their end, not set to anything before they are written. Small ones
// need no memory of their own; large ones lie in the source's memory, if there is one and
// it has any.
class Bytes {
 public:
  Bytes() noexcept = default;
  explicit Bytes(ByteSource* source) noexcept : source_(source) {}
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;
  Bytes(Bytes&& other) noexcept
      : heap_(std::exchange(other.heap_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        room_(std::exchange(other.room_, kNear)),
        source_(other.source_),
        shared_(std::exchange(other.shared_, false)) {
    if (heap_ == nullptr) std::memcpy(near_, other.near_, size_);
  }
  Bytes& operator=(Bytes&& other) noexcept {
    if (this != &other) {
      this->~Bytes();
      new (this) Bytes(std::move(other));
    }
    return *this;
  }
  ~Bytes() { drop(heap_, shared_); }

  const std::byte* data() const noexcept { return heap_ != nullptr ? heap_ : near_; }
  std::byte* data() noexcept { return heap_ != nullptr ? heap_ : near_; }
  std::size_t size() const noexcept { return size_; }

  // Where more memory is asked for from now on; of no use once they lie in a source's memory.
  void set_source(ByteSource* source) noexcept { source_ = source; }

  // Whether they lie in the source's memory.
  bool shared() const noexcept { return shared_; }

  // From now on that memory is somebody else's to give back.
  void let_go() noexcept {
    heap_ = nullptr;
    size_ = 0;
    room_ = kNear;
    shared_ = false;
  }

  // Room for `more` bytes at the end, which are part of it from now on.
  std::byte* extend(std::size_t more) {
    if (more > room_ - size_) [[unlikely]]
      grow(more);
    std::byte* const end = (heap_ != nullptr ? heap_ : near_) + size_;
    size_ += more;
    return end;
  }

  // Lets go of what lies behind the first `size` bytes, not of the room.
  void shrink(std::size_t size) noexcept { size_ = size; }
  void clear() noexcept { size_ = 0; }

  // How many there may be before more memory is asked for.
  std::size_t room() const noexcept { return room_; }

 private:
  static constexpr std::size_t kNear = 104;
  static constexpr std::size_t kLarge = 1024;  // from here on a source is asked

  [[gnu::noinline]] void grow(std::size_t more) {
    std::size_t room = room_ * 2;
    if (room - size_ < more) room = size_ + more;
    if (room < size_) throw std::bad_alloc();
    if (source_ != nullptr && room >= kLarge) {
      if (std::byte* const memory = source_->take(room)) return move_to(memory, room, true);
    }
    if (heap_ == nullptr || shared_) {
      void* const memory = std::malloc(room);
      if (memory == nullptr) throw std::bad_alloc();
      return move_to(static_cast<std::byte*>(memory), room, false);
    }
    void* const memory = std::realloc(heap_, room);
    if (memory == nullptr) throw std::bad_alloc();
    heap_ = static_cast<std::byte*>(memory);
    room_ = room;
  }

  void move_to(std::byte* memory, std::size_t room, bool shared) noexcept {
    std::memcpy(memory, data(), size_);
    drop(heap_, shared_);
    heap_ = memory;
    room_ = room;
    shared_ = shared;
  }

  void drop(std::byte* memory, bool shared) noexcept {
    if (shared) source_->give_back(memory);
    else std::free(memory);
  }

  std::byte* heap_ = nullptr;  // null: the bytes lie in near_
  std::size_t size_ = 0;
  std::size_t room_ = kNear;
  ByteSource* source_ = nullptr;
  bool shared_ = false;  // heap_ is the source's
  std::byte near_[kNear];
};

struct Frame {
  Frame() noexcept = default;
  explicit Frame(ByteSource* source) noexcept : bytes(source) {}
  explicit Frame(Bytes&& room) noexcept : bytes(std::move(room)) {}

  Bytes bytes{};
  std::vector<platform::Fd> files{};
};

// A frame that takes over the room which an earlier one of this thread had, and leaves its own
// to the next: what is asked of the system for each large message, and given back, costs
// more than the copying.
class ReusedFrame {
 public:
  explicit ReusedFrame(ByteSource* source = nullptr) noexcept : frame_(std::move(spare())) {
    frame_.bytes.set_source(source);
  }
  ReusedFrame(const ReusedFrame&) = delete;
  ReusedFrame& operator=(const ReusedFrame&) = delete;
  ~ReusedFrame() {
    if (frame_.bytes.shared()) return;
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
