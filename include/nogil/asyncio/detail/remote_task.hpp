// nogil/asyncio/detail/remote_task.hpp -- a task that another thread has a nogil::Future of.

#pragma once

#include <sched.h>

#include <atomic>
#include <cstdint>
#include <exception>
#include <string>
#include <utility>

#include "nogil/asyncio/task.hpp"
#include "nogil/futures/promise.hpp"
#include "nogil/threading/detail/ref.hpp"

namespace nogil::asyncio::detail {

// Owned by the posts on their way to the loop, by the task's done node, and by the future's
// callback.
template <class T>
class RemoteTask final : public nogil::detail::Counted {
 public:
  using Ref = nogil::detail::Ref<RemoteTask>;

  static nogil::Future<T> start(Coro<T> coro, LoopCore& loop) {
    const Ref self(new RemoteTask(std::move(coro), loop));
    nogil::Future<T> future = self->future_;
    future.add_done_callback([self](const nogil::Future<T>& done) {
      if (done.cancelled()) self->cancel_remotely();
    });
    self->add_owner();
    loop.post(self->begin_);
    return future;
  }

 private:
  // Whether the canceller may touch the loop. Its callback and the end of the task may come
  // at once: one of the two moves the link on from kLive, and an end that finds kPosting
  // waits for the few instructions of a post, since the loop may end right after it.
  enum class Link : std::uint8_t { kLive, kPosting, kPosted, kOver };

  struct Begin final : Posted {
    explicit Begin(RemoteTask& owner) noexcept : Posted(&delivered), remote(owner) {}
    static void delivered(Posted& self) noexcept { static_cast<Begin&>(self).remote.begin(); }
    RemoteTask& remote;
  };
  struct Cancel final : Posted {
    explicit Cancel(RemoteTask& owner) noexcept : Posted(&delivered), remote(owner) {}
    static void delivered(Posted& self) noexcept { static_cast<Cancel&>(self).remote.cancel_here(); }
    RemoteTask& remote;
  };
  struct Done final : ScheduledNode {
    explicit Done(RemoteTask& owner) noexcept : ScheduledNode(&on_done), remote(owner) {}
    static void on_done(ScheduledNode& self, Completion&) noexcept { static_cast<Done&>(self).remote.end(); }
    RemoteTask& remote;
  };

  RemoteTask(Coro<T> coro, LoopCore& loop) : loop_(loop), coro_(std::move(coro)), future_(promise_.get_future()) {}

  // ---- In the loop's thread -----------------------------------------------------------

  void begin() noexcept {
    try {
      task_ = make_task(loop_, std::move(coro_), {});
    } catch (...) {
      fail(std::current_exception());
      return this->drop_owner();
    }
    TaskAccess::state(task_)->add(done_);
    if (future_.cancelled()) task_.cancel();
  }

  void cancel_here() noexcept {
    if (task_) task_.cancel();
    this->drop_owner();
  }

  void end() noexcept {
    Link link = Link::kLive;
    if (!link_.compare_exchange_strong(link, Link::kOver, std::memory_order_acq_rel, std::memory_order_acquire)) {
      while (link_.load(std::memory_order_acquire) == Link::kPosting) ::sched_yield();
    }
    Task<T> task = std::move(task_);
    if (task.cancelled()) {
      future_.cancel();
    } else if (const std::exception_ptr error = task.exception()) {
      fail(error);
    } else {
      try {
        if constexpr (std::is_void_v<T>) promise_.set_result();
        else promise_.set_result(std::move(task).result());
      } catch (const InvalidStateError&) {  // it was cancelled too late for the task
      } catch (...) {
        fail(std::current_exception());
      }
    }
    this->drop_owner();
  }

  void fail(std::exception_ptr error) noexcept {
    try {
      promise_.set_exception(std::move(error));
    } catch (const InvalidStateError&) {
    }
  }

  // ---- In the thread that has cancelled the future ------------------------------------

  void cancel_remotely() noexcept {
    Link link = Link::kLive;
    if (!link_.compare_exchange_strong(link, Link::kPosting, std::memory_order_acq_rel, std::memory_order_acquire)) {
      return;
    }
    this->add_owner();
    loop_.post(cancel_);
    link_.store(Link::kPosted, std::memory_order_release);
  }

  LoopCore& loop_;
  Coro<T> coro_;
  nogil::Promise<T> promise_;
  nogil::Future<T> future_;
  Task<T> task_;
  Begin begin_{*this};
  Cancel cancel_{*this};
  Done done_{*this};
  std::atomic<Link> link_{Link::kLive};
};

}  // namespace nogil::asyncio::detail
