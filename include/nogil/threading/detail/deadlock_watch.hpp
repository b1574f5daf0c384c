// nogil/threading/detail/deadlock_watch.hpp -- finds the cycle before it closes.
//
// A thread about to sleep for a Lock or an RLock writes into its ThreadRecord what it
// waits for, and then walks: this lock, who holds it, what that one waits for, who
// holds that, and so on. A walk that comes back to the walker has found a deadlock.
//
// Nothing is done where a lock is free, or becomes free during the spin: a lock's word
// says who holds it anyway.
//
// Why none is missed. Each thread publishes, passes a full fence, and walks. Of the
// threads of a cycle one passes its fence last; it sees all the others published, and
// every owner in its place. A thread stays published until it has the lock, and a lock
// changes hands only to a thread that runs, which will publish when it waits.
//
// Why none is invented. A walk reads one edge after the other, so by its end the first
// may be gone. What it found is therefore checked from the end, under the registry's
// watch_lock(): the last thread waits for a lock that the walker itself holds, so it can
// not move; hence what it holds stays held, hence the one before it cannot move either.
// (Only a Lock can be released by somebody else; see Policy.) Of the threads that find
// the same cycle the first to check takes itself out of it, so one gets the error.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "nogil/errors.hpp"
#include "nogil/platform/native.hpp"
#include "nogil/platform/raw_lock.hpp"
#include "nogil/platform/text.hpp"
#include "nogil/platform/thread_id.hpp"
#include "nogil/threading/detail/owner_word.hpp"

namespace nogil::detail {

using NativeOwnerWord = OwnerWord<platform::Native>;
using LockWord = NativeOwnerWord::Word;

enum class LockKind : int { kLock, kRLock };

// What a deadlock leads to. kByKind until somebody chooses: RLocks raise, Locks do not.
enum class DeadlockPolicy : int { kUnread, kByKind, kOff, kReport, kRaise };

[[gnu::visibility("default")]] inline constinit std::atomic<DeadlockPolicy> g_deadlock_policy{DeadlockPolicy::kUnread};

// The environment's NOGIL_DEADLOCK=off|report|raise counts until set_policy() is called.
inline DeadlockPolicy deadlock_policy() noexcept {
  DeadlockPolicy policy = g_deadlock_policy.load(std::memory_order_relaxed);
  if (policy != DeadlockPolicy::kUnread) return policy;
  const char* const word = std::getenv("NOGIL_DEADLOCK");
  const auto is = [word](const char* value) { return word != nullptr && std::strcmp(word, value) == 0; };
  const DeadlockPolicy chosen = is("off")      ? DeadlockPolicy::kOff
                                : is("report") ? DeadlockPolicy::kReport
                                : is("raise")  ? DeadlockPolicy::kRaise
                                               : DeadlockPolicy::kByKind;
  // Unless set_policy() came first.
  return g_deadlock_policy.compare_exchange_strong(policy, chosen, std::memory_order_relaxed) ? chosen : policy;
}

// ---- Names of locks ----------------------------------------------------------------

// By address, in a list that only grows, as threads may outlive main(). Guarded by the
// lock of the registry.
struct LockName {
  const void* lock = nullptr;
  std::string name;
  LockName* next = nullptr;
};

[[gnu::visibility("default")]] inline constinit LockName* g_lock_names = nullptr;

// Null if it has none.
inline LockName* find_lock_name(const void* lock) noexcept {
  LockName* entry = g_lock_names;
  while (entry != nullptr && entry->lock != lock) entry = entry->next;
  return entry;
}

inline void name_lock(const void* lock, std::string name) {
  const platform::RawGuard guard(platform::g_threads.lock());
  LockName* entry = find_lock_name(lock);
  if (entry == nullptr) {
    entry = new LockName{.lock = lock, .name = {}, .next = g_lock_names};
    g_lock_names = entry;
  }
  entry->name.swap(name);
}

inline void describe_lock(platform::Text& text, const void* lock, LockKind kind) {
  const platform::RawGuard guard(platform::g_threads.lock());
  const LockName* const entry = find_lock_name(lock);
  if (entry != nullptr && !entry->name.empty()) text << "'" << entry->name << "'";
  else text << (kind == LockKind::kLock ? "Lock " : "RLock ") << lock;
}

// ---- The walk ----------------------------------------------------------------------

// "A waits for L, held by B", as one thread saw it.
struct WaitEdge {
  std::uint32_t waiter = 0;
  const LockWord* lock = nullptr;  // may be gone once `waiter` waits no longer
  LockKind kind = LockKind::kLock;
  bool endless = false;
  bool reported = false;
  std::uint32_t holder = 0;  // 0: free at that moment
};

// Bits of ThreadRecord::waits_how.
inline constexpr int kWaitsForRLock = 1;
inline constexpr int kWaitsForEver = 2;
inline constexpr int kReported = 4;

// What the thread with this record waits for now; an edge without a lock if for none.
inline WaitEdge wait_edge(platform::ThreadRecord& record) noexcept {
  const platform::RawGuard guard(record.guard);
  if (record.waits_for == nullptr) return {};
  // The lock is there: its waiter cannot leave while this guard is held.
  return {.waiter = record.id.load(std::memory_order_relaxed),
          .lock = record.waits_for,
          .kind = (record.waits_how & kWaitsForRLock) != 0 ? LockKind::kRLock : LockKind::kLock,
          .endless = (record.waits_how & kWaitsForEver) != 0,
          .reported = (record.waits_how & kReported) != 0,
          .holder = NativeOwnerWord::owner_of(record.waits_for->load(std::memory_order_relaxed))};
}

inline WaitEdge wait_edge(std::uint32_t thread) noexcept {
  platform::ThreadRecord* const record = platform::g_threads.find(thread);
  const WaitEdge edge = record == nullptr ? WaitEdge() : wait_edge(*record);
  return edge.waiter == thread && edge.endless ? edge : WaitEdge();
}

// Follows the chain of waits from thread `me`, and keeps the first `room` edges of it.
// The length of the cycle if it comes back to `me`, else 0.
inline std::size_t walk_waits(std::uint32_t me, WaitEdge* edges, std::size_t room) noexcept {
  std::uint32_t landmark = 0;  // to notice a cycle of others, which `me` only waits for (R. P. Brent, 1980)
  std::uint32_t thread = me;
  for (std::size_t length = 0;;) {
    const WaitEdge edge = wait_edge(thread);
    if (edge.lock == nullptr || edge.holder == 0 || edge.holder == landmark) return 0;
    if (length < room) edges[length] = edge;
    ++length;
    if (edge.holder == me) return length;
    thread = edge.holder;
    if ((length & (length - 1)) == 0) landmark = thread;
  }
}

inline void describe_thread(platform::Text& text, std::uint32_t id) {
  platform::ThreadRecord* const record = platform::g_threads.find(id);
  const platform::RawGuard guard(platform::g_threads.lock());
  if (record == nullptr) text << "a thread that has ended";
  else text << platform::ThreadRegistry::name_of(*record);
}

inline void describe_edge(platform::Text& text, const WaitEdge& edge) {
  describe_thread(text, edge.waiter);
  text << " waits for ";
  describe_lock(text, edge.lock, edge.kind);
  text << (edge.holder == 0 ? ", just released" : ", held by ");
  if (edge.holder != 0) describe_thread(text, edge.holder);
}

// ---- Publishing --------------------------------------------------------------------

// One wait of the calling thread, published from the first call of operator() until
// destruction. Goes to OwnerWord::lock_slow as `before_sleep`.
class DeadlockWatch {
 public:
  // With `may_throw` false a deadlock that would raise is reported on stderr instead.
  DeadlockWatch(const LockWord& lock, LockKind kind, bool endless, bool may_throw = true) noexcept
      : lock_(lock), kind_(kind), endless_(endless), may_throw_(may_throw) {}
  DeadlockWatch(const DeadlockWatch&) = delete;
  DeadlockWatch& operator=(const DeadlockWatch&) = delete;
  ~DeadlockWatch() {
    if (record_ != nullptr) publish(nullptr, 0);
  }

