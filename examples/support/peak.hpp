// support/peak.hpp -- how many threads are inside at once, at most.

#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace tour {

// enter() and leave() stand round what is watched. Until `expected` threads have been
// inside together, nobody leaves: on a machine so slow that the first would be gone
// before the second came, it waits for it (up to a minute).
class Peak {
 public:
  explicit Peak(int expected) : expected_(expected) {}

  // Returns how many are inside now.
  int enter() {
    const std::scoped_lock guard(lock_);
    if (++inside_ > most_) most_ = inside_;
    if (most_ >= expected_) reached_.notify_all();
    return inside_;
  }

  void leave() {
    std::unique_lock guard(lock_);
    reached_.wait_for(guard, std::chrono::minutes(1), [this] { return most_ >= expected_; });
    --inside_;
  }

  int most() const {
    const std::scoped_lock guard(lock_);
    return most_;
  }

 private:
  const int expected_;
  mutable std::mutex lock_;
  std::condition_variable reached_;
  int inside_ = 0;
  int most_ = 0;
};

}  // namespace tour
