// nogil/asyncio/detail/reactor.hpp -- waits for file descriptors, for a moment, and for other threads.
//
// All that a loop asks of the operating system, in six functions: add, modify, remove,
// wait, wake, now. EpollReactor is the one there is; a test brings one with a clock of its
// own.
//
// A Watch is told what its descriptor is ready for, in the middle of a batch. It may only
// note that and make somebody ready: user code runs later, from the ring. So whoever then
// closes a descriptor and destroys its Watch does so between two batches, and no event in
// the rest of one can reach what is gone.
//
// Threads    wake() from anywhere, also from a signal handler; all else by the loop.

#pragma once

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <ctime>

#include "nogil/asyncio/detail/moment.hpp"
#include "nogil/platform/fd.hpp"
#include "nogil/platform/trace_point.hpp"

namespace nogil::asyncio::detail {

// What a descriptor is watched for, and what it is ready for; as the kernel counts.
using Events = std::uint32_t;
inline constexpr Events kReadable = EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR;  // a read would not wait, or fail
inline constexpr Events kWritable = EPOLLOUT | EPOLLHUP | EPOLLERR;
inline constexpr Events kBothEdges = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;  // told once each time it gets ready

struct Watch {
  using OnEvents = void (*)(Watch& self, Events ready) noexcept;

  constexpr explicit Watch(OnEvents function) noexcept : on_events(function) {}
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  const OnEvents on_events;

 protected:
  ~Watch() = default;
};

class Reactor {
 public:
  Reactor() = default;
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;
  virtual ~Reactor() = default;

  // The watch must live until remove(). A descriptor is to be removed before it is closed.
  // Throw std::system_error: a file that is always ready (EPERM), or that is watched (EEXIST).
  virtual void add(int fd, Events events, Watch& watch) = 0;
  virtual void modify(int fd, Events events, Watch& watch) = 0;
  virtual void remove(int fd) noexcept = 0;

  // Tells the watches of what is ready, and waits for something at most until `until`, for
  // wake() or a signal. A moment that has passed: looks once.
  virtual void wait(Moment until) = 0;

  // Ends the wait that is going on, or the next one.
  virtual void wake() noexcept = 0;

  virtual Moment now() noexcept = 0;
};

// A reactor that its loop owns: a base of the loop, as its LoopCore needs one to begin with.
class LoopReactor {
 protected:
  explicit LoopReactor(Reactor* owned) noexcept : reactor_(owned) {}
  LoopReactor(const LoopReactor&) = delete;
  LoopReactor& operator=(const LoopReactor&) = delete;
  ~LoopReactor() { delete reactor_; }

 private:
  Reactor* const reactor_;
};

class EpollReactor final : public Reactor {
 public:
  EpollReactor() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), waker_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (!epoll_) platform::throw_errno("EventLoop: epoll_create1");
    if (!waker_) platform::throw_errno("EventLoop: eventfd");
    control(EPOLL_CTL_ADD, waker_.get(), EPOLLIN, nullptr);
  }

  void add(int fd, Events events, Watch& watch) override { control(EPOLL_CTL_ADD, fd, events, &watch); }
  void modify(int fd, Events events, Watch& watch) override { control(EPOLL_CTL_MOD, fd, events, &watch); }
  void remove(int fd) noexcept override { ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }

  void wait(Moment until) override {
    epoll_event events[kBatch];
    const int count = wait_for(events, until);
    for (int i = 0; i < count; ++i) {
      if (auto* const watch = static_cast<Watch*>(events[i].data.ptr)) watch->on_events(*watch, events[i].events);
      else quiet();
    }
  }

  void wake() noexcept override {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(waker_.get(), &one, sizeof one);  // full: it is awake
  }

  Moment now() noexcept override {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }

 private:
  static constexpr int kBatch = 128;
  static constexpr std::int64_t kMillisecond = 1'000'000;

  void control(int operation, int fd, Events wanted, Watch* watch) {
    epoll_event event{};
    event.events = wanted;
    event.data.ptr = watch;
    if (::epoll_ctl(epoll_.get(), operation, fd, &event) != 0) platform::throw_errno("watch a file descriptor");
  }

  int wait_for(epoll_event* events, Moment until) {
    const std::int64_t left = until == kNever ? 1 : until == 0 ? 0 : until - now();
    const int count = left > 0 ? sleep_for(events, until, left) : ::epoll_wait(epoll_.get(), events, kBatch, 0);
    if (count < 0 && errno != EINTR) std::abort();
    return count;
  }

  int sleep_for(epoll_event* events, Moment until, std::int64_t left) {
    const platform::TraceSpan idle(platform::TraceKind::kIdle, "idle");
    return until == kNever ? ::epoll_wait(epoll_.get(), events, kBatch, -1) : wait_length(events, left);
  }

  int wait_length(epoll_event* events, std::int64_t left) {
#if defined(__GLIBC_PREREQ)
#if __GLIBC_PREREQ(2, 35)
    if (exact_) {
      const std::timespec length = {static_cast<std::time_t>(left / 1'000'000'000),
                                    static_cast<long>(left % 1'000'000'000)};
      const int count = ::epoll_pwait2(epoll_.get(), events, kBatch, &length, nullptr);
      if (count >= 0 || errno != ENOSYS) return count;
      exact_ = false;  // Linux before 5.11
    }
#endif
#endif
    constexpr std::int64_t kDay = 86'400'000;
    const std::int64_t rounded_up = (left + kMillisecond - 1) / kMillisecond;
    return ::epoll_wait(epoll_.get(), events, kBatch, static_cast<int>(rounded_up < kDay ? rounded_up : kDay));
  }

  void quiet() noexcept {
    std::uint64_t times;
    [[maybe_unused]] const auto got = ::read(waker_.get(), &times, sizeof times);
  }

  const platform::Fd epoll_;
  const platform::Fd waker_;
  bool exact_ = true;  // the kernel knows waits in nanoseconds
};

}  // namespace nogil::asyncio::detail
