// nogil/queue/detail/basic_queue.hpp -- the verbs that Queue, LifoQueue and PriorityQueue share.
//
// A Store holds the elements and knows how to wait for them (fifo.hpp, guarded.hpp); this
// adds Python's verbs, their limits and their errors.
//
// Threads    Every member except construction and destruction may be called from any
//            number of threads at once.
// Ordering   What a thread did before put() is visible to the thread that gets the element;
//            what it did before task_done(), to the thread whose join() returns.
// Limits     put, get and their try_ forms take what every wait takes: a timeout, a deadline
//            or a stop_token, or the first two with the third. A timeout of zero or less
//            tries once.
// Failing    A put that fails has not touched its argument. When T's copy, move or (in a
//            PriorityQueue) comparison throws, no element is lost: what was to be taken
//            stays where it was, and what was to be put is not in the queue.
// User code  T's constructors, moves and destructor, comparisons, and the iterators of
//            put_many() and get_many(), run under an internal lock: they must not use the
//            same queue.
// Lifetime   A thread that put() or get() has let through may destroy the queue at once, if
//            nobody else waits: the other's call does not touch it any more.
// Shut down  put() throws ShutDown at once, also where it was waiting. get() still gives
//            what is there, and then throws ShutDown.

#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <type_traits>
#include <utility>

#include "nogil/platform/errors.hpp"
#include "nogil/platform/native.hpp"
#include "nogil/platform/wait.hpp"
#include "nogil/queue/detail/put_result.hpp"
#include "nogil/queue/detail/task_count.hpp"

namespace nogil::detail {

// for (T item : queue): a get() for each step, until it is shut down and drained.
template <class Q>
class QueueIterator {
 public:
  using value_type = typename Q::value_type;
  struct End {};

  explicit QueueIterator(Q& queue) : queue_(queue) { queue_.next(item_); }

  value_type&& operator*() noexcept { return std::move(*item_); }
  QueueIterator& operator++() {
    queue_.next(item_);
    return *this;
  }
  friend bool operator!=(const QueueIterator& it, End) noexcept { return it.item_.has_value(); }

 private:
  Q& queue_;
  std::optional<value_type> item_;
};

// A Platform as in platform/native.hpp, the same as that of the Store.
template <class T, class Store, class Platform = platform::Native>
class BasicQueue {
 public:
  static_assert(std::is_object_v<T> && !std::is_const_v<T>, "a queue holds objects, not references or const ones");
  static_assert(std::is_move_constructible_v<T>, "get() returns the element by value: T must be movable");

  using value_type = T;

  BasicQueue(const BasicQueue&) = delete;
  BasicQueue& operator=(const BasicQueue&) = delete;

  // ---- Put -------------------------------------------------------------------------

  // Waits for room for as long as it takes. Throws ShutDown.
  void put(const T& item) { put_forever(item); }
  void put(T&& item) { put_forever(std::move(item)); }

  // Throws Full when the limit is reached, ShutDown.
  template <platform::TimeLimit Time>
  void put(const T& item, const Time& limit) {
    require(put_within(item, limit));
  }
  template <platform::TimeLimit Time>
  void put(T&& item, const Time& limit) {
    require(put_within(std::move(item), limit));
  }

  // Does not wait. Throws Full, ShutDown.
  void put_nowait(const T& item) { require(store_.try_put(item)); }
  void put_nowait(T&& item) { require(store_.try_put(std::move(item))); }

  // False: no room (in time), or shut down.
  [[nodiscard]] bool try_put(const T& item) { return store_.try_put(item) == PutResult::kDone; }
  [[nodiscard]] bool try_put(T&& item) { return store_.try_put(std::move(item)) == PutResult::kDone; }
  template <class... Limits>
  requires platform::WaitLimits<Limits...>
  [[nodiscard]] bool try_put(const T& item, const Limits&... limits) {
    return put_within(item, limits...) == PutResult::kDone;
  }
  template <class... Limits>
  requires platform::WaitLimits<Limits...>
  [[nodiscard]] bool try_put(T&& item, const Limits&... limits) {
    return put_within(std::move(item), limits...) == PutResult::kDone;
  }

  // Puts a copy of each element of the range, in order and with nothing between as long as
  // there is room; waits for room until all are in. From a container that is given away
  // (an rvalue, and not a view of somebody else's elements) they are moved. Returns how
  // many went in: all, unless the queue is shut down meanwhile. Throws ShutDown if not even
  // the first did.
  template <class Range>
  std::size_t put_many(Range&& range);

  // ---- Get -------------------------------------------------------------------------

