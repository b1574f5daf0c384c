// nogil/futures/detail/task_block.hpp -- one block of memory for a task, its state and its result.
//
// What a Future, a Promise, an executor and its queue entries all point to. The header is
// here; behind it lies the callable, and later, in its place, what it returned or threw:
//
//    0  word        state, flags, how many owners
//    8  operation   what only the code that knows the callable can do
//   16  executor    whose task it is; null: of none
//   24  observers   callbacks, and threads that wait for several
//   32  payload     callable, then result or exception
//
// Life of a task, as its executor sees it:
//
//   TaskBlock* block = …;               // refs owners: the queue entry, and each Future
//   block->run(tag);                    // by who took the entry: runs it unless somebody else did, and
//                                       // gives up the entry's ownership
//   if (block->claim(tag)) block->finish(block->call());
//                                       // by who waits for it: runs it although it is queued. The
//                                       // entry is stale then, and its run() only lets go of it
//   block->cancel();                    // true: nobody has claimed it, and nobody will
//   block->wait(wait);                  // until it is done, or the limit
//
// Threads    Every member except construction, from any number of threads at once; each
//            by an owner.
// Ordering   What was done before finish() is visible to whoever finds the block done().
// Lifetime   The last owner to leave destroys it. finish_and_drop() and drop() give up an
//            ownership: the block may be gone when they return.
// User code  Observers that are Told::kAfter run inside finish() and cancel(), without any
//            lock.
// Cost       32 bytes. One compare-and-swap to claim, one locked add to finish and let go,
//            none at all for a task that has one owner only: no future.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>

#include "nogil/futures/detail/future_observers.hpp"
#include "nogil/platform/backoff.hpp"
#include "nogil/platform/native.hpp"
#include "nogil/platform/wait.hpp"

namespace nogil::detail {

enum class FutureState : std::uint32_t {
  kPending,
  kRunning,
  kSetting,  // somebody is giving it its result: looks like kRunning
  // From here on it is done.
  kFinished,
  kFailed,
  kCancelled,
  kCancelledAndNotified,  // its executor knows (Python: CANCELLED_AND_NOTIFIED)
};

// What `operation` is asked to do.
enum class TaskOp : std::uint8_t {
  kCall,         // run the callable, destroy it, leave its result or exception in the payload; the FutureState
  kDiscard,      // it was cancelled: destroy the callable
  kDestroy,      // destroy what the payload holds by its state, and free the block
  kRequestStop,  // of a task that took a stop_token; 1: this request was the first
  kSource,       // of a future made by then(): the block it will be run after (TaskBlock*, with an
                 // ownership for the caller), or 0
};

template <class Platform>
class BasicTaskBlock {
 public:
  using Operation = std::uintptr_t (*)(BasicTaskBlock& block, TaskOp what) noexcept;
  using Wait = platform::BasicWait<Platform>;
  using Observer = BasicObserver<Platform>;

  // With so many owners. `settable`: it has no callable, so whoever holds it may set it.
  BasicTaskBlock(Operation operation, std::uint32_t refs, void* executor = nullptr, bool settable = false) noexcept
      : word_(refs * kRef + (settable ? kSettable : 0)), operation_(operation), executor_(executor) {}
  BasicTaskBlock(const BasicTaskBlock&) = delete;
  BasicTaskBlock& operator=(const BasicTaskBlock&) = delete;

  // ---- Look: true at some moment during the call ------------------------------------

  FutureState state() const noexcept { return state(word_.load(std::memory_order_acquire)); }
  bool done() const noexcept { return done(word_.load(std::memory_order_acquire)); }
  bool cancelled() const noexcept { return state() >= FutureState::kCancelled; }

  // The tag of who runs it or ran it; 0: nobody yet. Below 2^22.
  std::uint32_t runner() const noexcept { return runner(word_.load(std::memory_order_acquire)); }

  bool settable() const noexcept { return (word_.load(std::memory_order_relaxed) & kSettable) != 0; }

  // Whose task it is, from its making on.
  void* executor() const noexcept { return executor_; }

  // ---- Own --------------------------------------------------------------------------

  // The caller is the last.
  bool has_one_owner() const noexcept { return refs(word_.load(std::memory_order_acquire)) == 1; }

  void add_ref() noexcept { word_.fetch_add(kRef, std::memory_order_relaxed); }

