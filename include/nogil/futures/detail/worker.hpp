// nogil/futures/detail/worker.hpp -- one worker of a pool: its thread, and how it finds work.
//
// A worker runs, in this order: the newest of the tasks that its own tasks have made; what
// is left of its last batch from outside, oldest first; a batch from outside; the oldest
// task of another worker. When there is none of these it looks again for a moment, and
// then sleeps (parking.hpp).
//
// Batches    Tasks from outside are taken one by one, so that they start in the order in
//            which they were submitted. While they take less than 2 us each, a batch is
//            taken at a time, up to 64: then the way to the shared queue is the greater
//            part of the cost, and a start out of order by so little hurts nobody.
// Waiting    A task that waits for another one of its pool runs that task, and no other,
//            if nobody has begun it; else it sleeps. So it holds no lock that what it runs
//            meanwhile could want, unless the author of the two tasks made it so; and a
//            pool of any size gets to the end of any tree of tasks. Tasks that wait for
//            each other in a ring, be it through several pools, get DeadlockError.
// Stack      Tasks that run inside others that wait for them use up its stack. When half
//            of it is gone, the next one gets another thread, a deputy, which stands in
//            for the worker until that task has ended.

#pragma once

#include <pthread.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "nogil/futures/detail/parking.hpp"
#include "nogil/futures/detail/task_block.hpp"
#include "nogil/futures/detail/work_deque.hpp"
#include "nogil/platform/chrono.hpp"
#include "nogil/platform/native.hpp"
#include "nogil/threading/thread.hpp"

namespace nogil::detail {

class Pool;

// A number that one thread counts and others read.
class Counter {
 public:
  void add(std::uint64_t n = 1) noexcept {
    count_.store(count_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  std::uint64_t get() const noexcept { return count_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> count_{0};
};

class alignas(2 * platform::kCacheLine) Worker final : public WaitHelper {
 public:
  using Seat = Parking<platform::Native>::Seat;

  Worker(Pool& pool, std::uint32_t index);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  virtual ~Worker() = default;

  // The worker that the calling thread is, or null.
  static Worker* current() noexcept { return t_worker; }

  // Begins; whoever calls it has counted the worker as searching. Throws RuntimeError if
  // the system refuses another thread.
  void start();
  bool started() const noexcept { return started_.load(std::memory_order_acquire); }

  // Waits for the end of its thread. False: the limit came first.
  template <class... Limit>
  bool join(const Limit&... limit) {
    return thread_.join(limit...);
  }

  Pool& pool() const noexcept { return pool_; }
  Seat& seat() noexcept { return seat_; }

  // By the worker itself: a task that one of its own has made, with the entry's ownership.
  void push(TaskBlock& block) { deque_.push(&block); }

  // The same: takes a task off again, with the entry's ownership. False: it is not the newest
  // one any more.
  bool take_back(TaskBlock& block) noexcept { return deque_.take_back(&block, batch_end_); }

  // By anybody: the task that has been with it for longest, or null.
  TaskBlock* steal() noexcept { return deque_.steal(); }
  bool has_work() const noexcept { return !deque_.empty(); }
  std::uint64_t size() const noexcept { return deque_.size(); }

  // What became of it so far.
  Counter tasks_run;
  Counter tasks_helped;  // of these: run inside a task that waited for them
  Counter tasks_stolen;
  Counter sleeps;

 private:
  using Clock = platform::Deadline::Clock;
  using Deque = WorkDeque<TaskBlock, platform::Native>;

  static constexpr std::uint32_t kMostInBatch = 64;
  static constexpr std::chrono::nanoseconds kTinyTask{2'000};

  // About as long as it takes to wake a thread on a core that has gone to sleep, and back.
  static constexpr std::chrono::microseconds kLongLook{100};
  static constexpr int kLongLooksOff = 32;

  // How often it looks at what it would otherwise come to last, so that a worker with
  // endless work of its own does not leave the others' to themselves.
  static constexpr std::uint32_t kLookAround = 64;

  void main() noexcept;
  bool initialize() noexcept;
  void work() noexcept;

  TaskBlock* next_own() noexcept;
  TaskBlock* look_around() noexcept;
  TaskBlock* take_outside(std::uint32_t most) noexcept;
  TaskBlock* take_others(std::uint32_t most) noexcept;
  TaskBlock* look() noexcept;
  TaskBlock* search() noexcept;
  TaskBlock* look_longer() noexcept;
  void sleep() noexcept;
  void found() noexcept;
  void measure_batch() noexcept;
  void run(TaskBlock& block) noexcept;
  static FutureState call(TaskBlock& block) noexcept;

  inline bool help(TaskBlock& awaited, bool only) override;
  inline void awake() noexcept override;
  void run_awaited(TaskBlock& block, bool entry);
  FutureState call_in_deputy(TaskBlock& block) noexcept;
  void find_stack() noexcept;
  bool stack_is_short() const noexcept;
  void enter_wait(TaskBlock& awaited);
  bool waits_in_ring() noexcept;

  std::uint32_t tag() const noexcept { return index_ + 1; }

  Pool& pool_;
  Seat& seat_;
  const std::uint32_t index_;
  bool searching_ = true;   // counted as such in the parking
  bool patient_ = false;    // looks for longer before it sleeps
  int long_looks_off_ = 0;  // sleeps until it may be so again
  std::uint32_t turns_ = 0;
  std::uint32_t random_;

  Deque deque_;
  Deque::Index batch_end_ = 0;  // tasks below it came from outside, or from others
  std::uint32_t batch_size_ = 1;
  std::uint32_t batch_run_ = 0;  // since the last batch was taken
  Clock::time_point batch_taken_;

  const char* stack_middle_ = nullptr;  // addresses below are its second half

  // What its task sleeps for, if another worker runs it; guarded by Pool::waits_lock().
  TaskBlock* waits_for_ = nullptr;

  Thread thread_;
  std::atomic<bool> started_{false};

  [[gnu::visibility("default"), NOGIL_TLS_NEAR]] static inline constinit thread_local Worker* t_worker = nullptr;
};

}  // namespace nogil::detail