  // Waits for an element for as long as it takes. Throws ShutDown when there will be none.
  T get() {
    if (typename Store::AtHead head(store_); head) [[likely]]
      return T(head.item());
    for (;;) {
      Wait forever;
      wait_for_item(forever);
      if (typename Store::AwaitedHead head(store_); head) return T(head.item());
    }
  }

  // Throws Empty when the limit is reached, ShutDown.
  template <platform::TimeLimit Time>
  T get(const Time& limit) {
    if (typename Store::AtHead head(store_); head) return T(head.item());
    return platform::within(
        [this](Wait& wait) -> T {
          for (bool in_time = true; in_time;) {
            in_time = wait_for_item(wait);
            if (typename Store::AwaitedHead head(store_); head) return T(head.item());
          }
          throw Empty("Queue.get: no element came in time");
        },
        limit);
  }

  // Does not wait. Throws Empty, or ShutDown when it is shut down and drained.
  T get_nowait() {
    if (typename Store::AtHead head(store_); head) return T(head.item());
    // Only now: who saw it shut down before it was empty would lose what came in between.
    if (drained()) throw_shut_down();
    throw Empty("Queue.get_nowait: the queue is empty");
  }

  // Empty: no element (in time), also because it is shut down and drained.
  [[nodiscard]] std::optional<T> try_get() {
    if (typename Store::AtHead head(store_); head) return std::optional<T>(head.item());
    return std::nullopt;
  }
  template <class... Limits>
  requires platform::WaitLimits<Limits...>
  [[nodiscard]] std::optional<T> try_get(const Limits&... limits) {
    if (typename Store::AtHead head(store_); head) return std::optional<T>(head.item());
    return platform::within([this](Wait& wait) { return try_get_within(wait); }, limits...);
  }

  // Waits for the first element, then takes what is there, at most so many, without
  // waiting again. Returns how many; 0: shut down and drained (or at_most is 0).
  template <class Output>
  std::size_t get_many(Output out, std::size_t at_most) {
    if (at_most == 0) return 0;
    for (;;) {
      const std::size_t taken = store_.take_many(at_most, [&out](T&& item) {
        *out = std::move(item);
        ++out;
      });
      if (taken != 0 || drained()) return taken;
      Wait forever;
      store_.wait_for_item(forever);
    }
  }

  // ---- Work done -------------------------------------------------------------------

  // Says that the work for one element that was put is done.
  // Throws ValueError, and changes nothing, if that was said for all already.
  void task_done() {
    if (!tasks_.task_done([this] { return store_.puts(); })) throw ValueError("task_done() called too many times");
  }

  // Waits until task_done() was called for every element that was put. Always true.
  bool join() {
    Wait forever;
    return join_within(forever);
  }
  // False: the limit (a timeout, a deadline, a stop_token, …) was reached first.
  template <class... Limits>
  requires platform::WaitLimits<Limits...>
  bool join(const Limits&... limits) {
    return platform::within([this](Wait& wait) { return join_within(wait); }, limits...);
  }

  // How many were put for which task_done() was not called yet.
  [[nodiscard]] std::size_t unfinished_tasks() const noexcept {
    return static_cast<std::size_t>(tasks_.unfinished([this] { return store_.puts(); }));
  }

  // ---- Shut down -------------------------------------------------------------------

  // From now on put() throws ShutDown; get() does when nothing is left. With `immediate`
  // what is in the queue is destroyed now, and counts as done. May be called again.
  void shutdown(bool immediate = false) {
    store_.shut_down(immediate,
                     [this](std::uint64_t puts, std::uint64_t dropped) { return tasks_.drop(puts, dropped); });
  }
  [[nodiscard]] bool is_shutdown() const noexcept { return store_.shut(); }

  // ---- Looking: exact at some moment during the call, out of date when you read it ---

  [[nodiscard]] std::size_t qsize() const noexcept { return store_.size(); }
  [[nodiscard]] bool empty() const noexcept { return store_.empty(); }
  // Whether a put would have to wait. Never, if it is unbounded.
  [[nodiscard]] bool full() const noexcept { return store_.size() >= limit_of(maxsize()); }

  // As it was given; zero or less: unbounded.
  [[nodiscard]] std::ptrdiff_t maxsize() const noexcept { return maxsize_.load(std::memory_order_relaxed); }

  // A larger one lets waiting puts through at once; a smaller one takes nothing out, but
  // puts wait until there is room again.
  void set_maxsize(std::ptrdiff_t maxsize) noexcept {
    store_.set_limit(limit_of(maxsize), [this, maxsize] { maxsize_.store(maxsize, std::memory_order_relaxed); });
  }

