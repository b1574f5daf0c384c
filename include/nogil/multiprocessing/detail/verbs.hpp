// nogil/multiprocessing/detail/verbs.hpp -- the verbs that all kinds of locks have.
//
// A class that has try_acquire(), release(), acquire_within(wait), and try_now(), which takes
// what is free and asks no questions, derives from LockVerbs<itself>, and gets the rest.

#pragma once

#include "nogil/platform/wait.hpp"

namespace nogil::multiprocessing::detail {

using Platform = platform::Shared;
using Wait = platform::BasicWait<Platform>;

template <class Derived>
class LockVerbs {
 public:
  // Takes it, waiting for as long as that lasts. Always true, as in Python.
  bool acquire() {
    Wait forever;
    return self().try_now() || self().acquire_within(forever);
  }

  // acquire(timeout | deadline | stop_token | timeout, stop_token): waits no longer than
  // that. Returns whether it took it; what is free is taken whatever the limit.
  template <class... Limits>
  requires platform::WaitLimits<Limits...>
  [[nodiscard]] bool acquire(const Limits&... limits) {
    return self().try_now() ||
           platform::within<Platform>([this](Wait& wait) { return self().acquire_within(wait); }, limits...);
  }

  // The standard TimedLockable names: std::scoped_lock, std::unique_lock.
  void lock() { acquire(); }
  [[nodiscard]] bool try_lock() { return self().try_acquire(); }
  [[nodiscard]] bool try_lock_for(const platform::TimeLimit auto& timeout) { return acquire(timeout); }
  [[nodiscard]] bool try_lock_until(const platform::TimeLimit auto& deadline) { return acquire(deadline); }
  void unlock() { self().release(); }

 private:
  Derived& self() noexcept { return static_cast<Derived&>(*this); }
};

}  // namespace nogil::multiprocessing::detail
