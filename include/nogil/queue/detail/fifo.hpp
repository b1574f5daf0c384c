// nogil/queue/detail/fifo.hpp -- first in, first out, between any number of threads.
//
// The engine of Queue and SimpleQueue: a chain of blocks. Producers lock its tail,
// consumers its head, and neither the other. An operation costs one locked instruction,
// or none at an end that one thread uses alone, and does exactly what a queue under one
// lock would: strict order, exact capacity, and an element whose move throws stays where
// it is.
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
#include <iterator>
#include <new>
#include <type_traits>
#include <utility>

#include "nogil/platform/cpu.hpp"
#include "nogil/platform/event_count.hpp"
#include "nogil/platform/wait.hpp"
#include "nogil/queue/detail/block.hpp"
#include "nogil/queue/detail/end_lock.hpp"
#include "nogil/queue/detail/latest.hpp"
#include "nogil/queue/detail/put_result.hpp"
#include "nogil/queue/detail/wait_until.hpp"

namespace nogil::detail {

// kTurns: see end_lock.hpp.
template <class T, class Platform, std::uint32_t kTurns = kTurnsToOwn>
class Fifo {
 public:
  using Wait = platform::BasicWait<Platform>;
  using EventCount = platform::BasicEventCount<Platform>;

  static constexpr bool kMoveMayThrow = !std::is_nothrow_move_constructible_v<T>;

  explicit Fifo(std::uint64_t limit) noexcept { tail_.own.limit.store(limit, std::memory_order_relaxed); }
  Fifo(const Fifo&) = delete;
  Fifo& operator=(const Fifo&) = delete;
  ~Fifo() {
    detach(head_.count(), tail_.count()).destroy();
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
    explicit AtTail(Fifo& queue) noexcept : queue_(queue), first_(queue.tail_.lock()), tail_(first_) {}
    AtTail(const AtTail&) = delete;
    AtTail& operator=(const AtTail&) = delete;
    [[gnu::always_inline]] ~AtTail() {
      if (tail_ != first_) [[likely]]
        queue_.show_tail(first_, tail_);
      else queue_.show_no_put(first_);
    }

    bool has_room() noexcept { return queue_.has_room(tail_); }

    template <class... Args>
    void construct(Args&&... args) {
      if (tail_ % Block::kSlots != 0) [[likely]] {
        void* const place = queue_.tail_.own.block->place(tail_);
        // Elements are smaller than cache lines, so this one is at the consumer, who is made to
        // give it up while the argument is still on its way.
        platform::prefetch_to_write(place);
        ::new (place) T(std::forward<Args>(args)...);
      } else {
        queue_.construct_in_new_block(tail_, std::forward<Args>(args)...);
      }
      ++tail_;
    }

    // Constructs elements from pass(*it) until there is no room, or `it` is at the end.
    template <class It, class End, class Pass>
    void construct_many(It& it, const End& end, Pass pass);

    PutResult refusal() const noexcept { return queue_.shut() ? PutResult::kShutDown : PutResult::kFull; }
    std::uint64_t count() const noexcept { return tail_ - first_; }

   private:
    Fifo& queue_;
    const std::uint64_t first_;
    std::uint64_t tail_;
  };

  // The first element and the lock of the head, for as long as it lives; false, and no
  // lock, if there is none. The destructor takes the element off, unless the scope is left
  // by an exception of T's move: then it stays.
  class AtHead {
   public:
    explicit AtHead(Fifo& queue) noexcept : AtHead(queue, nullptr) {}
    AtHead(const AtHead&) = delete;
    AtHead& operator=(const AtHead&) = delete;
    [[gnu::always_inline]] ~AtHead() {
      if (item_ == nullptr) return;
      if (unwinding_) [[unlikely]] {
        queue_.leave_to_others(head_);
      } else {
        item_->~T();
        queue_.show_head(head_, head_ + 1);
      }
    }

    explicit operator bool() const noexcept { return item_ != nullptr; }
    T&& item() const noexcept { return std::move(*item_); }

   protected:
    // `copy`: room for a copy of a small element that has just come; or null.
    AtHead(Fifo& queue, [[maybe_unused]] unsigned char* copy) noexcept : queue_(queue), head_(queue.head_.lock()) {
      if constexpr (kSmallElement<T>) {
        if (copy != nullptr && queue.see_latest(head_, copy)) {
          item_ = std::launder(reinterpret_cast<T*>(copy));
          return;
        }
      }
      if (queue.known_tail(head_) != head_) [[likely]] {
        item_ = queue.front(head_);
      } else {
        queue.show_head(head_, head_);
      }
    }

