// nogil/asyncio/shield.hpp -- shield: waits for a task, and keeps a cancellation from it.
//
//   Task<> saving = asyncio::create_task(save(document));
//   co_await asyncio::shield(saving);              // await asyncio.shield(saving)
//
// If the one who waits is cancelled, it gets its CancelledError at once, and the task goes on
// as if nothing had happened.
//
// Start     A coroutine becomes a task at the call.
// Results   What `co_await task` gives, as an object of its own. If the task is cancelled by
//           others, CancelledError.
// Cost      A task, if it is not one already.
// Python    asyncio.shield. No need to keep the task: the loop does.

#pragma once

#include <utility>

#include "nogil/asyncio/detail/ranges.hpp"
#include "nogil/asyncio/detail/until_done.hpp"

namespace nogil::asyncio {

namespace detail {

template <class T>
class [[nodiscard]] Shield : public UntilDone {
 public:
  explicit Shield(Task<T> task) : UntilDone(Owned<TaskBase>::share(valid(task)), kKind) {}

  bool done() const noexcept { return task().done(); }

  bool await_ready() const noexcept { return done(); }
  T await_resume() {
    throw_if_cancelled();
    return static_cast<TaskState<T>&>(task()).take();
  }

 private:
  static TaskBase& valid(const TaskHandle& task) {
    if (!task) throw RuntimeError("shield: there is no task here: default-made, or moved from");
    return *TaskAccess::state(task);
  }
  static constexpr Kind kKind = {&cancel, "shield"};
};

}  // namespace detail

template <detail::Awaitable A>
auto shield(A&& awaitable) {
  return detail::Shield<detail::Gives<A>>(detail::ensure_task(std::forward<A>(awaitable)));
}

}  // namespace nogil::asyncio
