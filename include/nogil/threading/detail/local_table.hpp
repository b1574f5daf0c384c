// nogil/threading/detail/local_table.hpp -- the tables behind ThreadLocal.
//
// Each ThreadLocal (a LocalKey) has an index; each thread has a table, in which the entry
// at that index is the thread's value (a LocalNode), or null. A key keeps a list of its
// nodes, so that its destructor finds them.
//
// Who destroys a node takes it out of both first, under the lock: so either its thread,
// which ends, or its key, whose destructor runs, gets it, and never both. Neither runs
// the value's destructor under the lock. The key's destructor waits for those that ending
// threads are just destroying: when it returns, all values are gone.
//
// No old value is seen through an index that is used again: a key clears the entries of
// all threads before it gives its index back.
//
// Threads    A thread reads its own table without a lock. Another writes to it only in a
//            key's destructor, into the entry of that key, which nobody uses any more.
//            Everything else is guarded by platform::g_threads.lock(), which is whole
//            again after fork(). Tables are on the heap, because in a child process the
//            thread-local storage of the other threads is gone.

#pragma once

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include "nogil/platform/native.hpp"
#include "nogil/platform/thread_id.hpp"

namespace nogil::detail {

class LocalKey;
struct LocalNode;

struct LocalTable {
  ~LocalTable() { delete[] nodes; }

  LocalNode** nodes = nullptr;
  std::uint32_t size = 0;
  std::uint32_t left_over = 0;  // once its thread is gone: how many nodes keep it
};

// A value. Derived classes hold it.
struct LocalNode {
  LocalNode() = default;
  LocalNode(const LocalNode&) = delete;
  LocalNode& operator=(const LocalNode&) = delete;
  virtual ~LocalNode() = default;

  LocalKey* key = nullptr;
  LocalTable* table = nullptr;
  LocalNode* previous = nullptr;  // in the key's list
  LocalNode* next = nullptr;
};

// A node that the calling thread, about to end, is just destroying.
struct LocalFarewell {
  LocalKey* key;    // null: the key went meanwhile, in the destructor of the value
  ::pid_t process;  // in which it was counted
  LocalFarewell* outer;
};

// What a thread knows of its own values. Read on each access, so it needs no constructor.
struct LocalView {
  LocalNode** nodes;  // as in *table
  std::uint32_t size;
  bool ending;  // the destructors of the thread's thread_locals have run, or are running,
  bool ended;   // and those of its keys, too
  LocalTable* table;
  LocalFarewell* farewells;
};

[[gnu::visibility("default"), NOGIL_TLS_NEAR]] inline constinit thread_local LocalView t_locals{};

// Which indexes are in use: a bit for each. Never deleted.
struct LocalIndexes {
  std::uint32_t take();
  void give_back(std::uint32_t index) noexcept { words[index / 64] &= ~(std::uint64_t{1} << index % 64); }

  std::uint64_t* words = nullptr;
  std::uint32_t count = 0;  // of words
};

[[gnu::visibility("default")]] inline constinit LocalIndexes g_local_indexes;

inline std::uint32_t LocalIndexes::take() {
  std::uint32_t word = 0;
  while (word < count && words[word] == ~std::uint64_t{0}) ++word;
  if (word == count) {
    const std::uint32_t wider = count == 0 ? 1 : count * 2;
    auto* const moved = new std::uint64_t[wider]();
    for (std::uint32_t i = 0; i < count; ++i) moved[i] = words[i];
    delete[] std::exchange(words, moved);
    count = wider;
  }
  const int bit = std::countr_one(words[word]);
  words[word] |= std::uint64_t{1} << bit;
  return word * 64 + static_cast<std::uint32_t>(bit);
}

// Base of ThreadLocal.
class LocalKey {
 public:
  LocalKey() {
    platform::thread_id();  // the lock's fork handlers are there from the first thread on
    const platform::RawGuard guard(platform::g_threads.lock());
    index_ = g_local_indexes.take();
  }

  LocalKey(const LocalKey&) = delete;
  LocalKey& operator=(const LocalKey&) = delete;

  // Destroys the values of all threads.
  ~LocalKey();

  // The calling thread's value, or null.
  LocalNode* find() const noexcept {
    const LocalView& mine = t_locals;
    return index_ < mine.size ? mine.nodes[index_] : nullptr;
  }

  // Makes `node` the calling thread's value, unless there is one: then that stays, and
  // `node` is deleted. Returns the value.
  LocalNode* put(LocalNode* node);

  // Destroys the values in the calling thread's table, and the table.
  static void end_thread() noexcept;

 private:
  static constexpr int kMostRounds = 4;  // values may come back while values are destroyed

  static void prepare_end();
  static void grow_table(std::uint32_t wanted);
  static bool destroy_one(LocalTable& table, std::uint32_t index) noexcept;
  void forget_other_processes(::pid_t here) noexcept;
  void link(LocalNode& node) noexcept;
  void unlink(LocalNode& node) noexcept;

