// nogil/asyncio/as_completed.hpp -- as_completed: results of several tasks, the quickest first.
//
//   for (auto& next : asyncio::as_completed(tasks)) {       // for next in asyncio.as_completed(tasks):
//     std::string page = co_await next;                     //     page = await next
//   }
//
// A range with as many elements as there are tasks. To await one waits for the next task that
// is done, and gives its result or throws what it threw. After a loop that was left early,
// another one goes on with the elements that are left.
//
// Start     Coroutines become tasks at the call. A task that is there twice counts once.
// Errors    With a timeout: once it is over, TimeoutError for each that is left; the tasks go on.
// Cancel    To cancel the one who waits does not cancel the tasks, and loses no result.
// Lifetime  An element may outlive the range.
// Python    asyncio.as_completed. An element cannot say beforehand which task it will be.

#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <utility>
#include <vector>

#include "nogil/asyncio/detail/moment.hpp"
#include "nogil/asyncio/detail/ranges.hpp"
#include "nogil/asyncio/detail/seen.hpp"
#include "nogil/asyncio/queue.hpp"
#include "nogil/platform/errors.hpp"

namespace nogil::asyncio {

namespace detail {

// The tasks that are done and that nobody has taken; null: the time is over. Shared by the
// range and its elements.
class CompletedQueue : public Pooled, private Timer {
 public:
  using Done = Owned<TaskBase>;

  explicit CompletedQueue(LoopCore& loop) noexcept : Timer(&fire), loop_(loop) {}
  CompletedQueue(const CompletedQueue&) = delete;
  CompletedQueue& operator=(const CompletedQueue&) = delete;

  void add_ref() noexcept { ++owners_; }
  void drop() noexcept {
    if (--owners_ == 0) delete this;
  }

  void start(std::vector<Done> tasks, std::int64_t timeout) {
    children_.reserve(tasks.size());
    for (Done& task : tasks) children_.emplace_back(*this, std::move(task));
    left_ = to_give_ = children_.size();
    if (timeout != kNever && left_ != 0) loop_.start_timer(*this, after(loop_.now(), timeout));
    for (Child& child : children_) child.start();
  }

  // Elements of the range that nobody was given yet.
  std::size_t to_give() const noexcept { return to_give_; }
  void give() noexcept {
    if (to_give_ != 0) --to_give_;
  }

  Queue<Done>& done() noexcept { return done_; }

 private:
  struct Child : ScheduledNode {
    Child(CompletedQueue& in, Done of) noexcept : ScheduledNode(&task_done), queue(in), task(std::move(of)) {}
    Child(const Child&) = default;
    ~Child() { stop(); }

    void start() noexcept {
      if (task->done()) told(*this, *task);
      else task->add(*this);
    }
    void stop() noexcept {
      if (task) withdraw_from(*task);
      task = {};
    }

    CompletedQueue& queue;
    Done task;  // none once it is in the queue
  };

  ~CompletedQueue() {
    if (place != Place::kNowhere) loop_.withdraw(static_cast<Timer&>(*this));
  }

  static void task_done(ScheduledNode& node, Completion&) noexcept {
    auto& child = static_cast<Child&>(node);
    CompletedQueue& self = child.queue;
    if (--self.left_ == 0 && self.place != Place::kNowhere) self.loop_.withdraw(static_cast<Timer&>(self));
    self.done_.put_nowait(std::move(child.task));
  }
  static void fire(Ready& node) noexcept {
    auto& self = static_cast<CompletedQueue&>(static_cast<Timer&>(node));
    for (Child& child : self.children_) {
      if (!child.task) continue;
      child.stop();
      self.done_.put_nowait(Done());
    }
  }

  LoopCore& loop_;
  std::vector<Child> children_;
  Queue<Done> done_;
  std::size_t left_ = 0;  // tasks that are not done
  std::size_t to_give_ = 0;
  std::size_t owners_ = 1;
};

using GetCompleted = QueueGet<Owned<TaskBase>, FifoBag<Owned<TaskBase>>>;

template <class T>
class [[nodiscard]] AwaitCompleted : public GetCompleted {
 public:
  explicit AwaitCompleted(Owned<CompletedQueue> queue) noexcept
      : GetCompleted(queue->done()), queue_(std::move(queue)) {}

  T await_resume() {
    const Owned<TaskBase> task = GetCompleted::await_resume();
    if (!task) throw TimeoutError("as_completed: not all have ended in time");
    return static_cast<TaskState<T>&>(*task).take();
  }

 private:
  Owned<CompletedQueue> queue_;
};

// An element of the range. Who was cancelled may await it again.
template <class T>
class [[nodiscard]] NextCompleted {
 public:
  explicit NextCompleted(Owned<CompletedQueue> queue) noexcept : queue_(std::move(queue)) {}

  AwaitCompleted<T> operator co_await() const noexcept { return AwaitCompleted<T>(queue_); }

 private:
  Owned<CompletedQueue> queue_;
};

}  // namespace detail

// What as_completed() gives.
template <class T>
class [[nodiscard]] AsCompleted {
 public:
  explicit AsCompleted(detail::Owned<detail::CompletedQueue> queue) noexcept : queue_(std::move(queue)) {}

  class Iterator {
   public:
    using value_type = detail::NextCompleted<T>;

    explicit Iterator(const detail::Owned<detail::CompletedQueue>& queue) noexcept : queue_(queue), next_(queue) {}

    // To be awaited before the next step, or copied: a copy is one of its own.
    detail::NextCompleted<T>& operator*() noexcept {
      if (!std::exchange(given_, true)) queue_->give();
      return next_;
    }
    Iterator& operator++() noexcept {
      if (!std::exchange(given_, false)) queue_->give();
      return *this;
    }
    friend bool operator!=(const Iterator& it, std::default_sentinel_t) noexcept {
      return it.given_ || it.queue_->to_give() != 0;
    }

   private:
    detail::Owned<detail::CompletedQueue> queue_;
    detail::NextCompleted<T> next_;
    bool given_ = false;  // the element at which it stands
  };

  Iterator begin() const noexcept { return Iterator(queue_); }
  std::default_sentinel_t end() const noexcept { return {}; }

  // How many elements are left.
  [[nodiscard]] std::size_t size() const noexcept { return queue_->to_give(); }

 private:
  detail::Owned<detail::CompletedQueue> queue_;
};

namespace detail {

template <class Range>
auto as_completed_within(Range&& range, std::int64_t timeout) {
  std::vector<Owned<TaskBase>> tasks;
  Seen known;
  for (auto&& element : range) {
    const auto task = ensure_task(taken<Range>(std::forward<decltype(element)>(element)));
    TaskBase* const state = TaskAccess::state(static_cast<const TaskHandle&>(task));
    if (state == nullptr) throw RuntimeError("as_completed: there is no task here: default-made, or moved from");
    if (known.insert(state)) tasks.push_back(Owned<TaskBase>::share(*state));
  }
  Owned<CompletedQueue> queue(new CompletedQueue(running_loop()));
  queue->start(std::move(tasks), timeout);
  return AsCompleted<RangeGives<Range>>(std::move(queue));
}

}  // namespace detail

template <detail::AwaitableRange Range>
auto as_completed(Range&& range) {
  return detail::as_completed_within(std::forward<Range>(range), detail::kNever);
}

// With a limit for all of them, from the call on.
template <detail::AwaitableRange Range, class Rep, class Period>
auto as_completed(Range&& range, const std::chrono::duration<Rep, Period>& timeout) {
  return detail::as_completed_within(std::forward<Range>(range), detail::nanoseconds(timeout));
}

}  // namespace nogil::asyncio
