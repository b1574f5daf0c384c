// support/virtual_clock.hpp -- an event loop whose clock jumps: an hour of sleep takes no time.
//
//   asyncio::EventLoop loop(new tour::VirtualClock);
//   loop.run_until_complete(cook());               // exactly 17 minutes by loop.time(), at once
//
// When nobody has anything to do, it is at once the time of the next timer. So what depends
// on when things happen comes out exactly, on a busy machine too. For coroutines that only
// sleep and wait for each other: here are no descriptors and no other threads.

#pragma once

#include <stdexcept>

#include "nogil/asyncio/event_loop.hpp"

namespace tour {

class VirtualClock final : public nogil::asyncio::detail::Reactor {
  using Moment = nogil::asyncio::detail::Moment;

 public:
  void wait(Moment until) override {
    if (until == nogil::asyncio::detail::kNever) throw std::logic_error("everybody waits, and for no timer");
    if (until > now_) now_ = until;
  }
  Moment now() noexcept override { return now_; }

  void wake() noexcept override {}
  void add(int, nogil::asyncio::detail::Events, nogil::asyncio::detail::Watch&) override {
    throw std::logic_error("no descriptors in virtual time");
  }
  void modify(int, nogil::asyncio::detail::Events, nogil::asyncio::detail::Watch&) override {}
  void remove(int) noexcept override {}

 private:
  Moment now_ = 1;
};

}  // namespace tour
