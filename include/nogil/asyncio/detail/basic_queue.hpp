// nogil/asyncio/detail/basic_queue.hpp -- the verbs that asyncio's queues share.
//
// A Bag holds the elements and decides which comes next (fifo_bag.hpp, and the threads'
// stack_bag.hpp and heap_bag.hpp); this adds Python's verbs and their errors.
//
// Threads    Of one loop: for the thread in which it runs.
// Fairness   Those who wait at one end are served in the order in which they came. Who comes
//            while there is an element takes it at once, as in Python; a task that was woken
//            for that one keeps its place.
// Cancel     A task that is cancelled while it waits takes nothing and puts nothing, and who
//            is next is woken. What was given away to a put() that fails is destroyed.
// Failing    When T's copy, move or (in a PriorityQueue) comparison throws, no element is
//            lost: what was to be taken stays, and what was to be put is not in the queue.
// Shut down  put() throws ShutDown at once, also where it was waiting. get() still gives what
//            is there, and then throws ShutDown.
// Lifetime   A task that waits when it is destroyed waits until it is cancelled.
// Cost       To wait allocates nothing. An element is moved in, and out.
// Errors     Full, Empty, ShutDown; ValueError from task_done(); RuntimeError: waited for by
//            tasks of two loops.
// Python     asyncio.Queue of 3.13, with shutdown(). QueueFull, QueueEmpty and QueueShutDown
//            are Full, Empty and ShutDown. try_put(), try_get(), unfinished_tasks() and
//            is_shutdown() are ours, as in nogil::Queue.

#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

#include "nogil/asyncio/detail/patient_waiter.hpp"
#include "nogil/asyncio/event.hpp"
#include "nogil/platform/errors.hpp"

namespace nogil::asyncio::detail {

// Who waits, and how much there is: all that does not depend on T.
class QueueCore {
 public:
  QueueCore(const QueueCore&) = delete;
  QueueCore& operator=(const QueueCore&) = delete;

  [[nodiscard]] std::size_t qsize() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

  // Whether put() would wait. Never, if it is unbounded.
  [[nodiscard]] bool full() const noexcept { return size_ >= limit_; }

  // As it was given; zero or less: unbounded.
  [[nodiscard]] std::ptrdiff_t maxsize() const noexcept { return maxsize_; }

  // ---- Work done ---------------------------------------------------------------------------

  // Says that the work for one element that was put is done. Throws ValueError if that was
  // said for all already.
  void task_done() {
    if (unfinished_ == 0) throw ValueError("Queue.task_done: called too many times");
    finish(1);
  }

  // Waits until task_done() was called for every element that was put. Gives true.
  EventWait join() noexcept { return EventWait(finished_); }

  // How many were put for which task_done() was not called yet.
  [[nodiscard]] std::size_t unfinished_tasks() const noexcept { return unfinished_; }

  [[nodiscard]] bool is_shutdown() const noexcept { return shut_; }

 protected:
  explicit QueueCore(std::ptrdiff_t maxsize) noexcept
      : limit_(maxsize <= 0 ? static_cast<std::size_t>(-1) : static_cast<std::size_t>(maxsize)), maxsize_(maxsize) {
    finished_.set();
  }
  ~QueueCore() = default;

  [[noreturn, gnu::noinline, gnu::cold]] static void throw_shut_down() { throw ShutDown("the queue is shut down"); }

  // An element was put.
  void added() noexcept {
    ++size_;
    ++unfinished_;
    finished_.clear();
    wake_next(getters_);
  }

  // An element was taken.
  void removed() noexcept {
    --size_;
    wake_next(putters_);
  }

  // What is left is gone, and counts as done.
  void drop_all() noexcept {
    finish(size_ < unfinished_ ? size_ : unfinished_);
    size_ = 0;
  }

  void shut() noexcept {
    shut_ = true;
    for (WaiterList* const list : {&getters_, &putters_}) {
      while (!list->empty()) wake_next(*list);
    }
  }

 private:
  friend class QueueWait;

  void finish(std::size_t count) noexcept {
    unfinished_ -= count;
    if (unfinished_ == 0) finished_.set();
  }

  // The first who does not look soon anyway.
  void wake_next(WaiterList& waiters) noexcept {
    while (!waiters.empty()) {
      PatientWaiter& first = waiters.front();
      first.unlink();
      called_.push_back(first);
      if (first.called()) continue;
      first.call();
      return;
    }
  }

  WaiterList getters_;  // asleep, or cancelled
  WaiterList putters_;
  WaiterList called_;  // at both ends
  Event finished_;     // unfinished_ == 0
  std::size_t size_ = 0;
  std::size_t limit_;
  std::size_t unfinished_ = 0;
  std::uint64_t next_number_ = 0;
  std::ptrdiff_t maxsize_;
  bool shut_ = false;
};

// Waits at one end until there is an element, or room, or the queue is shut down.
class QueueWait : public PatientWaiter {
 protected:
  enum class End : bool { kGet, kPut };

  QueueWait(const Kind& kind, QueueCore& queue, End end) noexcept
      : PatientWaiter(kind, &look), queue_(&queue), end_(end) {}

  bool can_go_on() const noexcept { return !(end_ == End::kGet ? queue_->empty() : queue_->full()) || queue_->shut_; }
  void sleep(std::coroutine_handle<> awaiting) {
    check_loop(waiters(), "Queue");
    number_ = queue_->next_number_++;
    waiters().push_back(*this);
    suspend(awaiting);
  }

