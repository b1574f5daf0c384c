// nogil/futures/detail/future_await.hpp -- to wait for a block, as any thread or as a worker.
//
// A worker that waits may have to run what it waits for: nobody else may be there to do it.
// So before it sleeps it asks its WaitHelper, and before any thread sleeps it sees to the
// continuations that it has put off.

#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "nogil/futures/detail/task_block.hpp"
#include "nogil/platform/wait.hpp"

namespace nogil::detail {

// One ownership of a block, or none.
class BlockRef {
 public:
  constexpr BlockRef() noexcept = default;
  constexpr explicit BlockRef(TaskBlock* owned) noexcept : block_(owned) {}  // takes the ownership over
  BlockRef(const BlockRef& other) noexcept : block_(other.block_) {
    if (block_ != nullptr) block_->add_ref();
  }
  BlockRef(BlockRef&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  BlockRef& operator=(BlockRef other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~BlockRef() {
    if (block_ != nullptr) block_->drop();
  }

  TaskBlock* get() const noexcept { return block_; }
  TaskBlock& operator*() const noexcept { return *block_; }
  TaskBlock* operator->() const noexcept { return block_; }
  explicit operator bool() const noexcept { return block_ != nullptr; }
  [[nodiscard]] TaskBlock* release() noexcept { return std::exchange(block_, nullptr); }

 private:
  TaskBlock* block_ = nullptr;
};

// ---- Continuations that a thread has put off -----------------------------------------------

// A callable of then(): what is told when the future before it is done. Lies in the block
// of the future that it makes.
struct Continuation : Observer {
  using Run = void (*)(Continuation& self, TaskBlock& source) noexcept;

  Continuation(Run function, TaskBlock& target_block, TaskBlock& source_block) noexcept
      : Observer(&told_of, Told::kAfter), run(function), target(target_block), source(&source_block) {}

  // In whatever thread has finished the source.
  static void told_of(Observer& self, TaskBlock& source) noexcept;

  // Another owner of the future before it; none when that is done.
  BlockRef source_ref() noexcept {
    return target.locked([this] {
      if (source != nullptr) source->add_ref();
      return BlockRef(source);
    });
  }

  const Run run;       // which also gives up the continuation's ownership of the target
  TaskBlock& target;   // whose block this lies in
  TaskBlock* source;   // null as soon as it is done; guarded by the target's lock
  BlockRef put_off{};  // the source, while this is put off
};

// A continuation runs where the future before it is finished, and finishes the next one: a
// long chain would use up the stack. So below a certain depth they are put off until the
// thread is out of there, or about to wait for what may be their result.
struct PutOff {
  Continuation* first = nullptr;  // through Observer::next
  Continuation* last = nullptr;
  int depth = 0;
};
inline constexpr int kContinuationDepth = 16;

[[gnu::visibility("default"), NOGIL_TLS_NEAR]] inline constinit thread_local PutOff t_put_off;

inline void run_continuations() noexcept {
  PutOff& queue = t_put_off;
  while (Continuation* const next = queue.first) {
    queue.first = static_cast<Continuation*>(next->next);
    const BlockRef source = std::move(next->put_off);
    ++queue.depth;
    next->run(*next, *source);
    --queue.depth;
  }
}

inline void Continuation::told_of(Observer& self, TaskBlock& source) noexcept {
  Continuation& continuation = static_cast<Continuation&>(self);
  continuation.target.locked([&continuation] { continuation.source = nullptr; });
  PutOff& queue = t_put_off;
  if (queue.depth < kContinuationDepth) {
    ++queue.depth;
    continuation.run(continuation, source);
    if (--queue.depth == 0) run_continuations();
    return;
  }
  source.add_ref();
  continuation.put_off = BlockRef(&source);
  continuation.next = nullptr;
  if (queue.first == nullptr) queue.first = &continuation;
  else queue.last->next = &continuation;
  queue.last = &continuation;
}

// ---- Wait -------------------------------------------------------------------------------

// An executor whose results have to be fetched, from another process, say, marks its tasks'
// blocks with this bit in their executor(). Who waits for such a block calls its function,
// which helps to fetch, for a moment, and never runs any task or callback.
inline constexpr std::uintptr_t kFetched = 1;
using Fetch = void (*)(TaskBlock& awaited) noexcept;

// Null until there is such an executor.
[[gnu::visibility("default")]] inline constinit std::atomic<Fetch> g_fetch{nullptr};

inline bool wait_fetching(TaskBlock& block, platform::Wait& wait) noexcept {
  if ((reinterpret_cast<std::uintptr_t>(block.executor()) & kFetched) != 0) {
    if (const Fetch fetch = g_fetch.load(std::memory_order_relaxed)) fetch(block);
  }
  return block.wait(wait);
}

// What has to be done first, so that this block can become done.
inline BlockRef root_of(TaskBlock& block) noexcept {
  BlockRef root;
  for (TaskBlock* next = &block; next != nullptr;) {
    next = reinterpret_cast<TaskBlock*>(next->ask(TaskOp::kSource));
    if (next != nullptr) root = BlockRef(next);
  }
  return root;
}

[[gnu::noinline]] inline bool await_slow(TaskBlock& block, platform::Wait& wait) {
  if (wait.immediate()) return block.done();
  WaitHelper* const helper = t_wait_helper;
  for (;;) {
    run_continuations();
    if (helper == nullptr) return wait_fetching(block, wait);
    if (block.done()) return true;
    const BlockRef root = root_of(block);
    if (!helper->help(root ? *root : block, wait.endless())) break;
    if (!block.done() && wait.over()) return false;
  }
  struct Awake {
    WaitHelper& helper;
    ~Awake() { helper.awake(); }
  } const awake{*helper};
  return wait_fetching(block, wait);
}

// Until it is done. False: the limit was reached first. Throws what help() throws.
inline bool await(TaskBlock& block, platform::Wait& wait) {
  return block.done() || await_slow(block, wait);
}

}  // namespace nogil::detail
