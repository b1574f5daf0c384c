// nogil/threading/detail/rwlock_core.hpp -- many readers or one writer, in turns.
//
// The algorithm of RWLock, without the errors: who holds what is the caller's knowledge.
//
// Source   Phase-fair turns after B. Brandenburg and J. Anderson, "Spin-based
//          reader-writer synchronization for multiprocessor real-time systems" (2010):
//          a waiting writer keeps new readers out, and a writer that leaves lets in all
//          readers who wait. So neither kind starves the other.

#pragma once

#include <atomic>
#include <cstdint>

#include "nogil/platform/backoff.hpp"
#include "nogil/platform/wait.hpp"

namespace nogil::detail {

template <class Platform>
class RWLockCore {
 public:
  using Wait = platform::BasicWait<Platform>;

  constexpr RWLockCore() noexcept = default;

  bool try_acquire_read() noexcept {
    std::uint64_t seen = state_.load(std::memory_order_relaxed);
    while (reader_may_enter(seen)) {
      if (state_.compare_exchange_weak(seen, seen + kReader, std::memory_order_acquire, std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  bool try_acquire_write() noexcept {
    std::uint64_t seen = state_.load(std::memory_order_relaxed);
    while (free(seen)) {
      if (state_.compare_exchange_weak(seen, seen + kWriter, std::memory_order_acquire, std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  // Within the limit; false: it gave up.
  bool acquire_read_slow(Wait& wait);
  bool acquire_write_slow(Wait& wait);

  void release_read() noexcept {
    const std::uint64_t old = state_.fetch_sub(kReader, std::memory_order_release);
    if (readers(old) == 1 && waiting_writers(old) != 0) wake_writer();
  }

  void release_write() noexcept {
    std::uint64_t seen = state_.load(std::memory_order_relaxed);
    std::uint64_t next;
    do {
      next = admit_readers(seen - kWriter);
    } while (!state_.compare_exchange_weak(seen, next, std::memory_order_release, std::memory_order_relaxed));
    if (waiting_readers(seen) != 0) wake_readers();
    else if (waiting_writers(seen) != 0) wake_writer();
  }

  // At some moment during the call.
  std::uint32_t reader_count() const noexcept { return readers(state_.load(std::memory_order_relaxed)); }
  bool written() const noexcept { return (state_.load(std::memory_order_relaxed) & kWriter) != 0; }

 private:
  // state_ holds
  //
  //   bits  0..19   readers           that have the lock
  //   bit  20       writer            has the lock
  //   bits 21..23   turn              how often waiting readers were admitted
  //   bits 24..43   waiting readers   inside acquire_read_slow(), awake or asleep
  //   bits 44..63   waiting writers   inside acquire_write_slow(), awake or asleep
  //
  // Readers sleep on its low half; writers on gate_. A million threads of each kind fit.
  //
  // A leaving writer admits the waiting readers in the step that ends its own turn: it
  // makes them readers and changes `turn`. A waiting reader that sees another turn than
  // it registered in has the lock. It cannot miss a turn and take a later one for its
  // own: the next can only come after a writer's, and that only after this reader left.
  //
  // No wake-up is lost. A reader sleeps only while the half that holds `turn` and
  // `writer` is unchanged. A writer reads gate_ before it looks at state_, and whoever
  // frees the lock changes gate_ after that: the writer sees the one or the other. A
  // waiting writer that gives up admits the readers it kept out.
  static constexpr std::uint64_t kReader = 1;
  static constexpr std::uint64_t kWriter = std::uint64_t{1} << 20;
  static constexpr std::uint64_t kTurn = std::uint64_t{1} << 21;
  static constexpr std::uint64_t kTurns = 7 * kTurn;
  static constexpr std::uint64_t kWaitingReader = std::uint64_t{1} << 24;
  static constexpr std::uint64_t kWaitingWriter = std::uint64_t{1} << 44;
  static constexpr std::uint64_t kCount = (std::uint64_t{1} << 20) - 1;

  static constexpr std::uint32_t readers(std::uint64_t s) noexcept { return static_cast<std::uint32_t>(s & kCount); }
  static constexpr std::uint64_t waiting_readers(std::uint64_t s) noexcept { return s / kWaitingReader & kCount; }
  static constexpr std::uint64_t waiting_writers(std::uint64_t s) noexcept { return s / kWaitingWriter; }

  static constexpr bool free(std::uint64_t s) noexcept { return readers(s) == 0 && (s & kWriter) == 0; }
  static constexpr bool reader_may_enter(std::uint64_t s) noexcept {
    return (s & kWriter) == 0 && waiting_writers(s) == 0;
  }

  // All waiting readers become readers.
  static constexpr std::uint64_t admit_readers(std::uint64_t s) noexcept {
    const std::uint64_t admitted = waiting_readers(s);
    if (admitted == 0) return s;
    const std::uint64_t turned = (s & ~kTurns) | ((s + kTurn) & kTurns);
    return turned - admitted * kWaitingReader + admitted * kReader;
  }

  [[gnu::noinline, gnu::cold]] void wake_readers() noexcept {
    Platform::futex_wake(Platform::address(state_), platform::kEveryone);
  }

  [[gnu::noinline, gnu::cold]] void wake_writer() noexcept {
    gate_.fetch_add(1, std::memory_order_release);
    Platform::futex_wake(Platform::address(gate_), 1);
  }

  typename Platform::template Atomic<std::uint64_t> state_{0};
  typename Platform::template Atomic<std::uint32_t> gate_{0};  // changes when a writer may look again
};

template <class Platform>
bool RWLockCore<Platform>::acquire_read_slow(Wait& wait) {
  if (wait.immediate()) return try_acquire_read();
  for (platform::BasicBackoff<Platform> backoff(wait); backoff.again();) {
    if (try_acquire_read()) return true;
  }
  std::uint64_t seen = state_.load(std::memory_order_relaxed);
  std::uint64_t next;
  do {
    next = seen + (reader_may_enter(seen) ? kReader : kWaitingReader);
  } while (!state_.compare_exchange_weak(seen, next, std::memory_order_acquire, std::memory_order_relaxed));
  if (reader_may_enter(seen)) return true;

  const std::uint64_t turn = seen & kTurns;
  seen = next;
  for (bool in_time = true; (seen & kTurns) == turn;) {
    if (reader_may_enter(seen) || !in_time) {
      const bool enters = reader_may_enter(seen);
      next = seen - kWaitingReader + (enters ? kReader : 0);
      if (state_.compare_exchange_weak(seen, next, std::memory_order_acquire, std::memory_order_acquire)) return enters;
    } else {
      in_time = wait.park(state_, static_cast<std::uint32_t>(seen));
      seen = state_.load(std::memory_order_acquire);
    }
  }
  return true;  // admitted
}

template <class Platform>
bool RWLockCore<Platform>::acquire_write_slow(Wait& wait) {
  if (wait.immediate()) return try_acquire_write();
  for (platform::BasicBackoff<Platform> backoff(wait); backoff.again();) {
    if (try_acquire_write()) return true;
  }
  state_.fetch_add(kWaitingWriter, std::memory_order_relaxed);
  for (bool in_time = true;;) {
    const std::uint32_t gate = gate_.load(std::memory_order_acquire);
    std::uint64_t seen = state_.load(std::memory_order_relaxed);
    if (free(seen)) {
      const std::uint64_t next = seen - kWaitingWriter + kWriter;
      if (state_.compare_exchange_weak(seen, next, std::memory_order_acquire, std::memory_order_relaxed)) return true;
    } else if (in_time) {
      in_time = wait.park(gate_, gate);
    } else {
      std::uint64_t next = seen - kWaitingWriter;
      const bool admits = reader_may_enter(next) && waiting_readers(next) != 0;
      if (admits) next = admit_readers(next);
      if (state_.compare_exchange_weak(seen, next, std::memory_order_release, std::memory_order_relaxed)) {
        if (admits) wake_readers();
        return false;
      }
    }
  }
}

}  // namespace nogil::detail
