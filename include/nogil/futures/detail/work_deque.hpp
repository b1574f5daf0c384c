// nogil/futures/detail/work_deque.hpp -- a worker's own tasks: one end for it, one for thieves.
//
// The worker that owns the deque pushes and pops at the bottom, newest first, at the price
// of a stack. Others steal at the top, oldest first, without a lock. So tasks that a task
// has made are run where their data is warm, and who comes to help takes the biggest part
// of the work.
//
// While the deque is long, a thief may take several tasks in one step. So where tasks are
// tiny and many, owner and thief do not pass the same cache lines to and fro for each.
//
// A deque is closed until a thief comes, and again when none has come for a while. While it
// is closed, the owner's pop() has no locked instruction.
//
// Threads    push(), pop(), take_back(), take_oldest(), bottom() and top(): by the owner. The
//            rest: by anybody.
// Ordering   What the owner did before a push() is visible to whoever gets the task.
// Memory     Grows by doubling and never shrinks. Old arrays are kept until the end, as a
//            thief may still be looking into one: together they are as large as the last.
// Cost       push: two stores. pop: a store and a load; while it is open, an exchange more,
//            which is the fence that the algorithm needs between the two. steal: one
//            compare-and-swap, for up to kMost tasks; to open it first, a heavy fence more
//            (platform/fence.hpp).
// Source     D. Chase and Y. Lev, "Dynamic Circular Work-Stealing Deque" (2005); orders
//            after N. Le, A. Pop, A. Cohen and F. Zappa Nardelli, "Correct and Efficient
//            Work-Stealing for Weak Memory Models" (2013), with sequentially consistent
//            loads in the place of their fences. Stealing several is ours, and so is closing.

#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "nogil/platform/cpu.hpp"

namespace nogil::detail {

// kMost: how many tasks a thief takes at most in one step. kLong: how many there must be for
// the owner to let it take more than one. kQuiet: after how many pops without a theft it is
// closed.
template <class Task, class Platform, std::int64_t kMost = 16, std::int64_t kLong = 4 * kMost, int kQuiet = 1024>
class WorkDeque {
  static_assert(kLong >= 2 * kMost);

 public:
  using Index = std::int64_t;

  static constexpr std::size_t kMostStolen = kMost;

  explicit WorkDeque(Index capacity = kFirstCapacity) : array_(wide(new Array(capacity, nullptr))) {}
  WorkDeque(const WorkDeque&) = delete;
  WorkDeque& operator=(const WorkDeque&) = delete;
  ~WorkDeque() { delete array(std::memory_order_relaxed); }

  // May throw std::bad_alloc, and has changed nothing then.
  void push(Task* task) {
    const Index bottom = bottom_.load(std::memory_order_relaxed);
    Array* slots = array(std::memory_order_relaxed);
    if (bottom >= look_up_at_) [[unlikely]]
      slots = look_up(slots, bottom);
    slots->put(bottom, task);
    bottom_.store(bottom + 1, std::memory_order_release);
  }

  // The newest task; null if there is none, or a thief was faster.
  Task* pop() noexcept {
    const Index last = bottom_.load(std::memory_order_relaxed) - 1;
    return last < known_top_ ? nullptr : pop_last(last, array(std::memory_order_relaxed));
  }

  // pop(), if the newest one is this task and is number `from` or later. False: it is not, or a
  // thief was faster.
  bool take_back(Task* task, Index from) noexcept {
    const Index last = bottom_.load(std::memory_order_relaxed) - 1;
    if (last < known_top_ || last < from) return false;
    Array* const slots = array(std::memory_order_relaxed);
    return slots->get(last) == task && pop_last(last, slots) != nullptr;
  }

  // The oldest task; null if there is none.
  Task* take_oldest() noexcept {
    std::uint64_t word = top_.load(std::memory_order_acquire);
    const Index bottom = bottom_.load(std::memory_order_relaxed);
    while (index(word) < bottom) {
      Task* const task = array(std::memory_order_relaxed)->get(index(word));
      if (top_.compare_exchange_strong(word, word + kOne, std::memory_order_seq_cst, std::memory_order_acquire)) {
        return task;
      }
    }
    return nullptr;
  }

  // The oldest task; null if there is none, or somebody else was faster.
  Task* steal() noexcept {
    Task* task = nullptr;
    steal(&task, 1);
    return task;
  }

