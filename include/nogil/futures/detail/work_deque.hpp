// nogil/futures/detail/work_deque.hpp -- a worker's own tasks: one end for it, one for thieves.
//
// The worker that owns the deque pushes and pops at the bottom, newest first, at the price
// of a stack. Others steal at the top, oldest first, without a lock. So tasks that a task
// has made are run where their data is warm, and who comes to help takes the biggest part
// of the work.
//
// Threads    push(), pop(), newest(), bottom() and top(): by the owner. The rest: by anybody.
// Ordering   What the owner did before a push() is visible to whoever gets the task.
// Memory     Grows by doubling and never shrinks. Old arrays are kept until the end, as a
//            thief may still be looking into one: together they are as large as the last.
// Cost       push: two stores. pop: one exchange, which is the fence that the algorithm
//            needs between its store and its load. steal: one compare-and-swap.
// Source     D. Chase and Y. Lev, "Dynamic Circular Work-Stealing Deque" (2005); orders
//            after N. Le, A. Pop, A. Cohen and F. Zappa Nardelli, "Correct and Efficient
//            Work-Stealing for Weak Memory Models" (2013), with sequentially consistent
//            loads in the place of their fences.

#pragma once

#include <atomic>
#include <bit>
#include <cstdint>

#include "nogil/platform/cpu.hpp"

namespace nogil::detail {

template <class Task, class Platform>
class WorkDeque {
 public:
  using Index = std::int64_t;

  explicit WorkDeque(Index capacity = kFirstCapacity) : array_(wide(new Array(capacity, nullptr))) {}
  WorkDeque(const WorkDeque&) = delete;
  WorkDeque& operator=(const WorkDeque&) = delete;
  ~WorkDeque() { delete array(std::memory_order_relaxed); }

  // May throw std::bad_alloc, and has changed nothing then.
  void push(Task* task) {
    const Index bottom = bottom_.load(std::memory_order_relaxed);
    Array* slots = array(std::memory_order_relaxed);
    if (bottom - known_top_ >= slots->capacity) [[unlikely]]
      slots = make_room(slots, bottom);
    slots->put(bottom, task);
    bottom_.store(bottom + 1, std::memory_order_release);
  }

  // The newest task; null if there is none, or a thief was faster.
  Task* pop() noexcept {
    const Index last = bottom_.load(std::memory_order_relaxed) - 1;
    if (last < known_top_) return nullptr;
    Array* const slots = array(std::memory_order_relaxed);
    bottom_.exchange(last, std::memory_order_seq_cst);
    Index top = top_.load(std::memory_order_seq_cst);
    if (top < last) [[likely]]
      return slots->get(last);
    Task* task = nullptr;
    if (top == last) {  // thieves may want the same one
      task = slots->get(last);
      if (!top_.compare_exchange_strong(top, top + 1, std::memory_order_seq_cst, std::memory_order_relaxed)) {
        task = nullptr;
      }
    }
    known_top_ = last + 1;
    bottom_.store(last + 1, std::memory_order_relaxed);
    return task;
  }

  // The oldest task; null if there is none, or somebody else was faster.
  Task* steal() noexcept {
    Index top = top_.load(std::memory_order_seq_cst);
    if (top >= bottom_.load(std::memory_order_seq_cst)) return nullptr;
    Task* const task = array(std::memory_order_acquire)->get(top);
    if (!top_.compare_exchange_strong(top, top + 1, std::memory_order_seq_cst, std::memory_order_relaxed)) {
      return nullptr;
    }
    return task;
  }

  // What pop() would return, if no thief comes first.
  Task* newest() const noexcept {
    const Index bottom = bottom_.load(std::memory_order_relaxed);
    if (bottom <= top_.load(std::memory_order_relaxed)) return nullptr;
    return array(std::memory_order_relaxed)->get(bottom - 1);
  }

  // The number of the next task to be pushed, and that of the oldest one there is, at least.
  // Tasks are numbered as they lie.
  Index bottom() const noexcept { return bottom_.load(std::memory_order_relaxed); }
  Index top() const noexcept { return top_.load(std::memory_order_relaxed); }

  // At some moment during the call.
  bool empty() const noexcept {
    const Index top = top_.load(std::memory_order_acquire);
    return bottom_.load(std::memory_order_acquire) <= top;
  }
  std::uint64_t size() const noexcept {
    const Index top = top_.load(std::memory_order_acquire);
    const Index bottom = bottom_.load(std::memory_order_acquire);
    return bottom > top ? static_cast<std::uint64_t>(bottom - top) : 0;
  }

 private:
  // Tasks [top_, bottom_) are there; task i lies in slot i of the array, modulo its
  // capacity.
  //
  // Who takes the last task? The owner lowers bottom_, then looks at top_; a thief looks at
  // top_, then at bottom_, and raises top_ only if it is still what it saw. The steps on
  // these two words are sequentially consistent, so they have one order. If the owner's
  // look found top_ below the task that it takes, the step that raises top_ to that task
  // comes after the look, and a thief that finds top_ there looks at bottom_ later still:
  // it sees it lowered, and takes nothing. Otherwise both go for top_ by compare-and-swap.
  //
  // A thief reads the slot before it knows that it has won. If the owner has meanwhile put
  // another task there, top_ has moved, and the thief throws away what it read.
  static constexpr Index kFirstCapacity = 256;

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

  [[gnu::noinline, gnu::cold]] Array* make_room(Array* old, Index bottom) {
    known_top_ = top_.load(std::memory_order_acquire);
    if (bottom - known_top_ < old->capacity) return old;
    auto* const grown = new Array(old->capacity * 2, old);
    for (Index i = known_top_; i < bottom; ++i) grown->put(i, old->get(i));
    // Released: a thief that finds the new array finds what was copied into it.
    array_.store(wide(grown), std::memory_order_release);
    return grown;
  }

  alignas(2 * platform::kCacheLine) Atomic<Index> top_{0};
  alignas(2 * platform::kCacheLine) Atomic<Index> bottom_{0};
  Index known_top_ = 0;  // the owner's: top_ has come at least this far
  Atomic<std::uintptr_t> array_;
};

}  // namespace nogil::detail
