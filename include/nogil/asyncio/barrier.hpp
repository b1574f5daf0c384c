// nogil/asyncio/barrier.hpp -- Barrier: tasks wait for each other, and go on together.
//
//   asyncio::Barrier barrier(3);                     // barrier = asyncio.Barrier(3)
//   if (co_await barrier.wait() == 0) clean_up();    // if await barrier.wait() == 0: clean_up()
//
// Once the last of `parties` has come, all go on. It can then be used again: who comes before
// all have gone waits until they have.
//
// Threads    Of one loop: for the thread in which it runs.
// Cancel     A task that is cancelled while it waits is not counted any more; the others
//            wait for another one.
// Lifetime   A task that waits when it is destroyed waits until it is cancelled.
// Cost       No allocation, to wait included.
// Errors     ValueError: fewer than one party. BrokenBarrierError: see reset() and abort().
//            RuntimeError: waited for by tasks of two loops.
// Python     asyncio.Barrier.

#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>

#include "nogil/asyncio/detail/patient_waiter.hpp"
#include "nogil/platform/errors.hpp"

namespace nogil::asyncio {

namespace detail {

// count_ tasks are inside: they wait for the others, or were let go and have not run yet.
//
//   filling     they come                          -> draining   the last has come
//   draining    all are to go                      -> filling    the last has gone
//   resetting   all are to go, with an error       -> filling    the last has gone
//   broken      whoever is here or comes has an error, until reset()
//
// While it is draining or resetting, who comes waits outside.
class BarrierCore {
 public:
  BarrierCore(const BarrierCore&) = delete;
  BarrierCore& operator=(const BarrierCore&) = delete;

  [[nodiscard]] std::ptrdiff_t parties() const noexcept { return parties_; }

  // Those who wait for the others.
  [[nodiscard]] std::ptrdiff_t n_waiting() const noexcept { return state_ == State::kFilling ? count_ : 0; }

  // Whether abort() was called, and not reset() since then.
  [[nodiscard]] bool broken() const noexcept { return state_ == State::kBroken; }

 protected:
  explicit BarrierCore(std::ptrdiff_t parties) : parties_(parties) {
    if (parties < 1) throw ValueError("Barrier: parties must be one or more");
  }
  ~BarrierCore() = default;

 private:
  friend class BarrierWait;
  friend class BarrierChange;

  enum class State : std::uint8_t { kFilling, kDraining, kResetting, kBroken };

  bool busy() const noexcept { return state_ == State::kDraining || state_ == State::kResetting; }

  void change(State state) noexcept {
    state_ = state;
    call_all();
  }
  void reset() noexcept { change(count_ > 0 ? State::kResetting : State::kFilling); }

  // True: it was the last, and goes at once.
  bool enter(std::ptrdiff_t& index) noexcept {
    index = count_++;
    if (count_ < parties_) return false;
    change(State::kDraining);
    leave();
    return true;
  }
  void leave() noexcept {
    if (--count_ != 0) return;
    if (busy()) state_ = State::kFilling;
    call_all();
  }

  void call_all() noexcept {
    waiters_.for_each([](PatientWaiter& waiter) {
      if (!waiter.called()) waiter.call();
      return true;
    });
  }

  // By one who is cancelled. For nothing, but it puts that one behind the others: as in
  // CPython, where a Barrier waits for a Condition, and who is cancelled there notifies.
  void call_next() noexcept {
    waiters_.for_each([](PatientWaiter& waiter) {
      const bool next = !waiter.called();
      if (next) waiter.call();
      return !next;
    });
  }

  WaiterList waiters_;  // inside and outside, until they have looked
  const std::ptrdiff_t parties_;
  std::ptrdiff_t count_ = 0;
  State state_ = State::kFilling;
};

class [[nodiscard]] BarrierWait : public PatientWaiter {
 public:
  explicit BarrierWait(BarrierCore& barrier) noexcept : PatientWaiter(kKind, &look), barrier_(&barrier) {}
  BarrierWait(const BarrierWait&) = default;
  // Destroyed while it waits.
  ~BarrierWait() {
    if (linked() && inside_) --barrier_->count_;
  }

  bool await_ready() {
    if (barrier_->broken()) throw_broken();
    return !barrier_->busy() && enter();
  }
  void await_suspend(std::coroutine_handle<> awaiting) {
    barrier_->waiters_.push_back(*this);
    suspend(awaiting);
  }
  // The task's own number, from 0 on, in the order of their coming.
  std::ptrdiff_t await_resume() const {
    throw_if_cancelled();
    if (broken_) throw_broken();
    return index_;
  }

 private:
  using State = BarrierCore::State;

  // True: it need not wait.
  bool enter() noexcept {
    inside_ = true;
    return barrier_->enter(index_);
  }

  static void look(Ready& node) noexcept {
    auto& self = from<BarrierWait>(node);
    if (!self.linked()) return self.end();  // the barrier is gone
    self.unlink();
    if (self.gave_up()) self.barrier_->call_next();
    if (self.may_go()) return self.end();
    self.rest();
    self.barrier_->waiters_.push_back(self);
  }

  bool may_go() noexcept {
    const State state = barrier_->state_;
    if (!inside_) {
      if (gave_up()) return true;
      broken_ = state == State::kBroken;
      return broken_ || (!barrier_->busy() && enter());
    }
    if (!gave_up() && state == State::kFilling) return false;
    broken_ = state == State::kBroken || state == State::kResetting;
    barrier_->leave();
    return true;
  }

  [[noreturn, gnu::noinline, gnu::cold]] static void throw_broken() {
    throw BrokenBarrierError("Barrier.wait: the barrier was aborted, or reset");
  }

  static constexpr Kind kKind = {&give_up, "Barrier.wait"};

  BarrierCore* barrier_;
  std::ptrdiff_t index_ = 0;
  bool inside_ = false;
  bool broken_ = false;
};

// reset() and abort(): awaited, as in Python, but nothing to wait for.
class [[nodiscard]] BarrierChange {
 public:
  BarrierChange(BarrierCore& barrier, bool abort) noexcept : barrier_(&barrier), abort_(abort) {}

  bool await_ready() const noexcept {
    if (abort_) barrier_->change(BarrierCore::State::kBroken);
    else barrier_->reset();
    return true;
  }
  void await_suspend(std::coroutine_handle<>) const noexcept {}
  void await_resume() const noexcept {}

 private:
  BarrierCore* barrier_;
  bool abort_;
};

}  // namespace detail

class Barrier : public detail::BarrierCore {
 public:
  // Throws ValueError if parties < 1.
  explicit Barrier(std::ptrdiff_t parties) : BarrierCore(parties) {}

  // Waits until all have come. Gives each a number of its own, from 0 to parties() - 1.
  detail::BarrierWait wait() noexcept { return detail::BarrierWait(*this); }

  // Back to the start; who waits gets a BrokenBarrierError. Repairs a broken one. Does not wait.
  detail::BarrierChange reset() noexcept { return detail::BarrierChange(*this, false); }

  // Breaks it: who waits, and whoever comes, gets a BrokenBarrierError. Does not wait.
  detail::BarrierChange abort() noexcept { return detail::BarrierChange(*this, true); }
};

}  // namespace nogil::asyncio
