// nogil/threading/event.hpp -- Event: a flag that threads can wait for.
//
//   nogil::Event ready;
//   nogil::Thread server([&] { listen(); ready.set(); });
//   ready.wait();                            // Python: ready.wait()
//
// Threads    Every member except construction and destruction may be called from any
//            number of threads at once.
// Ordering   What a thread did before set() is visible to whoever sees the event set:
//            after a wait() that returned true, or an is_set() that did.
// Pulse      Whoever was waiting when set() was called returns true, even if clear()
//            follows at once.
// Lifetime   A thread that was let through may destroy the event at once, even if the
//            set() that let it through has not returned yet, if nobody else waits.
// Cost       4 bytes, constant-initialised. is_set() and wait() on a set event are one
//            load; set() is one compare-and-swap, and a system call only if somebody
//            sleeps. Waiting looks again for at most 7 us, then sleeps.
// Python     threading.Event.

#pragma once

#include "nogil/platform/wait.hpp"
#include "nogil/threading/detail/event_core.hpp"

namespace nogil {

class Event {
 public:
  constexpr Event() noexcept = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  // Whether it was set at some moment during the call.
  [[nodiscard]] bool is_set() const noexcept { return core_.is_set(); }

  // Sets it and lets everybody through who waits. Never waits.
  void set() noexcept { core_.set(); }

  // From now on wait() waits again.
  void clear() noexcept { core_.clear(); }

  // Waits until it is set; not at all if it is. Always true, so the result may be ignored.
  bool wait() {
    if (core_.is_set()) [[likely]]
      return true;
    return wait_forever();
  }

  // wait(timeout | deadline | stop_token | timeout, stop_token): waits no longer than
  // that. Returns whether it was set meanwhile, or already.
  template <class... Limits>
  requires platform::WaitLimits<Limits...>
  bool wait(const Limits&... limits) {
    return core_.is_set() ||
           platform::within([this](platform::Wait& wait) { return core_.wait_slow(wait); }, limits...);
  }

 private:
  [[gnu::noinline]] bool wait_forever() {
    platform::Wait wait;
    return core_.wait_slow(wait);
  }

  detail::EventCore<platform::Native> core_;
};

}  // namespace nogil
