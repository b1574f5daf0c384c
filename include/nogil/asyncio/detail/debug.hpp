// nogil/asyncio/detail/debug.hpp -- what a loop in debug mode says, on stderr.
//
// Each report is one line, begins with "asyncio: ", and names the task and where its
// coroutine is written.

#pragma once

#include <cstdint>
#include <string>

#include "nogil/asyncio/detail/loop_core.hpp"
#include "nogil/asyncio/detail/task_base.hpp"
#include "nogil/platform/block_hook.hpp"
#include "nogil/platform/text.hpp"
#include "nogil/threading/excepthook.hpp"

namespace nogil::asyncio::detail {

// "Task-3 (fetch at main.cpp:12)". Only while it is not done.
[[gnu::noinline, gnu::cold]] inline std::string describe_task(const TaskBase& task) {
  const Origin& origin = task.origin();
  return (platform::Text() << task.name() << " (" << origin.function() << " at " << origin.file() << ":"
                           << std::uint64_t{origin.line()} << ")")
      .take();
}

// "waits for sleep", "waits for task Task-4", "runs", "is ready".
[[gnu::noinline, gnu::cold]] inline std::string describe_wait(const TaskBase& task) {
  const Waiter* const waiter = task.waiter();
  if (&task == t_here.task) return "runs";
  if (!task.started()) return "has not begun";
  if (waiter == nullptr || !waiter->pending()) return "is ready";
  platform::Text text;
  text << "waits for " << waiter->kind().name;
  if (waiter->kind().task != nullptr) {
    if (const TaskBase* const awaited = waiter->kind().task(*waiter)) text << " " << awaited->name();
  }
  return text.take();
}

[[gnu::noinline, gnu::cold]] inline void report_swallowed_cancellation(const TaskBase& task) noexcept {
  nogil::detail::write_stderr((platform::Text()
                               << "asyncio: " << describe_task(task)
                               << " was cancelled and has ended as if it was not: it has caught CancelledError\n")
                                  .take());
}

// Called before this thread goes to sleep in one of the library's waits for threads.
[[gnu::noinline, gnu::cold]] inline void report_blocking() noexcept {
  if (t_here.task == nullptr) return;
  nogil::detail::write_stderr(
      (platform::Text() << "asyncio: " << describe_task(*t_here.task)
                        << " waits as a thread does, and stops the whole loop: use what asyncio has, or to_thread()\n")
          .take());
}

// "0.150", of nanoseconds.
[[gnu::noinline, gnu::cold]] inline std::string seconds_of(std::int64_t length) {
  const auto milliseconds = static_cast<std::uint64_t>(length) / 1'000'000;
  platform::Text text;
  text << milliseconds / 1000
       << (milliseconds % 1000 < 10    ? ".00"
           : milliseconds % 1000 < 100 ? ".0"
                                       : ".")
       << milliseconds % 1000;
  return text.take();
}

// Runs one node, and says so if it takes long.
[[gnu::noinline, gnu::cold]] inline void LoopCore::run_watched(Ready& node) noexcept {
  const bool is_task = node.run == &TaskBase::step;
  const std::string what = is_task ? describe_task(static_cast<TaskBase&>(node)) : std::string("a callback");
  const Moment begun = now();
  node.run(node);
  const std::int64_t took = now() - begun;
  if (took < slow_) return;
  nogil::detail::write_stderr(
      (platform::Text() << "asyncio: " << what << " took " << seconds_of(took) << " seconds\n").take());
}

}  // namespace nogil::asyncio::detail