  // for (T item : queue): ends when it is shut down and drained.
  QueueIterator<BasicQueue> begin() { return QueueIterator<BasicQueue>(*this); }
  typename QueueIterator<BasicQueue>::End end() noexcept { return {}; }

 protected:
  template <class... Args>
  explicit BasicQueue(std::ptrdiff_t maxsize, Args&&... args)
      : store_(limit_of(maxsize), std::forward<Args>(args)...), maxsize_(maxsize) {}

  // What the verbs do once trying has failed, with the limits that the caller gave.
  using Wait = platform::BasicWait<Platform>;

  // A put that fails leaves its argument alone, so it can be forwarded again.
  template <class Item>
  PutResult put_slow(Item&& item, Wait& wait, PutResult result) {
    for (bool in_time = true; result == PutResult::kFull && in_time;) {
      in_time = store_.wait_for_room(wait);
      result = store_.try_put(std::forward<Item>(item));
    }
    return result;
  }

  std::optional<T> try_get_within(Wait& wait) {
    for (bool in_time = true; in_time && !drained();) {
      in_time = store_.wait_for_item(wait);
      if (typename Store::AwaitedHead head(store_); head) return std::optional<T>(head.item());
    }
    return std::nullopt;
  }

  bool join_within(Wait& wait) noexcept {
    if (!tasks_.join(wait, [this] { return store_.puts(); })) return false;
    if (store_.shut()) store_.settle();  // which may be what let this thread through
    return true;
  }

 private:
  friend class QueueIterator<BasicQueue>;

  [[noreturn, gnu::noinline, gnu::cold]] static void throw_shut_down() { throw ShutDown("the queue is shut down"); }

  // Nothing is left and nothing will come: in this order, as nothing is put after shut().
  bool drained() noexcept {
    if (!store_.shut() || !store_.empty()) return false;
    store_.settle();
    return true;
  }

  static void require(PutResult result) {
    if (result == PutResult::kDone) [[likely]]
      return;
    if (result == PutResult::kShutDown) throw_shut_down();
    throw Full("Queue.put: no room in time");
  }

  template <class Item>
  void put_forever(Item&& item) {
    PutResult result = store_.try_put(std::forward<Item>(item));
    if (result == PutResult::kDone) [[likely]]
      return;
    Wait forever;
    require(put_slow(std::forward<Item>(item), forever, result));
  }

  template <class Item, class... Limits>
  PutResult put_within(Item&& item, const Limits&... limits) {
    PutResult result = store_.try_put(std::forward<Item>(item));
    if (result != PutResult::kFull) return result;
    return platform::within([&](Wait& wait) { return put_slow(std::forward<Item>(item), wait, result); }, limits...);
  }

  // True: look again. Throws ShutDown when there is nothing to look for.
  bool wait_for_item(Wait& wait) {
    if (drained()) throw_shut_down();
    return store_.wait_for_item(wait);
  }

  // The next element; empty when it is shut down and drained.
  void next(std::optional<T>& item) {
    item.reset();
    do {
      if (typename Store::AtHead head(store_); head) {
        item.emplace(head.item());
        return;
      }
      Wait forever;
      store_.wait_for_item(forever);
    } while (!drained());
  }

  Store store_;
  alignas(platform::kCacheLine) TaskCount<Platform> tasks_;
  typename Platform::template Atomic<std::ptrdiff_t> maxsize_;  // changed under a lock of store_
};

// Whether what is in the range goes with it. A const container has const elements; a const
// view, such as a std::span, has not.
template <class Range>
concept GivenAway = !std::is_lvalue_reference_v<Range> && requires(const std::remove_reference_t<Range>& range) {
  requires std::is_const_v<std::remove_reference_t<decltype(*std::begin(range))>>;
};

template <class T, class Store, class Platform>
template <class Range>
std::size_t BasicQueue<T, Store, Platform>::put_many(Range&& range) {
  std::size_t done = 0;
  auto it = std::begin(range);
  const auto last = std::end(range);
  while (it != last) {
    PutResult refusal;
    {
      typename Store::AtTail tail(store_);
      tail.construct_many(it, last, [](auto&& item) -> decltype(auto) {
        using Item = std::conditional_t<GivenAway<Range>, std::remove_reference_t<decltype(item)>, decltype(item)>;
        return static_cast<Item&&>(item);
      });
      done += static_cast<std::size_t>(tail.count());
      if (it == last) break;
      refusal = tail.refusal();
    }
    if (refusal == PutResult::kShutDown) {
      store_.settle();
      if (done == 0) throw_shut_down();
      break;
    }
    Wait forever;
    store_.wait_for_room(forever);
  }
  return done;
}

}  // namespace nogil::detail
