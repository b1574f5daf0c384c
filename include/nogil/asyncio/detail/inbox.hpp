// nogil/asyncio/detail/inbox.hpp -- what other threads have for a loop.
//
// A stack that anybody pushes to and the loop empties at once, turned round. The loop is
// woken only if it sleeps: a push costs one compare-and-swap otherwise.
//
// Threads    post() and interrupt() from anywhere; the rest by the loop.
// Ordering   What was done before post() is visible to deliver().
// Lifetime   Whoever posts must know that the loop is there. What is posted can end the
//            loop, so the destructor waits for those who are not out of post() yet.

#pragma once

#include <sched.h>

#include <atomic>
#include <cstdint>

#include "nogil/asyncio/detail/reactor.hpp"

namespace nogil::asyncio::detail {

struct Posted {
  // In the loop's thread. Runs no user code: that would change the order of things.
  using Deliver = void (*)(Posted& self) noexcept;

  constexpr explicit Posted(Deliver function) noexcept : deliver(function) {}

  const Deliver deliver;
  Posted* next = nullptr;
};

class Inbox {
 public:
  explicit Inbox(Reactor& reactor) noexcept : reactor_(reactor) {}
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;
  ~Inbox() {
    while (posting_.load(std::memory_order_acquire) != 0) ::sched_yield();
  }

  void post(Posted& item) noexcept {
    posting_.fetch_add(1, std::memory_order_relaxed);  // seen by whoever sees the item
    item.next = first_.load(std::memory_order_relaxed);
    while (!first_.compare_exchange_weak(item.next, &item, std::memory_order_seq_cst, std::memory_order_relaxed)) {
    }
    wake();
    posting_.fetch_sub(1, std::memory_order_release);
    // From here on *this may be gone.
  }

  // Ends the loop's sleep, or the next one, for a reason that is written elsewhere: by a
  // seq_cst store before this, and read by `reason` below.
  void interrupt() noexcept { wake(); }

  bool empty() const noexcept { return first_.load(std::memory_order_relaxed) == nullptr; }

  void deliver_all() noexcept {
    if (empty()) return;
    Posted* item = first_.exchange(nullptr, std::memory_order_acquire);
    Posted* row = nullptr;
    while (item != nullptr) {
      Posted* const next = item->next;
      item->next = row;
      row = item;
      item = next;
    }
    while (row != nullptr) {
      Posted& first = *row;
      row = first.next;
      first.deliver(first);
    }
  }

  // Sleeps in the reactor until `until`, unless there is something already.
  //
  // No wake-up is lost: the loop stores `sleeping`, then reads what could be there; who
  // posts stores that, then reads `sleeping`. All four are seq_cst, so one of the two sees
  // the other.
  template <class Reason>
  void sleep(Moment until, Reason reason) {
    sleeping_.store(true, std::memory_order_seq_cst);
    if (first_.load(std::memory_order_seq_cst) != nullptr || reason()) until = 0;
    reactor_.wait(until);
    sleeping_.store(false, std::memory_order_relaxed);
  }

 private:
  void wake() noexcept {
    if (sleeping_.load(std::memory_order_seq_cst) && sleeping_.exchange(false, std::memory_order_relaxed)) {
      reactor_.wake();
    }
  }

  Reactor& reactor_;
  std::atomic<Posted*> first_{nullptr};
  std::atomic<bool> sleeping_{false};
  std::atomic<std::uint32_t> posting_{0};  // threads inside post()
};

}  // namespace nogil::asyncio::detail
