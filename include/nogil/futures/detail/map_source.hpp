// nogil/futures/detail/map_source.hpp -- where the arguments of map() come from.
//
// Several ranges are read side by side, up to the end of the shortest. If all of them can
// be read at any place and their elements stay where they are, workers read them in place.
// If not (a single pass, elements made on the fly, a bounded window), the thread that
// called map() reads them, in order, and stores what it has read.

#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>  // std::ranges::view, at less than the price of <ranges>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#if !defined(__GLIBCXX__)
#include <ranges>
#endif

#include "nogil/threading/synchronized.hpp"

namespace nogil::detail {

template <class Range>
using RangeIterator = decltype(begin_of(std::declval<std::remove_reference_t<Range>&>()));
template <class Range>
using RangeSentinel = decltype(end_of(std::declval<std::remove_reference_t<Range>&>()));

// A container that was given away: its elements are ours.
template <class Range>
inline constexpr bool kOwned = !std::is_lvalue_reference_v<Range> && !std::ranges::view<std::remove_cv_t<Range>>;

// How an element is handed to the callable when it is read in place. Range is R& or R.
template <class Range>
using InPlace =
    std::conditional_t<kOwned<Range>, std::add_rvalue_reference_t<std::iter_reference_t<RangeIterator<Range>>>,
                       std::iter_reference_t<RangeIterator<Range>>>;
template <class Range>
using Moved = std::conditional_t<kOwned<Range> && std::is_lvalue_reference_v<InPlace<Range>>,
                                 std::remove_reference_t<InPlace<Range>>&&, InPlace<Range>>;

template <class Range>
inline constexpr bool kReadableInPlace =
    std::random_access_iterator<RangeIterator<Range>>&&
        std::sized_sentinel_for<RangeSentinel<Range>, RangeIterator<Range>> &&
    (!std::ranges::view<std::remove_cvref_t<Range>> || std::ranges::borrowed_range<std::remove_cvref_t<Range>>)&&(
        std::is_lvalue_reference_v<std::iter_reference_t<RangeIterator<Range>>> ||
        std::ranges::borrowed_range<std::remove_cvref_t<Range>>);

// ---- In place ------------------------------------------------------------------------

template <class... Ranges>
class MapInPlace {
 public:
  static constexpr bool kInPlace = true;

  template <class F>
  using Result = std::invoke_result_t<F&, Moved<Ranges>...>;

  explicit MapInPlace(Ranges&&... ranges)
      : ranges_(std::forward<Ranges>(ranges)...),
        begins_(std::apply([](auto&... range) { return std::tuple(begin_of(range)...); }, ranges_)) {}
  MapInPlace(const MapInPlace&) = delete;
  MapInPlace& operator=(const MapInPlace&) = delete;

  std::uint64_t size() {
    return std::apply(
        [](auto&... range) {
          std::uint64_t least = ~std::uint64_t{0};
          const auto note = [&least](auto length) {
            if (static_cast<std::uint64_t>(length) < least) least = static_cast<std::uint64_t>(length);
          };
          (note(end_of(range) - begin_of(range)), ...);
          return least;
        },
        ranges_);
  }

  template <class F>
  decltype(auto) call(F& function, std::uint64_t index) {
    return call(function, index, std::index_sequence_for<Ranges...>());
  }

 private:
  template <class F, std::size_t... kIndex>
  decltype(auto) call(F& function, std::uint64_t index, std::index_sequence<kIndex...>) {
    return function(static_cast<Moved<Ranges>>(
        std::get<kIndex>(begins_)[static_cast<std::iter_difference_t<RangeIterator<Ranges>>>(index)])...);
  }

