// tests/model/waits.hpp -- the limits that scenarios give to their waits.

#pragma once

#include <chrono>

#include "model.hpp"
#include "nogil/platform/deadline.hpp"
#include "nogil/platform/wait.hpp"

namespace nogil::model {

// A deadline that may pass at any moment: in the model time is a matter of choice.
inline const platform::Deadline kSometime = platform::Deadline::after(std::chrono::hours(1));

template <class P = Platform>
platform::BasicWait<P> for_ever() {
  return platform::BasicWait<P>();
}

template <class P = Platform>
platform::BasicWait<P> for_some_time() {
  return platform::BasicWait<P>(kSometime);
}

template <class P = Platform>
platform::BasicWait<P> not_at_all() {
  return platform::BasicWait<P>(platform::Deadline::immediate());
}

// Until signal.request(), by a thread of the scenario. A std::stop_callback would keep the
// signal alive until request() has returned; here it must outlive both threads.
template <class P>
platform::BasicWait<P> until(platform::BasicStopSignal<P>& signal) {
  platform::BasicWait<P> wait;
  wait.end_with(signal);
  return wait;
}

}  // namespace nogil::model
