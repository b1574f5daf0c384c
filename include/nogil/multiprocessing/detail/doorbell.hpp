// nogil/multiprocessing/detail/doorbell.hpp -- sleep until another process has changed something.
//
//   change(); bell.ring();                               // who may have made it true
//   bell.wait(wait, [&] { return it_is_true(); });       // who waits for it
//
// ring() wakes one. Who was woken, and leaves something for the next, rings again: so one
// ring for many changes is enough.
//
// Ordering   The change, ready()'s look at it, and the bell's own steps are seq_cst: either
//            the sleeper sees the change, or who rings sees the sleeper.
// Dying      Who sleeps, or has just been woken, may die, and so may who was about to ring.
//            So a sleeper looks again by itself, after 8 ms at first and at last twice a second.

#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "nogil/multiprocessing/detail/crowd.hpp"
#include "nogil/platform/backoff.hpp"
#include "nogil/platform/deadline.hpp"
#include "nogil/platform/wait.hpp"

namespace nogil::multiprocessing::detail {

template <class Platform>
class Doorbell {
 public:
  using Wait = platform::BasicWait<Platform>;

  void ring() noexcept {
    if ((word_.load(std::memory_order_seq_cst) & kSleepers) != 0) [[unlikely]]
      wake(1);
  }

  void ring_for_all() noexcept {
    if ((word_.load(std::memory_order_seq_cst) & kSleepers) != 0) wake(platform::kEveryone);
  }

  // Until ready() is true. False: the limit was reached first; take a last look, and give up.
  // `slept` is set if it did, which makes the caller one to ring again.
  template <class Ready>
  bool wait(Wait& wait, bool& slept, Ready&& ready) noexcept {
    for (CrowdBackoff<Platform, platform::QueuePolicy> backoff(wait); !ready();) {
      if (backoff.again()) continue;
      return !wait.immediate() && sleep(wait, slept, ready);
    }
    return true;
  }

 private:
  // word_ holds
  //
  //   bit  0        sleepers     somebody may be asleep
  //   bits 1..31    generation   changes with each wake-up
  //
  // A sleeper marks the word before its last look, and sleeps only while it is unchanged.
  // Whoever rings takes the mark away, as it cannot know whether there are others; they are
  // marked again by the one that was woken, which does so before it looks and takes.
  static constexpr std::uint32_t kSleepers = 1;
  static constexpr std::uint32_t kGeneration = 2;
  static constexpr std::chrono::milliseconds kFirstLook{8};
  static constexpr std::chrono::milliseconds kLongestLook{512};

  [[gnu::noinline, gnu::cold]] void wake(std::uint32_t count) noexcept {
    const auto address = Platform::address(word_);
    std::uint32_t seen = word_.load(std::memory_order_relaxed);
    do {
      if ((seen & kSleepers) == 0) return;  // another one wakes it
    } while (!word_.compare_exchange_weak(seen, (seen + kGeneration) & ~kSleepers, std::memory_order_seq_cst,
                                          std::memory_order_relaxed));
    Platform::futex_wake(address, count);
  }

  template <class Ready>
  [[gnu::noinline]] bool sleep(Wait& wait, bool& slept, Ready& ready) noexcept {
    for (auto look = kFirstLook;; look = look < kLongestLook ? look * 2 : look) {
      const std::uint32_t seen = word_.fetch_or(kSleepers, std::memory_order_seq_cst) | kSleepers;
      if (ready()) return true;
      if (wait.over()) return false;
      slept = true;
      wait.park(word_, seen, platform::Deadline::after(look), "queue");
    }
  }

  typename Platform::template Atomic<std::uint32_t> word_{0};
};

}  // namespace nogil::multiprocessing::detail
