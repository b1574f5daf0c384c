// nogil/asyncio/detail/byte_queue.hpp -- bytes that have come and were not taken yet.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace nogil::asyncio::detail {

// Amortised, each byte is moved up once at most. Takes no memory while it is empty, so that
// an idle connection costs little.
class ByteQueue {
 public:
  bool empty() const noexcept { return size() == 0; }
  std::size_t size() const noexcept { return bytes_.size() - taken_; }
  std::string_view view() const noexcept { return std::string_view(bytes_).substr(taken_); }

  void append(std::string_view more) { bytes_.append(more); }

  // The first `count` of them: all if that is more.
  std::string take(std::size_t count) {
    if (taken_ == 0 && count >= bytes_.size()) return std::exchange(bytes_, {});
    std::string first(view().substr(0, count));
    drop(first.size());
    return first;
  }

  void drop(std::size_t count) noexcept {
    taken_ += count;
    if (taken_ >= bytes_.size()) return clear();
    if (taken_ < bytes_.size() - taken_) return;
    bytes_.erase(0, taken_);
    taken_ = 0;
  }

  void clear() noexcept {
    if (bytes_.capacity() > kKept) bytes_ = {};
    else bytes_.clear();
    taken_ = 0;
  }

 private:
  static constexpr std::size_t kKept = 1024;

  std::string bytes_;
  std::size_t taken_ = 0;  // of them, from the front
};

}  // namespace nogil::asyncio::detail
