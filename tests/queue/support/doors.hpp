// tests/queue/support/doors.hpp -- the waits of a queue, for the suites of support/wait_suite.hpp.

#pragma once

#include <stop_token>

#include "nogil/errors.hpp"
#include "nogil/queue.hpp"

namespace nogil::testing {

// get() and try_get(limits...), of an empty queue.
template <class Q>
class GetDoor {
 public:
  static constexpr bool kStays = true;
  static constexpr bool kStops = true;
  static constexpr bool kBoth = true;

  bool wait() {
    queue_.get();
    return true;
  }
  template <class... Limits>
  bool wait(const Limits&... limits) {
    return queue_.try_get(limits...).has_value();
  }
  void done() { queue_.put(1); }
  void open() { queue_.put(1); }

 private:
  Q queue_;
};

// get(timeout | deadline), which throws Empty.
template <class Q>
class GetOrEmptyDoor {
 public:
  static constexpr bool kStays = true;
  static constexpr bool kStops = false;
  static constexpr bool kBoth = false;

  template <class... Limits>
  bool wait(const Limits&... limits) {
    try {
      queue_.get(limits...);
      return true;
    } catch (const Empty&) {
      return false;
    }
  }
  void done() { queue_.put(1); }
  void open() { queue_.put(1); }

 private:
  Q queue_;
};

// put() and try_put(limits...), into a full queue.
template <class Q>
class PutDoor {
 public:
  static constexpr bool kStays = true;
  static constexpr bool kStops = true;
  static constexpr bool kBoth = true;

  PutDoor() { queue_.put(1); }

  bool wait() {
    queue_.put(2);
    return true;
  }
  template <class... Limits>
  bool wait(const Limits&... limits) {
    return queue_.try_put(2, limits...);
  }
  void done() { queue_.get(); }
  void open() { queue_.get(); }

 private:
  Q queue_{1};
};

// put(v, timeout | deadline), which throws Full.
template <class Q>
class PutOrFullDoor {
 public:
  static constexpr bool kStays = true;
  static constexpr bool kStops = false;
  static constexpr bool kBoth = false;

  PutOrFullDoor() { queue_.put(1); }

  template <class... Limits>
  bool wait(const Limits&... limits) {
    try {
      queue_.put(2, limits...);
      return true;
    } catch (const Full&) {
      return false;
    }
  }
  void done() { queue_.get(); }
  void open() { queue_.get(); }

 private:
  Q queue_{1};
};

// join(), while one task is not done.
template <class Q>
class JoinDoor {
 public:
  static constexpr bool kStays = true;
  static constexpr bool kStops = true;
  static constexpr bool kBoth = true;

  JoinDoor() { queue_.put(1); }

  template <class... Limits>
  bool wait(const Limits&... limits) {
    return queue_.join(limits...);
  }
  void done() {}
  void open() { queue_.task_done(); }

 private:
  Q queue_;
};

}  // namespace nogil::testing