  // The oldest tasks, in their order, `most` at most; more than one only if there are many,
  // and never more than half of them. How many; 0 as above.
  std::size_t steal(Task** tasks, std::size_t most) noexcept {
    std::uint64_t word = top_.load(std::memory_order_seq_cst);
    if ((word & kOpen) == 0) [[unlikely]] {
      if (bottom_.load(std::memory_order_acquire) <= index(word) || !open(word)) return 0;
    }
    const Index top = index(word);
    const Index bottom = bottom_.load(std::memory_order_seq_cst);
    if (top >= bottom) return 0;
    Index count = 1;
    if (most > 1 && (word & kShared) != 0) {
      const Index half = (bottom - top) / 2;
      const Index wanted = most < kMostStolen ? static_cast<Index>(most) : kMost;
      count = half < 1 ? 1 : half < wanted ? half : wanted;
    }
    const Array* const slots = array(std::memory_order_acquire);
    for (Index i = 0; i < count; ++i) tasks[i] = slots->get(top + i);
    if (!top_.compare_exchange_strong(word, word + static_cast<std::uint64_t>(count) * kOne, std::memory_order_seq_cst,
                                      std::memory_order_relaxed)) {
      tasks[0] = nullptr;
      return 0;
    }
    return static_cast<std::size_t>(count);
  }

  // The number of the next task to be pushed, and that of the oldest one there is, at least.
  // Tasks are numbered as they lie.
  Index bottom() const noexcept { return bottom_.load(std::memory_order_relaxed); }
  Index top() const noexcept { return index(top_.load(std::memory_order_relaxed)); }

  // At some moment during the call.
  bool empty() const noexcept {
    const Index top = index(top_.load(std::memory_order_acquire));
    return bottom_.load(std::memory_order_acquire) <= top;
  }
  std::uint64_t size() const noexcept {
    const Index top = index(top_.load(std::memory_order_acquire));
    const Index bottom = bottom_.load(std::memory_order_acquire);
    return bottom > top ? static_cast<std::uint64_t>(bottom - top) : 0;
  }

 private:
  // Tasks [top, bottom_) are there; task i lies in slot i of the array, modulo its capacity.
  // top_ holds
  //
  //   bit 0      shared   the owner keeps away from the top
  //   bit 1      open     thieves may take
  //   bit 2      opening  a thief is about to open it
  //   bits 3...  top
  //
  // Who takes the last task, when it is open? The owner lowers bottom_, then looks at top_;
  // a thief looks at top_, then at bottom_, and raises top_ only if it is still what it saw.
  // The steps on these two words are sequentially consistent, so they have one order. If the owner's
  // look found top_ below the task that it takes, the step that raises top_ to that task
  // comes after the look, and a thief that finds top_ there looks at bottom_ later still:
  // it sees it lowered, and takes nothing. Otherwise both go for top_ by compare-and-swap.
  //
  // A thief reads the slot before it knows that it has won. If the owner has meanwhile put
  // another task there, top_ has moved, and the thief throws away what it read.
  //
  // When it is closed, no thief raises top_. The owner's two steps are plain ones then, and
  // the second may come before others see the first. A thief announces that it opens the
  // deque, then makes all cores pass a fence, and only then opens it. If the owner's look
  // came after its core's fence, it found the announcement, and takes both steps again as
  // above. If it came before, what it lowered bottom_ to is seen by every look at bottom_
  // that follows the opening. One that came before it, in an earlier time of being open, may
  // be of no value; but its thief takes the oldest task, and that one the owner never takes
  // without a change of top_. (Of several: those that the owner keeps away from.)
  //
  // Several at once. That holds for a thief that takes [t, t + n) in one step from top_ = t,
  // as long as the owner does not take one of these by its short way. While the deque is
  // shared it keeps kMost away from the top that it sees, and n is kMost at most. A thief
  // that starts from a later top sees bottom_ lowered, as above. To come nearer, the owner
  // ends the sharing: that changes top_, so the step of a thief that saw it shared fails,
  // and from then on each takes one.
  //
  // It is not shared again before top has moved. So top_ never comes back to a value that
  // some thief saw when it was shared, while the tasks behind the first were exchanged.
  static constexpr Index kFirstCapacity = 256;
  static constexpr std::uint64_t kShared = 1;
  static constexpr std::uint64_t kOpen = 2;
  static constexpr std::uint64_t kOpening = 4;
  static constexpr std::uint64_t kOne = 8;

  static constexpr Index index(std::uint64_t top) noexcept { return static_cast<Index>(top / kOne); }

  template <class T>
  using Atomic = typename Platform::template Atomic<T>;

  struct Array {
    Array(Index size, Array* old)
        : capacity(size), previous(old), slots(new Atomic<std::uintptr_t>[static_cast<std::size_t>(size)]) {}
    Array(const Array&) = delete;
    Array& operator=(const Array&) = delete;
    ~Array() {
      delete[] slots;
      delete previous;
    }

    // Relaxed: bottom_ and array_ publish.
    Task* get(Index i) const noexcept {
      return std::bit_cast<Task*>(slots[i & (capacity - 1)].load(std::memory_order_relaxed));
    }
    void put(Index i, Task* task) noexcept { slots[i & (capacity - 1)].store(wide(task), std::memory_order_relaxed); }

    const Index capacity;  // a power of two
    Array* const previous;
    Atomic<std::uintptr_t>* const slots;
  };

