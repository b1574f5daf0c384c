// nogil/asyncio/detail/ranges.hpp -- what gather(), wait() and as_completed() take: ranges of awaitables.

#pragma once

#include <iterator>
#include <type_traits>
#include <utility>

#include "nogil/asyncio/detail/awaitable.hpp"
#include "nogil/asyncio/task.hpp"

namespace nogil::asyncio::detail {

// What an awaitable gives, as the result of a task: an object for what gives a reference,
// unless it is a coroutine or a task itself.
template <class A>
using Gives = typename decltype(ensure_task(std::declval<A>()))::value_type;

// An element on its way out of its range. A coroutine is awaited once, so it is taken out of
// a range that stays, too; of tasks there are more handles.
template <class Range, class Element>
decltype(auto) taken(Element&& element) {
  using Bare = std::remove_cvref_t<Element>;
  constexpr bool kCopied = std::is_lvalue_reference_v<Element> && kIsTask<Bare>;
  if constexpr (kCopied || std::is_const_v<std::remove_reference_t<Element>>) return static_cast<const Bare&>(element);
  else return static_cast<Bare&&>(element);
}

template <class Range>
using ElementOf = decltype(taken<Range>(*std::begin(std::declval<Range&>())));

template <class Range>
concept AwaitableRange = requires(Range& range) {
  std::begin(range) != std::end(range);
  requires Awaitable<ElementOf<Range>>;
};

template <class Range>
using RangeGives = Gives<ElementOf<Range>>;

}  // namespace nogil::asyncio::detail
