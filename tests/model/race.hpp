// tests/model/race.hpp -- the locks of a queue's ends, in scenarios that are the same for both.

#pragma once

#include <cstdint>

#include "model.hpp"
#include "nogil/platform/event_count.hpp"
#include "nogil/platform/wait.hpp"
#include "nogil/queue/detail/wait_until.hpp"

namespace nogil::model {

template <class Lock>
void give_back(Lock& lock, std::uint64_t from, std::uint64_t to) {
  if constexpr (requires { lock.unlock(from, to); }) lock.unlock(from, to);
  else lock.unlock(to);
}

// The end of a turn of who has the lock.
template <class P, class Lock>
void move_on(Lock& lock, std::uint64_t from, std::uint64_t to) {
  P::light_fence();
  const auto sleeper = lock.claim_sleeper();
  give_back(lock, from, to);
  sleeper.wake();
}

// Some wait until the count has moved on; one or two move it.
template <class P, class Lock>
struct RaceFor {
  Lock lock;
  platform::BasicEventCount<P> sleepers;

  void move() {
    const std::uint64_t count = lock.lock();
    P::light_fence();
    const auto next = lock.claim_sleeper();
    const auto others = sleepers.claim(platform::kEveryone);
    give_back(lock, count, count + 1);
    next.wake();
    others.wake();
  }
  bool wait_for(std::uint64_t count, platform::BasicWait<P> wait = {}) {
    const auto ready = [&] { return lock.count() >= count; };
    while (!ready()) {
      if (!detail::wait_until(sleepers, lock, wait, ready)) return ready();
    }
    return true;
  }
};

}  // namespace nogil::model
