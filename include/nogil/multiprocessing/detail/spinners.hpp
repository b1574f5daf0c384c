// nogil/multiprocessing/detail/spinners.hpp -- who of several processes may wait without sleeping.
//
// To look again and again for a moment is much faster than to sleep and be woken, as long as
// each one that does so has a core, and one is left for who works. Each has a bit in a shared
// word, so that the bit of one that died can be cleared by others.

#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <utility>

#include "nogil/multiprocessing/detail/crowd.hpp"
#include "nogil/platform/backoff.hpp"
#include "nogil/platform/cpu.hpp"
#include "nogil/platform/native.hpp"

namespace nogil::multiprocessing::detail {

class Spinners {
 public:
  static constexpr std::uint32_t kParent = 63;
  static constexpr std::uint32_t kWorkers = 63;  // have the bits below; several may share one

  // Some times as long as a wake-up takes: a task that is awaited, or the next one, comes as
  // a rule within it or not for long.
  static constexpr std::int64_t kLongest = 150'000;  // ns

  // Looks whether ready(), for kLongest at most; the most of it only while there are cores to
  // spare, and as long as nobody else wants this one. False: it is time to sleep.
  template <class Ready>
  bool spin(std::uint32_t who, Ready ready) noexcept {
    if (look(ready)) return true;
    if (!platform::several_cores()) return false;
    std::int64_t now = Crowd::clock();
    if (NOGIL_SPIN_YIELDS == 0 || Crowd::expected(now) || !enter(who)) return ready();
    bool found = false;
    for (const std::int64_t end = now + kLongest; !found && now < end;) {
      platform::Native::yield();
      found = ready();
      const std::int64_t before = std::exchange(now, Crowd::clock());
      Crowd::yielded(now, now - before);
    }
    leave(who);
    return found || ready();
  }

  // The first part of it: about as long as it takes another core to run a small task.
  template <class Ready>
  static bool look(Ready ready) noexcept {
    if (!platform::several_cores()) return ready();
    for (int left = 10 * NOGIL_SPIN_PAUSES; left > 0; --left) {
      if (ready()) return true;
      platform::cpu_relax();
    }
    return ready();
  }

  // Also of one that has died.
  void leave(std::uint32_t who) noexcept { spinning_.fetch_and(~bit(who), std::memory_order_relaxed); }

 private:
  static constexpr std::uint64_t bit(std::uint32_t who) noexcept { return std::uint64_t{1} << who; }

  bool enter(std::uint32_t who) noexcept {
    const std::uint64_t others = spinning_.fetch_or(bit(who), std::memory_order_relaxed) & ~bit(who);
    if (std::popcount(others) < platform::core_count() - 1) return true;
    leave(who);
    return false;
  }

  alignas(platform::kCacheLine) std::atomic<std::uint64_t> spinning_{0};
};

}  // namespace nogil::multiprocessing::detail
