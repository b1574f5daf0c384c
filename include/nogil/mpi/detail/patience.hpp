// nogil/mpi/detail/patience.hpp -- how long to look for a message without sleeping, and then how seldom.
//
// MPI can wait, but only by looking again and again; and it cannot be woken by another thread.
// So whoever waits for a message looks: at first without pause, for as long as a wake-up costs
// several times over; then with sleeps in between, each an eighth of the time since the last
// message, of 1 ms at most. A message is found late by an eighth of the silence before it, or
// 1 ms; and a rank without work costs some thousandths of a core.
//
// As between processes (crowd.hpp), nobody looks without sleeping where others want the core.

#pragma once

#include <cstdint>

#include "nogil/multiprocessing/detail/crowd.hpp"
#include "nogil/platform/cpu.hpp"
#include "nogil/platform/native.hpp"

namespace nogil::mpi::detail {

using multiprocessing::detail::Crowd;

class Patience {
 public:
  static constexpr std::int64_t kLongest = 150'000;  // ns without sleeping
  static constexpr std::int64_t kLongestMoving = 100'000'000;
  static constexpr std::int64_t kLongestMoved = 1'000'000;  // while the other side reads it, and writes its answer
  static constexpr std::int64_t kFirstSleep = 20'000;       // ns
  static constexpr std::int64_t kLongestSleep = 1'000'000;

  // Something has come.
  void reset() noexcept {
    looks_ = 0;
    began_ = 0;
  }

  // After a look that found nothing: lets a moment pass. False: it is time to sleep. `moving`:
  // something large is on its way, and comes further with each look and with nothing else; so
  // others are let on in between, but not waited for.
  bool again(bool moving = false) noexcept {
    if (!platform::several_cores()) return false;
    if (++looks_ < kPauses) {
      platform::cpu_relax();
      return true;
    }
    if (looks_ % kLooksForEachYield != 0) return true;
    std::int64_t now = Crowd::clock();
    if (NOGIL_SPIN_YIELDS == 0 || (!moving && Crowd::expected(now))) return false;
    if (began_ == 0) began_ = now;
    moved_ = moved_ || moving;
    if (now - began_ > (moving ? kLongestMoving : moved_ ? kLongestMoved : kLongest)) return false;
    platform::Native::yield();
    const std::int64_t before = now;
    now = Crowd::clock();
    Crowd::yielded(now, now - before);
    return true;
  }

  // How long to sleep, in ns, when the last message came so long ago.
  static std::int64_t sleep_after(std::int64_t silence) noexcept {
    const std::int64_t eighth = silence / 8;
    return eighth < kFirstSleep ? kFirstSleep : eighth < kLongestSleep ? eighth : kLongestSleep;
  }

 private:
  static constexpr int kPauses = 64;
  static constexpr int kLooksForEachYield = 8;

  int looks_ = 0;
  std::int64_t began_ = 0;
  bool moved_ = false;  // something large has been on its way
};

}  // namespace nogil::mpi::detail
