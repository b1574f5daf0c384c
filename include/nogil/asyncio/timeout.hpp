// nogil/asyncio/timeout.hpp -- timeout, timeout_at: so long and no longer.
//
//   try {
//     page = co_await asyncio::timeout(2s, fetch(url));   // async with asyncio.timeout(2):
//   } catch (const nogil::TimeoutError&) {                //     page = await fetch(url)
//
// What is awaited runs in the same task. When the time is over the task is cancelled; what it
// runs may clean up, and then its CancelledError becomes a TimeoutError. So it never goes on
// after that.
//
// Start     The time begins when it is awaited. Zero or less: it begins to run, and is
//           cancelled at the first point at which it waits.
// Errors    TimeoutError. What else it throws, and a result that comes too late, stay as they
//           are. CancelledError if the task is cancelled by somebody else, at the same time too:
//           each request is counted.
// Tasks     One that is awaited is cancelled when the time is over; shield() it if it shall
//           go on.
// Cost      A coroutine.
// Python    The block `async with asyncio.timeout(delay)`: give it a coroutine with that
//           block's body. For no limit, a duration that is infinite, or await it as it is.

#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

#include "nogil/asyncio/detail/moment.hpp"
#include "nogil/asyncio/detail/ranges.hpp"
#include "nogil/asyncio/task.hpp"
#include "nogil/platform/errors.hpp"

namespace nogil::asyncio {

namespace detail {

// Cancels the running task at that moment, as long as it lives.
class Expiry : private Timer {
 public:
  explicit Expiry(Moment end) : Timer(&fire), task_(*t_here.task), before_(task_.cancelling()) {
    LoopCore& loop = task_.loop();
    if (end <= loop.now()) loop.push(*this);
    else loop.start_timer(*this, end);
  }
  Expiry(const Expiry&) = delete;
  Expiry& operator=(const Expiry&) = delete;
  ~Expiry() { static_cast<void>(leave()); }

  // When a CancelledError has come: whether it is this one's and nobody else's.
  bool leave() noexcept {
    task_.loop().withdraw(static_cast<Timer&>(*this));
    return std::exchange(expired_, false) && task_.uncancel() <= before_;
  }

 private:
  static void fire(Ready& node) noexcept {
    auto& self = static_cast<Expiry&>(static_cast<Timer&>(node));
    self.expired_ = true;
    self.task_.cancel();
  }

  TaskBase& task_;
  int before_;  // requests that are not this one's
  bool expired_ = false;
};

[[noreturn, gnu::noinline, gnu::cold]] inline void throw_timeout(const char* verb) {
  throw TimeoutError((platform::Text() << verb << ": it has not ended in time").take());
}

// A length begins when this is awaited.
inline Moment end_of(std::int64_t length, Moment now) noexcept {
  return after(now, length);
}
template <class Clock, class Duration>
Moment end_of(const std::chrono::time_point<Clock, Duration>& when, Moment now) {
  return moment_of(now, when);
}

template <class T, class A, class Limit>
Coro<T> within(Limit limit, const char* verb, A awaitable) {
  Expiry expiry(end_of(limit, running_loop().now()));
  try {
    co_return co_await std::move(awaitable);
  } catch (const CancelledError&) {
    if (!expiry.leave()) throw;
    throw_timeout(verb);
  }
}

}  // namespace detail

template <class Rep, class Period, detail::Awaitable A>
Coro<detail::Gives<A>> timeout(const std::chrono::duration<Rep, Period>& delay, A&& awaitable) {
  return detail::within<detail::Gives<A>, std::remove_cvref_t<A>>(detail::nanoseconds(delay), "timeout",
                                                                  std::forward<A>(awaitable));
}

template <class Clock, class Duration, detail::Awaitable A>
Coro<detail::Gives<A>> timeout_at(const std::chrono::time_point<Clock, Duration>& when, A&& awaitable) {
  return detail::within<detail::Gives<A>, std::remove_cvref_t<A>>(when, "timeout_at", std::forward<A>(awaitable));
}

}  // namespace nogil::asyncio
