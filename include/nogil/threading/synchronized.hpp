// nogil/threading/synchronized.hpp -- synchronized: one range or generator for many threads.
//
//   auto lines = nogil::synchronized(read_lines(file));     // Python 3.15: synchronized_iterator(lines)
//   // in each of many threads:
//   for (std::string line : lines) handle(line);
//
// Each element goes to exactly one of the threads that ask, in the range's order. A source
// is a range (anything with begin and end), or a generator: a callable that returns a
// std::optional, empty at the end. (One that returns anything else never ends.)
//
// Threads    next(), begin() and end() may be called from any number of threads at once.
//            The source is used by one of them at a time, under a Lock: this is user code
//            under a lock, as that is what it is for. A generator that asks its own
//            synchronized for more waits for itself.
// Ordering   What the source did for one element is visible to whoever gets the next.
// Lifetime   A source given as an rvalue is moved in; an lvalue is referred to, and must
//            live as long. The object cannot be copied or moved; return it by `auto`.
// Errors     What the source throws comes out of that next(), and the others go on: an
//            element that could not be read is passed over. Once it has ended, it stays so.
// Elements   Are copied out of the source, or moved out if they cannot be copied.
// Cost       A Lock and the source.
// Python     threading.synchronized_iterator of 3.15.

#pragma once

#include <cstddef>
#include <iterator>
#include <optional>
#include <type_traits>
#include <utility>

#include "nogil/threading/lock.hpp"
#include "nogil/threading/with.hpp"

namespace nogil {

namespace detail {

using std::begin;
using std::end;

template <class R>
concept Iterable = requires(R& range) {
  begin(range) != end(range);
  *begin(range);
};

template <class R>
auto begin_of(R& range) {
  return begin(range);
}
template <class R>
auto end_of(R& range) {
  return end(range);
}

// next() over the elements of a range. Source is R& or R.
template <class Source>
class RangeReader {
 public:
  using Iterator = decltype(begin_of(std::declval<std::remove_reference_t<Source>&>()));
  using Value = std::iter_value_t<Iterator>;

  explicit RangeReader(Source&& source) : source_(std::forward<Source>(source)) {}

  std::optional<Value> next() {
    if (!at_) {
      at_.emplace(begin_of(source_));
    } else if (std::exchange(used_, false)) {
      ++*at_;
    }
    if (!(*at_ != end_of(source_))) return std::nullopt;
    used_ = true;  // also if reading it throws: the next call goes on behind it
    if constexpr (std::is_constructible_v<Value, decltype(**at_)>) return std::optional<Value>(std::in_place, **at_);
    else return std::optional<Value>(std::in_place, std::move(**at_));
  }

 private:
  Source source_;
  std::optional<Iterator> at_;  // found at the first call, as moving a range may move its elements
  bool used_ = false;           // the element here was read; stepping on is put off until another is wanted
};

template <class T>
struct GeneratedValue {
  using Type = T;
};
template <class T>
struct GeneratedValue<std::optional<T>> {
  using Type = T;
};

template <class Source>
class GeneratorReader {
 public:
  using Value = typename GeneratedValue<std::decay_t<std::invoke_result_t<std::remove_reference_t<Source>&>>>::Type;

  explicit GeneratorReader(Source&& source) : source_(std::forward<Source>(source)) {}

  std::optional<Value> next() { return source_(); }

 private:
  Source source_;
};

template <class Source, bool kIterable>
struct ReaderFor {
  using Type = RangeReader<Source>;
};
template <class Source>
struct ReaderFor<Source, false> {
  using Type = GeneratorReader<Source>;
};

}  // namespace detail

template <class Reader>
class Synchronized {
 public:
  using Value = typename Reader::Value;

  template <class Source>
  explicit Synchronized(std::in_place_t, Source&& source) : reader_(std::forward<Source>(source)) {}
  Synchronized(const Synchronized&) = delete;
  Synchronized& operator=(const Synchronized&) = delete;

  // The next element, for this caller alone; empty at the end and ever after.
  std::optional<Value> next() {
    return with(lock_, [this]() -> std::optional<Value> {
      if (ended_) return std::nullopt;
      std::optional<Value> value = reader_.next();
      ended_ = !value;
      return value;
    });
  }

  // For one loop in one thread; each thread has its own, and each element is seen by one.
  class Iterator {
   public:
    using value_type = Value;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;

    explicit Iterator(Synchronized& source) : source_(&source), value_(source.next()) {}

    // The element may be moved from: nobody else has it.
    Value&& operator*() const noexcept { return std::move(*value_); }
    Iterator& operator++() {
      value_.reset();
      if (std::optional<Value> next = source_->next()) value_.emplace(std::move(*next));
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& it, std::default_sentinel_t) noexcept { return !it.value_; }

   private:
    Synchronized* source_;
    mutable std::optional<Value> value_;
  };

  Iterator begin() { return Iterator(*this); }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  Lock lock_;
  Reader reader_;       // guarded by lock_
  bool ended_ = false;  // guarded by lock_
};

// Makes `source`, a range or a generator, fit for many threads.
template <class Source>
requires(detail::Iterable<std::remove_reference_t<Source>> || std::is_invocable_v<std::remove_reference_t<Source>&>)
    [[nodiscard]] auto synchronized(Source&& source) {
  using Reader = typename detail::ReaderFor<Source, detail::Iterable<std::remove_reference_t<Source>>>::Type;
  return Synchronized<Reader>(std::in_place, std::forward<Source>(source));
}

}  // namespace nogil
