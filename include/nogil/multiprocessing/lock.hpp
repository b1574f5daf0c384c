// nogil/multiprocessing/lock.hpp -- Lock: one at a time, whatever process it is in.
//
//   void add(nogil::mp::Lock lock, nogil::mp::Value<int> total) {
//     std::scoped_lock guard(lock);                    // Python: with lock:
//     total.set(total.get() + 1);
//   }
//   nogil::mp::Process worker(add, lock, total);       // the same lock there
//
// A Lock is a handle: copies, also those that other processes get, are the same lock.
//
// Threads    Every member from any number of threads and processes at once. It has no owner
//            but the process that took it: any thread of any process may release it.
// Ordering   What was done before release() is visible to whoever acquires next.
// Dead holder  If the process that holds it ends, however it ends, one of those who wait
//            (or the next that does, or tries) gets OwnerDied, within 40 ms. The lock is
//            free then, and nobody has it: who caught the error decides whether what the
//            lock guards is whole, and acquires again.
// Errors     RuntimeError from release() of a lock that is not locked. OwnerDied.
// Cost       Without contention one compare-and-swap and one exchange; no system call. A
//            page of memory and a file descriptor. Who waits wakes some 30 times a second to
//            see whether the holder lives.
// Python     multiprocessing.Lock, where a dead holder means waiting for ever.

#pragma once

#include "nogil/errors.hpp"
#include "nogil/multiprocessing/detail/life.hpp"
#include "nogil/multiprocessing/detail/robust_word.hpp"
#include "nogil/multiprocessing/detail/shared_object.hpp"
#include "nogil/multiprocessing/detail/verbs.hpp"

namespace nogil::multiprocessing {

namespace detail {

[[noreturn, gnu::noinline, gnu::cold]] inline void throw_owner_died(const char* lock) {
  throw OwnerDied(std::string(lock) +
                  ".acquire: the holder died. The lock is free again; what it guards may be half done");
}

}  // namespace detail

class Lock : public detail::Handle<detail::RobustWord<detail::Platform>>, public detail::LockVerbs<Lock> {
 public:
  // Throws std::system_error when there is no memory or no file descriptor left.
  Lock() : Handle(0) {}
  explicit Lock(detail::Received received) : Handle(received) {}

  // Takes it if it is free right now. Never waits; if it is not free, asks the system whether
  // the holder lives, which takes some 10 us. Throws OwnerDied if not.
  [[nodiscard]] bool try_acquire() {
    detail::Wait now(platform::Deadline::immediate());
    return try_now() || acquire_within(now);
  }

  // Gives it back, and wakes one who sleeps for it. Never waits.
  // Throws RuntimeError, and changes nothing, if it is not locked.
  void release() {
    if (!object().unlock()) throw RuntimeError("Lock.release: the lock is not locked");
  }

  // Whether somebody held it at some moment during the call.
  [[nodiscard]] bool locked() const noexcept { return object().owner() != 0; }

 private:
  friend class detail::LockVerbs<Lock>;
  template <class L>
  friend class BasicCondition;

  bool try_now() noexcept { return object().try_lock(detail::this_process()); }
  bool acquire_within(detail::Wait& wait) {
    const auto taking = object().lock_slow(detail::this_process(), wait, detail::process_lives);
    if (taking == detail::Taking::kOwnerDied) detail::throw_owner_died("Lock");
    return taking == detail::Taking::kTaken;
  }

  // What a Condition needs of its lock.
  bool held_here() const noexcept { return locked(); }
  std::uint32_t release_all() {
    release();
    return 1;
  }
  void set_levels(std::uint32_t) noexcept {}
};

}  // namespace nogil::multiprocessing
