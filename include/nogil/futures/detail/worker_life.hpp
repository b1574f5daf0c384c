// nogil/futures/detail/worker_life.hpp -- what a Worker does, from its thread's start to its end.
//
// The rest of worker.hpp: these members use the pool, whose definition includes this file.

#pragma once

#include <pthread.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <utility>

#include "nogil/futures/detail/block_cache.hpp"
#include "nogil/futures/detail/pool.hpp"
#include "nogil/platform/cpu.hpp"
#include "nogil/platform/errors.hpp"
#include "nogil/platform/own_threads.hpp"
#include "nogil/platform/raw_lock.hpp"
#include "nogil/platform/text.hpp"
#include "nogil/platform/trace_point.hpp"
#include "nogil/platform/wait.hpp"
#include "nogil/threading/excepthook.hpp"

namespace nogil::detail {

// ---- A worker's life --------------------------------------------------------------------

inline Worker::Worker(Pool& pool, std::uint32_t index)
    : pool_(pool),
      seat_(pool.seats_[index]),
      index_(index),
      random_(index * 7919 + 1),
      thread_({.name = (platform::Text() << pool.name_ << "_" << std::uint64_t{index}).take()}, [this] { main(); }) {}

inline void Worker::start() {
  platform::OwnThreadToBe thread;
  thread_.start();
  thread.begun();
  started_.store(true, std::memory_order_release);
}

inline void Worker::main() noexcept {
  const platform::OwnThread counted;
  Pool& pool = pool_;
  t_worker = this;
  t_wait_helper = this;
  find_stack();
  if (initialize()) work();
  t_wait_helper = nullptr;
  pool.worker_ends();
  t_worker = nullptr;
}

inline bool Worker::initialize() noexcept {
  if (!pool_.initializer_) return true;
  try {
    pool_.initializer_();
    return true;
  } catch (...) {
    report_exception(std::current_exception(), thread_.name());
    pool_.break_with(std::current_exception());
    found();
    return false;
  }
}

inline void Worker::work() noexcept {
  for (;;) {
    TaskBlock* task = next_own();
    if (task == nullptr) {
      measure_batch();
      task = search();
      if (task == nullptr) return;
    }
    if (searching_) found();
    run(*task);
  }
}

// ---- A worker's search ------------------------------------------------------------------

inline TaskBlock* Worker::next_own() noexcept {
  if (++turns_ % kLookAround == 0) {
    if (TaskBlock* const task = look_around()) return task;
  }
  if (deque_.bottom() != batch_end_) {
    if (TaskBlock* const task = deque_.pop()) return task;
  }
  return deque_.take_oldest();
}

// What would come last otherwise.
[[gnu::noinline]] inline TaskBlock* Worker::look_around() noexcept {
  if (deque_.top() < batch_end_) return deque_.take_oldest();
  return turns_ % (2 * kLookAround) == 0 ? take_others(1) : take_outside(1);
}

// The first task of a batch from outside; the others go to the deque, which is empty unless
// `most` is 1.
inline TaskBlock* Worker::take_outside(std::uint32_t most) noexcept {
  if (pool_.inbox_.empty()) return nullptr;
  TaskBlock* first = nullptr;
  const std::size_t taken = pool_.inbox_.take_many(most, [&](TaskBlock*&& block) {
    if (first == nullptr) first = block;
    else deque_.push(block);  // has room: a batch is smaller than its first array
  });
  if (taken > 1) {
    batch_end_ = deque_.bottom();
    pool_.notify();
  }
  return first;
}

// The same from another worker: the oldest of its tasks, several at once if it has many.
inline TaskBlock* Worker::take_others(std::uint32_t most) noexcept {
  random_ = random_ * 1664525 + 1013904223;
  const std::uint32_t first = (random_ >> 16) % pool_.size_;
  for (std::uint32_t i = 0; i < pool_.size_; ++i) {
    Worker* const victim = pool_.worker(first + i < pool_.size_ ? first + i : first + i - pool_.size_);
    if (victim == nullptr || victim == this || !victim->has_work()) continue;
    TaskBlock* tasks[Deque::kMostStolen];
    const std::size_t taken = victim->deque_.steal(tasks, most);
    if (taken == 0) continue;
    tasks_stolen.add(taken);
    platform::trace_moment(platform::TraceKind::kSteal, "steal", taken);
    if (taken > 1) {
      for (std::size_t t = 0; t < taken; ++t) platform::prefetch_to_write(tasks[t]);
      for (std::size_t t = 1; t < taken; ++t) deque_.push(tasks[t]);
      batch_end_ = deque_.bottom();
      pool_.notify();
    }
    return tasks[0];
  }
  return nullptr;
}

inline TaskBlock* Worker::look() noexcept {
  TaskBlock* task = take_outside(batch_size_);
  if (task == nullptr) task = take_others(batch_size_);
  if (task != nullptr) {
    batch_taken_ = Clock::now();
    batch_run_ = 0;
  }
  return task;
}

// When a batch has been run: how large may the next one be?
inline void Worker::measure_batch() noexcept {
  if (pool_.bounded_ || batch_run_ == 0) return;
  const bool tiny = Clock::now() - batch_taken_ < kTinyTask * batch_run_;
  batch_size_ = !tiny ? 1 : batch_size_ < kMostInBatch ? batch_size_ * 2 : kMostInBatch;
  batch_run_ = 0;
}

// Until there is something. Null: the pool was closed, and nothing is left.
inline TaskBlock* Worker::search() noexcept {
  const platform::Wait forever;
  platform::BasicBackoff<platform::Native> backoff(forever);
  for (;;) {
    if (TaskBlock* const task = look()) return task;
    if (!searching_) searching_ = pool_.parking_.enter_search(pool_.most_searching_);
    if (searching_) {
      if (backoff.again()) continue;
      if (TaskBlock* const task = look_longer()) return task;
    }
    pool_.parking_.sit_down(seat_, std::exchange(searching_, false));
    const bool work = pool_.has_work();
    if (work || pool_.closed()) {
      searching_ = pool_.parking_.get_up(seat_);
      if (work || pool_.has_work()) continue;
      if (searching_) found();
      return nullptr;
    }
    sleep();
    backoff = platform::BasicBackoff<platform::Native>(forever);
  }
}

// A thread that waits for the worker's results, and the worker that waits for its next task,
// may fall into a rhythm in which each sleeps while the other is being woken: to wake one
// takes longer than the other looks before it sleeps. So who slept for a moment only looks
// for longer the next time; if that was in vain, not so soon again.
inline TaskBlock* Worker::look_longer() noexcept {
  if (!patient_ || !platform::several_cores()) return nullptr;
  patient_ = false;
  const auto end = Clock::now() + kLongLook;
  do {
    platform::Native::yield();
    if (TaskBlock* const task = look()) {
      patient_ = true;
      return task;
    }
  } while (Clock::now() < end && !pool_.closed());
  long_looks_off_ = kLongLooksOff;
  return nullptr;
}

inline void Worker::sleep() noexcept {
  sleeps.add();
  BlockCache::mine().flush();
  const auto begun = Clock::now();
  {
    const platform::TraceSpan idle(platform::TraceKind::kIdle, platform::kForWork);
    pool_.parking_.sleep(seat_);
  }
  searching_ = true;
  if (long_looks_off_ != 0) --long_looks_off_;
  else patient_ = Clock::now() - begun < kLongLook;
}

// It searches no more. If it was the last one to, it passes the search on.
inline void Worker::found() noexcept {
  searching_ = false;
  if (pool_.parking_.leave_search() && pool_.has_work()) pool_.wake_one();
}

// ---- A worker's tasks -------------------------------------------------------------------

inline void Worker::run(TaskBlock& block) noexcept {
  ++batch_run_;
  tasks_run.add();
  if (block.has_one_owner()) {  // posted: nobody will look
    const platform::TraceSpan span(platform::TraceKind::kTask, "task");
    return block.run(tag());
  }
  if (!block.claim(tag())) return block.drop();
  const FutureState result = call(block);
  // It counts as searching before it shows the result, so that who has seen that and makes
  // more work does not start another worker for it.
  if (deque_.empty() && pool_.inbox_.empty()) searching_ = pool_.parking_.enter_search(pool_.most_searching_);
  block.finish_and_drop(result, [this] {
    if (searching_) found();  // not while user code runs: it may wait for what somebody is to find
  });
}

inline FutureState Worker::call(TaskBlock& block) noexcept {
  const platform::TraceSpan span(platform::TraceKind::kTask, "task");
  return block.call();
}

inline bool Worker::help(TaskBlock& awaited, bool only) {
  if (awaited.executor() != &pool_ || pool_.lost()) {
    Pool::require_reachable(awaited);
    if (only) enter_wait(awaited);
    return false;
  }
  if (take_back(awaited)) {  // with its entry, so that this does not lie there stale
    if (awaited.claim(tag())) run_awaited(awaited, true);
    else awaited.drop();
    return true;
  }
  if (awaited.claim(tag())) {
    run_awaited(awaited, false);
    return true;
  }
  if (!only || awaited.done()) return awaited.done();
  enter_wait(awaited);
  return false;
}

// Notes what it is about to sleep for, until awake().
inline void Worker::enter_wait(TaskBlock& awaited) {
  {
    const platform::RawGuard guard(Pool::waits_lock());
    waits_for_ = &awaited;
    if (!waits_in_ring()) return;
    waits_for_ = nullptr;
  }
  throw DeadlockError(
      (platform::Text() << "Future.result: the task that waits, in " << thread_.name()
                        << ", is itself waited for by the task that it waits for: neither could ever end")
          .take());
}

inline void Worker::awake() noexcept {
  const platform::RawGuard guard(Pool::waits_lock());
  waits_for_ = nullptr;
}

// Each worker whose newest task sleeps for a task of another one is a step; all of these
// waits are for ever. So if they lead back here, and none of the tasks waited for is done,
// that stays so. With the lock under which each of them came to wait, and will go.
inline bool Worker::waits_in_ring() noexcept {
  const Worker* at = this;
  for (std::uint32_t steps = 0; steps <= Pool::kMostWorkers; ++steps) {
    TaskBlock* const awaited = at->waits_for_;
    if (awaited == nullptr || awaited->done()) return false;
    const std::uint32_t runner = awaited->runner();
    if (runner == 0) return false;
    const Pool* pool = &at->pool_;
    if (awaited->executor() != pool) {
      if (!Pool::is_pool(awaited->executor())) return false;
      pool = static_cast<const Pool*>(awaited->executor());
    }
    at = pool->worker(runner - 1);
    if (at == this) return true;
  }
  return false;
}

// `entry`: with the ownership of its entry in the queue, which is given up.
inline void Worker::run_awaited(TaskBlock& block, bool entry) {
  tasks_run.add();
  tasks_helped.add();
  const FutureState result = stack_is_short() ? call_in_deputy(block) : call(block);
  if (entry) block.finish_and_drop(result);
  else block.finish(result);
}

[[gnu::noinline, gnu::cold]] inline FutureState Worker::call_in_deputy(TaskBlock& block) noexcept {
  const char* const middle = stack_middle_;
  FutureState result = FutureState::kPending;
  try {
    platform::OwnThreadToBe thread;
    Thread deputy({.name = thread_.name()}, [this, &block, &result] {
      const platform::OwnThread counted;
      t_worker = this;
      t_wait_helper = this;
      find_stack();
      result = call(block);
    });
    deputy.start();
    thread.begun();
    deputy.join();
  } catch (...) {  // no thread is to be had: the rest of the stack must do
  }
  stack_middle_ = middle;
  return result != FutureState::kPending ? result : call(block);
}

inline void Worker::find_stack() noexcept {
  ::pthread_attr_t attributes;
  if (::pthread_getattr_np(::pthread_self(), &attributes) != 0) return;
  void* begin = nullptr;
  std::size_t size = 0;
  if (::pthread_attr_getstack(&attributes, &begin, &size) == 0) stack_middle_ = static_cast<char*>(begin) + size / 2;
  ::pthread_attr_destroy(&attributes);
}

// Stacks grow downwards on all machines that this knows.
inline bool Worker::stack_is_short() const noexcept {
  return static_cast<const char*>(__builtin_frame_address(0)) < stack_middle_;
}

}  // namespace nogil::detail
