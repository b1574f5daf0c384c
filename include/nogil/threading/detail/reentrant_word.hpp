// nogil/threading/detail/reentrant_word.hpp -- an OwnerWord that its owner may take again.
//
// The algorithm of RLock.
//
// The usual steps, to the first level and to the second and back, look at level_ only, and
// what they store does not depend on what they read. So the processor, which has guessed
// the way that the branch takes, waits neither for the count that it stored a moment ago
// nor for the look at a word that a locked instruction has just written.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "nogil/threading/detail/owner_word.hpp"

namespace nogil::detail {

template <class Platform>
class ReentrantWord {
 public:
  using Owner = OwnerWord<Platform>;
  using Wait = typename Owner::Wait;

  // `me` is Platform::thread_id(), here and below.
  bool try_lock(std::uint32_t me) noexcept {
    const std::uint32_t seen = level_.load(std::memory_order_relaxed);
    if (seen == (kOnce | me)) [[likely]] {
      set(kTwice | me);
      return true;
    }
    if (seen != kNone && owned_by(me)) return deeper(me, seen);
    if (!word_.try_lock(me)) return false;
    set(kOnce | me);
    return true;
  }

  // As OwnerWord::lock_slow, by a thread that does not own it.
  template <class BeforeSleep>
  bool lock_slow(std::uint32_t me, Wait& wait, BeforeSleep&& before_sleep) {
    if (!word_.lock_slow(me, wait, before_sleep)) return false;
    set(kOnce | me);
    return true;
  }

  // Gives back one level. False, and nothing has changed: `me` does not own it.
  bool unlock(std::uint32_t me) noexcept {
    const std::uint32_t seen = level_.load(std::memory_order_relaxed);
    if (seen == (kTwice | me)) [[likely]] {
      set(kOnce | me);
      return true;
    }
    if (seen == (kOnce | me)) {
      set(kNone);
      word_.unlock();
      return true;
    }
    return seen != kNone && owned_by(me) && less_deep(me, seen);
  }

  // Exact.
  bool owned_by(std::uint32_t me) const noexcept { return word_.owner() == me; }

  // How many levels `me` has; 0: it does not own it.
  std::uint32_t levels(std::uint32_t me) const noexcept {
    if (!owned_by(me)) return 0;
    const std::uint32_t seen = level_.load(std::memory_order_relaxed);
    return seen == (kOnce | me) ? 1 : seen == (kTwice | me) ? 2 : seen;
  }

  // By its owner, to give up all levels, and to take them all back.
  std::uint32_t unlock_all(std::uint32_t me) noexcept {
    const std::uint32_t all = levels(me);
    set(kNone);
    word_.unlock();
    return all;
  }
  void set_levels(std::uint32_t me, std::uint32_t levels) noexcept {
    set(levels == 1 ? kOnce | me : levels == 2 ? kTwice | me : levels);
  }

  const Owner& owner_word() const noexcept { return word_; }

 private:
  // level_ says how often its owner has taken it:
  //
  //   0                   not at all: it is free
  //   kOnce | owner       once, and by whom
  //   kTwice | owner      twice
  //   kThird and above    that often, below kOnce
  //
  // Invariant: only the owner writes level_, and it is kNone again before the release.
  //
  // So a thread that reads its own number there wrote it, and owns the lock: whatever was
  // written after a release of its own is another's. Reading a count it asks the word.
  // Relaxed is enough: each thread relies on its own writes only.
  static constexpr std::uint32_t kNone = 0;
  static constexpr std::uint32_t kThird = 3;
  static constexpr std::uint32_t kOnce = std::uint32_t{1} << 31;
  static constexpr std::uint32_t kTwice = std::uint32_t{3} << 30;

  [[gnu::noinline]] bool deeper(std::uint32_t me, std::uint32_t seen) noexcept {
    set(seen == (kTwice | me) ? kThird : seen + 1);
    return true;
  }
  [[gnu::noinline]] bool less_deep(std::uint32_t me, std::uint32_t seen) noexcept {
    set(seen == kThird ? kTwice | me : seen - 1);
    return true;
  }

  void set(std::uint32_t level) noexcept { level_.store(level, std::memory_order_relaxed); }

  Owner word_;
  typename Owner::Word level_{kNone};
};

}  // namespace nogil::detail
