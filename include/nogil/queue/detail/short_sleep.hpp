// nogil/queue/detail/short_sleep.hpp -- how the locks of a queue's ends are waited for.
//
// Who gives such a lock back looks for sleepers just before that, while it still has it. So a
// thread that announces itself in between is not seen; it sleeps for a moment only, and looks
// again. Every later holder sees it.

#pragma once

#include "nogil/platform/backoff.hpp"
#include "nogil/platform/chrono.hpp"
#include "nogil/platform/event_count.hpp"
#include "nogil/platform/wait.hpp"

namespace nogil::detail {

inline constexpr std::chrono::microseconds kShortSleep{100};

// Until taken(), which takes the lock if it is free. A lock is held for the time of a move, so
// mostly a look or two will do.
template <class Platform, class Taken>
void wait_until_taken(platform::BasicEventCount<Platform>& sleepers, Taken taken) noexcept {
  for (;;) {
    const platform::BasicWait<Platform> wait;
    platform::BasicBackoff<Platform, platform::LockPolicy> backoff(wait);
    do {
      if (taken()) return;
    } while (backoff.again());
    const auto key = sleepers.prepare();
    if (taken()) return sleepers.cancel(key);
    platform::BasicWait<Platform> moment(kShortSleep);
    sleepers.wait(key, moment);
  }
}

}  // namespace nogil::detail