   private:
    Fifo& queue_;
    const std::uint64_t head_;
    T* item_ = nullptr;
    [[no_unique_address]] const Unwinding<kMoveMayThrow> unwinding_{};
  };

  // The same after a wait for the element, which is at its producer's core then (latest.hpp).
  class AwaitedHead : public AtHead {
   public:
    explicit AwaitedHead(Fifo& queue) noexcept : AtHead(queue, copy_) {}

   private:
    alignas(T) unsigned char copy_[kSmallElement<T> ? sizeof(T) : 1];
  };

  // Takes up to `most`, and returns how many: calls take(T&&) for each. If that throws, the
  // element stays, and those before it are taken.
  template <class Take>
  std::size_t take_many(std::size_t most, Take&& take) {
    BulkGuard guard(*this);
    while (const std::uint64_t left = guard.left(most)) {
      T* const items = front(guard.head);
      std::uint64_t row = Block::kSlots - guard.head % Block::kSlots;
      if (const std::uint64_t there = head_.own.known_tail - guard.head; row > there) row = there;
      if (row > left) row = left;
      for (std::uint64_t i = 0; i < row; ++i, ++guard.head) {
        take(std::move(items[i]));
        items[i].~T();
      }
    }
    guard.thrown = false;
    return guard.count();
  }

  // Sleeps until there is an element, or shut(). False: the limit was reached first.
  bool wait_for_item(Wait& wait) noexcept {
    return wait_until(tail_.own.not_empty, tail_, wait, [this] { return !empty() || shut(); });
  }
  // Sleeps until there is room, or shut(). False: the limit was reached first.
  bool wait_for_room(Wait& wait) noexcept {
    return wait_until(head_.own.not_full, head_, wait, [this] { return !full() || shut(); });
  }

  // Exact at some moment during the call.
  std::size_t size() const noexcept {
    for (std::uint64_t head = head_.count();;) {
      const std::uint64_t tail = tail_.count();
      const std::uint64_t again = head_.count();
      if (head == again) return static_cast<std::size_t>(tail - head);
      head = again;
    }
  }
  // In this order: the head never passes the tail, so if it reaches what the tail is now...
  bool empty() const noexcept {
    const std::uint64_t head = head_.count();
    return head == tail_.count();
  }
  bool full() const noexcept {
    const std::uint64_t tail = tail_.count();
    return tail - head_.count() >= tail_.own.limit.load(std::memory_order_relaxed);
  }

  // How many were ever put.
  std::uint64_t puts() const noexcept { return tail_.count(); }

  bool shut() const noexcept { return tail_.beside.shut.load(std::memory_order_acquire); }

  // From now on puts need that there are fewer than `limit`. Calls note() while the tail is
  // locked, so that of several calls at once one is the last in all that they change.
  template <class Note>
  void set_limit(std::uint64_t limit, Note&& note) noexcept;

  // Lets a shut_down() that is under way come to its last step. Before telling anybody of
  // it, who may then destroy the queue.
  [[gnu::noinline, gnu::cold]] void settle() noexcept {
    const std::uint64_t head = head_.lock();
    show_head(head, head);
  }

  // No more elements. Those that are there stay, or are destroyed: how many of those.
  // Calls before_showing(puts, dropped) while both ends are locked.
  template <class BeforeShowing>
  void shut_down(bool immediate, BeforeShowing&& before_showing);

 private:
  using Block = detail::Block<T>;
  using Detached = DetachedBlocks<T>;
  template <class U>
  using Atomic = typename Platform::template Atomic<U>;

  static constexpr std::uint64_t kNoBlock = ~std::uint64_t{0};

  // Elements are numbered from 0; the count of each end is the number of its next one. Each
  // end keeps what it last knew of the other, so that it looks there only when that is not
  // enough: the other's cache line stays where it is used.
  struct TailOwn {
    EventCount not_empty;
    Block* block = nullptr;          // where the last element was put; null: nowhere yet
    std::uint64_t known_head = 0;    // the head has come at least this far
    Atomic<std::uint64_t> limit{0};  // 0 once shut
  };
  struct HeadOwn {
    EventCount not_full;
    Block* block = nullptr;           // where the last element was taken; null: nowhere yet
    std::uint64_t number = kNoBlock;  // which block of the chain that is
    std::uint64_t known_tail = 0;     // the tail has come at least this far
  };

  struct TailBeside {
    [[no_unique_address]] Latest<T, Platform> latest;
    Atomic<bool> shut{false};
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

