// nogil/multiprocessing/detail/pool_core.hpp -- the parent's side of a pool of processes.
//
// Tasks go from submit() into a worker's ring at once, if one has room, else into the
// backlog. Results are taken in by who waits for one (fetch()), for a moment and without
// sleeping; and else by one thread, the manager, which also starts workers and replaces them,
// watches over limits of time, and tells the observers of what others have taken in: so no
// callback runs in a thread that waits.
//
// Every task that was begun ends in one way: its result or exception; WorkerDied, if the
// worker that ran it died; TimeoutError; BrokenProcessPool. Tasks behind one that died in the
// same ring go back to the front of the backlog.
//
// Who watches over the rings: one thread that fetches (fetcher_), if there is any. One that
// leaves with nothing out lets the manager be called; one that leaves while there is more to
// come, or in the middle of a row of short calls, may be back soon, so the manager only looks
// from time to time for a while (polls_).

#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "nogil/multiprocessing/detail/fetched_pool.hpp"
#include "nogil/multiprocessing/detail/own_thread.hpp"
#include "nogil/multiprocessing/detail/pool_task.hpp"
#include "nogil/multiprocessing/detail/pool_worker.hpp"
#include "nogil/multiprocessing/detail/supervisor.hpp"
#include "nogil/multiprocessing/errors.hpp"
#include "nogil/platform/own_threads.hpp"
#include "nogil/platform/raw_lock.hpp"
#include "nogil/platform/trace_point.hpp"

namespace nogil::multiprocessing {

enum class OnWorkerDeath {
  fail_task,   // the task that it ran fails with WorkerDied
  retry,       // it is tried again, max_retries times, then as above
  break_pool,  // as in Python: everything fails
};

namespace detail {

// Whether the pool takes it also after close(), as long as it has not ended: a part of
// something that was begun before.
enum class Late { kRefused, kTaken };

struct PoolOptions {
  std::size_t max_workers = 0;
  StartMethod method = StartMethod::forkserver;
  std::size_t max_tasks_per_child = 0;
  OnWorkerDeath on_worker_death = OnWorkerDeath::fail_task;
  std::size_t max_retries = 3;
};

class PoolCore final : public FetchedPool {
 public:
  // Starts the manager.
  PoolCore(PoolOptions options, Frame initializer) : options_(options), initializer_{std::move(initializer)} {
    // Workers are forked from a copy of this process as it is now: one of later, with other
    // threads, would not be safe.
    if (options_.method == StartMethod::fork) copy_ = Supervisor::here().fork_template();
    enlist();
    add_owner();  // the manager's
    try {
      start_own_thread(run, this, "make the manager of a pool");
    } catch (...) {
      retire();
      throw;
    }
  }

  // Throws RuntimeError after shutdown(), BrokenProcessPool when it is broken.
  void submit(TaskPointer task, Late late = Late::kRefused) {
    Taken taken;
    bool manager_needed = false;
    {
      const platform::RawGuard guard(lock_);
      if (broken_) std::rethrow_exception(broken_);
      if (over_ || (closed_ && late == Late::kRefused)) {
        throw RuntimeError("a pool of processes: it was shut down, and takes no more tasks");
      }
      task->id = ++last_id_;
      manager_needed = task->timeout.count() != 0;
      backlog_.push_back(std::move(task));
      dispatch(taken.outcomes);
      manager_needed = manager_needed || wants_worker();
      if (!taken.outcomes.empty()) ++busy_;
    }
    if (manager_needed) bell_->call();
    if (taken.outcomes.empty()) return;
    conclude_quietly(taken);
    lock_.lock();
    const bool call = hand_over_untold(taken);
    lock_.unlock();
    if (call) bell_->call();
  }

  // No more tasks are taken. cancel: those in the backlog are cancelled.
  void close(bool cancel) {
    std::deque<TaskPointer> cancelled;
    {
      const platform::RawGuard guard(lock_);
      closed_ = true;
      if (cancel) {
        for (auto& task : backlog_) {
          if (!task->begun) cancelled.push_back(std::move(task));
        }
        std::erase(backlog_, nullptr);
      }
    }
    for (auto& task : cancelled) task->cancel();
    bell_->call();
  }

  // Somebody reads a range as its results are read, and will submit more of it, after close(),
  // too. The pool does not end before that, unless somebody waits for its end: who does may be
  // the one who reads.
  void add_feeder() noexcept {
    const platform::RawGuard guard(lock_);
    ++feeders_;
  }
  void remove_feeder() noexcept {
    {
      const platform::RawGuard guard(lock_);
      --feeders_;
    }
    bell_->call();
  }
  void give_up_feeders() noexcept {
    {
      const platform::RawGuard guard(lock_);
      joined_ = true;
    }
    bell_->call();
  }

  // Until the manager has ended, and all workers with it.
  bool wait_ended(platform::Wait& wait) { return ended_.is_set() || ended_.wait_slow(wait); }

  // Everything that is pending or running fails; the workers get this signal.
  void break_off(const char* why, int signal) {
    const platform::RawGuard guard(lock_);
    closed_ = true;
    if (!broken_) broken_ = std::make_exception_ptr(BrokenProcessPool(why));
    for (auto& worker : workers_) worker->child->signal(signal);
    bell_->call();
  }

  std::vector<int> pids() {
    const platform::RawGuard guard(lock_);
    std::vector<int> all;
    for (const auto& worker : workers_) all.push_back(worker->child->info().pid);
    return all;
  }

  const PoolOptions& options() const noexcept { return options_; }

