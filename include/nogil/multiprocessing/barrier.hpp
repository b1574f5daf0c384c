// nogil/multiprocessing/barrier.hpp -- Barrier: no process goes on before all have come.
//
// A handle, as Lock is: copies are the same barrier.
//
// Threads, ordering, broken   As nogil::Barrier, whose algorithm it is, from any number of
//            threads and processes.
// Action     Runs in the last to arrive, whatever process that is in, before the others go on.
//            What it throws breaks the barrier, and goes out of that wait(). It is sent along
//            with the handle, so it is anything that a Process may run without arguments.
// Dead party  Who died while it waited still counts as arrived; who died before never
//            arrives, and who died in the action never ends it. A limit (but not in the
//            action), or abort(), frees the others.
// Errors     ValueError from the constructor; BrokenBarrierError from wait().
// Cost       wait() is one compare-and-swap, and a look again before it sleeps. A page of
//            memory and a file descriptor.
// Python     multiprocessing.Barrier.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "nogil/errors.hpp"
#include "nogil/multiprocessing/detail/sent_call.hpp"
#include "nogil/multiprocessing/detail/shared_object.hpp"
#include "nogil/multiprocessing/detail/verbs.hpp"
#include "nogil/threading/detail/barrier_core.hpp"

namespace nogil::multiprocessing {

namespace detail {

struct SharedBarrier {
  SharedBarrier(std::uint32_t parties, std::chrono::nanoseconds limit) noexcept : core(parties), timeout(limit) {}

  nogil::detail::BarrierCore<Platform> core;
  const std::chrono::nanoseconds timeout;  // max(): none
};

}  // namespace detail

class Barrier : public detail::Handle<detail::SharedBarrier> {
 public:
  // For this many parties; throws ValueError unless there is at least one. `action` is any
  // callable without arguments that can be sent, or {} for none. `timeout` is for each wait()
  // without one.
  explicit Barrier(std::ptrdiff_t parties, detail::SentCall action = {})
      : Handle(0, checked(parties), kNoTimeout), action_(std::move(action)) {}
  template <class Rep, class Period>
  Barrier(std::ptrdiff_t parties, detail::SentCall action, std::chrono::duration<Rep, Period> timeout)
      : Handle(0, checked(parties), in_nanoseconds(timeout)), action_(std::move(action)) {}
  explicit Barrier(detail::Received received)
      : Handle(received), action_(detail::Adapter<detail::SentCall>::load(received.archive)) {}

  // Waits until all parties have come. Returns the number in the order of arrival: each of
  // 0 .. parties() - 1 goes to one of them.
  // Throws BrokenBarrierError if the barrier is broken, or breaks meanwhile.
  std::ptrdiff_t wait() {
    if (object().timeout != kNoTimeout) return wait(object().timeout);
    detail::Wait forever;
    return arrive(forever);
  }

  // wait(timeout | deadline | stop_token | timeout, stop_token): when the limit is
  // reached the barrier breaks, for all.
  template <class... Limits>
  requires platform::WaitLimits<Limits...> std::ptrdiff_t wait(const Limits&... limits) {
    return platform::within<detail::Platform>([this](detail::Wait& wait) { return arrive(wait); }, limits...);
  }

  // Makes it new. Who waits gets BrokenBarrierError. Never waits.
  void reset() noexcept { object().core.reset(); }

  // Breaks it, until reset(). Never waits.
  void abort() noexcept { object().core.abort(); }

  [[nodiscard]] std::ptrdiff_t parties() const noexcept { return object().core.parties(); }

  // How many wait, at some moment during the call; 0 in a broken barrier.
  [[nodiscard]] std::ptrdiff_t n_waiting() const noexcept { return object().core.waiting(); }

  // Whether it was broken at some moment during the call.
  [[nodiscard]] bool broken() const noexcept { return object().core.broken(); }

 private:
  friend struct detail::Adapter<Barrier>;

  using Core = nogil::detail::BarrierCore<detail::Platform>;

  static constexpr std::chrono::nanoseconds kNoTimeout = std::chrono::nanoseconds::max();

  static std::uint32_t checked(std::ptrdiff_t parties) {
    if (parties < 1 || parties > std::ptrdiff_t{Core::kMaxParties}) {
      throw ValueError("Barrier: parties must be between 1 and 2147483647");
    }
    return static_cast<std::uint32_t>(parties);
  }

  template <class Rep, class Period>
  static std::chrono::nanoseconds in_nanoseconds(std::chrono::duration<Rep, Period> timeout) {
    using Seconds = std::chrono::duration<double>;
    if (!(timeout > timeout.zero())) return std::chrono::nanoseconds::zero();
    if (Seconds(timeout) >= Seconds(kNoTimeout) / 2) return kNoTimeout;
    return std::chrono::ceil<std::chrono::nanoseconds>(timeout);
  }

  std::ptrdiff_t arrive(detail::Wait& wait) {
    const std::int64_t index = object().core.arrive(wait, static_cast<bool>(action_), action_);
    if (index == Core::kBrokenBarrier) {
      throw BrokenBarrierError("Barrier.wait: the barrier is broken: aborted, reset, or somebody's limit was reached");
    }
    return static_cast<std::ptrdiff_t>(index);
  }

  detail::SentCall action_;
};

template <>
struct detail::Adapter<Barrier> {
  static void save(OutputArchive& out, const Barrier& barrier) {
    out.write_file(HandleAccess::fd(static_cast<const Handle<SharedBarrier>&>(barrier)));
    Adapter<SentCall>::save(out, barrier.action_);
  }
  static Barrier load(InputArchive& in) { return Barrier(Received{in}); }
};

}  // namespace nogil::multiprocessing
