// nogil/threading/deadlock.hpp -- what happens when threads wait for each other for ever.
//
//   nogil::deadlock::set_policy(nogil::deadlock::Policy::raise);
//   nogil::deadlock::set_name(accounts, "accounts");
//   try {
//     accounts.acquire();
//   } catch (const nogil::DeadlockError& error) {
//     // deadlock: Thread-3 waits for 'accounts', held by Thread-4; Thread-4 waits for …
//   }
//
// When the locks that threads hold and want form a cycle, none of them can go on. The
// acquire() that closes such a cycle, and only that one, throws DeadlockError; its
// text names each thread, what it wants and who holds that. The lock is not taken.
//
// Watched    Lock and RLock, waited for without a timeout and without a stop_token.
// Default    A cycle of RLocks alone raises: only its own threads could end it. A cycle
//            with a Lock in it does not, since any thread may release a Lock, and some
//            programs do so on purpose. A Lock taken twice by one thread is a cycle.
// Conditions A Condition that takes its lock again after a wait must hold it when it
//            returns, so a deadlock there is reported on stderr and not thrown.
// Cost       Nothing while a lock is free, on or off. A thread that is about to sleep
//            (2-60 us) writes down what for (30 ns), and with a policy looks along the
//            chain of holders.
// Python     Has nothing like it: such a program hangs.

#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "nogil/threading/detail/deadlock_watch.hpp"

namespace nogil::deadlock {

enum class Policy {
  off,     // wait for ever, as Python does
  report,  // write the text to stderr, once for each deadlock, and wait for ever
  raise,   // throw DeadlockError from the acquire() that closes the cycle
};

// For cycles of every kind, from now on, for the whole process. Any thread, any time.
// Before the first call the environment decides: NOGIL_DEADLOCK=off|report|raise.
inline void set_policy(Policy policy) noexcept {
  using detail::DeadlockPolicy;
  detail::g_deadlock_policy.store(policy == Policy::off      ? DeadlockPolicy::kOff
                                  : policy == Policy::report ? DeadlockPolicy::kReport
                                                             : DeadlockPolicy::kRaise,
                                  std::memory_order_relaxed);
}

// What texts call this lock, in place of "Lock 0x7ffe12345678". The name belongs to the
// address: give names to locks that live long, and "" to take one back.
void set_name(const auto& lock, std::string name) {
  detail::name_lock(&lock, std::move(name));
}

// A line for each thread that sleeps in a Lock or an RLock now, also with a timeout:
// "Thread-3 waits for 'c', held by Thread-4\n". Empty when there is none. Each line was
// true at some moment during the call.
inline std::string describe_waits() {
  platform::Text text;
  for (std::uint32_t slot = 0; slot < platform::g_threads.slots(); ++slot) {
    const detail::WaitEdge edge = detail::LiveWaits::edge(platform::g_threads.at(slot));
    if (edge.lock == nullptr) continue;
    detail::describe_edge(text, edge);
    text << "\n";
  }
  return text.take();
}

}  // namespace nogil::deadlock
