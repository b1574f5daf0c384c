// nogil/queue/detail/guarded.hpp -- elements under one lock, in whatever order a Bag has.
//
// The engine of LifoQueue and PriorityQueue. The same verbs, waiting, promises and lifetime
// as fifo.hpp; both ends are the same end here, so there is one lock.
//
// A Bag has   push(item)     strong guarantee: if it throws, nothing has changed
//             choose(choice) the element to be taken next; may throw, changes nothing but
//                            what it notes in `choice`, a Bag::Choice
//             pop(choice)    takes off what choose(choice) chose, which has been moved from;
//                            noexcept

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "nogil/platform/cpu.hpp"
#include "nogil/platform/event_count.hpp"
#include "nogil/platform/wait.hpp"
#include "nogil/queue/detail/index_lock.hpp"
#include "nogil/queue/detail/put_result.hpp"
#include "nogil/queue/detail/wait_until.hpp"

namespace nogil::detail {

template <class T, class Platform, class Bag>
class Guarded {
 public:
  using Wait = platform::BasicWait<Platform>;

  template <class... Args>
  explicit Guarded(std::uint64_t limit, Args&&... args) : limit_(limit), bag_(std::forward<Args>(args)...) {}
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  template <class Item>
  PutResult try_put(Item&& item) {
    AtTail end(*this);
    if (!end.has_room()) [[unlikely]]
      return end.refusal();
    end.construct(std::forward<Item>(item));
    return PutResult::kDone;
  }

  class AtTail {
   public:
    explicit AtTail(Guarded& queue) noexcept : queue_(queue), size_(queue.lock_.lock()) {}
    AtTail(const AtTail&) = delete;
    AtTail& operator=(const AtTail&) = delete;
    ~AtTail() {
      // Room, and nothing put: it threw. Another may be waiting for that room.
      if (put_ == 0) queue_.show(size_, queue_.not_full_, has_room());
      else queue_.show(size_ + put_, queue_.not_empty_, put_);
    }

    bool has_room() const noexcept { return size_ + put_ < queue_.limit_.load(std::memory_order_relaxed); }
    template <class Item>
    void construct(Item&& item) {
      queue_.bag_.push(std::forward<Item>(item));
      queue_.puts_.store(queue_.puts_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
      ++put_;
    }
    // Constructs elements from pass(*it) until there is no room, or `it` is at the end.
    template <class It, class End, class Pass>
    void construct_many(It& it, const End& end, Pass pass) {
      for (; it != end && has_room(); ++it) construct(pass(*it));
    }
    PutResult refusal() const noexcept { return queue_.shut() ? PutResult::kShutDown : PutResult::kFull; }
    std::uint64_t count() const noexcept { return put_; }

   private:
    Guarded& queue_;
    const std::uint64_t size_;
    std::uint32_t put_ = 0;
  };

  class AtHead {
   public:
    explicit AtHead(Guarded& queue) noexcept : queue_(queue), size_(queue.lock_.lock()) {}
    AtHead(const AtHead&) = delete;
    AtHead& operator=(const AtHead&) = delete;
    ~AtHead() {
      if (size_ == 0 || unwinding_) {
        // What a throw has left: another may be waiting for it.
        queue_.show(size_, queue_.not_empty_, size_ != 0);
      } else {
        queue_.bag_.pop(choice_);
        queue_.show(size_ - 1, queue_.not_full_, 1);
      }
    }

    explicit operator bool() const noexcept { return size_ != 0; }
    T&& item() { return std::move(queue_.bag_.choose(choice_)); }

   private:
    Guarded& queue_;
    const std::uint64_t size_;
    [[no_unique_address]] typename Bag::Choice choice_;
    [[no_unique_address]] const Unwinding<Bag::kMayThrow> unwinding_{};
  };
  using AwaitedHead = AtHead;

