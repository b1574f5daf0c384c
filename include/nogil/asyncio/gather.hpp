// nogil/asyncio/gather.hpp -- gather, gather_settled: run several coroutines at once, and wait for all.
//
//   auto both = co_await asyncio::gather(fetch(a), fetch(b));   // a, b = await asyncio.gather(fetch(a), fetch(b))
//   auto& [first, second] = both;
//   auto pages = co_await asyncio::gather(std::move(fetches));  // pages = await asyncio.gather(*fetches)
//
// Start     At the call, as tasks, in the order in which they are given; not when it is
//           awaited. What is a task already is waited for, also if it is there twice.
// Results   In the order in which they are given: a tuple with std::monostate for void, or a
//           vector for a range, and nothing for a range of void. gather_settled() gives an
//           Outcome for each.
// Errors    gather() throws the first error, or CancelledError of a task that was cancelled,
//           as soon as it has happened; the others go on, and what they throw is not
//           reported. gather_settled() throws neither.
// Cancel    To cancel the one who waits is to cancel all of them.
// Cost      A task each. For a range, one more block.
// Python    asyncio.gather; gather_settled() is return_exceptions=True. What it gives is to
//           be awaited once, and is no Future.

#pragma once

#include <utility>

#include "nogil/asyncio/detail/gathering.hpp"

namespace nogil::asyncio {

template <detail::Awaitable... A>
auto gather(A&&... awaitables) {
  return detail::GatherEach<false, detail::Gives<A>...>{detail::ensure_task(std::forward<A>(awaitables))...};
}
template <detail::Awaitable... A>
auto gather_settled(A&&... awaitables) {
  return detail::GatherEach<true, detail::Gives<A>...>{detail::ensure_task(std::forward<A>(awaitables))...};
}

// Of a range: coroutines are taken out of it, of tasks it gets handles.
template <detail::AwaitableRange Range>
auto gather(Range&& range) {
  return detail::GatherAll<false, detail::RangeGives<Range>>(detail::gather_children(std::forward<Range>(range)));
}
template <detail::AwaitableRange Range>
auto gather_settled(Range&& range) {
  return detail::GatherAll<true, detail::RangeGives<Range>>(detail::gather_children(std::forward<Range>(range)));
}

}  // namespace nogil::asyncio
