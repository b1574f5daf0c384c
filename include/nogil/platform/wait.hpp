// nogil/platform/wait.hpp -- how long a wait may last, and what cuts it short.
//
// Every blocking verb of the library takes the same limits:
//
//   lock.acquire(50ms)                 at most that long: any std::chrono::duration
//   lock.acquire(deadline)             until then: any time_point of any clock
//   lock.acquire(token)                until a stop is requested: std::stop_token
//   lock.acquire(50ms, token)          whichever comes first
//
// A class writes one function for all four:
//
//   template <class... Limits>
//     requires platform::WaitLimits<Limits...>
//   bool acquire(const Limits&... limits) {
//     return try_acquire() || platform::within([this](Wait& wait) { return acquire_slow(wait); }, limits...);
//   }
//
// and inside, a slow path sleeps with wait.park(word, expected, "lock"), and gives up when
// that returns false.
//
// Contract   A wait never ends early: with a clock that may be set, that clock is asked
//            before giving up. A limit that has passed already, or a token that is
//            stopped already, still lets a verb take what is free, without waiting.
// Cost       Limits are looked at on the slow path only: what is free is taken without
//            reading a clock or touching the token.

#pragma once

#include <atomic>
#include <cstdint>
#include <stop_token>
#include <type_traits>

#include "nogil/platform/backoff.hpp"
#include "nogil/platform/chrono.hpp"
#include "nogil/platform/deadline.hpp"
#include "nogil/platform/native.hpp"
#include "nogil/platform/trace_point.hpp"

namespace nogil::platform {

// Lets a request_stop() in another thread end a sleep on any futex word, also one that
// has no bit to spare for it.
//
// state_ says whether the waiter is (about to be) asleep, and whether a stop was
// requested. Both sides change it in one step, so one of them sees the other:
//
//   the waiter sets kAsleep and finds kStopped: it does not sleep;
//   the stopper sets kStopped and finds kAsleep: it wakes the word's sleepers again and
//   again until kAsleep is gone, since the waiter may be just short of sleeping.
//
// The second is a loop of one or two rounds: the waiter needs only to reach its sleep.
// While it lasts the waiter is inside its call, so the word is there.
template <class Platform>
class BasicStopSignal {
 public:
  // In the thread that requests the stop.
  void request() noexcept {
    std::uint32_t state = state_.fetch_or(kStopped, std::memory_order_acq_rel);
    while ((state & kAsleep) != 0) {
      Platform::futex_wake(word_, kEveryone);
      Platform::yield();
      state = state_.load(std::memory_order_acquire);
    }
  }

  bool requested() const noexcept { return (state_.load(std::memory_order_acquire) & kStopped) != 0; }

  // In the waiter: sleeps as Platform::futex_wait does. False: the wait is over.
  template <class Word>
  bool park(const Word& word, std::uint32_t expected, Deadline deadline) noexcept {
    // A wait may go on after a stop, for another word, while request() still reads word_.
    if (requested()) return false;
    word_ = Platform::address(word);
    if ((state_.fetch_or(kAsleep, std::memory_order_acq_rel) & kStopped) != 0) return false;
    const bool in_time = Platform::futex_wait(word, expected, deadline);
    return (state_.fetch_and(~kAsleep, std::memory_order_acq_rel) & kStopped) == 0 && in_time;
  }

 private:
  static constexpr std::uint32_t kAsleep = 1;
  static constexpr std::uint32_t kStopped = 2;

  typename Platform::template Atomic<std::uint32_t> state_{0};
  typename Platform::Address word_{};  // written by the waiter before it sets kAsleep
};

// What a worker without work waits for: a trace shows that it is idle.
inline constexpr const char* kForWork = "idle";

// The limit of one wait, as slow paths see it. Lives on the waiter's stack.
template <class Platform>
class BasicWait {
 public:
  constexpr BasicWait() noexcept = default;  // for ever
  constexpr explicit BasicWait(Deadline deadline) noexcept : deadline_(deadline) {}

  template <class Rep, class Period>
  explicit BasicWait(const std::chrono::duration<Rep, Period>& timeout) : deadline_(Deadline::after(timeout)) {}

  // Keeps the address of `when`.
  template <class Clock, class Duration>
  explicit BasicWait(const std::chrono::time_point<Clock, Duration>& when) : deadline_(Deadline::at(when)) {
    if constexpr (!std::is_same_v<Clock, Deadline::Clock>) {
      when_ = &when;
      ask_again_ = [](const void* asked) {
        return Deadline::at(*static_cast<const std::chrono::time_point<Clock, Duration>*>(asked));
      };
    }
  }

  // Also ends when `stop` is requested.
  void end_with(BasicStopSignal<Platform>& stop) noexcept { stop_ = &stop; }

