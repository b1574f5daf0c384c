// nogil/threading/rwlock.hpp -- RWLock: many readers at once, or one writer.
//
//   nogil::RWLock lock;
//   {
//     std::shared_lock guard(lock);           // beside other readers
//     return table.at(key);
//   }
//   {
//     std::scoped_lock guard(lock);           // alone
//     table[key] = value;
//   }
//
// Threads    Every member except construction and destruction may be called from any
//            number of threads at once. Who acquired it releases it.
// Ordering   What was done before a release is visible after the next acquire, except
//            from reader to reader.
// Fairness   In turns: a waiting writer keeps new readers out, and a writer that leaves
//            lets in all readers who wait. Neither kind starves. Among writers, a
//            newcomer may go first.
// Not twice  It is not re-entrant. A thread that holds it and acquires it again, to
//            upgrade or by mistake, would wait for itself: RuntimeError instead, and
//            what it held it still holds. try_ forms return false.
// Lifetime   Nobody may hold it, or be inside a call, when it is destroyed.
// Cost       16 bytes, constant-initialised. Without contention one compare-and-swap to
//            acquire, one atomic step to release. All readers write one word: on many
//            cores reading does not scale by itself; hold it for more than a moment.
// Python     Has none; people have asked since 2010.

#pragma once

#include <cstdint>

#include "nogil/platform/errors.hpp"
#include "nogil/platform/text.hpp"
#include "nogil/platform/wait.hpp"
#include "nogil/threading/detail/read_holds.hpp"
#include "nogil/threading/detail/rwlock_core.hpp"

namespace nogil {

class RWLock {
 public:
  constexpr RWLock() noexcept = default;
  RWLock(const RWLock&) = delete;
  RWLock& operator=(const RWLock&) = delete;

  // ---- Reading ---------------------------------------------------------------------

  // Takes it for reading, waiting while a writer has it or waits for it. Always true, so
  // the result may be ignored. Throws RuntimeError if this thread holds it already.
  bool acquire_read() {
    if (try_acquire_read()) [[likely]]
      return true;
    require_not_held("RWLock.acquire_read");
    platform::Wait forever;
    return acquire_read_slow(forever);
  }

  // acquire_read(timeout | deadline | stop_token | timeout, stop_token): waits no longer
  // than that. Returns whether it took the lock.
  template <class... Limits>
  requires platform::WaitLimits<Limits...>
  [[nodiscard]] bool acquire_read(const Limits&... limits) {
    if (try_acquire_read()) return true;
    require_not_held("RWLock.acquire_read");
    return platform::within([this](platform::Wait& wait) { return acquire_read_slow(wait); }, limits...);
  }

  // Takes it for reading if that needs no waiting.
  [[nodiscard]] bool try_acquire_read() noexcept {
    if (detail::t_read_holds.contains(this) || !core_.try_acquire_read()) return false;
    detail::t_read_holds.add(this);
    return true;
  }

  // Throws RuntimeError, and changes nothing, if this thread does not hold it for reading.
  void release_read() {
    if (!detail::t_read_holds.remove(this)) [[unlikely]] {
      fail("RWLock.release_read", "does not hold the lock for reading");
    }
    core_.release_read();
  }

  // ---- Writing ---------------------------------------------------------------------

  // Takes it for writing, waiting for all who hold it. Always true, so the result may be
  // ignored. Throws RuntimeError if this thread holds it already, for either.
  bool acquire_write() {
    if (try_acquire_write()) [[likely]]
      return true;
    require_not_held("RWLock.acquire_write");
    platform::Wait forever;
    return acquire_write_slow(forever);
  }

  // acquire_write(timeout | deadline | stop_token | timeout, stop_token): waits no longer
  // than that. Returns whether it took the lock.
  template <class... Limits>
  requires platform::WaitLimits<Limits...>
  [[nodiscard]] bool acquire_write(const Limits&... limits) {
    if (try_acquire_write()) return true;
    require_not_held("RWLock.acquire_write");
    return platform::within([this](platform::Wait& wait) { return acquire_write_slow(wait); }, limits...);
  }

  // Takes it for writing if that needs no waiting.
  [[nodiscard]] bool try_acquire_write() noexcept { return core_.try_acquire_write(platform::thread_id()); }

  // Throws RuntimeError, and changes nothing, if this thread does not hold it for writing.
  void release_write() {
    if (!written_here()) [[unlikely]]
      fail("RWLock.release_write", "does not hold the lock for writing");
    core_.release_write();
  }

  // ---- Looking ---------------------------------------------------------------------

  // How many read it, and whether one writes it, at some moment during the call.
  [[nodiscard]] std::uint32_t readers() const noexcept { return core_.reader_count(); }
  [[nodiscard]] bool locked() const noexcept { return core_.writer() != 0; }

  // The standard SharedTimedLockable names: std::shared_lock, std::unique_lock, ….
  void lock() { acquire_write(); }
  [[nodiscard]] bool try_lock() noexcept { return try_acquire_write(); }
  [[nodiscard]] bool try_lock_for(const platform::TimeLimit auto& timeout) { return acquire_write(timeout); }
  [[nodiscard]] bool try_lock_until(const platform::TimeLimit auto& deadline) { return acquire_write(deadline); }
  void unlock() { release_write(); }

  void lock_shared() { acquire_read(); }
  [[nodiscard]] bool try_lock_shared() noexcept { return try_acquire_read(); }
  [[nodiscard]] bool try_lock_shared_for(const platform::TimeLimit auto& timeout) { return acquire_read(timeout); }
  [[nodiscard]] bool try_lock_shared_until(const platform::TimeLimit auto& deadline) { return acquire_read(deadline); }
  void unlock_shared() { release_read(); }

 private:
  bool written_here() const noexcept { return core_.writer() == platform::thread_id(); }

  [[gnu::noinline, gnu::cold]] bool acquire_read_slow(platform::Wait& wait) {
    if (!core_.acquire_read_slow(wait)) return false;
    detail::t_read_holds.add(this);
    return true;
  }

  [[gnu::noinline, gnu::cold]] bool acquire_write_slow(platform::Wait& wait) {
    return core_.acquire_write_slow(platform::thread_id(), wait);
  }

  [[gnu::noinline, gnu::cold]] void require_not_held(const char* call) const {
    if (written_here()) fail(call, "already holds the lock for writing");
    if (detail::t_read_holds.contains(this))
      fail(call, "already holds the lock for reading, and would wait for itself");
  }

  [[noreturn, gnu::noinline, gnu::cold]] static void fail(const char* call, const char* why) {
    throw RuntimeError((platform::Text() << call << ": the calling thread " << why).take());
  }

  detail::RWLockCore<platform::Native> core_;
};

}  // namespace nogil
