// nogil/asyncio/wait_for.hpp -- wait_for: waits for something, so long and no longer.
//
//   page = co_await asyncio::wait_for(fetch(url), 2s);   // page = await asyncio.wait_for(fetch(url), 2)
//
// As timeout(), with one difference: with a time of zero or less, a coroutine does not even
// begin; only a task or a future that is done already gives its result, also through a
// shield(). When it throws TimeoutError, what was awaited has ended.
//
// Python    asyncio.wait_for of 3.12. For timeout=None, await it as it is.

#pragma once

#include <coroutine>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "nogil/asyncio/detail/ranges.hpp"
#include "nogil/asyncio/detail/until_done.hpp"
#include "nogil/asyncio/sleep.hpp"
#include "nogil/asyncio/timeout.hpp"

namespace nogil::asyncio {

namespace detail {

// Cancels a task, and waits until it has ended. Its own cancellation does not wait for it.
class CancelAndWait : public UntilDone {
 public:
  using UntilDone::UntilDone;
  void await_suspend(std::coroutine_handle<> awaiting) {
    task().cancel();
    UntilDone::await_suspend(awaiting);
  }
};

template <class A>
concept CanBeDone = requires(const A& awaitable) {
  awaitable.done();
};
template <class A>
concept CanBeCancelled = requires(A& awaitable) {
  awaitable.cancel();
};

template <class T, class A>
Coro<T> wait_for_length(std::int64_t length, A awaitable) {
  if (length > 0) {
    Coro<T> limited = within<T, A>(length, "wait_for", std::move(awaitable));
    co_return co_await std::move(limited);
  }
  if constexpr (CanBeDone<A>) {
    if (awaitable.done()) co_return co_await std::move(awaitable);
  }
  if constexpr (CanBeDone<A> && CanBeCancelled<A> && !kIsTask<A>) {  // a future: it ends at once
    awaitable.cancel();
    for (int round = 0; round < 2; ++round) co_await yield();  // as by a callback
    throw_timeout("wait_for");
  } else {
    Task<T> task = ensure_task(std::move(awaitable));
    CancelAndWait ended(Owned<TaskBase>::share(*TaskAccess::state(task)));
    co_await ended;
    if (task.cancelled()) throw_timeout("wait_for");
    co_return co_await std::move(task);
  }
}

}  // namespace detail

template <detail::Awaitable A, class Rep, class Period>
Coro<detail::Gives<A>> wait_for(A&& awaitable, const std::chrono::duration<Rep, Period>& timeout) {
  return detail::wait_for_length<detail::Gives<A>, std::remove_cvref_t<A>>(detail::nanoseconds(timeout),
                                                                           std::forward<A>(awaitable));
}

}  // namespace nogil::asyncio
