// nogil/multiprocessing/barrier.hpp -- Barrier: no process goes on before all have come.
//
// A handle, as Lock is: copies are the same barrier.
//
// Threads, ordering, broken   As nogil::Barrier, whose algorithm it is, from any number of
//            threads and processes.
// Dead party  Who died while it waited still counts as arrived; who died before never
//            arrives. A limit, or abort(), frees the others.
// Errors     ValueError from the constructor; BrokenBarrierError from wait().
// Cost       wait() is one compare-and-swap, and a look again before it sleeps. A page of
//            memory and a file descriptor.
// Python     multiprocessing.Barrier, without its action, which would have to be in every
//            process: who gets the number 0 from wait() can do it instead.

#pragma once

#include <cstddef>
#include <cstdint>

#include "nogil/errors.hpp"
#include "nogil/multiprocessing/detail/shared_object.hpp"
#include "nogil/multiprocessing/detail/verbs.hpp"
#include "nogil/threading/detail/barrier_core.hpp"

namespace nogil::multiprocessing {

class Barrier : public detail::Handle<nogil::detail::BarrierCore<detail::Platform>> {
 public:
  // For this many parties; throws ValueError unless there is at least one.
  explicit Barrier(std::ptrdiff_t parties) : Handle(0, checked(parties)) {}
  explicit Barrier(detail::Received received) : Handle(received) {}

  // Waits until all parties have come. Returns the number in the order of arrival: each of
  // 0 .. parties() - 1 goes to one of them.
  // Throws BrokenBarrierError if the barrier is broken, or breaks meanwhile.
  std::ptrdiff_t wait() {
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
  void reset() noexcept { object().reset(); }

  // Breaks it, until reset(). Never waits.
  void abort() noexcept { object().abort(); }

  [[nodiscard]] std::ptrdiff_t parties() const noexcept { return object().parties(); }

  // How many wait, at some moment during the call; 0 in a broken barrier.
  [[nodiscard]] std::ptrdiff_t n_waiting() const noexcept { return object().waiting(); }

  // Whether it was broken at some moment during the call.
  [[nodiscard]] bool broken() const noexcept { return object().broken(); }

 private:
  static std::uint32_t checked(std::ptrdiff_t parties) {
    if (parties < 1 || parties > std::ptrdiff_t{SharedObject::kMaxParties}) {
      throw ValueError("Barrier: parties must be between 1 and 2147483647");
    }
    return static_cast<std::uint32_t>(parties);
  }

  std::ptrdiff_t arrive(detail::Wait& wait) {
    const std::int64_t index = object().arrive(wait, false, [] {});
    if (index == SharedObject::kBrokenBarrier) {
      throw BrokenBarrierError("Barrier.wait: the barrier is broken: aborted, reset, or somebody's limit was reached");
    }
    return static_cast<std::ptrdiff_t>(index);
  }
};

}  // namespace nogil::multiprocessing
