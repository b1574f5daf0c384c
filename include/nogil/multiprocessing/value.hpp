// nogil/multiprocessing/value.hpp -- Value: one object that processes share, and its lock.
//
//   nogil::mp::Value<int> total(0);                    // Python: Value('i', 0)
//   total.with_lock([](int& n) { ++n; });              // with total.get_lock(): total.value += 1
//
// A handle, as Lock is: copies are the same value.
//
// Threads    get(), set() and with_lock() take the lock, so each is one step to all threads
//            of all processes; a get() and a later set() are two.
// Errors     OwnerDied from each if a process died inside its with_lock(); what it left is
//            there, and the next call goes on with that.
// Cost       get() and set() are a lock's. A page of memory and a file descriptor.
// Python     multiprocessing.Value with its default lock. Other types than ctypes' too: T is
//            trivially copyable.

#pragma once

#include <type_traits>
#include <utility>

#include "nogil/multiprocessing/lock.hpp"

namespace nogil::multiprocessing {

namespace detail {

// A robust lock, and what it guards behind it.
template <class T>
struct Guarded {
  RobustWord<Platform> word;
  T value{};
};

// Holds it as long as it lives.
class [[nodiscard]] WordGuard {
 public:
  explicit WordGuard(RobustWord<Platform>& word, const char* whose) : word_(word) {
    Wait forever;
    if (word.try_lock(this_process())) return;
    if (word.lock_slow(this_process(), forever, process_lives) == Taking::kOwnerDied) throw_owner_died(whose);
  }
  WordGuard(const WordGuard&) = delete;
  WordGuard& operator=(const WordGuard&) = delete;
  ~WordGuard() { word_.unlock(); }

 private:
  RobustWord<Platform>& word_;
};

}  // namespace detail

template <class T>
class Value : public detail::Handle<detail::Guarded<T>> {
  static_assert(
      std::is_trivially_copyable_v<T> && Sendable<T>,
      "nogil: a Value lies in memory that processes share: its type must be trivially copyable, and no pointer");
  using Base = detail::Handle<detail::Guarded<T>>;

 public:
  // Throws std::system_error when there is no memory or no file descriptor left.
  explicit Value(const T& value = T()) : Base(0) { this->object().value = value; }
  explicit Value(detail::Received received) : Base(received) {}

  T get() const {
    return with_lock([](const T& value) { return value; });
  }
  void set(const T& value) {
    with_lock([&value](T& shared) { shared = value; });
  }

  // Returns what f(T&) returns, called with the lock held. f may keep no reference, and not
  // touch this value otherwise: the lock is not re-entrant.
  template <class F>
  decltype(auto) with_lock(F&& f) const {
    const detail::WordGuard guard(this->object().word, "Value");
    return std::forward<F>(f)(this->object().value);
  }
};

}  // namespace nogil::multiprocessing
