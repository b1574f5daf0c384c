// nogil/futures/detail/parking.hpp -- where workers without work sleep, and how they are woken.
//
// A pool has a seat for each worker that it may have. Who makes work calls notify(), which
// says whether a sleeper is wanted: only when one sleeps and no other worker is searching
// for work already. So a burst of tasks wakes one worker, which wakes the next one when it
// has found something and there is more.
//
//   // who makes work                            // a worker that has found nothing
//   queue.push(task);                            parking.sit_down(seat);
//   if (parking.wanted()) {                      if (there_is_work()) parking.get_up(seat);
//     if (Seat* seat = parking.claim())          else parking.sleep(seat);
//       parking.wake(*seat);
//   }
//
// The last one to sit down is the first to be woken: the memory of its core is the warmest.
// A seat whose worker was never started is claimed like a sleeper's, after all of those:
// claim() then says kVacant, and who claimed it starts the worker.
//
// Threads    sit_down(), get_up() and sleep(): by the seat's worker. The rest: by anybody.
// Contract   A wake-up is not lost: work that was there before wanted() is found by a
//            worker that searches, or looks again before it sleeps, or is woken; as long as
//            each one that leaves_search() with true looks whether there is more work.
// Cost       wanted(), when everybody works: a compiler barrier and one load. When one
//            sleeps and another searches: a fence, but no step on what all share, and by
//            wanted_often() no fence either, for which the searcher pays. sit_down(): one
//            atomic step and a heavy fence (platform/fence.hpp).

#pragma once

#include <atomic>
#include <cstdint>

#include "nogil/platform/cpu.hpp"
#include "nogil/platform/deadline.hpp"

namespace nogil::detail {

template <class Platform>
class Parking {
  template <class T>
  using Atomic = typename Platform::template Atomic<T>;

 public:
  // What a seat's worker is doing.
  enum Posture : std::uint32_t {
    kUp,      // not on the stack: it works, or was claimed
    kSeated,  // on the stack; asleep, or about to
    kStale,   // on the stack, but it got up again
    kVacant,  // on the stack, and there is no worker yet
  };

  struct alignas(platform::kCacheLine) Seat {
    Atomic<std::uint32_t> posture{kVacant};  // the futex word
    Atomic<std::uint32_t> below{0};          // the seat under this one, counted from 1; 0: none
  };

  // Most seats that there can be.
  static constexpr std::uint32_t kMostSeats = 0xffff;

  // With `count` vacant seats, the first one on top. The array must live as long.
  Parking(Seat* seats, std::uint32_t count) noexcept : state_(count == 0 ? 0 : 1), seats_(seats) {
    for (std::uint32_t i = 0; i < count; ++i) {
      seats[i].below.store(i + 1 < count ? i + 2 : 0, std::memory_order_relaxed);
    }
  }
  Parking(const Parking&) = delete;
  Parking& operator=(const Parking&) = delete;

  // ---- Who makes work ------------------------------------------------------------------

  // After the work is there: whether somebody should be woken for it.
  bool wanted() noexcept {
    Platform::light_fence();
    const std::uint64_t seen = state_.load(std::memory_order_relaxed);
    if (top(seen) == 0) [[likely]]
      return false;
    return searching(seen) == 0 || wanted_slow();
  }

  // The same for who makes work in quick succession: no fence, but for the first one since a
  // searcher passed the search on.
  bool wanted_often() noexcept {
    Platform::light_fence();
    const bool relied_on = relied_on_.load(std::memory_order_acquire);
    const std::uint64_t seen = state_.load(std::memory_order_relaxed);
    if (top(seen) == 0) [[likely]]
      return false;
    if (searching(seen) == 0) return true;
    if (relied_on) return false;
    relied_on_.store(true, std::memory_order_release);
    return wanted_slow();
  }

