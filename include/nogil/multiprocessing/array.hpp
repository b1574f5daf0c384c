// nogil/multiprocessing/array.hpp -- Array: a row of elements that processes share, and its lock.
//
//   nogil::mp::Array<double> row(1000);                // Python: Array('d', 1000)
//   row[3] = 0.5;
//   row.with_lock([](std::span<double> all) { … });    // with row.get_lock(): …
//
// A handle, as Lock is: copies are the same elements.
//
// Threads    operator[] and iterators do not lock: as with any array, two who touch the same
//            element at once, one of them writing, need with_lock() or their own order.
// Errors     OwnerDied from with_lock() if a process died inside it. operator[] does not
//            check its index; at() throws std::out_of_range.
// Cost       An element is a load or a store. Its own pages, and a file descriptor.
// Python     multiprocessing.Array with its default lock; RawArray without with_lock().

#pragma once

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <span>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "nogil/multiprocessing/value.hpp"

namespace nogil::multiprocessing {

namespace detail {

struct ArrayHead {
  RobustWord<Platform> word;
  std::uint64_t size = 0;
};

}  // namespace detail

template <class T>
class Array : public detail::Handle<detail::ArrayHead> {
  static_assert(std::is_trivially_copyable_v<T> && Sendable<T> && alignof(T) <= 64,
                "nogil: an Array lies in memory that processes share: its elements must be trivially copyable, and no "
                "pointers");

 public:
  using value_type = T;

  // Of `size` elements, made by T(). Throws ValueError if size < 0, std::system_error when
  // there is no memory or no file descriptor left.
  explicit Array(std::ptrdiff_t size) : Handle(bytes(size)) {
    object().size = static_cast<std::uint64_t>(size);
    std::uninitialized_value_construct_n(begin(), size);
  }
  Array(std::initializer_list<T> elements) : Array(static_cast<std::ptrdiff_t>(elements.size())) {
    T* to = begin();
    for (const T& element : elements) *to++ = element;
  }
  explicit Array(detail::Received received) : Handle(received) {
    if (object().size > extra_size() / sizeof(T)) throw DecodeError("serialize: an Array is shorter than it says");
  }

  [[nodiscard]] std::size_t size() const noexcept { return static_cast<std::size_t>(object().size); }
  T& operator[](std::size_t index) const noexcept { return begin()[index]; }
  T& at(std::size_t index) const {
    if (index >= size()) throw std::out_of_range("Array.at: the index is past the end");
    return begin()[index];
  }
  T* begin() const noexcept { return reinterpret_cast<T*>(extra()); }
  T* end() const noexcept { return begin() + size(); }

  // Returns what f(std::span<T>) returns, called with the lock held, which is not re-entrant.
  template <class F>
  decltype(auto) with_lock(F&& f) const {
    const detail::WordGuard guard(object().word, "Array");
    return std::forward<F>(f)(std::span<T>(begin(), size()));
  }

 private:
  static std::size_t bytes(std::ptrdiff_t size) {
    if (size < 0) throw ValueError("Array: size must be zero or more");
    if (static_cast<std::size_t>(size) > PTRDIFF_MAX / sizeof(T) / 2) throw std::bad_alloc();
    return static_cast<std::size_t>(size) * sizeof(T);
  }
};

}  // namespace nogil::multiprocessing
