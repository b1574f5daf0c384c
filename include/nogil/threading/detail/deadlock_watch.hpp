// nogil/threading/detail/deadlock_watch.hpp -- what comes of a cycle of waits.
//
// The policy, the names and the text of deadlock.hpp; detail/wait_graph.hpp finds the
// cycle. Nothing is done where a lock is free, or becomes free during the spin: a lock's
// word says who holds it anyway.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "nogil/platform/errors.hpp"
#include "nogil/platform/fence.hpp"
#include "nogil/platform/native.hpp"
#include "nogil/platform/raw_lock.hpp"
#include "nogil/platform/text.hpp"
#include "nogil/platform/thread_id.hpp"
#include "nogil/threading/detail/owner_word.hpp"
#include "nogil/threading/detail/wait_graph.hpp"

namespace nogil::detail {

using NativeOwnerWord = OwnerWord<platform::Native>;
using LockWord = NativeOwnerWord::Word;

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

// ---- Who waits for whom ------------------------------------------------------------

// The threads of this process: see WaitGraph.
struct LiveThreads {
  using Owner = NativeOwnerWord;
  using Record = platform::ThreadRecord;
  using Guard = platform::RawGuard;
  static Record* find(std::uint32_t id) noexcept { return platform::g_threads.find(id); }
  static platform::RawLock& watch_lock() noexcept { return platform::g_threads.watch_lock(); }
  static void full_fence() noexcept { platform::full_fence(); }
};

using LiveWaits = WaitGraph<LiveThreads>;
using WaitEdge = LiveWaits::Edge;

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

inline void describe_cycle(platform::Text& text, const WaitEdge* cycle, std::size_t length) {
  text << "deadlock: ";
  for (std::size_t i = 0; i < length; ++i) describe_edge(i == 0 ? text : text << "; ", cycle[i]);
  if (length == 1) text << " itself (an RLock may be taken again by its holder, a Lock may not)";
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
    if (record_ != nullptr) LiveWaits::withdraw(*record_);
  }

  [[gnu::noinline, gnu::cold]] void operator()() {
    record_ = &platform::g_threads.enroll();
    LiveWaits::publish(*record_, lock_, kind_, endless_);
    const DeadlockPolicy policy = deadlock_policy();
    if (!endless_ || policy == DeadlockPolicy::kOff) return;
    const bool rlocks_only = policy == DeadlockPolicy::kByKind;
    if (rlocks_only && kind_ == LockKind::kLock) return;
    const bool throws = policy != DeadlockPolicy::kReport && may_throw_;
    platform::Text text;
    if (!LiveWaits::closes(*record_, rlocks_only, throws,
                           [&text](const WaitEdge* cycle, std::size_t length) { describe_cycle(text, cycle, length); }))
      return;
    if (throws) throw DeadlockError(text.take());
    const std::string line = (text << "\n").take();
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
  }

 private:
  const LockWord& lock_;
  const LockKind kind_;
  const bool endless_;
  const bool may_throw_;
  platform::ThreadRecord* record_ = nullptr;
};

}  // namespace nogil::detail
