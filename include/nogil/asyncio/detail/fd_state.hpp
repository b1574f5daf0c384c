// nogil/asyncio/detail/fd_state.hpp -- a descriptor that coroutines read and write.
//
//   while ((got = ::recv(fd, …)) < 0 && errno == EAGAIN) {
//     state.readable = false;                     // told again only when that changes
//     co_await FdWait(state, FdWait::kToRead);
//   }
//
// Registered once, for both directions and for changes only (edge-triggered). So the system
// call comes first: it must be tried until it says EAGAIN (or gives less than was asked for,
// unless `hung_up`) before anybody waits; then the flag is cleared.

#pragma once

#include <coroutine>
#include <utility>

#include "nogil/asyncio/detail/loop_core.hpp"
#include "nogil/asyncio/detail/reactor.hpp"
#include "nogil/asyncio/detail/task_base.hpp"

namespace nogil::asyncio::detail {

class FdWait;

class FdState final : public Watch {
 public:
  // Does not own the descriptor, which must not block. Throws std::system_error.
  FdState(LoopCore& loop, int fd) : Watch(&told), loop_(loop), fd_(fd) { loop.watch(fd, kBothEdges, *this); }
  ~FdState() { unwatch(); }

  // Before the descriptor is closed. Who waits is woken, and finds watched() false.
  inline void unwatch() noexcept;
  bool watched() const noexcept { return watched_; }

  int fd() const noexcept { return fd_; }
  LoopCore& loop() const noexcept { return loop_; }

  // Whether a read, or a write, is worth trying. Set by the loop, cleared by who has tried.
  bool readable = true;
  bool writable = true;

  // The peer has ended its side, so a read may give less than asked for and the end at once
  // after that: no further edge will tell. Then a short read does not clear `readable`.
  bool hung_up = false;

 private:
  friend class FdWait;

  static inline void told(Watch& watch, Events ready) noexcept;

  LoopCore& loop_;
  const int fd_;
  bool watched_ = true;
  FdWait* waiters_[2] = {};  // one at a time for each direction
};

// Until the descriptor may be ready, or is no longer watched. Nothing to give back.
class [[nodiscard]] FdWait : public Waiter {
 public:
  enum Direction { kToRead, kToWrite };

  // RuntimeError in await_suspend() when another task waits for the same: as in Python.
  FdWait(FdState& state, Direction direction) noexcept
      : Waiter(kKinds[direction]), fd_(&state), direction_(direction) {}
  FdWait(const FdWait&) = default;
  ~FdWait() {
    if (pending()) slot() = nullptr;
  }

  bool await_ready() const noexcept {
    return !fd_->watched() || (direction_ == kToRead ? fd_->readable : fd_->writable);
  }
  void await_suspend(std::coroutine_handle<> awaiting) {
    if (slot() != nullptr) throw RuntimeError("another coroutine is already waiting for this stream");
    slot() = this;
    suspend(awaiting);
  }
  void await_resume() const { throw_if_cancelled(); }

 private:
  friend class FdState;

  FdWait*& slot() const noexcept { return fd_->waiters_[direction_]; }

  void ready() noexcept {
    slot() = nullptr;
    wake();
  }
  static bool cancel(Waiter& waiter) noexcept {
    auto& self = static_cast<FdWait&>(waiter);
    self.slot() = nullptr;
    self.wake_cancelled();
    return true;
  }
  static constexpr Kind kKinds[] = {{&cancel, "read"}, {&cancel, "write"}};

  FdState* fd_;
  Direction direction_;
};

inline void FdState::unwatch() noexcept {
  if (!std::exchange(watched_, false)) return;
  loop_.unwatch(fd_);
  for (FdWait* const waiter : waiters_) {
    if (waiter != nullptr) waiter->ready();
  }
}

inline void FdState::told(Watch& watch, Events ready) noexcept {
  auto& self = static_cast<FdState&>(watch);
  if ((ready & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) self.hung_up = true;
  if ((ready & kReadable) != 0) {
    self.readable = true;
    if (FdWait* const reader = self.waiters_[FdWait::kToRead]) reader->ready();
  }
  if ((ready & kWritable) != 0) {
    self.writable = true;
    if (FdWait* const writer = self.waiters_[FdWait::kToWrite]) writer->ready();
  }
}

}  // namespace nogil::asyncio::detail