  struct BulkGuard {
    explicit BulkGuard(Fifo& q) noexcept : queue(q), first(q.head_.lock()), head(first) {}
    BulkGuard(const BulkGuard&) = delete;
    BulkGuard& operator=(const BulkGuard&) = delete;
    ~BulkGuard() {
      if (thrown && head == first) queue.leave_to_others(first);
      else queue.show_head(first, head);
    }

    std::size_t count() const noexcept { return static_cast<std::size_t>(head - first); }
    // How many of `most` are still to be taken: none, if there is none.
    std::size_t left(std::size_t most) noexcept { return queue.known_tail(head) != head ? most - count() : 0; }

    Fifo& queue;
    const std::uint64_t first;
    std::uint64_t head;
    bool thrown = true;
  };

  // By who holds both ends, or is alone.
  Detached detach(std::uint64_t head, std::uint64_t tail) noexcept {
    tail_.own.block = nullptr;
    return {std::exchange(head_.own.block, nullptr), std::exchange(first_, nullptr), head_.own.number, head, tail};
  }

  // With the tail's lock.
  bool has_room(std::uint64_t tail) noexcept {
    TailOwn& own = tail_.own;
    const std::uint64_t limit = own.limit.load(std::memory_order_relaxed);
    if (tail - own.known_head < limit) [[likely]]
      return true;
    own.known_head = head_.count();
    return tail - own.known_head < limit;
  }

  // How many more, after has_room(tail).
  std::uint64_t room(std::uint64_t tail) const noexcept {
    return tail_.own.known_head + tail_.own.limit.load(std::memory_order_relaxed) - tail;
  }

  // How far the tail has come: further than `head`, if it has. With the head's lock.
  std::uint64_t known_tail(std::uint64_t head) noexcept {
    HeadOwn& own = head_.own;
    if (own.known_tail == head) own.known_tail = tail_.count();
    return own.known_tail;
  }

  // Whether the element with this number is there, and the last, and was copied: it need not
  // be fetched then. (Unless it may be the first of its block: front() must come there, once.)
  // With the head's lock.
  bool see_latest(std::uint64_t head, void* place) noexcept {
    HeadOwn& own = head_.own;
    if (own.known_tail != head || head / Block::kSlots != own.number) return false;
    own.known_tail = tail_.count();
    return own.known_tail == head + 1 && tail_.beside.latest.see(head, place) && tail_.count() == head + 1;
  }

  template <class... Args>
  [[gnu::noinline]] void construct_in_new_block(std::uint64_t tail, Args&&... args) {
    FreshBlock fresh(*this);
    ::new (fresh.block->place(tail)) T(std::forward<Args>(args)...);
    // Linked before the element is shown, and only now that nothing can throw.
    (tail_.own.block == nullptr ? first_ : tail_.own.block->next) = fresh.block;
    tail_.own.block = std::exchange(fresh.block, nullptr);
  }

  // Gives the lock of the tail back, with more elements, and wakes as many who wait for them.
  [[gnu::always_inline]] void show_tail(std::uint64_t from, std::uint64_t to) noexcept {
    if constexpr (kSmallElement<T>) {
      if (to == from + 1) tail_.beside.latest.show(from, tail_.own.block->place(from));
    }
    Platform::light_fence();  // between taking the lock and looking for sleepers: see wait_until()
    if (tail_.is_awaited() || tail_.own.not_empty.waiting() != 0) [[unlikely]]
      show_and_wake(tail_, tail_.own.not_empty, from, to, to - from);
    else tail_.unlock(from, to);
  }
  // Gives the lock of the head back, with less elements, and wakes as many who wait for room.
  [[gnu::always_inline]] void show_head(std::uint64_t from, std::uint64_t to) noexcept {
    Platform::light_fence();
    if (head_.is_awaited() || head_.own.not_full.waiting() != 0) [[unlikely]]
      show_and_wake(head_, head_.own.not_full, from, to, to - from);
    else head_.unlock(from, to);
  }

  // Gives the lock of the tail back as it was. If there is room, T's constructor threw: another
  // may be waiting for that room.
  [[gnu::noinline, gnu::cold]] void show_no_put(std::uint64_t tail) noexcept {
    Platform::light_fence();
    show_and_wake(tail_, head_.own.not_full, tail, tail, has_room(tail));
  }
  // Gives the lock of the head back, with an element that T's move would not let go. It may
  // be the one that a waiter was woken for; so wakes another.
  [[gnu::noinline, gnu::cold]] void leave_to_others(std::uint64_t head) noexcept {
    Platform::light_fence();
    show_and_wake(head_, tail_.own.not_empty, head, head, 1);
  }

