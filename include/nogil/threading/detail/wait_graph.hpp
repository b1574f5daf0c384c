// nogil/threading/detail/wait_graph.hpp -- finds the cycle before it closes.
//
// The algorithm of the deadlock watch. A thread about to sleep for a Lock or an RLock
// writes into its record what it waits for, and then walks: this lock, who holds it, what
// that one waits for, who holds that, and so on. A walk that comes back to the walker has
// found a deadlock.
//
// Why none is missed. Each thread publishes, passes a full fence, and walks. Of the
// threads of a cycle one passes its fence last; it sees all the others published, and
// every owner in its place. A thread stays published until it has the lock, and a lock
// changes hands only to a thread that runs, which will publish when it waits.
//
// Why none is invented. A walk reads one edge after the other, so by its end the first
// may be gone. What it found is therefore checked from the end, under the watch lock: the
// last thread waits for a lock that the walker itself holds, so it can not move; hence
// what it holds stays held, hence the one before it cannot move either. (Only a Lock can
// be released by somebody else; see Policy.) Of the threads that find the same cycle the
// first to check takes itself out of it, so one gets the error.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace nogil::detail {

enum class LockKind : int { kLock, kRLock };

// `Threads` says who they are, and is LiveThreads or a model of it:
//
//   Owner           the OwnerWord of the locks that they wait for
//   Record, Guard   one for each thread, with `id`, `guard`, `waits_for` and `waits_how` as
//                   in platform::ThreadRecord; what holds `guard` for a scope
//   find(id)        the record of a living thread, or null
//   watch_lock()    for a Guard; taken before a record's
//   full_fence()
template <class Threads>
class WaitGraph {
 public:
  using Owner = typename Threads::Owner;
  using Word = typename Owner::Word;
  using Record = typename Threads::Record;
  using Guard = typename Threads::Guard;

  // "A waits for L, held by B", as one thread saw it.
  struct Edge {
    std::uint32_t waiter = 0;
    const Word* lock = nullptr;  // null: no wait. May be gone once `waiter` waits no longer
    LockKind kind = LockKind::kLock;
    bool endless = false;
    bool reported = false;
    std::uint32_t holder = 0;  // 0: free at that moment
  };

  // The calling thread, whose record this is, is about to wait, or waits no longer.
  static void publish(Record& me, const Word& lock, LockKind kind, bool endless) noexcept {
    set(me, &lock, (kind == LockKind::kRLock ? kForRLock : 0) | (endless ? kForEver : 0));
  }
  static void withdraw(Record& me) noexcept { set(me, nullptr, 0); }

  // What the thread with this record waits for now.
  static Edge edge(Record& record) noexcept {
    const Guard guard(record.guard);
    const Word* const lock = record.waits_for;
    if (lock == nullptr) return {};
    const int how = record.waits_how;
    // The lock is there: its waiter cannot leave while this guard is held.
    return {.waiter = record.id.load(std::memory_order_relaxed),
            .lock = lock,
            .kind = (how & kForRLock) != 0 ? LockKind::kRLock : LockKind::kLock,
            .endless = (how & kForEver) != 0,
            .reported = (how & kReported) != 0,
            .holder = Owner::owner_of(lock->load(std::memory_order_relaxed))};
  }

  // After publish(), for an endless wait: whether that closed a cycle. If so, tell(cycle,
  // length) is called, under the watch lock, and then either the calling thread is taken
  // out of the cycle (`leave`), or all of it is marked, so that nobody tells it again.
  // With `rlocks_only` cycles with a Lock in them do not count.
  template <class Tell>
  static bool closes(Record& me, bool rlocks_only, bool leave, Tell tell) {
    Threads::full_fence();
    const std::uint32_t id = me.id.load(std::memory_order_relaxed);
    const std::size_t length = walk(id, nullptr, 0);
    if (length == 0) return false;
    Edge* const cycle = new Edge[length];
    bool certain = false;
    {
      const Guard guard(Threads::watch_lock());
      certain = walk(id, cycle, length) == length && still_there(cycle, length, rlocks_only);
      if (certain) {
        tell(cycle, length);
        if (leave) withdraw(me);
        else mark_reported(cycle, length);
      }
    }
    delete[] cycle;
    return certain;
  }

 private:
  // Bits of ThreadRecord::waits_how.
  static constexpr int kForRLock = 1;
  static constexpr int kForEver = 2;
  static constexpr int kReported = 4;

  static void set(Record& me, const Word* lock, int how) noexcept {
    const Guard guard(me.guard);
    me.waits_for = lock;
    me.waits_how = how;
  }

  // Only endless waits: the others end by themselves.
  static Edge edge(std::uint32_t thread) noexcept {
    Record* const record = Threads::find(thread);
    const Edge found = record == nullptr ? Edge() : edge(*record);
    return found.waiter == thread && found.endless ? found : Edge();
  }

  // Follows the chain of waits from thread `me`, and keeps the first `room` edges of it.
  // The length of the cycle if it comes back to `me`, else 0.
  static std::size_t walk(std::uint32_t me, Edge* edges, std::size_t room) noexcept {
    std::uint32_t landmark = 0;  // to notice a cycle of others, which `me` only waits for (R. P. Brent, 1980)
    std::uint32_t thread = me;
    for (std::size_t length = 0;;) {
      const Edge next = edge(thread);
      if (next.lock == nullptr || next.holder == 0 || next.holder == landmark) return 0;
      if (length < room) edges[length] = next;
      ++length;
      if (next.holder == me) return length;
      thread = next.holder;
      if ((length & (length - 1)) == 0) landmark = thread;
    }
  }

  // From the end, as the top of this file says why.
  static bool still_there(const Edge* cycle, std::size_t length, bool rlocks_only) noexcept {
    for (std::size_t i = length; i-- > 0;) {
      const Edge now = edge(cycle[i].waiter);
      if (now.lock != cycle[i].lock || now.holder != cycle[i].holder || now.reported) return false;
      if (rlocks_only && now.kind != LockKind::kRLock) return false;
    }
    return true;
  }

  // They go on waiting, and whoever of them looks again must not report it again.
  static void mark_reported(const Edge* cycle, std::size_t length) noexcept {
    for (std::size_t i = 0; i < length; ++i) {
      Record* const record = Threads::find(cycle[i].waiter);
      if (record == nullptr) continue;  // somebody else released its Lock, and it has ended
      const Guard guard(record->guard);
      record->waits_how = record->waits_how | kReported;
    }
  }
};

}  // namespace nogil::detail
