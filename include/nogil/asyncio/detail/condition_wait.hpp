// nogil/asyncio/detail/condition_wait.hpp -- the inside of Condition: to wait for a notification, then for the lock.

#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>

#include "nogil/asyncio/detail/patient_waiter.hpp"
#include "nogil/asyncio/lock.hpp"

namespace nogil::asyncio::detail {

class ConditionCore {
 public:
  ConditionCore(const ConditionCore&) = delete;
  ConditionCore& operator=(const ConditionCore&) = delete;

 protected:
  ConditionCore() noexcept = default;
  ~ConditionCore() = default;

  // Who was cancelled is called anyway, and needs none.
  void notify(std::ptrdiff_t n) noexcept {
    waiting_.for_each([&n](PatientWaiter& waiter) {
      if (n <= 0) return false;
      if (waiter.gave_up()) return true;
      --n;
      waiter.unlink();
      waiter.call();
      return true;
    });
  }
  void notify_all() noexcept { notify(std::numeric_limits<std::ptrdiff_t>::max()); }

 private:
  friend class ConditionWait;

  struct Presence : Link {};

  WaiterList waiting_;          // for a notification
  LinkList<Presence> present_;  // for that, or for the lock afterwards
};

// In the condition's list first; once it is notified, or cancelled, in the lock's until it
// has the lock again. One that is cancelled then notifies another, as what had woken it may
// have been meant for any.
class [[nodiscard]] ConditionWait : public PatientWaiter {
 public:
  ConditionWait(ConditionCore& condition, LockCore& lock) noexcept : ConditionWait(condition, lock, nullptr) {}

  bool await_ready() {
    if (!lock_->locked()) [[unlikely]]
      throw RuntimeError("Condition.wait: cannot wait on un-acquired lock");
    return false;
  }
  void await_suspend(std::coroutine_handle<> awaiting) {
    check_loop(condition_->waiting_, "Condition");
    condition_->present_.push_back(presence_);
    start();
    suspend(awaiting);
  }
  bool await_resume() const {
    throw_if_cancelled();
    return true;
  }

 protected:
  // False: wait once more. With the lock held, as the task.
  using Satisfied = bool (*)(ConditionWait& self) noexcept;

  ConditionWait(ConditionCore& condition, LockCore& lock, Satisfied satisfied) noexcept
      : PatientWaiter(kKind, &look), condition_(&condition), lock_(&lock), satisfied_(satisfied) {}

  LockCore& lock() const noexcept { return *lock_; }

 private:
  void start() noexcept {
    lock_->give_back();
    notified_ = false;
    condition_->waiting_.push_back(*this);
  }

  static void look(Ready& node) noexcept {
    auto& self = from<ConditionWait>(node);
    if (!self.presence_.linked()) return self.end();  // the condition is gone
    if (self.gave_up()) self.cancelled_ = true;
    if (!self.notified_) {
      self.notified_ = true;
      if (self.linked()) self.unlink();
    } else if (self.lock_->settle(self)) {
      return self.go_on_locked();
    }
    self.rest();
    if (self.lock_->try_acquire()) return self.go_on_locked();
    self.lock_->wait(self);
  }

  void go_on_locked() noexcept {
    rest();
    if (cancelled_) {
      condition_->notify(1);
      return go_on_cancelled();
    }
    if (satisfied_ != nullptr && !satisfied_(*this)) return start();
    go_on();
  }

  static constexpr Kind kKind = {&give_up, "Condition.wait"};

  ConditionCore* condition_;
  LockCore* lock_;
  Satisfied satisfied_;
  ConditionCore::Presence presence_;
  bool notified_ = false;
  bool cancelled_ = false;
};

// Until a predicate is true.
template <class Predicate>
class [[nodiscard]] ConditionWaitFor : public ConditionWait {
  using Value = std::decay_t<std::invoke_result_t<Predicate&>>;

 public:
  ConditionWaitFor(ConditionCore& condition, LockCore& lock, Predicate predicate)
      : ConditionWait(condition, lock, &satisfied), predicate_(std::move(predicate)) {}

  bool await_ready() {
    value_.emplace(predicate_());
    return static_cast<bool>(*value_) || ConditionWait::await_ready();
  }
  Value await_resume() {
    throw_if_cancelled();
    if (error_ != nullptr) std::rethrow_exception(error_);
    return *std::move(value_);
  }

 private:
  static bool satisfied(ConditionWait& waiter) noexcept {
    auto& self = static_cast<ConditionWaitFor&>(waiter);
    t_here.task = &self.task();
    try {
      self.value_.emplace(self.predicate_());
      if (!static_cast<bool>(*self.value_)) {
        static_cast<void>(self.ConditionWait::await_ready());
        t_here.task = nullptr;
        return false;
      }
    } catch (...) {
      self.error_ = std::current_exception();
    }
    t_here.task = nullptr;
    return true;
  }

  Predicate predicate_;
  std::optional<Value> value_;
  std::exception_ptr error_;
};

}  // namespace nogil::asyncio::detail
