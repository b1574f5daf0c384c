// nogil/asyncio/sleep.hpp -- sleep: let others run for so long; yield: let others run.
//
//   co_await asyncio::sleep(2s);                            // Python: await asyncio.sleep(2)
//   std::string dish = co_await asyncio::sleep(2s, "soup"s);  // Python: await asyncio.sleep(2, "soup")
//   co_await asyncio::yield();                              // Python: await asyncio.sleep(0)
//
// Waits     Never less than asked for. Zero or less: lets all that is ready now run once. A
//           very long time is for ever.
// Errors    CancelledError at once, when the task is cancelled meanwhile.
// Cost      No allocation: the timer lies in the awaiting coroutine. O(log n) of n timers.
// Python    asyncio.sleep.

#pragma once

#include <coroutine>
#include <cstdint>
#include <utility>

#include "nogil/asyncio/detail/moment.hpp"
#include "nogil/asyncio/detail/task_base.hpp"

namespace nogil::asyncio {

namespace detail {

class [[nodiscard]] Sleep : public Waiter, private Timer {
 public:
  explicit Sleep(std::int64_t length) noexcept : Waiter(kKind), Timer(&fire) { when = length; }
  Sleep(const Sleep& other) noexcept : Waiter(other), Timer(other) { when = other.when; }
  ~Sleep() {
    if (place != Place::kNowhere) loop().withdraw(static_cast<Timer&>(*this));
  }

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> awaiting) {
    const std::int64_t length = when;  // until now
    if (length <= 0) return yield(awaiting);
    LoopCore& loop = *t_here.loop;
    loop.start_timer(*this, after(loop.now(), length));
    suspend(awaiting);
  }
  void await_resume() const { throw_if_cancelled(); }

 private:
  static void fire(Ready& node) noexcept { static_cast<Sleep&>(node).wake(); }
  static bool cancel(Waiter& waiter) noexcept {
    auto& self = static_cast<Sleep&>(waiter);
    self.loop().withdraw(static_cast<Timer&>(self));
    self.wake_cancelled();
    return true;
  }
  static constexpr Kind kKind = {&cancel, "sleep"};
};

class [[nodiscard]] Yield : public Waiter {
 public:
  Yield() noexcept : Waiter(kKind) {}

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> awaiting) noexcept { yield(awaiting); }
  void await_resume() const { throw_if_cancelled(); }

 private:
  static bool cancel(Waiter&) noexcept { return false; }  // never pending
  static constexpr Kind kKind = {&cancel, "yield"};
};

template <class T>
class [[nodiscard]] SleepWith : public Sleep {
 public:
  SleepWith(std::int64_t length, T value) : Sleep(length), value_(std::move(value)) {}
  T await_resume() {
    throw_if_cancelled();
    return std::move(value_);
  }

 private:
  T value_;
};

}  // namespace detail

// Waits for that long.
template <class Rep, class Period>
detail::Sleep sleep(const std::chrono::duration<Rep, Period>& length) noexcept {
  return detail::Sleep(detail::nanoseconds(length));
}

// The same, and gives `value`.
template <class Rep, class Period, class T>
detail::SleepWith<std::decay_t<T>> sleep(const std::chrono::duration<Rep, Period>& length, T&& value) {
  return {detail::nanoseconds(length), std::forward<T>(value)};
}

// Lets all that is ready run once.
inline detail::Yield yield() noexcept {
  return {};
}

}  // namespace nogil::asyncio
