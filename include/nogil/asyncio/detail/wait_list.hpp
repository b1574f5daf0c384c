// nogil/asyncio/detail/wait_list.hpp -- waiters in the order in which they came, all woken at once.

#pragma once

#include <coroutine>
#include <utility>

#include "nogil/asyncio/detail/task_base.hpp"

namespace nogil::asyncio::detail {

class WaitList;

// Waits for wake_all() of a list. Nothing is handed over, so there is nothing to give back.
class ListedWaiter : public Waiter {
 public:
  explicit ListedWaiter(const Kind& kind) noexcept : Waiter(kind) {}
  ListedWaiter(const ListedWaiter& other) noexcept : Waiter(other) {}  // before it is awaited: in no list
  ~ListedWaiter() {
    if (pending()) unlink();
  }

  // For the Kind of who derives from this.
  static bool cancel(Waiter& waiter) noexcept {
    auto& self = static_cast<ListedWaiter&>(waiter);
    self.unlink();
    self.wake_cancelled();
    return true;
  }

 protected:
  inline void suspend_in(WaitList& list, std::coroutine_handle<> awaiting);

 private:
  friend class WaitList;

  inline void unlink() noexcept;

  WaitList* list_ = nullptr;
  ListedWaiter* next_ = nullptr;
  ListedWaiter* previous_ = nullptr;
};

class WaitList {
 public:
  WaitList() = default;
  WaitList(const WaitList&) = delete;
  WaitList& operator=(const WaitList&) = delete;

  void wake_all() noexcept {
    last_ = nullptr;
    for (ListedWaiter* waiter = std::exchange(first_, nullptr); waiter != nullptr;) {
      ListedWaiter* const next = waiter->next_;
      waiter->wake();
      waiter = next;
    }
  }

 private:
  friend class ListedWaiter;

  ListedWaiter* first_ = nullptr;
  ListedWaiter* last_ = nullptr;
};

inline void ListedWaiter::suspend_in(WaitList& list, std::coroutine_handle<> awaiting) {
  list_ = &list;
  previous_ = list.last_;
  (previous_ == nullptr ? list.first_ : previous_->next_) = this;
  list.last_ = this;
  suspend(awaiting);
}

inline void ListedWaiter::unlink() noexcept {
  (previous_ == nullptr ? list_->first_ : previous_->next_) = next_;
  (next_ == nullptr ? list_->last_ : next_->previous_) = previous_;
  next_ = previous_ = nullptr;
}

}  // namespace nogil::asyncio::detail
