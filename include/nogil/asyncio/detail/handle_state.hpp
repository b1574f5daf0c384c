// nogil/asyncio/detail/handle_state.hpp -- a callback that a loop will call: what a Handle points to.

#pragma once

#include <cstdint>
#include <exception>
#include <tuple>
#include <type_traits>
#include <utility>

#include "nogil/asyncio/detail/completion.hpp"
#include "nogil/asyncio/detail/task_state.hpp"
#include "nogil/asyncio/detail/timer_heap.hpp"

namespace nogil::asyncio::detail {

// Owned by handles, and once more while it is in the loop. Made with two owners.
class HandleState : public Pooled, public Timer {
 public:
  HandleState(const HandleState&) = delete;
  HandleState& operator=(const HandleState&) = delete;
  virtual ~HandleState() = default;

  void add_ref() noexcept { ++owners_; }
  void drop() noexcept {
    if (--owners_ == 0) delete this;
  }

  bool cancelled() const noexcept { return cancelled_; }

  // It will not be called any more, and the callable is destroyed, unless it is being called.
  void cancel() noexcept {
    if (std::exchange(cancelled_, true)) return;
    if (!called_) discard();
    if (place == Place::kNowhere) return;
    loop_.withdraw(static_cast<Timer&>(*this));
    drop();
  }

  // Makes one ready that may be called several times, unless it is ready.
  void call_once_more() noexcept {
    if (place != Place::kNowhere) return;
    add_ref();
    loop_.push(*this);
  }

  LoopCore& loop() const noexcept { return loop_; }

  static void run_handle(Ready& node) noexcept {
    auto& self = static_cast<HandleState&>(node);
    if (!self.cancelled_) {
      self.called_ = true;
      try {
        self.call();
      } catch (...) {
        report_unhandled(std::current_exception());
      }
      self.called_ = false;
      if (self.cancelled_) self.discard();
    }
    self.drop();
  }

 protected:
  explicit HandleState(LoopCore& loop) noexcept : Timer(&run_handle), loop_(loop) {}

 private:
  virtual void call() = 0;
  virtual void discard() noexcept = 0;

  LoopCore& loop_;
  std::uint32_t owners_ = 2;
  bool cancelled_ = false;
  bool called_ = false;  // it is on the stack
};

// With this callable in it.
template <class F>
class HandleOf : public HandleState {
 public:
  template <class G>
  HandleOf(LoopCore& loop, G&& function) : HandleState(loop), function_(std::forward<G>(function)) {}
  ~HandleOf() override {
    if (!cancelled()) function_.~F();
  }

 private:
  void call() final { static_cast<void>(function_()); }
  void discard() noexcept final { function_.~F(); }

  union {
    F function_;
  };
};

// From another thread: in the loop when it is delivered. Nobody has a handle to it.
template <class F>
class PostedHandle final : public HandleOf<F>, public Posted {
 public:
  PostedHandle(LoopCore& loop, F function) : HandleOf<F>(loop, std::move(function)), Posted(&delivered) {
    this->drop();
  }

 private:
  static void delivered(Posted& posted) noexcept {
    auto& self = static_cast<PostedHandle&>(posted);
    self.loop().push(self);
  }
};

// function(args...), with what belongs to the call kept in it. kOnce: it is called once, and
// may move its arguments on.
template <bool kOnce, class F, class... Args>
auto bind_call(F&& function, Args&&... args) {
  if constexpr (sizeof...(Args) == 0) {
    return std::decay_t<F>(std::forward<F>(function));
  } else {
    return [f = std::decay_t<F>(std::forward<F>(function)),
            bound = std::tuple<std::decay_t<Args>...>(std::forward<Args>(args)...)]() mutable -> decltype(auto) {
      if constexpr (kOnce) return std::apply(std::move(f), std::move(bound));
      else return std::apply(f, bound);
    };
  }
}

template <bool kOnce, class F, class... Args>
HandleState& make_handle(LoopCore& loop, F&& function, Args&&... args) {
  loop.check_thread();
  auto bound = bind_call<kOnce>(std::forward<F>(function), std::forward<Args>(args)...);
  return *new HandleOf<decltype(bound)>(loop, std::move(bound));
}

}  // namespace nogil::asyncio::detail
