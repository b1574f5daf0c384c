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
// may be gone. What it found is therefore checked from the end, under the lock
// g_detector: the last thread waits for a lock that the walker itself holds, so it can
// not move; hence what it holds stays held, hence the one before it cannot move either.
// (Only a Lock can be released by somebody else; see Policy.) Of the threads that find
// the same cycle the first to check takes itself out of it, so one gets the error.

#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "nogil/errors.hpp"
#include "nogil/platform/native.hpp"
#include "nogil/platform/raw_lock.hpp"
#include "nogil/platform/thread_id.hpp"
#include "nogil/threading/detail/owner_word.hpp"

namespace nogil::detail {

using NativeOwnerWord = OwnerWord<platform::Native>;
using LockWord = NativeOwnerWord::Word;

enum class LockKind : int { kLock, kRLock };

// What a deadlock leads to. kByKind until somebody chooses: RLocks raise, Locks do not.
enum class DeadlockPolicy : int { kUnread, kByKind, kOff, kReport, kRaise };

[[gnu::visibility("default")]] inline constinit std::atomic<DeadlockPolicy> g_deadlock_policy{DeadlockPolicy::kUnread};
[[gnu::visibility("default")]] inline constinit platform::RawLock g_detector;

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

// By address. Never deleted, as threads may outlive main().
struct LockNames {
  platform::RawLock guard;
  std::vector<std::pair<const void*, std::string>> names;
};

inline LockNames& lock_names() {
  [[maybe_unused]] static LockNames* const names = new LockNames;
  return *names;
}

inline void name_lock(const void* lock, std::string name) {
  LockNames& all = lock_names();
  const platform::RawGuard guard(all.guard);
  for (auto& [address, known] : all.names) {
    if (address == lock) {
      known = std::move(name);
      return;
    }
  }
  all.names.emplace_back(lock, std::move(name));
}

inline std::string describe_lock(const void* lock, LockKind kind) {
  {
    LockNames& all = lock_names();
    const platform::RawGuard guard(all.guard);
    for (const auto& [address, name] : all.names) {
      if (address == lock && !name.empty()) return "'" + name + "'";
    }
  }
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (auto rest = reinterpret_cast<std::uintptr_t>(lock); rest != 0; rest /= 16) text.insert(0, 1, kDigits[rest % 16]);
  return (kind == LockKind::kLock ? "Lock 0x" : "RLock 0x") + text;
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

// Calls visit(edge) along the chain of waits from thread `me`. True if it comes back.
template <class Visit>
bool walk_waits(std::uint32_t me, Visit visit) {
  std::uint32_t landmark = 0;  // to notice a cycle of others, which `me` only waits for (R. P. Brent, 1980)
  std::uint64_t steps = 0;
  for (std::uint32_t thread = me;;) {
    const WaitEdge edge = wait_edge(thread);
    if (edge.lock == nullptr || edge.holder == 0 || edge.holder == landmark) return false;
    visit(edge);
    if (edge.holder == me) return true;
    thread = edge.holder;
    if ((steps & (steps + 1)) == 0) landmark = thread;
    ++steps;
  }
}

inline std::string thread_name(std::uint32_t id) {
  platform::ThreadRecord* const record = platform::g_threads.find(id);
  const platform::RawGuard guard(platform::g_threads.lock());
  return record == nullptr ? "a thread that has ended" : platform::ThreadRegistry::name_of(*record);
}

inline std::string describe_edge(const WaitEdge& edge) {
  std::string text = thread_name(edge.waiter) + " waits for " + describe_lock(edge.lock, edge.kind);
  if (edge.holder == 0) return text + ", just released";
  return text + ", held by " + thread_name(edge.holder);
}

inline std::string describe_cycle(const std::vector<WaitEdge>& cycle) {
  std::string text = "deadlock: ";
  for (const WaitEdge& edge : cycle) text += (&edge == cycle.data() ? "" : "; ") + describe_edge(edge);
  if (cycle.size() == 1) text += " itself (an RLock may be taken again by its holder, a Lock may not)";
  return text;
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
    if (walk_waits(me(), [](const WaitEdge&) {})) check(policy);
  }

 private:
  std::uint32_t me() const noexcept { return record_->id.load(std::memory_order_relaxed); }

  void publish(const LockWord* lock, int how) noexcept {
    const platform::RawGuard guard(record_->guard);
    record_->waits_for = lock;
    record_->waits_how = how;
  }

  // A walk came back. Makes sure, and does as the policy says.
  void check(DeadlockPolicy policy) {
    std::string text;
    {
      const platform::RawGuard guard(g_detector);
      std::vector<WaitEdge> cycle;
      if (!walk_waits(me(), [&](const WaitEdge& edge) { cycle.push_back(edge); })) return;
      bool only_rlocks = true;
      for (auto edge = cycle.rbegin(); edge != cycle.rend(); ++edge) {
        const WaitEdge now = wait_edge(edge->waiter);
        if (now.lock != edge->lock || now.holder != edge->holder || now.reported) return;
        only_rlocks = only_rlocks && now.kind == LockKind::kRLock;
      }
      if (policy == DeadlockPolicy::kByKind && !only_rlocks) return;
      text = describe_cycle(cycle);
      if (policy == DeadlockPolicy::kReport || !may_throw_) mark_reported(cycle);
      else publish(nullptr, 0);
    }
    if (policy != DeadlockPolicy::kReport && may_throw_) throw DeadlockError(text);
    text += '\n';
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
  }

  // They go on waiting, and whoever of them looks again must not report it again.
  static void mark_reported(const std::vector<WaitEdge>& cycle) noexcept {
    for (const WaitEdge& edge : cycle) {
      platform::ThreadRecord* const record = platform::g_threads.find(edge.waiter);
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