  static constexpr Kind kGetKind = {&give_up, "Queue.get"};
  static constexpr Kind kPutKind = {&give_up, "Queue.put"};

 private:
  WaiterList& waiters() noexcept { return end_ == End::kGet ? queue_->getters_ : queue_->putters_; }

  static void look(Ready& node) noexcept {
    auto& self = from<QueueWait>(node);
    if (!self.linked()) return self.end();  // the queue is gone
    self.unlink();
    if (self.gave_up()) {
      if (self.woken() && self.can_go_on()) self.queue_->wake_next(self.waiters());
    } else if (!self.can_go_on()) {
      self.rest();
      return self.waiters().insert_after_all(self, [&self](const PatientWaiter& other) {
        return static_cast<const QueueWait&>(other).number_ < self.number_;
      });
    }
    self.end();
  }

  QueueCore* queue_;
  std::uint64_t number_ = 0;  // who came earlier has a smaller one
  End end_;
};

template <class T, class Bag>
class BasicQueue;

template <class T, class Bag>
class [[nodiscard]] QueueGet : public QueueWait {
 public:
  explicit QueueGet(BasicQueue<T, Bag>& queue) noexcept : QueueWait(kGetKind, queue, End::kGet), queue_(&queue) {}

  bool await_ready() const noexcept { return can_go_on(); }
  void await_suspend(std::coroutine_handle<> awaiting) { sleep(awaiting); }
  T await_resume() {
    throw_if_cancelled();
    return queue_->get_nowait();
  }

 private:
  BasicQueue<T, Bag>* queue_;
};

template <class T, class Bag>
class [[nodiscard]] QueuePut : public QueueWait {
 public:
  template <class Item>
  QueuePut(BasicQueue<T, Bag>& queue, Item&& item)
      : QueueWait(kPutKind, queue, End::kPut), queue_(&queue), item_(std::forward<Item>(item)) {}

  bool await_ready() const noexcept { return can_go_on(); }
  void await_suspend(std::coroutine_handle<> awaiting) { sleep(awaiting); }
  void await_resume() {
    throw_if_cancelled();
    queue_->put_nowait(std::move(item_));
  }

 private:
  BasicQueue<T, Bag>* queue_;
  T item_;
};

template <class T, class Bag>
class BasicQueue : public QueueCore {
 public:
  static_assert(std::is_object_v<T> && !std::is_const_v<T>, "a queue holds objects, not references or const ones");
  static_assert(std::is_move_constructible_v<T>, "get() gives the element by value: T must be movable");

  using value_type = T;

  // ---- Put ---------------------------------------------------------------------------------

  // Waits for room, for as long as it takes. Throws ShutDown.
  QueuePut<T, Bag> put(const T& item) { return QueuePut<T, Bag>(*this, item); }
  QueuePut<T, Bag> put(T&& item) { return QueuePut<T, Bag>(*this, std::move(item)); }

  // Does not wait. Throws Full, ShutDown; then the item is untouched.
  void put_nowait(const T& item) {
    check_room();
    add(item);
  }
  void put_nowait(T&& item) {
    check_room();
    add(std::move(item));
  }

  // False: no room, or shut down; then the item is untouched.
  [[nodiscard]] bool try_put(const T& item) { return !is_shutdown() && !full() && (add(item), true); }
  [[nodiscard]] bool try_put(T&& item) { return !is_shutdown() && !full() && (add(std::move(item)), true); }

  // ---- Get ---------------------------------------------------------------------------------

  // Waits for an element, for as long as it takes. Throws ShutDown when there will be none.
  QueueGet<T, Bag> get() noexcept { return QueueGet<T, Bag>(*this); }

  // Does not wait. Throws Empty, or ShutDown when it is shut down and drained.
  T get_nowait() {
    if (empty()) [[unlikely]] {
      if (is_shutdown()) throw_shut_down();
      throw Empty("Queue.get_nowait: the queue is empty");
    }
    typename Bag::Choice choice;
    T item(std::move(bag_.choose(choice)));
    bag_.pop(choice);
    removed();
    return item;
  }

  // Empty: there is no element.
  [[nodiscard]] std::optional<T> try_get() {
    if (empty()) return std::nullopt;
    typename Bag::Choice choice;
    std::optional<T> item(std::move(bag_.choose(choice)));
    bag_.pop(choice);
    removed();
    return item;
  }

  // ---- Shut down ---------------------------------------------------------------------------

  // From now on put() throws ShutDown; get() does when nothing is left. With `immediate`
  // what is in the queue is destroyed now, and counts as done. May be called again.
  void shutdown(bool immediate = false) {
    Bag dropped = bag_.none();
    if (immediate) {
      bag_.swap(dropped);
      drop_all();
    }
    shut();
  }

 protected:
  template <class... Args>
  explicit BasicQueue(std::ptrdiff_t maxsize, Args&&... args) : QueueCore(maxsize), bag_(std::forward<Args>(args)...) {}

 private:
  void check_room() const {
    if (is_shutdown()) [[unlikely]]
      throw_shut_down();
    if (full()) [[unlikely]]
      throw Full("Queue.put_nowait: the queue is full");
  }

  template <class Item>
  void add(Item&& item) {
    bag_.push(std::forward<Item>(item));
    added();
  }

  Bag bag_;
};

}  // namespace nogil::asyncio::detail
