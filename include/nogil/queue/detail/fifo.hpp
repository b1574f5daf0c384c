// nogil/queue/detail/fifo.hpp -- first in, first out, between any number of threads.
//
// The engine of Queue and SimpleQueue: a chain of blocks. Producers lock its tail,
// consumers its head, and neither the other. An operation costs one locked instruction
// and does exactly what a queue under one lock would: strict order, exact capacity, and
// an element whose move throws stays where it is.
//
// Waiting    try_put() and lock_item() answer at once. wait_for_room() and
//            wait_for_item() sleep until it is worth trying again.
// User code  Constructors, moves and destructors of T run under the lock of one end: they
//            must not use the same queue.
// Lifetime   The last step of an operation is the one that shows its result, so who got
//            the element, or the room, may destroy the queue at once.
// Memory     Blocks are allocated as elements come, one at a time. An empty queue keeps at
//            most two.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

#include "nogil/platform/cpu.hpp"
#include "nogil/platform/event_count.hpp"
#include "nogil/platform/wait.hpp"
#include "nogil/queue/detail/block.hpp"
#include "nogil/queue/detail/index_lock.hpp"
#include "nogil/queue/detail/put_result.hpp"
#include "nogil/queue/detail/wait_until.hpp"

namespace nogil::detail {

template <class T, class Platform>
class Fifo {
 public:
  using Wait = platform::BasicWait<Platform>;
  using EventCount = platform::BasicEventCount<Platform>;

  static constexpr bool kMoveMayThrow = !std::is_nothrow_move_constructible_v<T>;

  explicit Fifo(std::uint64_t limit) noexcept { tail_.limit.store(limit, std::memory_order_relaxed); }
  Fifo(const Fifo&) = delete;
  Fifo& operator=(const Fifo&) = delete;
  ~Fifo() {
    detach(head_.lock.count(), tail_.lock.count()).destroy();
    delete spare_.load(std::memory_order_relaxed);
  }

  // Constructs an element at the tail. If there is no room, or that throws, nothing has
  // changed, and the arguments are as they were.
  template <class... Args>
  PutResult try_put(Args&&... args) {
    {
      AtTail end(*this);
      if (end.has_room()) [[likely]] {
        end.construct(std::forward<Args>(args)...);
        return PutResult::kDone;
      }
      if (end.refusal() == PutResult::kFull) return PutResult::kFull;
    }
    settle();
    return PutResult::kShutDown;
  }

  // The lock of the tail, for as long as it lives: as many elements as there is room for.
  // The destructor shows what was constructed.
  class AtTail {
   public:
    explicit AtTail(Fifo& queue) noexcept : queue_(queue), first_(queue.tail_.lock.lock()), tail_(first_) {}
    AtTail(const AtTail&) = delete;
    AtTail& operator=(const AtTail&) = delete;
    ~AtTail() {
      if (tail_ != first_) [[likely]]
        show(queue_.tail_.not_empty, count());
      else show_nothing();
    }

    bool has_room() noexcept {
      TailEnd& end = queue_.tail_;
      const std::uint64_t limit = end.limit.load(std::memory_order_relaxed);
      if (tail_ - end.known_head < limit) [[likely]]
        return true;
      end.known_head = queue_.head_.lock.count();
      return tail_ - end.known_head < limit;
    }

    template <class... Args>
    void construct(Args&&... args) {
      TailEnd& end = queue_.tail_;
      if (tail_ % Block::kSlots != 0) [[likely]] {
        ::new (end.block->place(tail_)) T(std::forward<Args>(args)...);
      } else {
        FreshBlock fresh(queue_);
        ::new (fresh.block->place(tail_)) T(std::forward<Args>(args)...);
        // Linked before the element is shown, and only now that nothing can throw.
        (end.block == nullptr ? queue_.first_ : end.block->next) = fresh.block;
        end.block = std::exchange(fresh.block, nullptr);
      }
      ++tail_;
    }