  // Gives up an ownership.
  void drop() noexcept {
    // The last one needs no locked step: nobody is left to make another.
    if (refs(word_.load(std::memory_order_acquire)) == 1 ||
        refs(word_.fetch_sub(kRef, std::memory_order_acq_rel)) == 1) {
      operation_(*this, TaskOp::kDestroy);
    }
  }

  // ---- Run --------------------------------------------------------------------------

  // Takes the right, and the duty, to run it: true for one caller only, and never after
  // cancel(). `tag` tells others who that is.
  bool claim(std::uint32_t tag) noexcept {
    std::uint64_t seen = word_.load(std::memory_order_relaxed);
    while (state(seen) == FutureState::kPending) {
      if (word_.compare_exchange_weak(seen, seen + step_to(FutureState::kRunning) + tag * kRunner,
                                      std::memory_order_acquire, std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  // Runs the callable; then finish().
  FutureState call() noexcept { return static_cast<FutureState>(operation_(*this, TaskOp::kCall)); }

  // Shows the result to everybody: wakes who waits, and tells the observers.
  void finish(FutureState result) noexcept { complete(step_to(result) - step_to(FutureState::kRunning)); }

  // The same, and gives up an ownership in the same step.
  void finish_and_drop(FutureState result) noexcept {
    finish_and_drop(result, [] {});
  }
  // Calls before_telling() before each piece of user code: that of observers, and the
  // destructor of a result that nobody wants.
  template <class BeforeTelling>
  void finish_and_drop(FutureState result, BeforeTelling before_telling) noexcept {
    complete(step_to(result) - step_to(FutureState::kRunning) - kRef, before_telling);
  }

  // For who took it from a queue, with the entry's ownership: runs it unless somebody else
  // has claimed or cancelled it, and gives the ownership up. Calls before_finish() when the
  // callable has returned and nobody knows yet.
  template <class Before>
  void run(std::uint32_t tag, Before before_finish) noexcept {
    if (word_.load(std::memory_order_acquire) == kRef) {
      // No future, so nobody to see, cancel or wait for it.
      word_.store(kRef + step_to(FutureState::kRunning) + tag * kRunner, std::memory_order_relaxed);
      const FutureState result = call();
      before_finish();
      word_.store(kRef + step_to(result), std::memory_order_relaxed);
      operation_(*this, TaskOp::kDestroy);
    } else if (claim(tag)) {
      const FutureState result = call();
      before_finish();
      finish_and_drop(result);
    } else {
      drop();
    }
  }
  void run(std::uint32_t tag) noexcept {
    run(tag, [] {});
  }

  // ---- Cancel -----------------------------------------------------------------------

  // Whether it is cancelled, by this call or before: it was pending and will never run.
  bool cancel() noexcept {
    std::uint64_t seen = word_.load(std::memory_order_acquire);
    while (state(seen) == FutureState::kPending) {
      if (word_.compare_exchange_weak(seen, seen + step_to(FutureState::kCancelled), std::memory_order_acq_rel,
                                      std::memory_order_acquire)) {
        if ((seen & kWaiters) != 0) wake(Platform::address(word_));
        operation_(*this, TaskOp::kDiscard);
        if ((seen & kObserved) != 0) tell_observers();
        return true;
      }
    }
    return state(seen) >= FutureState::kCancelled;
  }

  // For executors that know only a future: claim() that acknowledges a cancel(). Returns
  // the state that it found, which it has changed if that was kPending or kCancelled.
  FutureState start_or_notify_cancel() noexcept {
    std::uint64_t seen = word_.load(std::memory_order_acquire);
    for (;;) {
      const FutureState found = state(seen);
      if (found != FutureState::kPending && found != FutureState::kCancelled) return found;
      if (word_.compare_exchange_weak(seen, seen + 1, std::memory_order_acq_rel, std::memory_order_acquire)) {
        return found;
      }
    }
  }

  // ---- Set: for a future without a callable -----------------------------------------

  // Takes the right to give it its result, to be followed by set() or unset(). Returns the
  // state it found: kPending or kRunning, or another one: somebody else was first.
  FutureState begin_set() noexcept {
    std::uint64_t seen = word_.load(std::memory_order_acquire);
    while (state(seen) < FutureState::kSetting) {
      const std::uint64_t next = seen - step_to(state(seen)) + step_to(FutureState::kSetting);
      if (word_.compare_exchange_weak(seen, next, std::memory_order_acquire, std::memory_order_acquire)) break;
    }
    return state(seen);
  }
  void set(FutureState result) noexcept { complete(step_to(result) - step_to(FutureState::kSetting)); }
  void set_and_drop(FutureState result) noexcept { complete(step_to(result) - step_to(FutureState::kSetting) - kRef); }

  // set_and_drop() by who must not run others' code. True: there are observers, who wait for
  // tell(), to be called once, by any thread; the block lives until then.
  bool set_and_drop_untold(FutureState result) noexcept {
    const std::uint64_t step = step_to(result) - step_to(FutureState::kSetting) - kRef;
    const auto address = Platform::address(word_);
    const std::uint64_t seen = word_.fetch_add(step, std::memory_order_acq_rel);
    // From here on *this may be gone, unless it was observed or this was the last owner.
    if ((seen & kWaiters) != 0) wake(address);
    if ((seen & kObserved) != 0) return true;
    if (refs(seen + step) == 0) operation_(*this, TaskOp::kDestroy);
    return false;
  }
  void tell() noexcept { tell_observers(); }

  void unset(FutureState found) noexcept {
    word_.fetch_sub(step_to(FutureState::kSetting) - step_to(found), std::memory_order_release);
  }

  // ---- Wait -------------------------------------------------------------------------

  // Until it is done. False: the limit was reached first.
  bool wait(Wait& wait) noexcept { return done() || wait_slow(wait); }

  // Adds an observer, to be told when it is done. False: it is done already, and the
  // observer stays with the caller.
  bool observe(Observer& observer) noexcept {
    if (done()) return false;
    typename BasicObservers<Platform>::Guard list(observers_);
    std::uint64_t seen = word_.load(std::memory_order_acquire);
    do {
      if (done(seen)) return false;
      if ((seen & kObserved) != 0) break;
    } while (!word_.compare_exchange_weak(seen, seen + kObserved + kRef, std::memory_order_acq_rel,
                                          std::memory_order_acquire));
    list.append(observer);
    return true;
  }

  // Takes one off again. True: it will not be told. False: it was told, or (if it is
  // Told::kAfter) is about to be.
  bool forget(Observer& observer) noexcept {
    typename BasicObservers<Platform>::Guard list(observers_);
    if (!observer.listed()) return false;
    list.remove(observer);
    return true;
  }

  // ---- Ask --------------------------------------------------------------------------

  std::uintptr_t ask(TaskOp what) noexcept { return operation_(*this, what); }

  // Runs some steps that exclude each other.
  template <class Steps>
  auto locked(Steps steps) noexcept {
    const typename BasicObservers<Platform>::Guard list(observers_);
    return steps();
  }

 private:
  // word_ holds
  //
  //   bits  0..2    state
  //   bit   3       waiters    somebody may be asleep on the word until the block is done
  //   bit   4       observed   there are observers, or were. They own the block together
  //   bit   5       settable   constant
  //   bits  6..9    (free)
  //   bits 10..31   runner     the tag of who has claimed it
  //   bits 32..63   refs       owners
  //
  // The low half is the futex word.
  //
  // The step that makes it done learns in the same moment whether anybody waits, whether
  // anybody observes, and whether it was the last owner. So no wake-up is lost: a waiter
  // sets `waiters` by a step that finds the block not done, before it sleeps on what that
  // step left there. An observer is listed, with the list locked, after a look that found
  // it not done: if the block is done by then, who did that has yet to lock the list.
  //
  // Who finishes and lets go at once does not touch the block any more, unless it was
  // observed: the observers' ownership is given up by who tells them. Waking uses the
  // address only.
  static constexpr std::uint64_t kStateMask = 7;
  static constexpr std::uint64_t kWaiters = 8;
  static constexpr std::uint64_t kObserved = 16;
  static constexpr std::uint64_t kSettable = 32;
  static constexpr std::uint64_t kRunner = 1 << 10;
  static constexpr std::uint64_t kRef = std::uint64_t{1} << 32;

  static constexpr std::uint64_t step_to(FutureState state) noexcept { return static_cast<std::uint64_t>(state); }
  static constexpr FutureState state(std::uint64_t word) noexcept {
    return static_cast<FutureState>(word & kStateMask);
  }
  static constexpr bool done(std::uint64_t word) noexcept { return state(word) >= FutureState::kFinished; }
  static constexpr std::uint32_t runner(std::uint64_t word) noexcept { return static_cast<std::uint32_t>(word) >> 10; }
  static constexpr std::uint32_t refs(std::uint64_t word) noexcept { return static_cast<std::uint32_t>(word >> 32); }

  void complete(std::uint64_t step) noexcept {
    complete(step, [] {});
  }
  template <class BeforeTelling>
  void complete(std::uint64_t step, BeforeTelling before_telling) noexcept {
    const auto address = Platform::address(word_);
    const std::uint64_t seen = word_.fetch_add(step, std::memory_order_acq_rel);
    // From here on *this may be gone, unless it was observed or this was the last owner.
    if ((seen & kWaiters) != 0) wake(address);
    if ((seen & kObserved) != 0) {
      before_telling();
      tell_observers();
    }
    if (refs(seen + step) == 0) {
      before_telling();
      operation_(*this, TaskOp::kDestroy);
    }
  }

  static void wake(typename Platform::Address address) noexcept { Platform::futex_wake(address, platform::kEveryone); }

  [[gnu::noinline]] void tell_observers() noexcept;
  [[gnu::noinline]] bool wait_slow(Wait& wait) noexcept;

  typename Platform::template Atomic<std::uint64_t> word_;
  const Operation operation_;
  void* const executor_;
  BasicObservers<Platform> observers_;
};

template <class Platform>
void BasicTaskBlock<Platform>::tell_observers() noexcept {
  // Waiters first and with the list locked, since they may leave it until then; what is
  // left is a row of its own.
  Observer* row = nullptr;
  {
    typename BasicObservers<Platform>::Guard list(observers_);
    Observer* last = nullptr;
    while (Observer* const observer = list.first()) {
      list.remove(*observer);
      if (observer->told == Told::kLocked) {
        observer->tell(*observer, *this);  // *observer may be gone
      } else {
        (last == nullptr ? row : last->next) = observer;
        last = observer;
      }
    }
  }
  while (row != nullptr) {
    Observer& observer = *row;
    row = observer.next;
    observer.tell(observer, *this);
  }
  drop();
}

template <class Platform>
bool BasicTaskBlock<Platform>::wait_slow(Wait& wait) noexcept {
  platform::BasicBackoff<Platform> backoff(wait);
  while (!done() && backoff.again()) {
  }
  std::uint64_t seen = word_.load(std::memory_order_acquire);
  for (bool in_time = !wait.immediate(); !done(seen) && in_time;) {
    if ((seen & kWaiters) == 0 &&
        !word_.compare_exchange_weak(seen, seen | kWaiters, std::memory_order_acquire, std::memory_order_acquire)) {
      continue;
    }
    in_time = wait.park(word_, static_cast<std::uint32_t>(seen | kWaiters), "future");
    seen = word_.load(std::memory_order_acquire);
  }
  return done(seen);
}

using TaskBlock = BasicTaskBlock<platform::Native>;
using Observer = BasicObserver<platform::Native>;

// ---- Workers that wait ----------------------------------------------------------------

// What a thread does before it sleeps for a future: a pool's worker sets this for itself.
// Called by Future::result(), wait() and their like, in the thread that waits, with a block
// that was not done yet: for a future made by then(), the one at the root of the chain. The
// caller owns the block meanwhile. Not called for a wait that is over before it begins.
class WaitHelper {
 public:
  // Runs the awaited task itself if it can, or something that the task waits for. True:
  // look again. False: there is nothing to do, so the thread sleeps, and calls awake()
  // after that. `only`: it will sleep until this very block is done, whatever happens: so
  // a ring of such waits never ends, and this may throw DeadlockError instead.
  virtual bool help(TaskBlock& awaited, bool only) = 0;
  virtual void awake() noexcept = 0;

 protected:
  ~WaitHelper() = default;
};

[[gnu::visibility("default"), NOGIL_TLS_NEAR]] inline constinit thread_local WaitHelper* t_wait_helper = nullptr;

// ---- Payload --------------------------------------------------------------------------

// Where a T lies behind the header: a callable, a result or an exception.
template <class T>
inline constexpr std::size_t kPayloadOffset = (sizeof(TaskBlock) + alignof(T) - 1) / alignof(T) * alignof(T);

template <class T>
void* payload_place(TaskBlock& block) noexcept {
  return reinterpret_cast<std::byte*>(&block) + kPayloadOffset<T>;
}
template <class T>
T& payload(TaskBlock& block) noexcept {
  return *std::launder(static_cast<T*>(payload_place<T>(block)));
}

}  // namespace nogil::detail
