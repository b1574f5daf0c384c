// nogil/futures/detail/result_row.hpp -- results that many compute and one reads, in order.
//
// Elements are numbered. They are computed in chunks, and shown a chunk at a time by one
// store: so reading one costs next to nothing, and the lines that it lies in go from core
// to core once.
//
// Threads    compute(): by any number of threads, each for other elements. The rest: by the
//            one reader.
// Memory     A value for each slot, and a word, which is touched for the first of each
//            chunk only. Slot numbers are element numbers, modulo the number of slots; a
//            slot is used again when its element was dropped.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#include "nogil/futures/detail/future_result.hpp"

namespace nogil::detail {

template <class T>
class ResultRow {
 public:
  using Value = Kept<T>;

  ResultRow() = default;
  ResultRow(const ResultRow&) = delete;
  ResultRow& operator=(const ResultRow&) = delete;

  // clear() comes first.
  ~ResultRow() {
    delete[] chunks_;
    if (values_ != nullptr) ::operator delete (values_, std::align_val_t{alignof(Value)});
  }

  // Once, before the rest.
  void allocate(std::uint64_t slots) {
    const auto count = static_cast<std::size_t>(slots);
    if (count > PTRDIFF_MAX / sizeof(Value)) throw std::bad_array_new_length();  // more than there can be of anything
    values_ = static_cast<Value*>(::operator new (count * sizeof(Value), std::align_val_t{alignof(Value)}));
    chunks_ = new std::atomic<std::uintptr_t>[count]();
    slots_ = count;
  }

  // Calls make(index) for each element of a chunk, and shows the results. Ends early when
  // `stopped` becomes true.
  template <class Make>
  void compute(std::uint64_t first, std::uint64_t count, const std::atomic<bool>& stopped, Make make) noexcept {
    Errors* errors = nullptr;
    std::uint64_t done = 0;
    for (; done != count && !stopped.load(std::memory_order_relaxed); ++done) {
      const std::uint64_t index = first + done;
      try {
        if constexpr (std::is_void_v<T>) {
          make(index);
          ::new (values_ + slot(index)) Value();
        } else if constexpr (std::is_reference_v<T>) {
          ::new (values_ + slot(index)) Value(&make(index));
        } else {
          ::new (values_ + slot(index)) Value(make(index));
        }
      } catch (...) {
        if (errors == nullptr) errors = new Errors;
        errors->list.push_back({index, std::current_exception()});
      }
    }
    if (done == 0) return;
    std::uintptr_t chunk = static_cast<std::uintptr_t>(done) << 1 | 1;
    if (errors != nullptr) {
      errors->count = done;
      chunk = reinterpret_cast<std::uintptr_t>(errors);
      any_errors_.store(true, std::memory_order_relaxed);
    }
    chunks_[slot(first)].store(chunk, std::memory_order_release);
  }

  // The element that the reader is at; those before it are dropped.
  std::uint64_t position() const noexcept { return position_; }

  // Whether that one is there.
  bool ready() noexcept { return position_ != known_ || open_chunk(); }

  // It. Throws what make() threw for it.
  Value& value() const {
    if (failed()) std::rethrow_exception(errors_->list[next_error_].exception);
    return *std::launder(values_ + slot(position_));
  }

  // Destroys it, and goes on to the next.
  void drop() noexcept {
    if (failed()) {
      ++next_error_;
    } else if constexpr (!std::is_trivially_destructible_v<Value>) {
      std::launder(values_ + slot(position_))->~Value();
    }
    if (++position_ == known_) close_chunk();
  }

  // Drops all that are there below `end`, when nobody computes any more.
  void clear(std::uint64_t end) noexcept {
    if (std::is_trivially_destructible_v<Value> && !any_errors_.load(std::memory_order_relaxed)) return;
    while (position_ < end) {
      if (ready()) drop();
      else known_ = ++position_;  // a chunk was stopped before this one
    }
  }

 private:
  // chunks_[i] says of the chunk that begins in slot i: 0, it is not there; odd, how many
  // elements it has, times two; else, its Errors.
  struct Error {
    std::uint64_t index;
    std::exception_ptr exception;
  };
  struct Errors {
    std::uint64_t count;      // of all elements
    std::vector<Error> list;  // by index
  };

  std::size_t slot(std::uint64_t index) const noexcept {
    return static_cast<std::size_t>(index < slots_ ? index : index % slots_);
  }

  bool failed() const noexcept {
    return errors_ != nullptr && next_error_ < errors_->list.size() && errors_->list[next_error_].index == position_;
  }

  bool open_chunk() noexcept {
    std::atomic<std::uintptr_t>& word = chunks_[slot(position_)];
    const std::uintptr_t chunk = word.load(std::memory_order_acquire);
    if (chunk == 0) return false;
    word.store(0, std::memory_order_relaxed);
    if ((chunk & 1) != 0) {
      known_ = position_ + (chunk >> 1);
    } else {
      errors_ = reinterpret_cast<Errors*>(chunk);
      next_error_ = 0;
      known_ = position_ + errors_->count;
    }
    return true;
  }

  void close_chunk() noexcept {
    if (errors_ == nullptr) return;
    delete errors_;
    errors_ = nullptr;
  }

  Value* values_ = nullptr;
  std::atomic<std::uintptr_t>* chunks_ = nullptr;
  std::size_t slots_ = 0;
  std::atomic<bool> any_errors_{false};

  // The reader's.
  std::uint64_t position_ = 0;
  std::uint64_t known_ = 0;   // elements below are there
  Errors* errors_ = nullptr;  // of the chunk at the position
  std::size_t next_error_ = 0;
};

}  // namespace nogil::detail
