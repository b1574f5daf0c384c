// nogil/futures/detail/row_source.hpp -- a range whose elements several threads go through at once.
//
// A range that can be entered at any place is used as it is. Of any other one, the caller
// first notes where each element is, or, if elements do not stay where they are, stores
// them.

#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <type_traits>
#include <utility>
#include <vector>

#include "nogil/futures/detail/map_source.hpp"

namespace nogil::detail {

template <class Range>
class RowSource {
 public:
  using Iterator = RangeIterator<Range>;
  using Reference = std::iter_reference_t<Iterator>;

  explicit RowSource(Range& range)
      : begin_(begin_of(range)), count_(static_cast<std::uint64_t>(end_of(range) - begin_)) {}

  std::uint64_t size() const noexcept { return count_; }

  template <class Visit>
  void each(std::uint64_t first, std::uint64_t last, Visit&& visit) const {
    using Distance = std::iter_difference_t<Iterator>;
    Iterator at = begin_ + static_cast<Distance>(first);
    std::uint64_t left = last - first;
    // So many turns that a compiler knows it, which at -O2 makes vectors of such loops only.
    for (constexpr Distance kTurns = 32; left >= kTurns; left -= kTurns, at += kTurns) {
      for (Distance i = 0; i != kTurns; ++i) visit(at[i]);
    }
    for (; left != 0; --left, ++at) visit(*at);
  }

 private:
  const Iterator begin_;
  const std::uint64_t count_;
};

template <class Range>
requires(!(std::random_access_iterator<RangeIterator<Range>> &&
           std::sized_sentinel_for<RangeSentinel<Range>, RangeIterator<Range>>)) class RowSource<Range> {
 public:
  static constexpr bool kByAddress = std::forward_iterator<RangeIterator<Range>> &&
                                     std::is_lvalue_reference_v<std::iter_reference_t<RangeIterator<Range>>>;
  using Stored = std::conditional_t<kByAddress, std::add_pointer_t<std::iter_reference_t<RangeIterator<Range>>>,
                                    std::iter_value_t<RangeIterator<Range>>>;
  using Reference = std::conditional_t<kByAddress, std::iter_reference_t<RangeIterator<Range>>, Stored&>;

  explicit RowSource(Range& range) {
    auto at = begin_of(range);
    for (const auto end = end_of(range); at != end; ++at) {
      if constexpr (kByAddress) stored_.push_back(&*at);
      else stored_.push_back(*at);
    }
  }

  std::uint64_t size() const noexcept { return stored_.size(); }

  template <class Visit>
  void each(std::uint64_t first, std::uint64_t last, Visit&& visit) {
    for (std::uint64_t i = first; i != last; ++i) {
      if constexpr (kByAddress) visit(*stored_[static_cast<std::size_t>(i)]);
      else visit(stored_[static_cast<std::size_t>(i)]);
    }
  }

 private:
  std::vector<Stored> stored_;
};

}  // namespace nogil::detail