  template <class T>
  static std::uintptr_t wide(T* pointer) noexcept {
    return std::bit_cast<std::uintptr_t>(pointer);
  }
  Array* array(std::memory_order order) const noexcept { return std::bit_cast<Array*>(array_.load(order)); }

  // Takes the newest task, which has this number, unless a thief has taken it.
  [[gnu::always_inline]] Task* pop_last(Index last, Array* slots) noexcept {
    bottom_.store(last, std::memory_order_release);  // released: a thief may read what it lies below
    Platform::light_fence();                         // against that of open()
    std::uint64_t word = top_.load(std::memory_order_acquire);
    if ((word & (kOpen | kOpening)) != 0) {
      bottom_.exchange(last, std::memory_order_seq_cst);
      word = top_.load(std::memory_order_seq_cst);
      if (index(word) != quiet_since_) quiet_since_ = index(word), quiet_ = 0;
      else if (++quiet_ == kQuiet) [[unlikely]] word = close();
    }
    if (shared_ && last - index(word) < kMost) [[unlikely]]
      word = unshare();
    if (index(word) < last) [[likely]]
      return slots->get(last);
    return pop_contended(last, slots, word);
  }

  // It is the only one, and thieves may want it, too; or they have taken it.
  [[gnu::noinline]] Task* pop_contended(Index last, Array* slots, std::uint64_t word) noexcept {
    Task* task = nullptr;
    while (task == nullptr && index(word) == last) {
      if (top_.compare_exchange_strong(word, word + kOne, std::memory_order_seq_cst, std::memory_order_relaxed)) {
        task = slots->get(last);
      }
    }
    know_top(last + 1, slots->capacity);
    bottom_.store(last + 1, std::memory_order_relaxed);
    return task;
  }

  // top has come as far as this, at least. push() looks again when the deque may be full, or
  // long enough to be shared.
  void know_top(Index top, Index capacity) noexcept {
    known_top_ = top;
    look_up_at_ = top + (shared_ || kLong > capacity ? capacity : kLong);
  }

  // Where is top? Shares the deque if it is long, and makes room if it is full.
  [[gnu::noinline, gnu::cold]] Array* look_up(Array* slots, Index bottom) {
    const Index top = index(top_.load(std::memory_order_acquire));
    if (bottom - top >= slots->capacity) slots = grow(slots, top, bottom);
    if (!shared_ && bottom - top >= kLong && top != unshared_at_) {
      top_.fetch_or(kShared, std::memory_order_seq_cst);
      shared_ = true;
    }
    know_top(top, slots->capacity);
    if (look_up_at_ <= bottom) {  // it is long, but cannot be shared yet
      const Index full = top + slots->capacity;
      look_up_at_ = full - bottom < kLong ? full : bottom + kLong;
    }
    return slots;
  }

  // By a thief. False, for now: another one is at it, or the owner has closed it again.
  [[gnu::noinline, gnu::cold]] bool open(std::uint64_t& word) noexcept {
    while ((word & kOpen) == 0) {
      if ((word & kOpening) != 0) return false;
      if (!top_.compare_exchange_weak(word, word | kOpening, std::memory_order_seq_cst, std::memory_order_seq_cst)) {
        continue;
      }
      Platform::heavy_fence();  // against the light one of pop_last()
      top_.fetch_add(kOpen - kOpening, std::memory_order_seq_cst);
      word = top_.load(std::memory_order_seq_cst);
      return (word & kOpen) != 0;
    }
    return true;
  }

  [[gnu::noinline, gnu::cold]] std::uint64_t close() noexcept {
    quiet_ = 0;
    return top_.fetch_and(~kOpen, std::memory_order_seq_cst) & ~kOpen;
  }

  [[gnu::noinline, gnu::cold]] std::uint64_t unshare() noexcept {
    const std::uint64_t word = top_.fetch_and(~kShared, std::memory_order_seq_cst) & ~kShared;
    shared_ = false;
    unshared_at_ = index(word);
    return word;
  }

  Array* grow(Array* old, Index top, Index bottom) {
    auto* const grown = new Array(old->capacity * 2, old);
    for (Index i = top; i < bottom; ++i) grown->put(i, old->get(i));
    // Released: a thief that finds the new array finds what was copied into it.
    array_.store(wide(grown), std::memory_order_release);
    return grown;
  }

  alignas(2 * platform::kCacheLine) Atomic<std::uint64_t> top_{0};
  alignas(2 * platform::kCacheLine) Atomic<Index> bottom_{0};
  Atomic<std::uintptr_t> array_;

  // The owner's own.
  Index known_top_ = 0;   // top has come at least this far
  Index look_up_at_ = 0;  // a push() at or above this has to look
  bool shared_ = false;
  int quiet_ = 0;           // pops, while it was open, since top was last seen elsewhere than
  Index quiet_since_ = 0;   //   here
  Index unshared_at_ = -1;  // top when it was shared for the last time
};

}  // namespace nogil::detail