  // Where calls are best encoded.
  ByteSource* call_memory() noexcept { return &heap_; }

  // A worker has begun, or ended.
  void told() noexcept override { bell_->call(); }

 private:
  static constexpr int kMostFalseStarts = 3;
  static constexpr std::int64_t kTryAgain = 100'000'000;   // ns: to start a worker
  static constexpr std::int64_t kLookAgain = 200'000;      // ns: while those who fetch come and go
  static constexpr int kBrisk = 16;                        // quick_looks_: one call follows the other
  static constexpr std::int64_t kUntilBegun = 10'000'000;  // ns: a task with a limit of time is to begin

  // What a thread has taken out of the rings, and deals with when it has let go of the lock.
  struct Taken {
    std::vector<Outcome> outcomes{};
    std::vector<std::unique_ptr<PoolWorker>> gone{};
    std::vector<TaskBlock*> untold{};
  };

  static void* run(void* self) noexcept {
    PoolCore* const core = static_cast<PoolCore*>(self);
    {
      const platform::OwnThread counted;
      platform::trace_moment(platform::TraceKind::kThreadName, "manager");
      core->manage();
      if (core->copy_) Supervisor::here().end_template(core->copy_);
      core->retire();
    }
    core->ended_.set();
    core->drop_owner();
    return nullptr;
  }

  void manage() noexcept;
  inline void fetch(TaskBlock& awaited) noexcept override;
  void conclude_quietly(Taken& taken) noexcept;

  // ---- With the lock (pool_rings.hpp) ----------------------------------------------------

  void step(Taken& taken);
  void dispatch(std::vector<Outcome>& outcomes);
  bool balance();
  PoolWorker* find_room() noexcept;
  void bury(PoolWorker& worker, std::vector<Outcome>& outcomes);
  void break_with(const char* why, const std::exception_ptr& cause);
  void fail_all(std::vector<Outcome>& outcomes);
  std::int64_t enforce_limits() noexcept;
  bool stop_watching(std::int64_t& look_again) noexcept;
  bool hand_over() noexcept;
  bool leave() noexcept;
  bool hand_over_untold(Taken& taken);
  bool begin_look(std::vector<const WorkerState*>& list) noexcept;
  static bool anything_there(const std::vector<const WorkerState*>& list) noexcept;
  void end_look(Taken& taken) noexcept;

  // There are tasks that a worker could begin which has yet to be started.
  bool wants_worker() const noexcept {
    if (broken_ || workers_.size() >= options_.max_workers) return false;
    if (!backlog_.empty()) return true;
    for (const auto& worker : workers_) {
      if (worker->out.size() > 1) return true;
    }
    return false;
  }
  bool anything_out() const noexcept {
    for (const auto& worker : workers_) {
      if (!worker->out.empty()) return true;
    }
    return false;
  }
  bool anything_soon() const noexcept {
    for (const auto& worker : workers_) {
      if (worker->soon()) return true;
    }
    return false;
  }
  bool all_done() const noexcept {
    return closed_ && backlog_.empty() && workers_.empty() && !starting_ && busy_ == 0 && untold_.empty() &&
           (feeders_ == 0 || joined_ || broken_);
  }

  // ---- Without the lock, by the manager -------------------------------------------------

  bool start_worker() noexcept;
  void begin_worker();
  void take_worker();
  void save_worker_call(OutputArchive& out, const PoolWorker& worker);

  const PoolOptions options_;
  const InitialCall initializer_;
  nogil::detail::Ref<Template> copy_;  // to fork from; null with the other methods
  const PoolBell bell_;
  const RequestMemory calls_;
  RequestHeap heap_{calls_};

  platform::RawLock lock_;
  // Guarded by lock_:
  std::deque<TaskPointer> backlog_;
  std::vector<std::unique_ptr<PoolWorker>> workers_;
  std::vector<std::unique_ptr<PoolWorker>> graves_;  // of those whose rings somebody may be looking at
  std::size_t lookers_ = 0;                          // who look at rings without the lock
  std::vector<TaskBlock*> untold_;                   // done, and their observers wait for the manager
  std::uint64_t last_id_ = 0;
  int false_starts_ = 0;  // in a row, with no task done between them
  std::size_t busy_ = 0;  // threads, other than the manager, that conclude something
  std::size_t feeders_ = 0;
  bool joined_ = false;  // nobody waits for the feeders
  bool closed_ = false;
  bool over_ = false;  // nothing is left to be done, and nobody to do it
  std::exception_ptr broken_;
  bool fetcher_ = false;  // somebody is in fetch()
  bool asked_ = false;    // somebody sleeps until his result is there
  bool polls_ = false;    // the manager looks from time to time
  int quick_looks_ = 0;   // results, up to kBrisk, in a row that came while their fetcher looked for the first time
  std::uint32_t departures_ = 0;  // of those who left fetch() while there was more to come
  std::uint32_t departed_ = 0;    // of these, as many as the manager knows of

  std::vector<const WorkerState*> fetchers_look_;      // the fetcher's
  std::vector<const WorkerState*> managers_look_;      // the manager's
  std::uint64_t last_worker_ = 0;                      // the manager's
  std::unique_ptr<PoolWorker> starting_;               // the manager's: one whose process was asked for
  nogil::detail::Ref<Supervisor::Request> asked_for_;  // with it
  nogil::detail::EventCore<platform::Native> ended_;
};

}  // namespace detail
}  // namespace nogil::multiprocessing

#include "nogil/multiprocessing/detail/pool_manager.hpp"
#include "nogil/multiprocessing/detail/pool_rings.hpp"
