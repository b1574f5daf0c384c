// tests/futures/support/ranges.hpp -- ranges of numbers, one that can be entered anywhere and one
// that can be read once.
//
// Not those of <ranges>: clang 14 does not compile libstdc++'s views, and all others take
// their time.

#pragma once

#include <compare>
#include <cstddef>
#include <iterator>
#include <limits>
#include <optional>
#include <string_view>  // std::ranges::view_base
#include <utility>

namespace nogil::testing {

// The numbers from `first` up to but not `last`, as std::views::iota: made on the fly.
class Count : public std::ranges::view_base {
 public:
  constexpr explicit Count(int first, int last = std::numeric_limits<int>::max()) : first_(first), last_(last) {}

  class Iterator {
   public:
    using value_type = int;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::random_access_iterator_tag;
    using iterator_category = std::input_iterator_tag;

    constexpr Iterator() = default;
    constexpr explicit Iterator(int at) : at_(at) {}
    constexpr int operator*() const { return at_; }
    constexpr int operator[](std::ptrdiff_t n) const { return at_ + static_cast<int>(n); }
    constexpr Iterator& operator++() { return *this += 1; }
    constexpr Iterator& operator--() { return *this -= 1; }
    constexpr Iterator operator++(int) { return std::exchange(*this, *this + 1); }
    constexpr Iterator operator--(int) { return std::exchange(*this, *this - 1); }
    constexpr Iterator& operator+=(std::ptrdiff_t n) { return at_ += static_cast<int>(n), *this; }
    constexpr Iterator& operator-=(std::ptrdiff_t n) { return at_ -= static_cast<int>(n), *this; }
    friend constexpr Iterator operator+(Iterator it, std::ptrdiff_t n) { return it += n; }
    friend constexpr Iterator operator+(std::ptrdiff_t n, Iterator it) { return it += n; }
    friend constexpr Iterator operator-(Iterator it, std::ptrdiff_t n) { return it -= n; }
    friend constexpr std::ptrdiff_t operator-(Iterator a, Iterator b) { return a.at_ - b.at_; }
    friend constexpr auto operator<=>(Iterator, Iterator) = default;

   private:
    int at_ = 0;
  };

  constexpr Iterator begin() const { return Iterator(first_); }
  constexpr Iterator end() const { return Iterator(last_); }

 private:
  int first_;
  int last_;
};

// What `next()` returns, a std::optional, until that is empty. To be read once.
template <class Next>
class Generated {
 public:
  explicit Generated(Next next) : next_(std::move(next)) {}

  class Iterator {
   public:
    using value_type = int;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;

    explicit Iterator(Next& next) : next_(&next), value_(next()) {}
    int operator*() const { return *value_; }
    Iterator& operator++() { return value_ = (*next_)(), *this; }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& it, std::default_sentinel_t) { return !it.value_; }

   private:
    Next* next_;
    std::optional<int> value_;
  };

  Iterator begin() { return Iterator(next_); }
  std::default_sentinel_t end() const { return {}; }

 private:
  Next next_;
};

// The numbers 0 to n - 1, to be read once.
inline auto once(int n) {
  return Generated([n, at = 0]() mutable { return at < n ? std::optional<int>(at++) : std::nullopt; });
}

}  // namespace nogil::testing

template <>
inline constexpr bool std::ranges::enable_borrowed_range<nogil::testing::Count> = true;