  // Takes the seat on top, and counts its worker as searching. Null: nobody is left there,
  // or only vacant ones, if those are not to be taken. What the posture was, kSeated or
  // kVacant, goes to `was`.
  Seat* claim(Posture& was, bool vacant_too = true) noexcept {
    std::uint64_t seen = state_.load(std::memory_order_acquire);
    for (bool counted = false;;) {
      if (top(seen) == 0 || (!vacant_too && seat_on_top(seen).posture.load(std::memory_order_relaxed) == kVacant)) {
        // Counted for stale seats only: uncounted by a step that finds the stack as it was
        // seen. Otherwise a producer may have left one who lay down since to this search.
        if (!counted || state_.compare_exchange_weak(seen, seen - kSearcher, std::memory_order_acq_rel,
                                                     std::memory_order_acquire)) {
          return nullptr;
        }
        continue;
      }
      Seat& seat = seat_on_top(seen);
      const std::uint64_t next = popped(seen, seat) + (counted ? 0 : kSearcher);
      if (!state_.compare_exchange_weak(seen, next, std::memory_order_acq_rel, std::memory_order_acquire)) continue;
      was = static_cast<Posture>(seat.posture.exchange(kUp, std::memory_order_acq_rel));
      if (was != kStale) return &seat;
      counted = true;
      seen = next;
    }
  }

  // Ends the sleep of a seat that was claimed.
  void wake(Seat& seat) noexcept { Platform::futex_wake(Platform::address(seat.posture), 1); }

  // Gives a vacant seat back, whose worker could not be started.
  void vacate(Seat& seat) noexcept {
    seat.posture.store(kVacant, std::memory_order_relaxed);
    push(seat, true);
  }

  // ---- Workers -----------------------------------------------------------------------