  template <class End>
  [[gnu::noinline]] static void show_and_wake(End& end, EventCount& waiting, std::uint64_t from, std::uint64_t to,
                                              std::uint64_t n) noexcept {
    const auto next = end.claim_sleeper();
    const auto others = n == 0 ? typename EventCount::Claim() : waiting.claim(static_cast<std::uint32_t>(n));
    end.unlock(from, to);
    // From here on the queue may be gone.
    next.wake();
    others.wake();
  }

  // The first element, which is there. With the head's lock.
  T* front(std::uint64_t head) noexcept {
    if (head / Block::kSlots != head_.own.number) [[unlikely]]
      next_block(head);
    return head_.own.block->at(head);
  }

  // Producers have left the old block for good: it is not the last one any more.
  void next_block(std::uint64_t head) noexcept {
    Block* const old = head_.own.block;
    head_.own.block = old == nullptr ? first_ : old->next;
    head_.own.number = head / Block::kSlots;
    if (old == nullptr) return;
    old->next = nullptr;
    keep_block(old);
  }

  void keep_block(Block* block) noexcept { delete spare_.exchange(block, std::memory_order_acq_rel); }

  Block* new_block() {
    Block* const spare = spare_.exchange(nullptr, std::memory_order_acq_rel);
    return spare != nullptr ? spare : new Block;
  }

  EndLock<Platform, TailOwn, kTurns, TailBeside> tail_;
  EndLock<Platform, HeadOwn, kTurns> head_;
  alignas(platform::kCacheLine) Atomic<Block*> spare_{nullptr};  // one block that was used up
  Block* first_ = nullptr;  // of the chain; written before the first element is shown
};

template <class T, class Platform, std::uint32_t kTurns>
template <class It, class End, class Pass>
void Fifo<T, Platform, kTurns>::AtTail::construct_many(It& it, const End& end, Pass pass) {
  while (it != end && has_room()) {
    // Where nothing can throw half-way: as many as the block has places, in one row.
    if constexpr (std::contiguous_iterator<It> && std::sized_sentinel_for<End, It> &&
                  std::is_nothrow_constructible_v<T, decltype(pass(*it))>) {
      if (const std::uint64_t place = tail_ % Block::kSlots; place != 0) {
        std::uint64_t row = Block::kSlots - place;
        if (const std::uint64_t left = queue_.room(tail_); row > left) row = left;
        if (const auto left = static_cast<std::uint64_t>(end - it); row > left) row = left;
        T* const to = static_cast<T*>(queue_.tail_.own.block->place(tail_));
        for (std::uint64_t i = 0; i < row; ++i) {
          ::new (static_cast<void*>(to + i)) T(pass(it[static_cast<std::iter_difference_t<It>>(i)]));
        }
        it += static_cast<std::iter_difference_t<It>>(row);
        tail_ += row;
        continue;
      }
    }
    construct(pass(*it));
    ++it;
  }
}

template <class T, class Platform, std::uint32_t kTurns>
template <class Note>
void Fifo<T, Platform, kTurns>::set_limit(std::uint64_t limit, Note&& note) noexcept {
  AtTail end(*this);
  note();
  if (shut()) return;
  tail_.own.limit.store(limit, std::memory_order_relaxed);
  Platform::light_fence();  // against the heavy one of wait_until()
  head_.own.not_full.claim(platform::kEveryone).wake();
}

template <class T, class Platform, std::uint32_t kTurns>
template <class BeforeShowing>
void Fifo<T, Platform, kTurns>::shut_down(bool immediate, BeforeShowing&& before_showing) {
  const std::uint64_t head = head_.lock();
  const std::uint64_t tail = tail_.lock();
  tail_.own.limit.store(0, std::memory_order_relaxed);
  tail_.beside.shut.store(true, std::memory_order_release);
  Detached dropped{nullptr, nullptr, 0, tail, tail};
  if (immediate) {
    dropped = detach(head, tail);
    head_.own.known_tail = tail;
  }
  const auto joiners = before_showing(tail, tail - dropped.head);
  Platform::light_fence();
  const auto next_putter = tail_.claim_sleeper();
  const auto next_taker = head_.claim_sleeper();
  const auto takers = tail_.own.not_empty.claim(platform::kEveryone);
  const auto putters = head_.own.not_full.claim(platform::kEveryone);
  tail_.unlock(tail, tail);
  head_.unlock(head, immediate ? tail : head);  // last: settle() waits for it
  // From here on *this may be gone.
  next_putter.wake();
  next_taker.wake();
  takers.wake();
  putters.wake();
  joiners.wake();
  dropped.destroy();  // user code, under no lock
}

}  // namespace nogil::detail
