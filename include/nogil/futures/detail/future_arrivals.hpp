// nogil/futures/detail/future_arrivals.hpp -- several futures, in the order in which they complete.
//
// What wait() and as_completed() are made of. One thread watches a number of blocks, each
// with a watch of its own, and takes them as they become done:
//
//   Arrivals arrivals(watches);             // one for each block
//   arrivals.watch(i, block);               // for each block
//   if (arrivals.wait(wait)) use(arrivals.take());
//   arrivals.forget(i, block);              // for each that was not taken, before the end
//
// Threads    One, but for the blocks, which tell from wherever they are finished.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "nogil/futures/detail/task_block.hpp"
#include "nogil/platform/backoff.hpp"
#include "nogil/platform/native.hpp"
#include "nogil/platform/wait.hpp"

namespace nogil::detail {

template <class Platform>
class BasicArrivals {
 public:
  using Block = BasicTaskBlock<Platform>;
  using Wait = platform::BasicWait<Platform>;

  // One for each block. The tickets are a row of their own, which only lies here: the block
  // that arrives as the k-th leaves its number in the k-th, whichever block that is.
  struct Watch : BasicObserver<Platform> {
    Watch() noexcept : BasicObserver<Platform>(&BasicArrivals::tell, Told::kLocked) {}

    BasicArrivals* arrivals = nullptr;
    std::uint32_t number = 0;
    typename Platform::template Atomic<std::uint32_t> ticket{kNobody};
  };

  // The array belongs to the caller.
  explicit BasicArrivals(Watch* watches) noexcept : watches_(watches) {}
  BasicArrivals(const BasicArrivals&) = delete;
  BasicArrivals& operator=(const BasicArrivals&) = delete;

  // From now on the block arrives, once, when it is done; at once if it is.
  void watch(std::uint32_t number, Block& block) noexcept {
    Watch& watch = watches_[number];
    watch.arrivals = this;
    watch.number = number;
    if (!block.observe(watch)) arrive(number);
  }

  // Has to be called for each block that was watched and not taken, before the watches go.
  void forget(std::uint32_t number, Block& block) noexcept { block.forget(watches_[number]); }

  // Whether take() has something to take.
  bool ready() const noexcept { return next().load(std::memory_order_acquire) >= kFirst; }

  // Waits until it has. False: the limit was reached first. There must be one to come.
  bool wait(Wait& wait) noexcept { return ready() || wait_slow(wait); }

  // Passes by all that arrive but the last of `count`: wait() then sleeps until that one has
  // come, and nobody wakes it before.
  void skip_to_last(std::uint32_t count) noexcept { taken_ = count - 1; }

  // The number of the block that was done first of those not taken yet.
  std::uint32_t take() noexcept { return watches_[taken_++].ticket.load(std::memory_order_acquire) - kFirst; }

 private:
  // Each block that arrives draws a ticket, and leaves its number there by an exchange:
  // its last step, which also learns whether the one who waits for that ticket sleeps. So
  // no wake-up is lost, and who has seen all arrive may go: nobody touches anything then,
  // but for the address that is woken.
  static constexpr std::uint32_t kNobody = 0;
  static constexpr std::uint32_t kAsleep = 1;
  static constexpr std::uint32_t kFirst = 2;

  typename Platform::template Atomic<std::uint32_t>& next() const noexcept { return watches_[taken_].ticket; }

  static void tell(BasicObserver<Platform>& self, Block&) noexcept {
    const Watch& watch = static_cast<Watch&>(self);
    watch.arrivals->arrive(watch.number);
  }

  void arrive(std::uint32_t number) noexcept {
    // Acquires and releases, so that a ticket stands for those before it, too: who has seen
    // the last one taken sees all that are done, though an earlier one may still be blank.
    auto& ticket = watches_[arrived_.fetch_add(1, std::memory_order_acq_rel)].ticket;
    const auto address = Platform::address(ticket);
    if (ticket.exchange(number + kFirst, std::memory_order_acq_rel) == kAsleep) {
      Platform::futex_wake(address, platform::kEveryone);
    }
  }

  [[gnu::noinline]] bool wait_slow(Wait& wait) noexcept {
    for (platform::BasicBackoff<Platform> backoff(wait); !ready() && backoff.again();) {
    }
    for (bool in_time = !wait.immediate(); !ready() && in_time;) {
      std::uint32_t seen = kNobody;
      if (next().compare_exchange_strong(seen, kAsleep, std::memory_order_acquire, std::memory_order_acquire) ||
          seen == kAsleep) {
        in_time = wait.park(next(), kAsleep, "futures");
      }
    }
    return ready();
  }

  Watch* const watches_;
  std::uint32_t taken_ = 0;
  typename Platform::template Atomic<std::uint32_t> arrived_{0};
};

using Arrivals = BasicArrivals<platform::Native>;

}  // namespace nogil::detail
