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

  // `me` is Platform::thread_id().
  bool try_acquire_write(std::uint32_t me) noexcept {
    std::uint64_t seen = state_.load(std::memory_order_relaxed);
    while (free(seen)) {
      if (state_.compare_exchange_weak(seen, seen + kWriter + me, std::memory_order_acquire,
                                       std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  // Within the limit; false: it gave up.
  bool acquire_read_slow(Wait& wait);
  bool acquire_write_slow(std::uint32_t me, Wait& wait);

  // By who holds it for reading.
  void release_read() noexcept {
    const std::uint64_t old = state_.fetch_sub(kReader, std::memory_order_release);
    if (readers(old) == 1 && waiting_writers(old) != 0) wake_writer();
  }

  // By who holds it for writing.
  void release_write() noexcept {
    std::uint64_t seen = state_.load(std::memory_order_relaxed);
    std::uint64_t next;
    do {
      next = admit_readers(seen & ~(kWriter | kHolder));
    } while (!state_.compare_exchange_weak(seen, next, std::memory_order_release, std::memory_order_relaxed));
    if (waiting_readers(seen) != 0) wake_readers();
    else if (waiting_writers(seen) != 0) wake_writer();
  }

  // At some moment during the call. The own number is written by the own thread alone, so
  // for it the answer is exact.
  std::uint32_t reader_count() const noexcept { return readers(state_.load(std::memory_order_relaxed)); }
  std::uint32_t writer() const noexcept {
    const std::uint64_t seen = state_.load(std::memory_order_relaxed);
    return (seen & kWriter) != 0 ? static_cast<std::uint32_t>(seen & kHolder) : 0;
  }

 private:
  // state_ holds
  //
  //   bits  0..29   holder            how many read; or, with `writer`, who writes
  //   bit  30       writer            one thread writes
  //   bit  31       turn              changes when a leaving writer admits readers
  //   bits 32..47   waiting readers   inside acquire_read_slow(), awake or asleep
  //   bits 48..63   waiting writers   inside acquire_write_slow(), awake or asleep
  //
  // A leaving writer admits the readers that wait in the step that ends its own turn: it
  // makes them holders and changes `turn`. A waiting reader that sees another turn than
  // it registered in has the lock, however late it looks: the next change can only come
  // after another writer's turn, and that only after this reader has left.
  //
  // Readers sleep on reader_gate_, writers on writer_gate_. Who sleeps has read its gate
  // before it looked at state_, and whoever makes it worth looking again changes the gate
  // after state_. So one of the two is seen, and no wake-up is lost. Worth looking again:
  // for writers, the lock is free; for readers, they were admitted, or the last writer
  // that kept them out has given up.
  static constexpr std::uint64_t kReader = 1;
  static constexpr std::uint64_t kHolder = (std::uint64_t{1} << 30) - 1;
  static constexpr std::uint64_t kWriter = std::uint64_t{1} << 30;
  static constexpr std::uint64_t kTurn = std::uint64_t{1} << 31;
  static constexpr std::uint64_t kWaitingReader = std::uint64_t{1} << 32;
  static constexpr std::uint64_t kWaitingWriter = std::uint64_t{1} << 48;
  static constexpr std::uint64_t kMostWaiting = 0xffff;

  static constexpr std::uint32_t readers(std::uint64_t s) noexcept {
    return (s & kWriter) != 0 ? 0 : static_cast<std::uint32_t>(s & kHolder);
  }
  static constexpr std::uint64_t waiting_readers(std::uint64_t s) noexcept { return s / kWaitingReader & kMostWaiting; }
  static constexpr std::uint64_t waiting_writers(std::uint64_t s) noexcept { return s / kWaitingWriter; }

  static constexpr bool free(std::uint64_t s) noexcept { return (s & (kWriter | kHolder)) == 0; }
  static constexpr bool reader_may_enter(std::uint64_t s) noexcept {
    return (s & kWriter) == 0 && waiting_writers(s) == 0;
  }

  // All waiting readers become readers.
  static constexpr std::uint64_t admit_readers(std::uint64_t s) noexcept {
    const std::uint64_t admitted = waiting_readers(s);
    return admitted == 0 ? s : (s ^ kTurn) - admitted * kWaitingReader + admitted * kReader;
  }

  // Counts this thread among those who wait, and returns the state with it. Beyond 65,535
  // of a kind the rest yield until there is room.
  std::uint64_t register_waiter(std::uint64_t waiter) noexcept {
    std::uint64_t seen = state_.load(std::memory_order_relaxed);
    for (;;) {
      if ((seen / waiter & kMostWaiting) == kMostWaiting) {
        Platform::yield();
        seen = state_.load(std::memory_order_relaxed);
      } else if (state_.compare_exchange_weak(seen, seen + waiter, std::memory_order_relaxed,
                                              std::memory_order_relaxed)) {
        return seen + waiter;
      }
    }
  }

  [[gnu::noinline, gnu::cold]] void wake_readers() noexcept {
    reader_gate_.fetch_add(1, std::memory_order_release);
    Platform::futex_wake(Platform::address(reader_gate_), platform::kEveryone);
  }

  [[gnu::noinline, gnu::cold]] void wake_writer() noexcept {
    writer_gate_.fetch_add(1, std::memory_order_release);
    Platform::futex_wake(Platform::address(writer_gate_), 1);
  }

  typename Platform::template Atomic<std::uint64_t> state_{0};
  typename Platform::template Atomic<std::uint32_t> reader_gate_{0};
  typename Platform::template Atomic<std::uint32_t> writer_gate_{0};
};

template <class Platform>
bool RWLockCore<Platform>::acquire_read_slow(Wait& wait) {
  if (wait.immediate()) return try_acquire_read();
  for (platform::BasicBackoff<Platform> backoff(wait); backoff.again();) {
    if (try_acquire_read()) return true;
  }
  const std::uint64_t turn = register_waiter(kWaitingReader) & kTurn;
  for (bool in_time = true;;) {
    const std::uint32_t gate = reader_gate_.load(std::memory_order_acquire);
    std::uint64_t seen = state_.load(std::memory_order_acquire);
    if ((seen & kTurn) != turn) return true;  // admitted
    const bool enters = reader_may_enter(seen);
    if (!enters && in_time) {
      in_time = wait.park(reader_gate_, gate, "rwlock to read");
      continue;
    }
    const std::uint64_t next = seen - kWaitingReader + (enters ? kReader : 0);
    if (state_.compare_exchange_weak(seen, next, std::memory_order_acquire, std::memory_order_relaxed)) return enters;
  }
}

template <class Platform>
bool RWLockCore<Platform>::acquire_write_slow(std::uint32_t me, Wait& wait) {
  if (wait.immediate()) return try_acquire_write(me);
  for (platform::BasicBackoff<Platform> backoff(wait); backoff.again();) {
    if (try_acquire_write(me)) return true;
  }
  register_waiter(kWaitingWriter);
  for (bool in_time = true;;) {
    const std::uint32_t gate = writer_gate_.load(std::memory_order_acquire);
    std::uint64_t seen = state_.load(std::memory_order_relaxed);
    const bool enters = free(seen);
    if (!enters && in_time) {
      in_time = wait.park(writer_gate_, gate, "rwlock to write");
      continue;
    }
    const std::uint64_t next = seen - kWaitingWriter + (enters ? kWriter + me : 0);
    if (!state_.compare_exchange_weak(seen, next, std::memory_order_acquire, std::memory_order_relaxed)) continue;
    if (!enters && reader_may_enter(next) && waiting_readers(next) != 0) wake_readers();
    return enters;
  }
}

}  // namespace nogil::detail
