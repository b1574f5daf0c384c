// nogil/queue/detail/wait_until.hpp -- sleep until a queue has an element, or room.

#pragma once

#include <cstdint>

#include "nogil/platform/backoff.hpp"
#include "nogil/platform/event_count.hpp"
#include "nogil/platform/wait.hpp"
#include "nogil/queue/detail/short_sleep.hpp"

namespace nogil::detail {

// Sleeps in `sleepers` until ready() may be true; false: the limit was reached first.
// `lock`, an IndexLock or an EndLock, is the one under which ready() becomes true; its holders claim sleepers, after a
// light fence, before they show what they did.
//
// A sleeper announces itself, passes a heavy fence, and looks whether the lock is held. If
// not, whoever takes it later will see the announcement. If it is, its holder may have
// looked for sleepers already: so a short sleep only, and another look.
template <class Platform, class Lock, class Ready>
[[gnu::noinline, gnu::cold]] bool wait_until(platform::BasicEventCount<Platform>& sleepers, const Lock& lock,
                                             platform::BasicWait<Platform>& wait, Ready ready) noexcept {
  for (platform::BasicBackoff<Platform, platform::QueuePolicy> backoff(wait); !ready();) {
    if (backoff.again()) continue;
    if (wait.immediate()) return false;
    const auto key = sleepers.prepare();
    const bool held = lock.is_held();
    if (ready()) {
      sleepers.cancel(key);
      return true;
    }
    if (!held) return sleepers.wait(key, wait);
    platform::BasicWait<Platform> moment(kShortSleep);
    sleepers.wait(key, moment);
    return !wait.over();
  }
  return true;
}

}  // namespace nogil::detail
