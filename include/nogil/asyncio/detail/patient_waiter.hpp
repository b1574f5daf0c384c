// nogil/asyncio/detail/patient_waiter.hpp -- a waiter that looks again before its task goes on.
//
// What a primitive wakes is not yet served: between the wake-up and the task's step another
// one may have taken the item, or the task may be cancelled. CPython's primitives look again
// when the task runs, and wait once more, or hand on what they were woken for. Here it is the
// waiter itself that is called, in the task's place in the ring; its look() takes what it
// waits for and lets the task go on in the same step, or stays and goes on waiting.
//
//   asleep -> called    call(): there may be what it waits for
//          -> called    give_up(): its task is cancelled
//   called -> asleep    look(), after rest(): not yet
//          -> gone      look(): go_on(), or go_on_cancelled() if gave_up()
//
// One that is cancelled while it is called finds that when it looks, if nobody has taken it
// back by then: rule 7. Of one that was cancelled asleep it cannot be taken back.
//
// As look() and the task's step are one, nothing is ever handed to a task that does not take
// it: what rule 5 of the cancellation protocol asks of others.

#pragma once

#include "nogil/asyncio/detail/link.hpp"
#include "nogil/asyncio/detail/task_base.hpp"
#include "nogil/platform/errors.hpp"

namespace nogil::asyncio::detail {

class PatientWaiter : public Waiter, public Link, protected Ready {
 public:
  // Before it is awaited.
  PatientWaiter(const PatientWaiter& other) noexcept : Waiter(other), Link(other), Ready(other) {}

  // It is to look.
  void call() noexcept {
    woken_ = true;
    if (!called()) loop().push(*this);
  }

  // It will look soon.
  bool called() const noexcept { return place == Place::kRing; }

  // Its task was cancelled since it last looked; and before anybody had woken it.
  bool gave_up() const noexcept { return gave_up_ || (woken_ && must_cancel()); }
  bool gave_up_asleep() const noexcept { return gave_up_ && !woken_; }

 protected:
  // look(Ready&) runs from the ring, and ends with one of go_on(), go_on_cancelled() and
  // staying asleep.
  PatientWaiter(const Kind& kind, Run look) noexcept : Waiter(kind), Ready(look) {}
  ~PatientWaiter() {
    if (called()) loop().withdraw(static_cast<Ready&>(*this));
  }

  // For Kind::cancel.
  static bool give_up(Waiter& waiter) noexcept {
    auto& self = static_cast<PatientWaiter&>(waiter);
    if (self.woken_) return false;
    self.gave_up_ = true;
    if (!self.called()) self.loop().push(self);
    return true;
  }

  template <class Self>
  static Self& from(Ready& node) noexcept {
    return static_cast<Self&>(static_cast<PatientWaiter&>(node));
  }

  bool woken() const noexcept { return woken_; }

  // From now on it sleeps again. That it was cancelled is dealt with.
  void rest() noexcept {
    woken_ = gave_up_ = false;
    forget_cancel();
  }

  // If it has to go on, one way or the other. It may be awaited again.
  void end() noexcept {
    const bool cancelled = gave_up();
    woken_ = gave_up_ = false;
    cancelled ? go_on_cancelled() : go_on();
  }

 private:
  bool woken_ = false;
  bool gave_up_ = false;
};

using WaiterList = LinkList<PatientWaiter>;

// Waiters of one primitive wake each other, so all are of one loop.
template <class T>
void check_loop(LinkList<T>& waiters, const char* what) {
  if (waiters.empty() || &waiters.front().loop() == t_here.loop) [[likely]]
    return;
  throw RuntimeError(
      (platform::Text() << "this " << what << " is bound to a different event loop: tasks of that wait in it").take());
}

}  // namespace nogil::asyncio::detail