    PutResult refusal() const noexcept { return queue_.shut() ? PutResult::kShutDown : PutResult::kFull; }
    std::uint32_t count() const noexcept { return static_cast<std::uint32_t>(tail_ - first_); }

   private:
    // Gives the lock back, and wakes up to n who wait for what has changed.
    void show(EventCount& waiting, std::uint32_t n) noexcept {
      Platform::light_fence();  // between taking the lock and looking for sleepers: see wait_until()
      const auto next = queue_.tail_.lock.claim_sleeper();
      const auto others = n == 0 ? typename EventCount::Claim() : waiting.claim(n);
      queue_.tail_.lock.unlock(tail_);
      // From here on the queue may be gone.
      next.wake();
      others.wake();
    }
    // If there is room, T's constructor threw: another may be waiting for that room.
    [[gnu::noinline, gnu::cold]] void show_nothing() noexcept { show(queue_.head_.not_full, has_room()); }

    Fifo& queue_;
    const std::uint64_t first_;
    std::uint64_t tail_;
  };

  // The first element and the lock of the head, for as long as it lives; false, and no
  // lock, if there is none. The destructor takes the element off, unless the scope is left
  // by an exception of T's move: then it stays.
  class AtHead {
   public:
    explicit AtHead(Fifo& queue) noexcept : queue_(queue), head_(queue.head_.lock.lock()) {
      HeadEnd& end = queue.head_;
      if (head_ != end.known_tail || head_ != (end.known_tail = queue.tail_.lock.count())) [[likely]] {
        item_ = queue.front(head_);
      } else {
        queue.show_head(head_, 0);
      }
    }
    AtHead(const AtHead&) = delete;
    AtHead& operator=(const AtHead&) = delete;
    ~AtHead() {
      if (item_ == nullptr) return;
      if (unwinding_) [[unlikely]] {
        queue_.leave_to_others(head_);
      } else {
        item_->~T();
        queue_.show_head(head_ + 1, 1);
      }
    }

    explicit operator bool() const noexcept { return item_ != nullptr; }
    T&& item() const noexcept { return std::move(*item_); }

   private:
    Fifo& queue_;
    const std::uint64_t head_;
    T* item_ = nullptr;
    [[no_unique_address]] const Unwinding<kMoveMayThrow> unwinding_{};
  };

  // Takes up to `most`, and returns how many: calls take(T&&) for each. If that throws, the
  // element stays, and those before it are taken.
  template <class Take>
  std::size_t take_many(std::size_t most, Take&& take) {
    BulkGuard guard(*this);
    for (; guard.count < most && guard.has_item(); guard.next()) take(std::move(*front(guard.head())));
    guard.thrown = false;
    return guard.count;
  }

  // Sleeps until there is an element, or shut(). False: the limit was reached first.
  bool wait_for_item(Wait& wait) noexcept {
    return wait_until(tail_.not_empty, tail_.lock, wait, [this] { return !empty() || shut(); });
  }
  // Sleeps until there is room, or shut(). False: the limit was reached first.
  bool wait_for_room(Wait& wait) noexcept {
    return wait_until(head_.not_full, head_.lock, wait, [this] { return !full() || shut(); });
  }

  // Exact at some moment during the call.
  std::size_t size() const noexcept {
    for (std::uint64_t head = head_.lock.count();;) {
      const std::uint64_t tail = tail_.lock.count();
      const std::uint64_t again = head_.lock.count();
      if (head == again) return static_cast<std::size_t>(tail - head);
      head = again;
    }
  }
  // In this order: the head never passes the tail, so if it reaches what the tail is now...
  bool empty() const noexcept {
    const std::uint64_t head = head_.lock.count();
    return head == tail_.lock.count();
  }
  bool full() const noexcept {
    const std::uint64_t tail = tail_.lock.count();
    return tail - head_.lock.count() >= tail_.limit.load(std::memory_order_relaxed);
  }

