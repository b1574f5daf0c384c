// nogil/mpi/detail/patience.hpp -- how long to look for a message without sleeping, and then how seldom.
//
// MPI can wait, but only by looking again and again; and it cannot be woken by another thread.
// So whoever waits for a message looks: at first without pause, for as long as a wake-up costs
// several times over; then with sleeps in between. Each is an eighth of the time since the last
// message, up to 1 ms, and from there on a 64th, up to 4 ms: so late is a message found. A rank
// without work costs a hundredth of a core, which is what 250 timers in a second cost a virtual
// machine; the looks themselves are less.
//
// As between processes (crowd.hpp), nobody looks without sleeping where others want the core.

#pragma once

#include <cstdint>

#include "nogil/multiprocessing/detail/crowd.hpp"
#include "nogil/platform/cpu.hpp"
#include "nogil/platform/native.hpp"

namespace nogil::mpi::detail {

using multiprocessing::detail::Crowd;

// In a longer silence one asks whether who shall send is still there.
inline constexpr std::int64_t kWorry = 200'000'000;  // ns

// What is under way, as far as one knows.
enum class Traffic : std::uint8_t {
  kSmall,
  kLarge,   // something large was sent: the other side reads it, and writes its answer
  kMoving,  // something large comes further with each look, and with nothing else
};

class Patience {
 public:
  static constexpr std::int64_t kLongest = 150'000;  // ns without sleeping
  static constexpr std::int64_t kLongestMoving = 100'000'000;
  static constexpr std::int64_t kLongestLarge = 1'000'000;
  static constexpr std::int64_t kFirstSleep = 20'000;  // ns
  static constexpr std::int64_t kLongestSleep = 1'000'000;
  static constexpr std::int64_t kLongestIdleSleep = 4'000'000;

  // Something has come.
  void reset() noexcept {
    looks_ = 0;
    began_ = 0;
  }

  // After a look that found nothing: lets a moment pass. False: it is time to sleep. While
  // something moves, others are let on in between, but not waited for.
  bool again(Traffic traffic) noexcept {
    const bool moving = traffic == Traffic::kMoving;
    if (!platform::several_cores()) return false;
    if (++looks_ < kPauses) {
      platform::cpu_relax();
      return true;
    }
    if (looks_ % kLooksForEachYield != 0) return true;
    std::int64_t now = Crowd::clock();
    if (NOGIL_SPIN_YIELDS == 0 || (!moving && Crowd::expected(now))) return false;
    if (began_ == 0) began_ = still_since_ = now;
    if (moving) still_since_ = now;
    large_ = large_ || traffic != Traffic::kSmall;
    if (moving ? now - began_ > kLongestMoving : now - still_since_ > (large_ ? kLongestLarge : kLongest)) return false;
    platform::Native::yield();
    const std::int64_t before = now;
    now = Crowd::clock();
    Crowd::yielded(now, now - before);
    return true;
  }

  // How long to sleep, in ns, when the last message came so long ago.
  static std::int64_t sleep_after(std::int64_t silence) noexcept {
    const std::int64_t eighth = silence / 8;
    if (eighth < kLongestSleep) return eighth < kFirstSleep ? kFirstSleep : eighth;
    const std::int64_t part = silence / 64;
    return part < kLongestSleep ? kLongestSleep : part < kLongestIdleSleep ? part : kLongestIdleSleep;
  }

 private:
  static constexpr int kPauses = 64;
  static constexpr int kLooksForEachYield = 8;

  int looks_ = 0;
  std::int64_t began_ = 0;
  std::int64_t still_since_ = 0;
  bool large_ = false;
};

}  // namespace nogil::mpi::detail