  // Counts the calling worker as searching, unless there are `most` already.
  bool enter_search(std::uint32_t most) noexcept {
    std::uint64_t seen = state_.load(std::memory_order_relaxed);
    while (searching(seen) < most) {
      if (state_.compare_exchange_weak(seen, seen + kSearcher, std::memory_order_acq_rel, std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  // It has found something. True: nobody else searches now, and somebody sleeps, so it must
  // look whether there is more work, and wake somebody for that.
  [[nodiscard]] bool leave_search() noexcept {
    const std::uint64_t seen = state_.fetch_sub(kSearcher, std::memory_order_acq_rel);
    if (searching(seen) != 1 || top(seen) == 0) return false;
    Platform::full_fence();  // against that of wanted_slow()
    if (relied_on_.load(std::memory_order_acquire)) [[unlikely]] {
      relied_on_.store(false, std::memory_order_relaxed);
      Platform::heavy_fence();  // against none: see wanted_often()
    }
    return true;
  }

  // Announces that it is about to sleep, and no longer searching if it was. It must look
  // for work once more after this, and then get_up() or sleep().
  void sit_down(Seat& seat, bool was_searching) noexcept {
    std::uint32_t seen = kStale;
    if (seat.posture.load(std::memory_order_relaxed) == kStale &&
        seat.posture.compare_exchange_strong(seen, kSeated, std::memory_order_acq_rel, std::memory_order_relaxed)) {
      if (was_searching) state_.fetch_sub(kSearcher, std::memory_order_acq_rel);
    } else {
      seat.posture.store(kSeated, std::memory_order_relaxed);
      push(seat, was_searching);
    }
    Platform::heavy_fence();
  }

  // It will not sleep after all. True: it was claimed meanwhile, and so counts as searching.
  bool get_up(Seat& seat) noexcept {
    std::uint64_t state = state_.load(std::memory_order_acquire);
    while (top(state) == number(seat)) {
      if (state_.compare_exchange_weak(state, popped(state, seat), std::memory_order_acq_rel,
                                       std::memory_order_acquire)) {
        seat.posture.store(kUp, std::memory_order_relaxed);
        return false;
      }
    }
    std::uint32_t seen = kSeated;
    return !seat.posture.compare_exchange_strong(seen, kStale, std::memory_order_acq_rel, std::memory_order_acquire);
  }

  // Sleeps until it is claimed: it then counts as searching.
  void sleep(Seat& seat) noexcept {
    while (seat.posture.load(std::memory_order_acquire) == kSeated) {
      Platform::futex_wait(seat.posture, kSeated, platform::Deadline::never());
    }
  }

  // How many search, at some moment during the call.
  std::uint32_t searching() const noexcept { return searching(state_.load(std::memory_order_relaxed)); }

 private:
  // state_ holds
  //
  //   bits  0..15   top        the seat on top of the stack, counted from 1; 0: none
  //   bits 16..31   searching  workers that look for work, or were claimed and soon will
  //   bits 32..63   changes    of the stack, so that a compare-and-swap knows it is the same
  //
  // Why no wake-up is lost. A producer makes work W, then looks at state_.
  //
  //   Nobody on the stack: every worker is up. Each looks for work before it sleeps, after
  //   it sat down; and either the producer saw it seated, or that look sees W: that is what
  //   the light fence and the heavy one are for.
  //
  //   Somebody searches: the producer passes a fence (wanted_slow) and finds the searcher
  //   still counted. So the step that uncounts it comes later, and there is a fence between
  //   that and the look that follows, be it before a sleep or, if it was the last and leaves
  //   others asleep, the one that leave_search() asks for: it sees W. If it was not the last
  //   one, the same is true of the others.
  //
  //   A producer in wanted_often() that finds relied_on_ set leaves the fence to the searcher:
  //   the last one to leave then clears relied_on_ and makes all cores pass one. A producer
  //   whose core passes it after W shows W to the look that follows. One whose core passes it
  //   before W finds relied_on_ cleared, and passes a fence of its own.
  //
  //   Else the producer claims a seat. If all those on the stack are stale, nobody sleeps.
  //
  // A seat that is not on top cannot be taken off by its worker. So one that gets up from
  // there stays, as kStale, until it is claimed in vain, or sits down again.
  static constexpr std::uint64_t kSearcher = std::uint64_t{1} << 16;
  static constexpr std::uint64_t kChange = std::uint64_t{1} << 32;

  static constexpr std::uint32_t top(std::uint64_t state) noexcept {
    return static_cast<std::uint32_t>(state) & 0xffff;
  }
  static constexpr std::uint32_t searching(std::uint64_t state) noexcept {
    return static_cast<std::uint32_t>(state) >> 16;
  }

  Seat& seat_on_top(std::uint64_t state) const noexcept { return seats_[top(state) - 1]; }
  std::uint32_t number(const Seat& seat) const noexcept { return static_cast<std::uint32_t>(&seat - seats_) + 1; }

  // `state` without the seat on its top.
  static std::uint64_t popped(std::uint64_t state, const Seat& seat) noexcept {
    return state - top(state) + seat.below.load(std::memory_order_relaxed) + kChange;
  }

  void push(Seat& seat, bool was_searching) noexcept {
    std::uint64_t seen = state_.load(std::memory_order_relaxed);
    std::uint64_t next;
    do {
      seat.below.store(top(seen), std::memory_order_relaxed);
      next = seen - top(seen) + number(seat) + kChange - (was_searching ? kSearcher : 0);
    } while (!state_.compare_exchange_weak(seen, next, std::memory_order_acq_rel, std::memory_order_relaxed));
  }

  // Another look, behind a fence. Not a step on state_: where workers outnumber cores, one
  // that was woken may wait long for its turn, and until then every piece of work that the
  // others make comes here.
  [[gnu::noinline]] bool wanted_slow() noexcept {
    Platform::full_fence();
    const std::uint64_t seen = state_.load(std::memory_order_relaxed);
    return searching(seen) == 0 && top(seen) != 0;
  }

  alignas(2 * platform::kCacheLine) Atomic<std::uint64_t> state_;
  Atomic<bool> relied_on_{false};
  Seat* const seats_;
};

}  // namespace nogil::detail