  // Nothing but the event itself can end it: only such a wait can be part of a deadlock.
  constexpr bool endless() const noexcept { return deadline_.is_never() && stop_ == nullptr; }

  // Over before it begins: not even worth a spin.
  constexpr bool immediate() const noexcept { return deadline_.is_immediate(); }

  // Whether the limit is reached. A deadline of a clock that may be set is asked again.
  bool over() noexcept {
    if (stop_ != nullptr && stop_->requested()) return true;
    if (!deadline_.passed()) return false;
    if (ask_again_ == nullptr) return true;
    deadline_ = ask_again_(when_);
    return deadline_.is_immediate();  // over by that clock; passed() would ask ours, a moment later
  }

  // Sleeps while the word (the low half of a 64-bit one) equals `expected`; may return
  // early for no reason. False: the limit is reached; take a last look and give up. A trace
  // that runs records it as a wait for `what`.
  template <class Word>
  bool park(const Word& word, std::uint32_t expected, const char* what = "word") noexcept {
    const TraceSpan span(kind_of(what), what, reinterpret_cast<std::uintptr_t>(&word));
    const bool in_time =
        stop_ != nullptr ? stop_->park(word, expected, deadline_) : Platform::futex_wait(word, expected, deadline_);
    return in_time || (ask_again_ != nullptr && !over());
  }

  // The same, and returns true when `look_again` has come; *slept_through is whether nobody
  // woke it before that, or before the limit.
  template <class Word>
  bool park(const Word& word, std::uint32_t expected, Deadline look_again, const char* what = "word",
            bool* slept_through = nullptr) noexcept {
    const TraceSpan span(kind_of(what), what, reinterpret_cast<std::uintptr_t>(&word));
    const Deadline until = look_again.is_before(deadline_) ? look_again : deadline_;
    const bool woken =
        stop_ != nullptr ? stop_->park(word, expected, until) : Platform::futex_wait(word, expected, until);
    if (slept_through != nullptr) *slept_through = !woken;
    return woken || !over();
  }

 private:
  static constexpr TraceKind kind_of(const char* what) noexcept {
    return what == kForWork ? TraceKind::kIdle : TraceKind::kWait;
  }

  Deadline deadline_ = Deadline::never();
  BasicStopSignal<Platform>* stop_ = nullptr;
  const void* when_ = nullptr;                         // a time_point of a clock that may be set, and
  Deadline (*ask_again_)(const void* when) = nullptr;  // what it comes to by that clock now
};

using Wait = BasicWait<Native>;

// ---- What the public verbs take ----------------------------------------------------

template <class T>
inline constexpr bool kIsTimeLimit = false;
template <class Rep, class Period>
inline constexpr bool kIsTimeLimit<std::chrono::duration<Rep, Period>> = true;
template <class Clock, class Duration>
inline constexpr bool kIsTimeLimit<std::chrono::time_point<Clock, Duration>> = true;

// A timeout (std::chrono::duration) or a deadline (std::chrono::time_point).
template <class T>
concept TimeLimit = kIsTimeLimit<T>;

template <class... T>
inline constexpr bool kAreWaitLimits = false;
template <TimeLimit T>
inline constexpr bool kAreWaitLimits<T> = true;
template <>
inline constexpr bool kAreWaitLimits<std::stop_token> = true;
template <TimeLimit T>
inline constexpr bool kAreWaitLimits<T, std::stop_token> = true;

// What a verb takes behind its own arguments: (timeout | deadline), (stop_token), or both.
template <class... T>
concept WaitLimits = kAreWaitLimits<T...>;

// Calls attempt(wait) with a Wait that has these limits, and returns what it returns.
template <class Platform = Native, class Attempt, TimeLimit Time>
decltype(auto) within(Attempt&& attempt, const Time& time) {
  BasicWait<Platform> wait(time);
  return attempt(wait);
}

template <class Platform, class Attempt>
decltype(auto) within_token(Attempt&& attempt, BasicWait<Platform> wait, const std::stop_token& token) {
  if (token.stop_requested()) wait = BasicWait<Platform>(Deadline::immediate());
  BasicStopSignal<Platform> signal;
  const std::stop_callback wake(token, [&signal]() noexcept { signal.request(); });
  if (token.stop_possible() && !wait.immediate()) wait.end_with(signal);
  return attempt(wait);
}

template <class Platform = Native, class Attempt>
decltype(auto) within(Attempt&& attempt, const std::stop_token& token) {
  return within_token(attempt, BasicWait<Platform>(), token);
}

template <class Platform = Native, class Attempt, TimeLimit Time>
decltype(auto) within(Attempt&& attempt, const Time& time, const std::stop_token& token) {
  return within_token(attempt, BasicWait<Platform>(time), token);
}

}  // namespace nogil::platform
