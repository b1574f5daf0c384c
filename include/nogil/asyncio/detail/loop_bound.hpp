// nogil/asyncio/detail/loop_bound.hpp -- what needs a loop, but may outlive it: streams, servers, processes.
//
// Their handles belong to the user, who may keep them when the loop has ended. So the loop
// tells each of them at its end, and from then on they do without it.

#pragma once

#include "nogil/asyncio/detail/loop_core.hpp"

namespace nogil::asyncio::detail {

class LoopBounds;

class LoopBound {
 public:
  LoopBound(const LoopBound&) = delete;
  LoopBound& operator=(const LoopBound&) = delete;
  virtual ~LoopBound() { leave(); }

 protected:
  inline explicit LoopBound(LoopCore& loop);

  // Null when it has ended.
  inline LoopCore* loop() const noexcept;

  // The last moment in which there is a loop, whose tasks are all done; loop() is null
  // already. *this may be gone when it returns.
  virtual void loop_ends(LoopCore& ending) noexcept = 0;

 private:
  friend class LoopBounds;

  inline void leave() noexcept;

  LoopBounds* home_;  // null: the loop has ended
  LoopBound* next_ = nullptr;
  LoopBound* previous_ = nullptr;
};

// All of a loop's.
class LoopBounds final : public LoopService {
 public:
  explicit LoopBounds(LoopCore& loop) noexcept : loop_(loop) {}
  ~LoopBounds() {
    while (LoopBound* const one = first_) {
      one->leave();
      one->loop_ends(loop_);
    }
  }

 private:
  friend class LoopBound;

  LoopCore& loop_;
  LoopBound* first_ = nullptr;
};

inline LoopBound::LoopBound(LoopCore& loop) : home_(&loop.service<LoopBounds>()), next_(home_->first_) {
  if (next_ != nullptr) next_->previous_ = this;
  home_->first_ = this;
}

inline LoopCore* LoopBound::loop() const noexcept {
  return home_ == nullptr ? nullptr : &home_->loop_;
}

inline void LoopBound::leave() noexcept {
  if (home_ == nullptr) return;
  if (next_ != nullptr) next_->previous_ = previous_;
  (previous_ == nullptr ? home_->first_ : previous_->next_) = next_;
  home_ = nullptr;
}

}  // namespace nogil::asyncio::detail
