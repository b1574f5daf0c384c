// nogil/threading/detail/wait_list.hpp -- those who wait for a condition, oldest first.
//
// The algorithm of BasicCondition. Python demands the lock for wait and for notify, so
// the list needs no atomics: the user's lock guards it. Only the way from a notifier to
// one waiter, which is outside the lock, is an atomic word.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "nogil/platform/backoff.hpp"
#include "nogil/platform/wait.hpp"

namespace nogil::detail {

template <class Platform>
class WaitList {
 public:
  using Wait = platform::BasicWait<Platform>;

  // One waiting thread, on its own stack.
  class Node {
   public:
    // Without the lock. Sleeps until notified, or the limit is reached.
    void sleep(Wait& wait) {
      for (platform::BasicBackoff<Platform> backoff(wait); !notified() && backoff.again();) {
      }
      std::uint32_t seen = kAwake;
      if (!state_.compare_exchange_strong(seen, kAsleep, std::memory_order_acquire, std::memory_order_acquire)) return;
      while (!notified() && wait.park(state_, kAsleep, "condition")) {
      }
    }

    bool notified() const noexcept { return state_.load(std::memory_order_acquire) == kNotified; }

   private:
    friend class WaitList;

    // From the notifier, after it took the node off the list. The waiter cannot leave
    // before it has the lock, which the notifier holds; all the same only the address
    // is used after the step that lets it through.
    void notify() noexcept {
      const auto address = Platform::address(state_);
      if (state_.exchange(kNotified, std::memory_order_release) == kAsleep) Platform::futex_wake(address, 1);
    }

    // kAwake -> kAsleep by the waiter, before it sleeps; -> kNotified by the notifier,
    // which learns in that step whether it must wake. The kernel lets the waiter sleep
    // only while the word is kAsleep. So no notification is lost.
    static constexpr std::uint32_t kAwake = 0;
    static constexpr std::uint32_t kAsleep = 1;
    static constexpr std::uint32_t kNotified = 2;

    typename Platform::template Atomic<std::uint32_t> state_{kAwake};
    Node* next_ = nullptr;
    Node* previous_ = nullptr;
  };

  constexpr WaitList() noexcept = default;

  // All of these with the lock held.

  bool empty() const noexcept { return oldest_ == nullptr; }

  void add(Node& node) noexcept {
    node.previous_ = newest_;
    (newest_ == nullptr ? oldest_ : newest_->next_) = &node;
    newest_ = &node;
  }

  // Takes off a node that was not notified.
  void remove(Node& node) noexcept {
    (node.previous_ == nullptr ? oldest_ : node.previous_->next_) = node.next_;
    (node.next_ == nullptr ? newest_ : node.next_->previous_) = node.previous_;
  }

  // Lets through the n that have waited longest.
  void notify(std::ptrdiff_t n) noexcept {
    for (; n > 0 && oldest_ != nullptr; --n) {
      Node& node = *oldest_;
      remove(node);
      node.notify();
    }
  }

  void notify_all() noexcept { notify(PTRDIFF_MAX); }

 private:
  Node* oldest_ = nullptr;
  Node* newest_ = nullptr;
};

}  // namespace nogil::detail
