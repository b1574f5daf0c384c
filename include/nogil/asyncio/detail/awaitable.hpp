// nogil/asyncio/detail/awaitable.hpp -- what can be awaited, and what that gives.

#pragma once

#include <type_traits>
#include <utility>

namespace nogil::asyncio::detail {

template <class A>
concept HasMemberCoAwait = requires(A&& awaitable) {
  std::forward<A>(awaitable).operator co_await();
};
template <class A>
concept HasFreeCoAwait = requires(A&& awaitable) {
  operator co_await(std::forward<A>(awaitable));
};

// What `co_await std::declval<A>()` waits with.
template <class A>
decltype(auto) awaiter_of(A&& awaitable) {
  if constexpr (HasMemberCoAwait<A>) return std::forward<A>(awaitable).operator co_await();
  else if constexpr (HasFreeCoAwait<A>) return operator co_await(std::forward<A>(awaitable));
  else return std::forward<A>(awaitable);
}

template <class A>
concept IsAwaiter = requires(std::remove_reference_t<A>& awaiter) {
  awaiter.await_ready() ? 1 : 2;
  awaiter.await_resume();
};

// Coro, Task, what sleep() returns, Queue::get(), nogil::Future, …
template <class A>
concept Awaitable = HasMemberCoAwait<A> || HasFreeCoAwait<A> || IsAwaiter<A>;

// The type of co_await on an A.
template <class A>
using AwaitResult =
    decltype(std::declval<std::remove_reference_t<decltype(awaiter_of(std::declval<A>()))>&>().await_resume());

}  // namespace nogil::asyncio::detail
