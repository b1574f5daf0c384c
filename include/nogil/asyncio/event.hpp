// nogil/asyncio/event.hpp -- Event: tasks wait until somebody says go.
//
//   asyncio::Event ready;                   // ready = asyncio.Event()
//   co_await ready.wait();                  // await ready.wait()
//   ready.set();                            // ready.set()
//
// Threads    Of one loop: for the thread in which it runs.
// Fairness   All that wait are woken, in the order in which they came. They go on even if
//            clear() follows at once.
// Lifetime   A task that waits when it is destroyed waits until it is cancelled.
// Cost       No allocation, to wait included.
// Errors     RuntimeError: waited for by tasks of two loops.
// Python     asyncio.Event.

#pragma once

#include <coroutine>

#include "nogil/asyncio/detail/link.hpp"
#include "nogil/asyncio/detail/patient_waiter.hpp"
#include "nogil/asyncio/detail/task_base.hpp"

namespace nogil::asyncio {

namespace detail {

class EventWait;

class EventCore {
 public:
  EventCore(const EventCore&) = delete;
  EventCore& operator=(const EventCore&) = delete;

  [[nodiscard]] bool is_set() const noexcept { return set_; }

  // Wakes all that wait. From now on wait() does not wait.
  void set() noexcept;

  // From now on wait() waits. Who was woken goes on.
  void clear() noexcept { set_ = false; }

 protected:
  explicit EventCore(bool set) noexcept : set_(set) {}
  ~EventCore() = default;

 private:
  friend class EventWait;

  LinkList<EventWait> waiters_;
  bool set_;
};

class [[nodiscard]] EventWait : public Waiter, public Link {
 public:
  explicit EventWait(EventCore& event) noexcept : Waiter(kKind), event_(&event) {}
  EventWait(const EventWait&) = default;

  bool await_ready() const noexcept { return event_->set_; }
  void await_suspend(std::coroutine_handle<> awaiting) {
    check_loop(event_->waiters_, "Event");
    event_->waiters_.push_back(*this);
    suspend(awaiting);
  }
  bool await_resume() const {
    throw_if_cancelled();
    return true;
  }

 private:
  static bool cancel(Waiter& waiter) noexcept {
    auto& self = static_cast<EventWait&>(waiter);
    if (self.linked()) self.unlink();
    self.wake_cancelled();
    return true;
  }
  static constexpr Kind kKind = {&cancel, "Event.wait"};

  EventCore* event_;
};

inline void EventCore::set() noexcept {
  set_ = true;
  while (!waiters_.empty()) {
    EventWait& first = waiters_.front();
    first.unlink();
    first.wake();
  }
}

}  // namespace detail

class Event : public detail::EventCore {
 public:
  Event() noexcept : EventCore(false) {}

  // Waits until it is set; not at all if it is. Gives true.
  detail::EventWait wait() noexcept { return detail::EventWait(*this); }
};

}  // namespace nogil::asyncio
