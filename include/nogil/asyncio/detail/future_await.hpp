// nogil/asyncio/detail/future_await.hpp -- co_await on a nogil::Future: from a thread pool into a loop.
//
// The thread that finishes the future posts to the loop. All that takes lies in the awaiting
// frame, which therefore has to be there until the post has been delivered: so a waiter that
// was told is not cancelled at once but when it wakes, which is in the same round.

#pragma once

#include <sched.h>

#include <coroutine>
#include <utility>

#include "nogil/asyncio/detail/task_base.hpp"
#include "nogil/futures/future.hpp"

namespace nogil::asyncio::detail {

template <class T, bool kTake>
class [[nodiscard]] FutureAwait : public Waiter, private nogil::detail::Observer, private Posted {
 public:
  explicit FutureAwait(nogil::Future<T> future) noexcept
      : Waiter(kKind),
        nogil::detail::Observer(&told, nogil::detail::Told::kAfter),
        Posted(&delivered),
        future_(std::move(future)) {}
  FutureAwait(const FutureAwait&) = delete;
  FutureAwait& operator=(const FutureAwait&) = delete;
  ~FutureAwait() {
    if (!pending()) return;
    // The loop destroys the frame as it stands.
    abandoned_ = true;
    if (block().forget(*this)) return;
    while (abandoned_) {
      loop().receive();
      ::sched_yield();
    }
  }

  bool await_ready() const { return future_.done(); }
  bool await_suspend(std::coroutine_handle<> awaiting) {
    loop_ = t_here.loop;
    if (!block().observe(*this)) return false;  // done meanwhile
    suspend(awaiting);
    return true;
  }
  std::conditional_t<kTake, T, std::add_lvalue_reference_t<const T>> await_resume() {
    throw_if_cancelled();
    if (future_.cancelled()) [[unlikely]]
      throw_cancelled();
    if constexpr (kTake) return std::move(future_).result();
    else return future_.result();
  }

 private:
  nogil::detail::TaskBlock& block() const noexcept { return *nogil::detail::FutureAccess::block(future_); }

  // In the thread that has finished it.
  static void told(nogil::detail::Observer& observer, nogil::detail::TaskBlock&) noexcept {
    auto& self = static_cast<FutureAwait&>(observer);
    self.loop_->post(self);
  }
  static void delivered(Posted& posted) noexcept {
    auto& self = static_cast<FutureAwait&>(posted);
    if (self.abandoned_) self.abandoned_ = false;
    else self.wake();
  }

  // As Python: a future that nobody runs yet is cancelled, one that runs is left alone.
  static bool cancel(Waiter& waiter) noexcept {
    auto& self = static_cast<FutureAwait&>(waiter);
    self.future_.cancel();
    if (!self.block().forget(self)) return false;  // it was told
    self.wake_cancelled();
    return true;
  }
  static constexpr Kind kKind = {&cancel, "nogil::Future"};

  nogil::Future<T> future_;
  LoopCore* loop_ = nullptr;
  bool abandoned_ = false;
};

}  // namespace nogil::asyncio::detail

namespace nogil {

// co_await future, in a coroutine of asyncio: waits until it is done, and the loop goes on
// meanwhile. Gives const T&, or T of a temporary or std::move(future). Throws what the future
// has to throw; asyncio::CancelledError if it was cancelled. To cancel the task that waits is
// to cancel the future, which stops nothing that has begun.
template <class T>
asyncio::detail::FutureAwait<T, false> operator co_await(const Future<T>& future) {
  return asyncio::detail::FutureAwait<T, false>(future);
}
template <class T>
asyncio::detail::FutureAwait<T, true> operator co_await(Future<T>&& future) {
  return asyncio::detail::FutureAwait<T, true>(std::move(future));
}

}  // namespace nogil
