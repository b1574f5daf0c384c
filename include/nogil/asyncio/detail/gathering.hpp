// nogil/asyncio/detail/gathering.hpp -- the inside of gather(): waits for several tasks.

#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "nogil/asyncio/detail/ranges.hpp"
#include "nogil/asyncio/outcome.hpp"
#include "nogil/asyncio/task.hpp"

namespace nogil::asyncio::detail {

class GatherWaiter;

// One of the tasks. Lies still from when its gather is awaited.
class GatherChild : public ScheduledNode {
 public:
  explicit GatherChild(const TaskHandle& task) noexcept;
  GatherChild(GatherChild&& other) noexcept;
  // Whoever is not done yet goes on; how it ends is nobody's business any more.
  ~GatherChild() {
    if (waiter_ == nullptr) return;
    withdraw_from(*task_);
    task_->disregard();
  }

  TaskBase& task() const noexcept { return *task_; }

  // False: it is done already, and will not tell.
  bool start(GatherWaiter& waiter) noexcept {
    waiter_ = &waiter;
    if (task_->done()) return false;
    task_->add(*this);
    return true;
  }

 private:
  friend class GatherWaiter;

  Owned<TaskBase> task_;
  GatherWaiter* waiter_ = nullptr;
};

class GatherWaiter : public Waiter {
 protected:
  // `settled`: errors are results.
  explicit GatherWaiter(bool settled) noexcept : Waiter(kKind), settled_(settled) {}
  ~GatherWaiter() = default;

  // False: all is known already, as CPython 3.12 does it: it does not wait.
  bool start(GatherChild* children, std::size_t count, std::coroutine_handle<> awaiting) {
    children_ = children;
    count_ = count;
    for (std::size_t i = 0; i < count; ++i) {
      if (&children[i].task().loop() != t_here.loop) throw RuntimeError("gather: a task belongs to another event loop");
    }
    bool ready = false;
    for (std::size_t i = 0; i < count; ++i) {
      if (!children[i].start(*this) && !ready) ready = finished(children[i].task());
    }
    if (!ready) suspend(awaiting);
    return !ready;
  }

  // Throws what it ends with, if that is no result.
  void check() const {
    throw_if_cancelled();
    if (first_ != nullptr) {
      if (first_->cancelled()) throw CancelledError();
      std::rethrow_exception(first_->error());
    }
    if (cancel_requested_) throw CancelledError();
  }

 private:
  friend class GatherChild;

  static void task_done(ScheduledNode& node, Completion& done) noexcept {
    GatherWaiter& self = *static_cast<GatherChild&>(node).waiter_;
    if (self.pending() && self.finished(static_cast<TaskBase&>(done))) self.wake();
  }

  // One more; true: there is nothing more to wait for.
  bool finished(TaskBase& task) noexcept {
    ++finished_;
    if (settled_ || task.state() == DoneState::kFinished) return finished_ == count_;
    first_ = &task;
    return true;
  }

  static bool cancel(Waiter& waiter) {
    auto& self = static_cast<GatherWaiter&>(waiter);
    bool any = false;
    for (std::size_t i = 0; i < self.count_; ++i) any = self.children_[i].task().cancel() || any;
    if (any) self.cancel_requested_ = true;
    return any;
  }
  static constexpr Kind kKind = {&cancel, "gather"};

  GatherChild* children_ = nullptr;
  std::size_t count_ = 0;
  std::size_t finished_ = 0;
  TaskBase* first_ = nullptr;  // that failed, or was cancelled
  bool settled_;
  bool cancel_requested_ = false;
};

inline GatherChild::GatherChild(GatherChild&& other) noexcept
    : ScheduledNode(&GatherWaiter::task_done), task_(std::move(other.task_)) {}
inline GatherChild::GatherChild(const TaskHandle& task) noexcept
    : ScheduledNode(&GatherWaiter::task_done), task_(Owned<TaskBase>::share(*TaskAccess::state(task))) {}

template <class T>
TaskState<T>& state_of(const GatherChild& child) noexcept {
  return static_cast<TaskState<T>&>(child.task());
}

// The result of one that is done: as gather() gives it, and as gather_settled() does.
template <class T>
using Filled = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

template <class T>
Filled<T> take_result(const GatherChild& child) {
  if constexpr (std::is_void_v<T>) return state_of<T>(child).take(), std::monostate();
  else return state_of<T>(child).take();
}

template <class T>
Outcome<T> take_outcome(const GatherChild& child) {
  TaskState<T>& task = state_of<T>(child);
  task.mark_retrieved();
  if (task.cancelled()) return Outcome<T>(std::make_exception_ptr(CancelledError()));
  if (task.failed()) return Outcome<T>(task.error());
  if constexpr (std::is_void_v<T>) return Outcome<T>();
  else return Outcome<T>(std::in_place, task.take());
}

// Of so many tasks, each with a result of its own.
template <bool kSettled, class... T>
class [[nodiscard]] GatherEach : public GatherWaiter {
  using Results = std::conditional_t<kSettled, std::tuple<Outcome<T>...>, std::tuple<Filled<T>...>>;

 public:
  explicit GatherEach(const Task<T>&... tasks) noexcept : GatherWaiter(kSettled), children_{GatherChild(tasks)...} {}

  bool await_ready() const noexcept { return sizeof...(T) == 0; }
  bool await_suspend(std::coroutine_handle<> awaiting) { return start(children_, sizeof...(T), awaiting); }
  Results await_resume() {
    check();
    return results(std::index_sequence_for<T...>());
  }

 private:
  template <std::size_t... i>
  Results results(std::index_sequence<i...>) {
    if constexpr (kSettled) return Results{take_outcome<T>(children_[i])...};
    else return Results{take_result<T>(children_[i])...};
  }

  GatherChild children_[sizeof...(T)];
};
template <bool kSettled>
class [[nodiscard]] GatherEach<kSettled> {
 public:
  bool await_ready() const noexcept { return true; }
  void await_suspend(std::coroutine_handle<>) const noexcept {}
  std::tuple<> await_resume() const noexcept { return {}; }
};

// Of however many tasks of one kind.
template <bool kSettled, class T>
class [[nodiscard]] GatherAll : public GatherWaiter {
  static_assert(kSettled || !std::is_reference_v<T>, "gather(range) gives a vector, and there is none of references");

 public:
  explicit GatherAll(std::vector<GatherChild> children) noexcept
      : GatherWaiter(kSettled), children_(std::move(children)) {}

  bool await_ready() const noexcept { return children_.empty(); }
  bool await_suspend(std::coroutine_handle<> awaiting) { return start(children_.data(), children_.size(), awaiting); }
  auto await_resume() {
    check();
    if constexpr (kSettled) {
      return collect<Outcome<T>>([](const GatherChild& child) { return take_outcome<T>(child); });
    } else if constexpr (!std::is_void_v<T>) {
      return collect<T>([](const GatherChild& child) { return take_result<T>(child); });
    }
  }

 private:
  template <class Item, class Take>
  std::vector<Item> collect(Take take) {
    std::vector<Item> items;
    items.reserve(children_.size());
    for (const GatherChild& child : children_) items.push_back(take(child));
    return items;
  }

  std::vector<GatherChild> children_;
};

// Begins them all.
template <class Range>
std::vector<GatherChild> gather_children(Range&& range) {
  std::vector<GatherChild> children;
  if constexpr (requires { range.size(); }) children.reserve(range.size());
  for (auto&& element : range) {
    children.emplace_back(ensure_task(taken<Range>(std::forward<decltype(element)>(element))));
  }
  return children;
}

}  // namespace nogil::asyncio::detail
