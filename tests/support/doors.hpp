// tests/support/doors.hpp -- everything one can wait for, behind one small interface.
//
// A door is made shut. wait(limits...) passes its limits on to the verb behind it and
// tells whether it got through; who got through calls done(). open() lets everybody
// through from then on, at once or one after another.
//
//   kStays   what was opened stays open for who comes later (not a notify)
//   kStops   takes a std::stop_token
//   kBoth    takes a timeout and a std::stop_token together
//
// What keeps a door shut belongs to a thread of its own, so that the test's own thread
// can wait at it.

#pragma once

#include <mutex>

#include "nogil/errors.hpp"
#include "support/threads.hpp"

namespace nogil::testing {

// Lock, RLock: shut while somebody else holds it.
template <class Lock>
class LockDoor {
 public:
  static constexpr bool kStays = true;
  static constexpr bool kStops = true;
  static constexpr bool kBoth = true;

  LockDoor() {
    keeper_.run([this] { lock_.acquire(); });
  }

  template <class... Limits>
  bool wait(const Limits&... limits) {
    return lock_.acquire(limits...);
  }
  void done() { lock_.release(); }
  void open() {
    keeper_.run([this] { lock_.release(); });
  }

 private:
  Lock lock_;
  Keeper keeper_;
};

// A semaphore with one permit.
template <class Semaphore>
class SemaphoreDoor {
 public:
  static constexpr bool kStays = true;
  static constexpr bool kStops = true;
  static constexpr bool kBoth = true;

  SemaphoreDoor() { semaphore_.acquire(); }

  template <class... Limits>
  bool wait(const Limits&... limits) {
    return semaphore_.acquire(limits...);
  }
  void done() { semaphore_.release(); }
  void open() { semaphore_.release(); }

 private:
  Semaphore semaphore_{1};
};

template <class Event>
class EventDoor {
 public:
  static constexpr bool kStays = true;
  static constexpr bool kStops = true;
  static constexpr bool kBoth = true;

  template <class... Limits>
  bool wait(const Limits&... limits) {
    return event_.wait(limits...);
  }
  void done() {}
  void open() { event_.set(); }

 private:
  Event event_;
};

// Condition::wait(limits...): opened by a notify, which nobody finds later.
template <class Condition>
class ConditionDoor {
 public:
  static constexpr bool kStays = false;
  static constexpr bool kStops = true;
  static constexpr bool kBoth = true;

  template <class... Limits>
  bool wait(const Limits&... limits) {
    const std::scoped_lock guard(condition_);
    return condition_.wait(limits...);
  }
  void done() {}
  void open() {
    const std::scoped_lock guard(condition_);
    condition_.notify_all();
  }

 private:
  Condition condition_;
};

// Condition::wait(limits..., predicate).
template <class Condition>
class PredicateDoor {
 public:
  static constexpr bool kStays = true;
  static constexpr bool kStops = true;
  static constexpr bool kBoth = true;

  template <class... Limits>
  bool wait(const Limits&... limits) {
    const std::scoped_lock guard(condition_);
    return condition_.wait(limits..., [this] { return open_; });
  }
  void done() {}
  void open() {
    const std::scoped_lock guard(condition_);
    open_ = true;
    condition_.notify_all();
  }

 private:
  Condition condition_;
  bool open_ = false;
};

// A barrier of two. It opens for the one who waits, and is mended by who gave up.
template <class Barrier>
class BarrierDoor {
 public:
  static constexpr bool kStays = false;
  static constexpr bool kStops = false;
  static constexpr bool kBoth = false;

  template <class... Limits>
  bool wait(const Limits&... limits) {
    try {
      barrier_.wait(limits...);
      return true;
    } catch (const BrokenBarrierError&) {
      barrier_.reset();
      return false;
    }
  }
  void done() {}
  void open() { barrier_.wait(); }

 private:
  Barrier barrier_{2};
};

// A reader before whom a writer has come.
template <class RWLock>
class ReadDoor {
 public:
  static constexpr bool kStays = true;
  static constexpr bool kStops = true;
  static constexpr bool kBoth = true;

  ReadDoor() {
    keeper_.run([this] { lock_.acquire_write(); });
  }

  template <class... Limits>
  bool wait(const Limits&... limits) {
    return lock_.acquire_read(limits...);
  }
  void done() { lock_.release_read(); }
  void open() {
    keeper_.run([this] { lock_.release_write(); });
  }

 private:
  RWLock lock_;
  Keeper keeper_;
};

// A writer before whom another writer, or two readers, have come.
template <class RWLock, bool kBehindReaders>
class WriteDoor {
 public:
  static constexpr bool kStays = true;
  static constexpr bool kStops = true;
  static constexpr bool kBoth = true;

  WriteDoor() {
    if (kBehindReaders) {
      keeper_.run([this] { lock_.acquire_read(); });
      second_.run([this] { lock_.acquire_read(); });
    } else {
      keeper_.run([this] { lock_.acquire_write(); });
    }
  }

  template <class... Limits>
  bool wait(const Limits&... limits) {
    return lock_.acquire_write(limits...);
  }
  void done() { lock_.release_write(); }
  void open() {
    if (kBehindReaders) {
      keeper_.run([this] { lock_.release_read(); });
      second_.run([this] { lock_.release_read(); });
    } else {
      keeper_.run([this] { lock_.release_write(); });
    }
  }

 private:
  RWLock lock_;
  Keeper keeper_;
  Keeper second_;
};

}  // namespace nogil::testing
