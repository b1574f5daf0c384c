// nogil/platform/thread_id.hpp -- a small number for each thread, for lock words to hold.
//
//   std::uint32_t me = platform::thread_id();    // never 0, below 2^30
//
// A thread gets its number, and its ThreadRecord, when it first asks; both go back when
// it ends. A number is a slot (22 bits) and how often the slot was used (8 bits), and
// slots are reused oldest first, so the number of a thread that died comes back only
// after at least 256 other threads have had its slot.
//
// Threads    Everything here may be called from any thread at any time, also before
//            main() begins and after it has returned.
// Fork       In the child the thread that forked keeps its number; the others' records
//            and the locks of these tables are freed, as those threads are not there.
// Cost       thread_id() is a load and a test. The first call of a thread takes a lock,
//            and may allocate (each doubling of the most threads alive).

#pragma once

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <bit>
#include <cstdint>
#include <string>

#include "nogil/platform/cpu.hpp"
#include "nogil/platform/raw_lock.hpp"
#include "nogil/platform/text.hpp"

// In a shared library the general way to a thread_local is a function call. glibc keeps
// room for a few bytes that every library may reach at a fixed offset. An executable
// reaches its own directly anyway.
#if defined(__GLIBC__) && defined(__PIC__) && !defined(__PIE__)
#define NOGIL_TLS_NEAR gnu::tls_model("initial-exec")
#else
#define NOGIL_TLS_NEAR
#endif

namespace nogil::platform {

// What others may know of a thread. Never deleted: a freed one waits to be used again.
struct alignas(kCacheLine) ThreadRecord {
  std::atomic<std::uint32_t> id{0};  // the thread's number; 0 while the record is free

  // What the thread sleeps for, so that others can find cycles; guarded by `guard`.
  RawLock guard;
  const std::atomic<std::uint32_t>* waits_for = nullptr;  // a lock's word
  int waits_how = 0;                                      // what kind of lock and wait: the watcher's business

  // What it is called; guarded by the registry's lock.
  std::string name;  // empty: nobody has named it
  bool daemon = false;
  int native_id = 0;
  void* thread = nullptr;  // its nogil::Thread's shared state, if it has one

  // Called with `thread` when the thread is gone from the registry, without its lock: at
  // the thread's end, or in a child process that it was not forked into.
  void (*at_end)(void* thread, bool forked_away) noexcept = nullptr;

  ThreadRecord* next_free = nullptr;
  std::uint32_t slot = 0;
  std::uint32_t uses = 0;
};

class ThreadRegistry {
 public:
  // The calling thread's record; makes one on the first call.
  ThreadRecord& enroll();

  // The record of the living thread with this number, or null.
  ThreadRecord* find(std::uint32_t id) noexcept {
    const std::uint32_t slot = (id & kSlotMask) - 1;
    if (chunk_of(slot) >= kChunks) return nullptr;  // also for id 0
    ThreadRecord* const chunk = chunks_[chunk_of(slot)].load(std::memory_order_acquire);
    if (chunk == nullptr) return nullptr;
    ThreadRecord* const record = chunk + (slot - first_slot(chunk_of(slot)));
    return record->id.load(std::memory_order_acquire) == id ? record : nullptr;
  }

  // Calls visit(record) for each living thread, oldest slot first, under lock().
  template <class Visit>
  void for_each(Visit visit) {
    const RawGuard guard(lock_);
    for (std::uint32_t slot = 0; slot < slots_; ++slot) {
      ThreadRecord& record = at(slot);
      if (record.id.load(std::memory_order_relaxed) != 0) visit(record);
    }
  }

  // Slots are never given up: [0, slots()) have a record each, living or free.
  std::uint32_t slots() noexcept {
    const RawGuard guard(lock_);
    return slots_;
  }
  ThreadRecord& at(std::uint32_t slot) noexcept {
    return chunks_[chunk_of(slot)].load(std::memory_order_acquire)[slot - first_slot(chunk_of(slot))];
  }

  // Guards names and the like in all records.
  RawLock& lock() noexcept { return lock_; }

  // For who looks at several records' waits at once (the deadlock watch). Taken before a
  // record's guard and before lock().
  RawLock& watch_lock() noexcept { return watch_lock_; }

  // What to call a thread, under lock(): the name it was given, else as Python does.
  static std::string name_of(const ThreadRecord& record) {
    if (!record.name.empty()) return record.name;
    if (record.native_id == ::getpid()) return "MainThread";
    return (Text() << "Dummy-" << std::uint64_t{record.slot} + 1).take();
  }

 private:
  static constexpr std::uint32_t kSlotBits = 22;
  static constexpr std::uint32_t kSlotMask = (1u << kSlotBits) - 1;
  static constexpr std::uint32_t kUsesMask = 0xff;
  static constexpr int kChunks = 16;
  static constexpr std::uint32_t kFirstChunk = 64;

