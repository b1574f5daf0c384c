// nogil/multiprocessing/detail/chunk_feed.hpp -- cuts what is read from ranges into chunks.

#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <utility>

#include "nogil/multiprocessing/detail/chunk.hpp"
#include "nogil/multiprocessing/detail/frame.hpp"
#include "nogil/multiprocessing/serialize.hpp"

namespace nogil::multiprocessing::detail {

// How large: many chunks for each worker, so that the work is balanced though elements may
// cost more or less, and the first results come early; and none of many bytes.
class ChunkSizes {
 public:
  static constexpr std::size_t kMostBytes = std::size_t{256} * 1024;
  static constexpr std::size_t kMostFiles = 200;
  static constexpr std::uint64_t kForEachWorker = 16;

  // `fixed`: the size of each; 0: by `total`, the number of elements, or, where that is 0
  // (nobody knows), by how many were read so far.
  ChunkSizes(std::uint64_t fixed, std::uint64_t total, std::size_t workers) noexcept
      : fixed_(fixed), parts_(kForEachWorker * workers), size_((total + parts_ - 1) / parts_) {}

  // Whether a chunk is large enough, which has so many elements, of all those read.
  bool full(std::uint64_t elements, std::uint64_t read, const Frame& frame) const noexcept {
    if (frame.files.size() >= kMostFiles) return true;
    if (fixed_ != 0) return elements >= fixed_;
    if (frame.bytes.size() >= kMostBytes) return true;
    return elements >= (size_ != 0 ? size_ : 1 + read / parts_);
  }

 private:
  const std::uint64_t fixed_;
  const std::uint64_t parts_;
  const std::uint64_t size_;
};

template <class Reader>
class ChunkFeed {
 public:
  // `chunksize` 0: as ChunkSizes thinks. `window`: at most so many elements are read ahead of
  // the results; 0: no bound. `memory`: what chunks are best written to.
  template <class... Parts>
  ChunkFeed(std::uint64_t chunksize, std::uint64_t window, std::size_t workers, ByteSource* memory, Parts&&... parts)
      : window_(window),
        memory_(memory),
        reader_(std::forward<Parts>(parts)...),
        sizes_(fixed_size(chunksize, window, workers), window != 0 ? 0 : reader_.size(), workers) {}

  // From now on what reading an element throws is the end of the range, and kept; what was read
  // before is sent first.
  void keep_error() noexcept { keeps_error_ = true; }
  const std::exception_ptr& error() const noexcept { return error_; }
  void forget_error() noexcept { error_ = nullptr; }

  // How many elements were read.
  std::uint64_t read() const noexcept { return read_; }

  // Reads as far as it may, when so many results are done with; calls send(frame, elements)
  // for each chunk that is full.
  template <class Send>
  void fill(std::uint64_t given, Send&& send) {
    while (!exhausted_ && (window_ == 0 || read_ - given < window_)) {
      if (!draft_) {
        draft_.emplace(memory_);
        reader_.write_head(draft_->out);
      }
      if (!read_next()) {
        exhausted_ = true;
        return error_ ? flush(send) : void();
      }
      ++read_;
      ++draft_->elements;
      if (sizes_.full(draft_->elements, read_, draft_->frame)) flush(send);
    }
  }

  // Sends what is there, though it is not full.
  template <class Send>
  void flush(Send&& send) {
    if (!draft_ || draft_->elements == 0) return;
    Frame frame = std::move(draft_->frame);
    const std::uint64_t elements = draft_->elements;
    draft_.reset();
    send(std::move(frame), elements);
  }

 private:
  bool read_next() {
    try {
      return reader_.read(draft_->out);
    } catch (...) {
      if (!keeps_error_) throw;
      error_ = std::current_exception();
      return false;
    }
  }

  // A chunk that grows.
  struct Draft {
    explicit Draft(ByteSource* memory) noexcept : frame(memory) {}
    Frame frame;
    OutputArchive out{frame};
    std::uint64_t elements = 0;
  };

  // In a window there are chunks for all workers.
  static std::uint64_t fixed_size(std::uint64_t chunksize, std::uint64_t window, std::size_t workers) noexcept {
    if (window == 0) return chunksize;
    if (chunksize == 0) return 1 + window / (4 * workers);
    return chunksize < window ? chunksize : window;
  }

  const std::uint64_t window_;
  ByteSource* const memory_;
  Reader reader_;
  const ChunkSizes sizes_;
  std::optional<Draft> draft_;
  std::uint64_t read_ = 0;
  bool exhausted_ = false;
  bool keeps_error_ = false;
  std::exception_ptr error_{};
};

// The next result of a chunk, and those behind it.
template <class R>
class ChunkCursor {
 public:
  // Throws what that call threw.
  decltype(auto) current(ChunkResults<R>& results) const {
    if (failed(results)) std::rethrow_exception(results.errors[errors_].second);
    if constexpr (std::is_void_v<R>) return nogil::detail::Nothing();
    else return std::move(results.values[number_ - errors_].value);
  }

  // `results`: null if the chunk failed as a whole.
  void advance(const ChunkResults<R>* results) noexcept {
    if (results != nullptr && failed(*results)) ++errors_;
    ++number_;
  }

  std::size_t number() const noexcept { return number_; }

 private:
  bool failed(const ChunkResults<R>& results) const noexcept {
    return errors_ < results.errors.size() && results.errors[errors_].first == number_;
  }

  std::size_t number_ = 0;
  std::size_t errors_ = 0;  // calls before it that threw
};

// Throws DecodeError if a chunk's results are not those of so many calls.
template <class R>
void require_size(const ChunkResults<R>& results, std::uint64_t elements) {
  if (results.size() != elements) throw_malformed("map: a worker sent another number of results");
  std::uint64_t next = 0;
  for (const auto& [number, error] : results.errors) {
    if (number < next || number >= elements) throw_malformed("map: a worker sent a result of no call");
    next = number + 1;
  }
}

}  // namespace nogil::multiprocessing::detail