  template <class Take>
  std::size_t take_many(std::size_t most, Take&& take) {
    struct Guard {
      ~Guard() {
        if (thrown && taken == 0) queue.show(size, queue.not_empty_, 1);
        else queue.show(size - taken, queue.not_full_, static_cast<std::uint32_t>(taken));
      }
      Guarded& queue;
      const std::uint64_t size;
      std::size_t taken = 0;
      bool thrown = true;
    } guard{*this, lock_.lock()};
    for (; guard.taken < most && guard.taken < guard.size; ++guard.taken) {
      typename Bag::Choice choice;
      take(std::move(bag_.choose(choice)));
      bag_.pop(choice);
    }
    guard.thrown = false;
    return guard.taken;
  }

  bool wait_for_item(Wait& wait) noexcept {
    return wait_until(not_empty_, lock_, wait, [this] { return !empty() || shut(); });
  }
  bool wait_for_room(Wait& wait) noexcept {
    return wait_until(not_full_, lock_, wait, [this] { return !full() || shut(); });
  }

  std::size_t size() const noexcept { return static_cast<std::size_t>(lock_.count()); }
  bool empty() const noexcept { return lock_.count() == 0; }
  bool full() const noexcept { return lock_.count() >= limit_.load(std::memory_order_relaxed); }
  std::uint64_t puts() const noexcept { return puts_.load(std::memory_order_acquire); }
  bool shut() const noexcept { return shut_.load(std::memory_order_acquire); }

  template <class Note>
  void set_limit(std::uint64_t limit, Note&& note) noexcept {
    const std::uint64_t size = lock_.lock();
    note();
    if (!shut()) limit_.store(limit, std::memory_order_relaxed);
    show(size, not_full_, platform::kEveryone);
  }

  // Lets a shut_down() that is under way come to its last step. Before telling anybody of
  // it, who may then destroy the queue.
  [[gnu::noinline, gnu::cold]] void settle() noexcept { show(lock_.lock(), not_full_, 0); }

  template <class BeforeShowing>
  void shut_down(bool immediate, BeforeShowing&& before_showing) {
    auto dropped = bag_.none();
    const std::uint64_t size = lock_.lock();
    limit_.store(0, std::memory_order_relaxed);
    shut_.store(true, std::memory_order_release);
    if (immediate) bag_.swap(dropped);
    const auto joiners = before_showing(puts(), immediate ? size : 0);
    Platform::light_fence();
    const auto next = lock_.claim_sleeper();
    const auto takers = not_empty_.claim(platform::kEveryone);
    const auto putters = not_full_.claim(platform::kEveryone);
    lock_.unlock(immediate ? 0 : size);
    // From here on *this may be gone.
    next.wake();
    takers.wake();
    putters.wake();
    joiners.wake();
  }  // `dropped` goes here: user code, under no lock

 private:
  using EventCount = platform::BasicEventCount<Platform>;
  template <class U>
  using Atomic = typename Platform::template Atomic<U>;

  // Gives the lock back with this size, and wakes up to n who wait for what has changed.
  void show(std::uint64_t size, EventCount& waiting, std::uint32_t n) noexcept {
    Platform::light_fence();  // between taking the lock and looking for sleepers: see wait_until()
    if (lock_.is_awaited() || waiting.waiting() != 0) [[unlikely]]
      show_and_wake(size, waiting, n);
    else lock_.unlock(size);
  }
  [[gnu::noinline]] void show_and_wake(std::uint64_t size, EventCount& waiting, std::uint32_t n) noexcept {
    const auto next = lock_.claim_sleeper();
    const auto others = n == 0 ? typename EventCount::Claim() : waiting.claim(n);
    lock_.unlock(size);
    // From here on *this may be gone.
    next.wake();
    others.wake();
  }

  IndexLock<Platform> lock_;  // counts the elements
  EventCount not_empty_;
  EventCount not_full_;
  Atomic<std::uint64_t> limit_;    // 0 once shut
  Atomic<std::uint64_t> puts_{0};  // written under the lock
  Atomic<bool> shut_{false};
  Bag bag_;  // guarded by lock_
};

}  // namespace nogil::detail
