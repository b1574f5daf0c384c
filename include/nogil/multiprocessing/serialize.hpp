// nogil/multiprocessing/serialize.hpp -- what can be sent to another process, and how.
//
//   struct Job {
//     std::string name;
//     std::vector<double> weights;
//
//     template <class Archive>
//     void serialize(Archive& archive) {        // Python: __reduce__; here: name the members
//       archive(name, weights);
//     }
//   };
//
// One function for both directions: an OutputArchive reads the members, an InputArchive
// writes to them. `Archive::is_saving` and `Archive::is_loading` (std::bool_constant) tell
// which it is. A free serialize(archive, value), found by its argument, serves for a class
// that you cannot change.
//
// Needs none of that: arithmetic types, enums and other trivially copyable types; string,
//            vector, deque, list, array, pair, tuple, optional, variant, map, set and their
//            kin, also those of other libraries with the same interface; unique_ptr, chrono,
//            filesystem::path; and the handles of this module (Lock, Queue, Value, …).
// Refused    when compiling: pointers, references, iterators, views (string_view, span),
//            std::function, classes that are none of the above. An address means nothing in
//            another process. Not seen: a pointer inside a trivially copyable class.
// Errors     DecodeError: the bytes end too soon, or are not what they should be. Nothing
//            that is read from bytes is believed: a count is never more than the bytes that
//            are left, so no frame makes the reader allocate much more than its own size.
//            Values nested more than 1000 deep are an error on both sides.
// Threads    An archive belongs to one call.
// Cost       No strings of its own, no streams: a vector of numbers is one memcpy.
// Python     pickle, without its running of code.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "nogil/multiprocessing/detail/frame.hpp"
#include "nogil/multiprocessing/errors.hpp"

namespace nogil::multiprocessing {

namespace detail {

// As deep as values may be nested: far from the end of a stack of 8 MiB.
inline constexpr int kMostNested = 1000;

// One level deeper, as long as it lives.
class [[nodiscard]] Deeper {
 public:
  explicit Deeper(int& depth) : depth_(depth) {
    if (depth_ == kMostNested) throw DecodeError("serialize: values are nested more than 1000 deep");
    ++depth_;
  }
  Deeper(const Deeper&) = delete;
  Deeper& operator=(const Deeper&) = delete;
  ~Deeper() { --depth_; }

 private:
  int& depth_;
};

}  // namespace detail

class OutputArchive {
 public:
  using is_saving = std::true_type;
  using is_loading = std::false_type;

  explicit OutputArchive(detail::Frame& frame) noexcept : frame_(frame) {}
  OutputArchive(const OutputArchive&) = delete;
  OutputArchive& operator=(const OutputArchive&) = delete;

  // Appends the values, in this order.
  template <class... T>
  OutputArchive& operator()(const T&... values);

  // For the library's own types.
  void write(const void* bytes, std::size_t size) {
    if (size != 0) std::memcpy(frame_.bytes.extend(size), bytes, size);
  }
  template <class T>
  void write_raw(const T& value) {
    std::memcpy(frame_.bytes.extend(sizeof(T)), static_cast<const void*>(&value), sizeof(T));
  }
  // A duplicate of the descriptor goes with the frame.
  void write_file(int fd) { frame_.files.push_back(platform::Fd::duplicate(fd)); }
  std::size_t size() const noexcept { return frame_.bytes.size(); }
  std::size_t files() const noexcept { return frame_.files.size(); }
  int& depth() noexcept { return depth_; }

  // Takes back what was written since it had this size and so many files.
  void rewind(std::size_t size, std::size_t files) noexcept {
    frame_.bytes.shrink(size);
    frame_.files.erase(frame_.files.begin() + static_cast<std::ptrdiff_t>(files), frame_.files.end());
    depth_ = 0;
  }
  // Writes over what lies there: a count that is known later.
  template <class T>
  void rewrite(std::size_t at, const T& value) noexcept {
    std::memcpy(frame_.bytes.data() + at, static_cast<const void*>(&value), sizeof(T));
  }

 private:
  detail::Frame& frame_;
  int depth_ = 0;
};

class InputArchive {
 public:
  using is_saving = std::false_type;
  using is_loading = std::true_type;

  // Reads these bytes, which must stay as they are meanwhile; takes descriptors out of
  // `files`, from the first on.
  InputArchive(const std::byte* bytes, std::size_t size, std::vector<platform::Fd>* files = nullptr) noexcept
      : at_(bytes), end_(bytes + size), files_(files) {}
  explicit InputArchive(detail::Frame& frame) noexcept
      : InputArchive(frame.bytes.data(), frame.bytes.size(), &frame.files) {}
  InputArchive(const InputArchive&) = delete;
  InputArchive& operator=(const InputArchive&) = delete;

  // Reads the values, in this order. Throws DecodeError; what was read before it stays.
  template <class... T>
  InputArchive& operator()(T&&... values);

  // Reads one value; needs no default constructor, other than a serialize() does.
  template <class T>
  T get();

  // For the library's own types.
  const std::byte* read(std::size_t size) {
    if (size > left()) throw_short();
    return std::exchange(at_, at_ + size);
  }
  template <class T>
  T read_raw() {
    T value;
    std::memcpy(static_cast<void*>(&value), read(sizeof(T)), sizeof(T));
    return value;
  }
  // How many elements follow: each takes a byte at least.
  std::size_t read_count() {
    const auto count = read_raw<std::uint64_t>();
    if (count > left()) throw_short();
    return static_cast<std::size_t>(count);
  }
  platform::Fd read_file() {
    if (files_ == nullptr || next_file_ == files_->size()) {
      throw DecodeError("serialize: a shared object came without its memory");
    }
    return std::move((*files_)[next_file_++]);
  }
  // Whether it is among those that have not been read.
  bool holds_file(int fd) const noexcept {
    for (std::size_t i = next_file_; files_ != nullptr && i < files_->size(); ++i) {
      if ((*files_)[i].get() == fd) return true;
    }
    return false;
  }
  bool holds_files() const noexcept { return files_ != nullptr && next_file_ != files_->size(); }
  std::size_t left() const noexcept { return static_cast<std::size_t>(end_ - at_); }
  int& depth() noexcept { return depth_; }

 private:
  [[noreturn, gnu::noinline, gnu::cold]] static void throw_short() {
    throw DecodeError("serialize: the bytes end before the value does");
  }

  const std::byte* at_;
  const std::byte* const end_;
  std::vector<platform::Fd>* const files_;
  std::size_t next_file_ = 0;
  int depth_ = 0;
};

}  // namespace nogil::multiprocessing

#include "nogil/multiprocessing/detail/codec.hpp"
