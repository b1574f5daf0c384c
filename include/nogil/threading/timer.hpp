// nogil/threading/timer.hpp -- Timer: a Thread that waits before it calls.
//
//   nogil::Timer timer(30s, [] { say("hello, world"); });   // Python: Timer(30.0, say, ["hello, world"])
//   timer.start();                                          // the 30 seconds begin
//   timer.cancel();                                         // true: it was in time
//
// Threads    As Thread. cancel() may be called from any thread, also by the callable.
// Interval   Counted from start(). Zero, negative and NaN: the call is made at once. Too
//            long to count, or infinite: it waits until it is cancelled.
// Stopping   request_stop(), and so the destructor, cancels a timer that still waits. So
//            who leaves the scope of a Timer for whose call he wants to wait joins it.
// Moving     As a Thread that was made with a callable.
// Cost       A thread and its stack for each timer, three allocations.
// Python     threading.Timer; cancel() also tells whether it was in time.

#pragma once

#include <atomic>
#include <cstdint>
#include <stop_token>
#include <type_traits>
#include <utility>

#include "nogil/platform/chrono.hpp"
#include "nogil/platform/native.hpp"
#include "nogil/platform/wait.hpp"
#include "nogil/threading/detail/ref.hpp"
#include "nogil/threading/detail/target.hpp"
#include "nogil/threading/thread.hpp"

namespace nogil {

namespace detail {

// Whether a timer's call will be made. Decided once, in one step, by whoever comes first:
// the timer's thread at its time, or somebody who cancels.
class TimerDecision : public Counted {
 public:
  // In the timer's thread: waits for the time, or for somebody to cancel. Returns whether
  // the call is to be made.
  bool wait(platform::Wait wait) noexcept {
    while (word_.load(std::memory_order_acquire) == kOpen && wait.park(word_, kOpen, "timer")) {
    }
    return decide(kCall) == kCall;
  }

  // Returns whether the call will not be made, now or as decided before.
  bool cancel() noexcept {
    const bool cancelled = decide(kCancelled) == kCancelled;
    platform::Native::futex_wake(platform::Native::address(word_), platform::kEveryone);
    return cancelled;
  }

 private:
  enum Decision : std::uint32_t { kOpen, kCall, kCancelled };

  std::uint32_t decide(Decision wanted) noexcept {
    std::uint32_t seen = kOpen;
    return word_.compare_exchange_strong(seen, wanted, std::memory_order_acq_rel, std::memory_order_acquire) ? wanted
                                                                                                             : seen;
  }

  std::atomic<std::uint32_t> word_{kOpen};
};

// What the timer's thread runs.
template <class Interval, class F, class... Args>
class TimerTarget {
 public:
  template <class... Parts>
  TimerTarget(Ref<TimerDecision> decision, const Interval& interval, Parts&&... parts)
      : decision_(std::move(decision)), interval_(interval), target_(std::forward<Parts>(parts)...) {}

  void operator()(std::stop_token token) {
    const auto wait_and_decide = [&] {
      const std::stop_callback stopped(token, [this]() noexcept { decision_->cancel(); });
      return decision_->wait(platform::Wait(interval_));
    };
    if (wait_and_decide()) target_(std::move(token));
  }

 private:
  Ref<TimerDecision> decision_;
  Interval interval_;
  Target<F, Args...> target_;
};

}  // namespace detail

class Timer : public Thread {
 public:
  // Will call f(args...), or f(token, args...), `interval` after start().
  template <class Rep, class Period, class F, class... Args>
  requires detail::ThreadTarget<F, Args...>
  explicit Timer(const std::chrono::duration<Rep, Period>& interval, F&& f, Args&&... args)
      : Timer(Options(), interval, std::forward<F>(f), std::forward<Args>(args)...) {}

  template <class Rep, class Period, class F, class... Args>
  requires detail::ThreadTarget<F, Args...> Timer(Options options, const std::chrono::duration<Rep, Period>& interval,
                                                  F&& f, Args&&... args)
      : Timer(detail::Ref<detail::TimerDecision>(new detail::TimerDecision), std::move(options), interval,
              std::forward<F>(f), std::forward<Args>(args)...) {}

  Timer(Timer&& other) noexcept : Thread(std::move(other)), decision_(std::move(other.decision_)) {}

  Timer& operator=(Timer&& other) {
    Thread::operator=(std::move(other));
    decision_ = std::move(other.decision_);
    return *this;
  }

  // Stops the timer, started or not. Returns whether it was in time: true exactly if the
  // call was not made and never will be. Never waits.
  bool cancel() noexcept { return decision_ && decision_->cancel(); }

 private:
  template <class Interval, class F, class... Args>
  Timer(detail::Ref<detail::TimerDecision> decision, Options options, const Interval& interval, F&& f, Args&&... args)
      : Thread(std::move(options), detail::TimerTarget<Interval, std::decay_t<F>, std::decay_t<Args>...>(
                                       decision, interval, std::forward<F>(f), std::forward<Args>(args)...)),
        decision_(std::move(decision)) {}

  detail::Ref<detail::TimerDecision> decision_;
};

}  // namespace nogil