  std::tuple<Ranges...> ranges_;  // references to lvalues
  std::tuple<RangeIterator<Ranges>...> begins_;
};

// ---- Read by the caller -------------------------------------------------------------

// What is stored of an element: a value, or, if elements of an lvalue range stay where
// they are, their address.
template <class Range>
inline constexpr bool kStoredByAddress =
    std::is_lvalue_reference_v<std::iter_reference_t<RangeIterator<Range>>> &&
    (std::forward_iterator<RangeIterator<Range>>)&&(std::is_lvalue_reference_v<Range> || kOwned<Range>);
template <class Range>
using StoredElement =
    std::conditional_t<kStoredByAddress<Range>,
                       std::add_pointer_t<std::remove_reference_t<std::iter_reference_t<RangeIterator<Range>>>>,
                       std::iter_value_t<RangeIterator<Range>>>;
template <class Range>
using HandedOver = std::conditional_t<kStoredByAddress<Range>, Moved<Range>, std::iter_value_t<RangeIterator<Range>>&&>;

template <class... Ranges>
class MapStored {
 public:
  static constexpr bool kInPlace = false;

  template <class F>
  using Result = std::invoke_result_t<F&, HandedOver<Ranges>...>;

  explicit MapStored(Ranges&&... ranges)
      : ranges_(std::forward<Ranges>(ranges)...),
        at_(std::apply([](auto&... range) { return std::tuple<RangeIterator<Ranges>...>(begin_of(range)...); },
                       ranges_)) {}
  MapStored(const MapStored&) = delete;
  MapStored& operator=(const MapStored&) = delete;

  // Room for so many elements; 0: for as many as come.
  void reserve(std::uint64_t window) {
    if (window != 0) stored_.resize(static_cast<std::size_t>(window));
    bounded_ = window != 0;
  }

  // Reads the element with this number, which is the next one. False: there is none.
  bool read(std::uint64_t index) { return read(index, std::index_sequence_for<Ranges...>()); }

  template <class F>
  decltype(auto) call(F& function, std::uint64_t index) {
    return call(function, index, std::index_sequence_for<Ranges...>());
  }

  // Destroys what is stored of the element.
  void drop(std::uint64_t index) noexcept { place(index).reset(); }

 private:
  using Element = std::tuple<StoredElement<Ranges>...>;

  std::optional<Element>& place(std::uint64_t index) noexcept {
    return stored_[static_cast<std::size_t>(bounded_ ? index % stored_.size() : index)];
  }

  template <std::size_t... kIndex>
  bool read(std::uint64_t index, std::index_sequence<kIndex...>) {
    // The iterators step on when another element is wanted: for input from outside, the
    // step is what waits.
    if (std::exchange(used_, false)) (static_cast<void>(++std::get<kIndex>(at_)), ...);
    if (!((std::get<kIndex>(at_) != end_of(std::get<kIndex>(ranges_))) && ...)) return false;
    if (bounded_) place(index).emplace(store<Ranges>(std::get<kIndex>(at_))...);
    else stored_.emplace_back(std::in_place, store<Ranges>(std::get<kIndex>(at_))...);
    used_ = true;
    return true;
  }

  template <class Range>
  static StoredElement<Range> store(RangeIterator<Range>& at) {
    if constexpr (kStoredByAddress<Range>) return &*at;
    else if constexpr (std::is_constructible_v<StoredElement<Range>, decltype(*at)>) return StoredElement<Range>(*at);
    else return StoredElement<Range>(std::move(*at));
  }

  template <class Range>
  static HandedOver<Range> hand_over(StoredElement<Range>& stored) {
    if constexpr (kStoredByAddress<Range>) return static_cast<HandedOver<Range>>(*stored);
    else return std::move(stored);
  }

  template <class F, std::size_t... kIndex>
  decltype(auto) call(F& function, std::uint64_t index, std::index_sequence<kIndex...>) {
    Element& element = *place(index);
    return function(hand_over<Ranges>(std::get<kIndex>(element))...);
  }

  std::tuple<Ranges...> ranges_;
  std::tuple<RangeIterator<Ranges>...> at_;
  std::vector<std::optional<Element>> stored_;
  bool bounded_ = false;
  bool used_ = false;
};

}  // namespace nogil::detail