  [[gnu::noinline, gnu::cold]] void operator()() {
    record_ = &platform::g_threads.enroll();
    publish(&lock_, (kind_ == LockKind::kRLock ? kWaitsForRLock : 0) | (endless_ ? kWaitsForEver : 0));
    const DeadlockPolicy policy = deadlock_policy();
    if (!endless_ || policy == DeadlockPolicy::kOff) return;
    if (policy == DeadlockPolicy::kByKind && kind_ == LockKind::kLock) return;
    platform::full_fence();
    if (const std::size_t length = walk_waits(me(), nullptr, 0)) check(policy, length);
  }

 private:
  std::uint32_t me() const noexcept { return record_->id.load(std::memory_order_relaxed); }

  void publish(const LockWord* lock, int how) noexcept {
    const platform::RawGuard guard(record_->guard);
    record_->waits_for = lock;
    record_->waits_how = how;
  }

  // A walk came back after `length` steps. Makes sure, and does as the policy says.
  void check(DeadlockPolicy policy, std::size_t length) {
    const bool throws = policy != DeadlockPolicy::kReport && may_throw_;
    WaitEdge* const cycle = new WaitEdge[length];
    platform::Text text;
    {
      const platform::RawGuard guard(platform::g_threads.watch_lock());
      if (walk_waits(me(), cycle, length) == length && still_there(cycle, length, policy)) {
        text << "deadlock: ";
        for (std::size_t i = 0; i < length; ++i) describe_edge(i == 0 ? text : text << "; ", cycle[i]);
        if (length == 1) text << " itself (an RLock may be taken again by its holder, a Lock may not)";
        if (throws) publish(nullptr, 0);
        else mark_reported(cycle, length);
      }
    }
    delete[] cycle;
    if (text.empty()) return;
    if (throws) throw DeadlockError(text.take());
    const std::string line = (text << "\n").take();
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
  }

  // From the end, as the top of this file says why.
  static bool still_there(const WaitEdge* cycle, std::size_t length, DeadlockPolicy policy) noexcept {
    for (std::size_t i = length; i-- > 0;) {
      const WaitEdge now = wait_edge(cycle[i].waiter);
      if (now.lock != cycle[i].lock || now.holder != cycle[i].holder || now.reported) return false;
      if (policy == DeadlockPolicy::kByKind && now.kind != LockKind::kRLock) return false;
    }
    return true;
  }

  // They go on waiting, and whoever of them looks again must not report it again.
  static void mark_reported(const WaitEdge* cycle, std::size_t length) noexcept {
    for (std::size_t i = 0; i < length; ++i) {
      platform::ThreadRecord* const record = platform::g_threads.find(cycle[i].waiter);
      if (record == nullptr) continue;  // somebody else released its Lock, and it has ended
      const platform::RawGuard guard(record->guard);
      record->waits_how |= kReported;
    }
  }

  const LockWord& lock_;
  const LockKind kind_;
  const bool endless_;
  const bool may_throw_;
  platform::ThreadRecord* record_ = nullptr;
};

}  // namespace nogil::detail
