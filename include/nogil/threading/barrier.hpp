// nogil/threading/barrier.hpp -- Barrier: nobody goes on before all have come.
//
//   nogil::Barrier barrier(3);
//   // in each of three threads:
//   prepare();
//   barrier.wait();                          // Python: barrier.wait()
//   race();
//
// It can be used again and again: when all parties have passed, it is as new.
//
// Threads    Every member except construction and destruction may be called from any
//            number of threads at once, also from more than there are parties.
// Ordering   What any party did before wait() is visible to the action, and with what
//            the action did, to all parties after it.
// Broken     abort(), a wait that reaches its limit, and an action that throws break the
//            barrier: all who wait, and all who come, get BrokenBarrierError until
//            reset(). That gives it to those who wait, too, and makes the barrier new.
// Action     Runs in the last thread to arrive, before the others go on, under no lock;
//            a limit that passes meanwhile does not break the barrier. What it throws
//            goes out of that thread's wait().
// Lifetime   The last thread that was let through may destroy it at once, even if calls
//            in other threads have not returned yet.
// Cost       32 bytes. wait() is one compare-and-swap, and a look again for at most 7 us
//            before it sleeps, or 2 us when there are more parties than cores.
// Python     threading.Barrier. A stop_token breaks it as a timeout does.

#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "nogil/platform/chrono.hpp"
#include "nogil/platform/errors.hpp"
#include "nogil/platform/wait.hpp"
#include "nogil/threading/detail/barrier_core.hpp"
#include "nogil/threading/detail/callback.hpp"

namespace nogil {

class Barrier {
 public:
  // For this many threads; throws ValueError unless there is at least one. `action` is any
  // callable without arguments, or {} for none. `timeout` is for each wait() without one.
  explicit Barrier(std::ptrdiff_t parties, detail::Callback action = {})
      : core_(checked(parties)), action_(std::move(action)) {}
  template <class Rep, class Period>
  Barrier(std::ptrdiff_t parties, detail::Callback action, std::chrono::duration<Rep, Period> timeout)
      : Barrier(parties, std::move(action)) {
    using Seconds = std::chrono::duration<double>;
    if (!(timeout > timeout.zero())) timeout_ = std::chrono::nanoseconds::zero();
    else if (Seconds(timeout) < Seconds(kNoTimeout) / 2)
      timeout_ = std::chrono::ceil<std::chrono::nanoseconds>(timeout);
  }

  Barrier(const Barrier&) = delete;
  Barrier& operator=(const Barrier&) = delete;

  // Waits until all parties have come. Returns this thread's number in the order of
  // arrival: each of 0 .. parties() - 1 goes to one thread.
  // Throws BrokenBarrierError if the barrier is broken, or breaks meanwhile.
  std::ptrdiff_t wait() {
    if (timeout_ != kNoTimeout) return wait(timeout_);
    platform::Wait forever;
    return arrive(forever);
  }

  // wait(timeout | deadline | stop_token | timeout, stop_token): when the limit is
  // reached the barrier breaks, for all.
  template <class... Limits>
  requires platform::WaitLimits<Limits...> std::ptrdiff_t wait(const Limits&... limits) {
    return platform::within([this](platform::Wait& wait) { return arrive(wait); }, limits...);
  }

  // Makes it new. Who waits gets BrokenBarrierError. Never waits.
  void reset() noexcept { core_.reset(); }

  // Breaks it, until reset(). Never waits.
  void abort() noexcept { core_.abort(); }

  [[nodiscard]] std::ptrdiff_t parties() const noexcept { return core_.parties(); }

  // How many wait, at some moment during the call; 0 in a broken barrier.
  [[nodiscard]] std::ptrdiff_t n_waiting() const noexcept { return core_.waiting(); }

  // Whether it was broken at some moment during the call.
  [[nodiscard]] bool broken() const noexcept { return core_.broken(); }

 private:
  using Core = detail::BarrierCore<platform::Native>;

  static constexpr std::chrono::nanoseconds kNoTimeout = std::chrono::nanoseconds::max();

  static std::uint32_t checked(std::ptrdiff_t parties) {
    if (parties < 1 || parties > std::ptrdiff_t{Core::kMaxParties}) {
      throw ValueError("Barrier: parties must be between 1 and 2147483647");
    }
    return static_cast<std::uint32_t>(parties);
  }

  std::ptrdiff_t arrive(platform::Wait& wait) {
    const std::int64_t index = core_.arrive(wait, static_cast<bool>(action_), action_);
    if (index == Core::kBrokenBarrier) throw_broken();
    return static_cast<std::ptrdiff_t>(index);
  }

  [[noreturn, gnu::noinline, gnu::cold]] static void throw_broken() {
    throw BrokenBarrierError("Barrier.wait: the barrier is broken: aborted, reset, or somebody's limit was reached");
  }

  Core core_;
  const detail::Callback action_;
  std::chrono::nanoseconds timeout_ = kNoTimeout;
};

}  // namespace nogil