  // How many were ever put.
  std::uint64_t puts() const noexcept { return tail_.lock.count(); }

  bool shut() const noexcept { return tail_.shut.load(std::memory_order_acquire); }

  void set_limit(std::uint64_t limit) noexcept;

  // Lets a shut_down() that is under way come to its last step. Before telling anybody of
  // it, who may then destroy the queue.
  [[gnu::noinline, gnu::cold]] void settle() noexcept { show_head(head_.lock.lock(), 0); }

  // No more elements. Those that are there stay, or are destroyed: how many of those.
  // Calls before_showing(puts, dropped) while both ends are locked.
  template <class BeforeShowing>
  void shut_down(bool immediate, BeforeShowing&& before_showing);

 private:
  using Block = detail::Block<T>;
  template <class U>
  using Atomic = typename Platform::template Atomic<U>;

  static constexpr std::uint64_t kNoBlock = ~std::uint64_t{0};

  // Elements are numbered from 0; the count of each lock is the number of its next one.
  // Each end keeps what it last knew of the other, so that it looks there only when that
  // is not enough: the other's cache line stays where it is used.
  struct alignas(platform::kCacheLine) TailEnd {
    IndexLock<Platform> lock;
    EventCount not_empty;
    Block* block = nullptr;          // where the last element was put; null: nowhere yet
    std::uint64_t known_head = 0;    // the head has come at least this far
    Atomic<std::uint64_t> limit{0};  // 0 once shut
    Atomic<bool> shut{false};
  };
  struct alignas(platform::kCacheLine) HeadEnd {
    IndexLock<Platform> lock;
    EventCount not_full;
    Block* block = nullptr;           // where the last element was taken; null: nowhere yet
    std::uint64_t number = kNoBlock;  // which block of the chain that is
    std::uint64_t known_tail = 0;     // the tail has come at least this far
  };

  // A new last block, which goes back if its first element throws.
  struct FreshBlock {
    explicit FreshBlock(Fifo& q) : queue(q), block(q.new_block()) {}
    FreshBlock(const FreshBlock&) = delete;
    FreshBlock& operator=(const FreshBlock&) = delete;
    ~FreshBlock() {
      if (block != nullptr) queue.keep_block(block);
    }

    Fifo& queue;
    Block* block;
  };

  class BulkGuard {
   public:
    explicit BulkGuard(Fifo& queue) noexcept : queue_(queue), first_(queue.head_.lock.lock()) {}
    BulkGuard(const BulkGuard&) = delete;
    BulkGuard& operator=(const BulkGuard&) = delete;
    ~BulkGuard() {
      if (thrown && count == 0) queue_.leave_to_others(first_);
      else queue_.show_head(head(), static_cast<std::uint32_t>(count));
    }

    std::uint64_t head() const noexcept { return first_ + count; }
    bool has_item() noexcept {
      HeadEnd& end = queue_.head_;
      return head() != end.known_tail || head() != (end.known_tail = queue_.tail_.lock.count());
    }
    void next() noexcept {
      queue_.head_.block->at(head())->~T();
      ++count;
    }

    std::size_t count = 0;
    bool thrown = true;

   private:
    Fifo& queue_;
    const std::uint64_t first_;
  };

  // Elements [head, tail) and their blocks, no longer part of the queue.
  struct Detached {
    Block* block;
    Block* first;
    std::uint64_t number;
    std::uint64_t head;
    std::uint64_t tail;

    void destroy() noexcept {
      for (; head != tail; ++head) {
        if (head / Block::kSlots != number) advance();
        block->at(head)->~T();
      }
      while (block != nullptr) delete std::exchange(block, block->next);
    }
    void advance() noexcept {
      Block* const next = block == nullptr ? first : block->next;
      delete std::exchange(block, next);
      number = head / Block::kSlots;
    }
  };