  // Chunk k holds 64 << k records, so that records never move and a slot is found by
  // its highest bit.
  static constexpr int chunk_of(std::uint32_t slot) noexcept {
    return static_cast<int>(std::bit_width(slot / kFirstChunk + 1)) - 1;
  }
  static constexpr std::uint32_t first_slot(int chunk) noexcept { return kFirstChunk * ((1u << chunk) - 1); }

  ThreadRecord& take_slot();
  void retire(ThreadRecord& record) noexcept;
  void free(ThreadRecord& record) noexcept;
  static void at_thread_exit(void* record) noexcept;
  static void before_fork() noexcept;
  static void after_fork_in_parent() noexcept;
  static void after_fork_in_child() noexcept;

  // Before main(), when nobody can hold a lock yet: who registered them with the lock held
  // would leave it held in a child that another thread forks off meanwhile.
  static inline const int s_at_fork = ::pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);

  RawLock lock_;
  RawLock watch_lock_;
  bool prepared_ = false;  // the key exists
  pthread_key_t key_ = 0;
  std::uint32_t slots_ = 0;              // ever used: [0, slots_)
  ThreadRecord* oldest_free_ = nullptr;  // a queue through next_free
  ThreadRecord* newest_free_ = nullptr;
  std::atomic<ThreadRecord*> chunks_[kChunks] = {};
};

[[gnu::visibility("default")]] inline constinit ThreadRegistry g_threads;
[[gnu::visibility("default"), NOGIL_TLS_NEAR]] inline constinit thread_local std::uint32_t t_thread_id = 0;

// The calling thread's number.
inline std::uint32_t thread_id() {
  const std::uint32_t id = t_thread_id;
  if (id != 0) [[likely]]
    return id;
  return g_threads.enroll().id.load(std::memory_order_relaxed);
}

[[gnu::noinline, gnu::cold]] inline ThreadRecord& ThreadRegistry::enroll() {
  if (t_thread_id != 0) return *find(t_thread_id);
  const RawGuard guard(lock_);
  if (!prepared_) {
    // Keys' destructors run after those of thread_local objects, which may still lock.
    if (::pthread_key_create(&key_, at_thread_exit) != 0) std::abort();
    prepared_ = true;
  }
  ThreadRecord& record = take_slot();
  const std::uint32_t id = (record.uses++ & kUsesMask) << kSlotBits | (record.slot + 1);
  record.native_id = static_cast<int>(::syscall(SYS_gettid));
  record.id.store(id, std::memory_order_release);
  t_thread_id = id;
  ::pthread_setspecific(key_, &record);
  return record;
}

inline ThreadRecord& ThreadRegistry::take_slot() {
  if (ThreadRecord* const record = oldest_free_) {
    oldest_free_ = record->next_free;
    return *record;
  }
  const int chunk = chunk_of(slots_);
  if (slots_ == kSlotMask || chunk == kChunks) std::abort();  // four million threads alive
  if (slots_ == first_slot(chunk)) {
    chunks_[chunk].store(new ThreadRecord[kFirstChunk << chunk], std::memory_order_release);
  }
  ThreadRecord& record = at(slots_);
  record.slot = slots_++;
  return record;
}

inline void ThreadRegistry::retire(ThreadRecord& record) noexcept {
  const RawGuard guard(lock_);
  free(record);
}

inline void ThreadRegistry::free(ThreadRecord& record) noexcept {
  record.id.store(0, std::memory_order_release);
  record.name.clear();
  record.daemon = false;
  record.thread = nullptr;
  record.at_end = nullptr;
  record.next_free = nullptr;
  (oldest_free_ == nullptr ? oldest_free_ : newest_free_->next_free) = &record;
  newest_free_ = &record;
}

inline void ThreadRegistry::at_thread_exit(void* arg) noexcept {
  ThreadRecord& record = *static_cast<ThreadRecord*>(arg);
  void* const thread = record.thread;
  const auto at_end = record.at_end;
  t_thread_id = 0;
  g_threads.retire(record);
  if (at_end != nullptr) at_end(thread, false);
}

inline void ThreadRegistry::before_fork() noexcept {
  g_threads.lock_.lock();
}

inline void ThreadRegistry::after_fork_in_parent() noexcept {
  g_threads.lock_.unlock();
}

inline void ThreadRegistry::after_fork_in_child() noexcept {
  g_threads.lock_.reset_after_fork();
  g_threads.watch_lock_.reset_after_fork();
  for (std::uint32_t slot = 0; slot < g_threads.slots_; ++slot) {
    ThreadRecord& record = g_threads.at(slot);
    record.guard.reset_after_fork();
    record.waits_for = nullptr;  // the thread that forked waits for nothing, the others are gone
    const std::uint32_t id = record.id.load(std::memory_order_relaxed);
    if (id == t_thread_id) {
      record.native_id = static_cast<int>(::syscall(SYS_gettid));
    } else if (id != 0) {
      if (record.at_end != nullptr) record.at_end(record.thread, true);
      g_threads.free(record);
    }
  }
}

}  // namespace nogil::platform
