// tests/asyncio/support/virtual_time.hpp -- loops whose clock jumps: an hour of sleep takes no time.
//
//   EXPECT_EQ(in_virtual_time(amain()), 42);
//
// A test that depends on when things happen runs here: exactly, and at once.

#pragma once

#include <atomic>
#include <string>
#include <utility>
#include <vector>

#include "nogil/asyncio/event_loop.hpp"
#include "support/watchdog.hpp"

namespace nogil::testing {

// Waits for no descriptors, and for other threads only if there is no timer.
class VirtualReactor final : public asyncio::detail::Reactor {
 public:
  void add(int, asyncio::detail::Events, asyncio::detail::Watch&) override { ADD_FAILURE() << "no descriptors here"; }
  void modify(int, asyncio::detail::Events, asyncio::detail::Watch&) override {}
  void remove(int) noexcept override {}

  void wait(asyncio::detail::Moment until) override {
    ++waits;
    if (until == asyncio::detail::kNever) woken_.wait(false);
    else if (until > now_) now_ = until;
    woken_ = false;
  }
  void wake() noexcept override {
    woken_ = true;
    woken_.notify_one();
  }
  asyncio::detail::Moment now() noexcept override { return now_; }

  int waits = 0;

 private:
  asyncio::detail::Moment now_ = 1'000'000'000'000;
  std::atomic<bool> woken_{false};
};

class VirtualLoop : public asyncio::EventLoop {
 public:
  VirtualLoop() : EventLoop(new VirtualReactor), start_(time()) {}

  // Since it was made.
  std::chrono::nanoseconds elapsed() { return time() - start_; }

 private:
  std::chrono::steady_clock::time_point start_;
};

template <class T>
T in_virtual_time(asyncio::Coro<T> coro) {
  VirtualLoop loop;
  return loop.run_until_complete(std::move(coro));
}

// What happened, in order.
using Log = std::vector<std::string>;

}  // namespace nogil::testing