  // By who holds both ends, or is alone.
  Detached detach(std::uint64_t head, std::uint64_t tail) noexcept {
    tail_.block = nullptr;
    return {std::exchange(head_.block, nullptr), std::exchange(first_, nullptr), head_.number, head, tail};
  }

  // Gives the lock of the head back, with `taken` elements less.
  void show_head(std::uint64_t head, std::uint32_t taken) noexcept {
    Platform::light_fence();
    const auto next = head_.lock.claim_sleeper();
    const auto putters = taken == 0 ? typename EventCount::Claim() : head_.not_full.claim(taken);
    head_.lock.unlock(head);
    // From here on *this may be gone.
    next.wake();
    putters.wake();
  }

  // Gives the lock of the head back, with an element that T's move would not let go. It may
  // be the one that a waiter was woken for; so wakes another.
  [[gnu::noinline, gnu::cold]] void leave_to_others(std::uint64_t head) noexcept {
    Platform::light_fence();
    const auto next = head_.lock.claim_sleeper();
    const auto others = tail_.not_empty.claim(1);
    head_.lock.unlock(head);
    // From here on *this may be gone.
    next.wake();
    others.wake();
  }

  // The first element, which is there. With the head's lock.
  T* front(std::uint64_t head) noexcept {
    if (head / Block::kSlots != head_.number) [[unlikely]]
      next_block(head);
    return head_.block->at(head);
  }

  // Producers have left the old block for good: it is not the last one any more.
  void next_block(std::uint64_t head) noexcept {
    Block* const old = head_.block;
    head_.block = old == nullptr ? first_ : old->next;
    head_.number = head / Block::kSlots;
    if (old == nullptr) return;
    old->next = nullptr;
    keep_block(old);
  }

  void keep_block(Block* block) noexcept { delete spare_.exchange(block, std::memory_order_acq_rel); }

  Block* new_block() {
    Block* const spare = spare_.exchange(nullptr, std::memory_order_acq_rel);
    return spare != nullptr ? spare : new Block;
  }

  TailEnd tail_;
  HeadEnd head_;
  alignas(platform::kCacheLine) Atomic<Block*> spare_{nullptr};  // one block that was used up
  Block* first_ = nullptr;  // of the chain; written before the first element is shown
};

template <class T, class Platform>
void Fifo<T, Platform>::set_limit(std::uint64_t limit) noexcept {
  AtTail end(*this);
  if (shut()) return;
  tail_.limit.store(limit, std::memory_order_relaxed);
  Platform::heavy_fence();  // against that of wait_until()
  head_.not_full.claim(platform::kEveryone).wake();
}

template <class T, class Platform>
template <class BeforeShowing>
void Fifo<T, Platform>::shut_down(bool immediate, BeforeShowing&& before_showing) {
  const std::uint64_t head = head_.lock.lock();
  const std::uint64_t tail = tail_.lock.lock();
  tail_.limit.store(0, std::memory_order_relaxed);
  tail_.shut.store(true, std::memory_order_release);
  Detached dropped{nullptr, nullptr, 0, tail, tail};
  if (immediate) {
    dropped = detach(head, tail);
    head_.known_tail = tail;
  }
  const auto joiners = before_showing(tail, tail - dropped.head);
  Platform::heavy_fence();
  const auto next_putter = tail_.lock.claim_sleeper();
  const auto next_taker = head_.lock.claim_sleeper();
  const auto takers = tail_.not_empty.claim(platform::kEveryone);
  const auto putters = head_.not_full.claim(platform::kEveryone);
  tail_.lock.unlock(tail);
  head_.lock.unlock(immediate ? tail : head);  // last: settle() waits for it
  // From here on *this may be gone.
  next_putter.wake();
  next_taker.wake();
  takers.wake();
  putters.wake();
  joiners.wake();
  dropped.destroy();  // user code, under no lock
}

}  // namespace nogil::detail
