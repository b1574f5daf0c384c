// self-deadlock -- a thread that waits for itself.
//
// A Lock taken twice by one thread: in Python, the end of that program. Three ways out:
// a timeout, Policy::raise (a circle of one is a circle), or an RLock, which counts how
// often its owner has taken it.
//
// Python:
//
//     lock = Lock()
//     lock.acquire()
//     lock.acquire()                   # never returns
//
//     lock.acquire(timeout=0.5)        # False, after half a second

#include <chrono>
#include <mutex>
#include <string>

#include "nogil/threading.hpp"
#include "support/child.hpp"
#include "support/tour.hpp"

namespace {

using namespace std::chrono_literals;

int undetected(tour::Run&) {
  nogil::deadlock::set_policy(nogil::deadlock::Policy::off);
  nogil::Lock lock;
  lock.acquire();
  tour::print("locked once, and now again");
  lock.acquire();
  tour::print("never printed");
  return 0;
}

void self_deadlock(tour::Run& run) {
  tour::print("without detection, in a process that is killed in the end:");
  const tour::ChildReport hung = tour::run_child(run, "self-deadlock/undetected", "and now again", 1s);

  nogil::Lock lock;
  nogil::deadlock::set_name(lock, "lock");
  lock.acquire();
  const bool in_time = lock.acquire(run.scaled(0.5s));  // lock.acquire(timeout=0.5)
  tour::print("with a timeout: ", in_time);

  nogil::deadlock::set_policy(nogil::deadlock::Policy::raise);
  std::string error = "no error";
  try {
    lock.acquire();
  } catch (const nogil::DeadlockError& e) {
    error = e.what();
  }
  tour::print("with Policy::raise: ", error);
  const bool still_locked = lock.locked();
  lock.release();
  nogil::deadlock::set_name(lock, "");

  nogil::RLock rlock;
  const std::scoped_lock once(rlock);
  const std::scoped_lock again(rlock);
  tour::print("an RLock: taken ", rlock.recursion_count(), " times");

  run.check(hung.killed, "undetected, it hangs");
  run.expect("with a timeout", in_time, false);
  run.check(error.find("'lock'") != std::string::npos, "DeadlockError names the lock");
  run.check(still_locked, "the acquire() that threw changed nothing");
  run.expect("RLock depth", rlock.recursion_count(), 2);
}

const tour::Part undetected_part("self-deadlock/undetected", undetected);
const tour::Demo registered({.id = "self-deadlock",
                             .cell = "3.13",
                             .seconds = 1.5,
                             .teaches = "one thread takes a Lock twice: timeout, DeadlockError or RLock"},
                            self_deadlock);

}  // namespace