  std::uint32_t index_;
  std::atomic<std::uint32_t> leaving_{0};  // nodes that ending threads are just destroying; a futex word
  ::pid_t process_ = 0;                    // the process whose threads those are
  LocalNode* first_ = nullptr;
};

inline LocalNode* LocalKey::put(LocalNode* node) {
  try {
    prepare_end();
    if (index_ >= t_locals.size) grow_table(index_ + 1);
  } catch (...) {
    delete node;
    throw;
  }
  if (LocalNode* const before = find()) {  // made by the factory of this one
    delete node;
    return before;
  }
  const platform::RawGuard guard(platform::g_threads.lock());
  link(*node);
  t_locals.nodes[index_] = node;
  return node;
}

inline LocalKey::~LocalKey() {
  LocalNode* nodes;
  {
    const ::pid_t here = ::getpid();
    const platform::RawGuard guard(platform::g_threads.lock());
    forget_other_processes(here);
    nodes = std::exchange(first_, nullptr);
    for (LocalNode* node = nodes; node != nullptr; node = node->next) {
      LocalTable* const table = node->table;
      table->nodes[index_] = nullptr;
      if (table->left_over != 0 && --table->left_over == 0) delete table;
    }
    // Those of this very thread would be waited for in vain.
    for (LocalFarewell* mine = t_locals.farewells; mine != nullptr; mine = mine->outer) {
      if (mine->key != this) continue;
      mine->key = nullptr;
      if (mine->process == here) leaving_.fetch_sub(1, std::memory_order_relaxed);
    }
  }
  while (nodes != nullptr) delete std::exchange(nodes, nodes->next);
  while (const std::uint32_t left = leaving_.load(std::memory_order_acquire)) {
    platform::Native::futex_wait(leaving_, left, platform::Deadline::never());
  }
  const platform::RawGuard guard(platform::g_threads.lock());
  g_local_indexes.give_back(index_);
}

// In a child process the threads that were counted are not there.
inline void LocalKey::forget_other_processes(::pid_t here) noexcept {
  if (std::exchange(process_, here) != here) leaving_.store(0, std::memory_order_relaxed);
}

inline void LocalKey::link(LocalNode& node) noexcept {
  node.key = this;
  node.table = t_locals.table;
  node.next = first_;
  if (first_ != nullptr) first_->previous = &node;
  first_ = &node;
}

inline void LocalKey::unlink(LocalNode& node) noexcept {
  (node.previous != nullptr ? node.previous->next : first_) = node.next;
  if (node.next != nullptr) node.next->previous = node.previous;
}

inline void LocalKey::grow_table(std::uint32_t wanted) {
  constexpr std::uint32_t kLeast = 8;
  const std::uint32_t size = std::bit_ceil(wanted < kLeast ? kLeast : wanted);
  if (t_locals.table == nullptr) t_locals.table = new LocalTable;
  LocalTable& table = *t_locals.table;
  auto* nodes = new LocalNode*[size]();
  {
    const platform::RawGuard guard(platform::g_threads.lock());
    for (std::uint32_t i = 0; i < table.size; ++i) nodes[i] = table.nodes[i];
    std::swap(table.nodes, nodes);
    table.size = size;
  }
  t_locals.nodes = table.nodes;
  t_locals.size = size;
  delete[] nodes;
}

// ---- The end of a thread -----------------------------------------------------------

// Has end_thread() called among the destructors of the thread's thread_locals. If a value
// is made after that, by one of the later ones, then by a key, whose destructors come last.
// (In the main thread those never come: such a value is left to its ThreadLocal.)
inline void LocalKey::prepare_end() {
  struct AtEnd {
    ~AtEnd() {
      t_locals.ending = true;
      end_thread();
    }
  };
  struct Late {
    static void end(void*) {
      t_locals.ended = true;
      end_thread();
    }
    Late() {
      if (::pthread_key_create(&key, end) != 0) std::abort();
    }
    ::pthread_key_t key;
  };
  if (!t_locals.ending) {
    [[maybe_unused]] static thread_local const AtEnd at_end;
  } else if (!t_locals.ended) {
    static const Late late;
    ::pthread_setspecific(late.key, &t_locals);
  }
}

// A value whose destructor makes it anew, again and again, is left to its ThreadLocal.
inline void LocalKey::end_thread() noexcept {
  LocalTable* const table = t_locals.table;
  if (table == nullptr) return;
  bool any = true;
  for (int round = 0; any && round < kMostRounds; ++round) {
    any = false;
    for (std::uint32_t index = 0; index < table->size; ++index) any |= destroy_one(*table, index);
  }
  t_locals.nodes = nullptr;
  t_locals.size = 0;
  t_locals.table = nullptr;
  const platform::RawGuard guard(platform::g_threads.lock());
  for (std::uint32_t index = 0; index < table->size; ++index) table->left_over += table->nodes[index] != nullptr;
  if (table->left_over == 0) delete table;
}

// Destroys the value at this index, if there is one.
inline bool LocalKey::destroy_one(LocalTable& table, std::uint32_t index) noexcept {
  LocalFarewell farewell{};
  LocalNode* node;
  {
    const platform::RawGuard guard(platform::g_threads.lock());
    node = std::exchange(table.nodes[index], nullptr);
    if (node == nullptr) return false;
    farewell = {node->key, ::getpid(), t_locals.farewells};
    node->key->unlink(*node);
    node->key->forget_other_processes(farewell.process);
    node->key->leaving_.fetch_add(1, std::memory_order_relaxed);
  }
  t_locals.farewells = &farewell;
  delete node;
  t_locals.farewells = farewell.outer;
  if (farewell.key == nullptr || farewell.process != ::getpid()) return true;
  const auto address = platform::Native::address(farewell.key->leaving_);
  // From here on the key may be gone.
  if (farewell.key->leaving_.fetch_sub(1, std::memory_order_release) == 1) platform::Native::futex_wake(address, 1);
  return true;
}

}  // namespace nogil::detail
