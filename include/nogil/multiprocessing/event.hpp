// nogil/multiprocessing/event.hpp -- Event: a flag that processes can wait for.
//
// A handle, as Lock is: copies are the same event.
//
// Threads, ordering, pulse   As nogil::Event, whose algorithm it is, from any number of
//            threads and processes.
// Cost       is_set() and wait() on a set event are one load. A page of memory and a file
//            descriptor.
// Python     multiprocessing.Event.

#pragma once

#include "nogil/multiprocessing/detail/shared_object.hpp"
#include "nogil/multiprocessing/detail/verbs.hpp"
#include "nogil/threading/detail/event_core.hpp"

namespace nogil::multiprocessing {

class Event : public detail::Handle<nogil::detail::EventCore<detail::Platform>> {
 public:
  // Throws std::system_error when there is no memory or no file descriptor left.
  Event() : Handle(0) {}
  explicit Event(detail::Received received) : Handle(received) {}

  // Whether it was set at some moment during the call.
  [[nodiscard]] bool is_set() const noexcept { return object().is_set(); }

  // Sets it and lets everybody through who waits. Never waits.
  void set() noexcept { object().set(); }

  // From now on wait() waits again.
  void clear() noexcept { object().clear(); }

  // Waits until it is set; not at all if it is. Always true, so the result may be ignored.
  bool wait() {
    detail::Wait forever;
    return object().is_set() || object().wait_slow(forever);
  }

  // wait(timeout | deadline | stop_token | timeout, stop_token): waits no longer than
  // that. Returns whether it was set meanwhile, or already.
  template <class... Limits>
  requires platform::WaitLimits<Limits...>
  bool wait(const Limits&... limits) {
    return object().is_set() || platform::within<detail::Platform>(
                                    [this](detail::Wait& wait) { return object().wait_slow(wait); }, limits...);
  }
};

}  // namespace nogil::multiprocessing
