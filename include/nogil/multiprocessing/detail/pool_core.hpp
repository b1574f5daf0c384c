// nogil/multiprocessing/detail/pool_core.hpp -- the parent's side of a pool of processes.
//
// One thread, the manager, starts workers and replaces them, takes in results, and watches
// over limits of time; it sleeps on a bell that workers and the supervisor ring. Tasks go
// from submit() into a worker's ring at once, if one has room, else into the backlog.
//
// Every task that was begun ends in one way: its result or exception; WorkerDied, if the
// worker that ran it died; TimeoutError; BrokenProcessPool. Tasks behind one that died in the
// same ring go back to the front of the backlog.
//
// Invariant: `out` of a worker holds, in order, the tasks that were pushed into its ring and
// whose responses have not been taken. So a response belongs to the first of them.

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

#include "nogil/multiprocessing/detail/own_thread.hpp"
#include "nogil/multiprocessing/detail/pool_task.hpp"
#include "nogil/multiprocessing/detail/supervisor.hpp"
#include "nogil/multiprocessing/detail/worker.hpp"
#include "nogil/multiprocessing/errors.hpp"
#include "nogil/platform/raw_lock.hpp"

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

class PoolCore : public Child::Listener {
 public:
  // Starts the manager. `initializer` is the bytes of a call, or empty.
  PoolCore(PoolOptions options, std::vector<std::byte> initializer)
      : options_(options), initializer_(std::move(initializer)) {
    // Workers are forked from a copy of this process as it is now: one of later, with other
    // threads, would not be safe.
    if (options_.method == StartMethod::fork) copy_ = Supervisor::here().fork_template();
    add_owner();  // the manager's
    start_own_thread(run, this, "make the manager of a pool");
  }

  // Throws RuntimeError after shutdown(), BrokenProcessPool when it is broken.
  void submit(TaskPointer task, Late late = Late::kRefused) {
    std::vector<Outcome> outcomes;
    bool manager_needed = false;
    {
      const platform::RawGuard guard(lock_);
      if (broken_) std::rethrow_exception(broken_);
      if (over_ || (closed_ && late == Late::kRefused)) {
        throw RuntimeError("a pool of processes: it was shut down, and takes no more tasks");
      }
      task->id = ++last_id_;
      const bool limited = task->timeout.count() != 0;
      backlog_.push_back(std::move(task));
      dispatch(outcomes);
      manager_needed = limited || wants_worker();
    }
    conclude(outcomes);
    if (manager_needed) bell_->ring();
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
    bell_->ring();
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
    bell_->ring();
  }
  void give_up_feeders() noexcept {
    {
      const platform::RawGuard guard(lock_);
      joined_ = true;
    }
    bell_->ring();
  }

  // Until the manager has ended, and all workers with it.
  bool wait_ended(platform::Wait& wait) { return ended_.is_set() || ended_.wait_slow(wait); }

  // Everything that is pending or running fails; the workers get this signal.
  void break_off(const char* why, int signal) {
    const platform::RawGuard guard(lock_);
    closed_ = true;
    if (!broken_) broken_ = std::make_exception_ptr(BrokenProcessPool(why));
    for (auto& worker : workers_) worker->child->signal(signal);
    bell_->wake_all();
  }

  std::vector<int> pids() {
    const platform::RawGuard guard(lock_);
    std::vector<int> all;
    for (const auto& worker : workers_) all.push_back(worker->child->info().pid);
    return all;
  }

  const PoolOptions& options() const noexcept { return options_; }

  // A worker has ended.
  void told() noexcept override { bell_->wake_all(); }

 private:
  struct PoolWorker {
    SocketPair sockets;
    WorkerLink link;
    nogil::detail::Ref<Child> child{};
    std::deque<TaskPointer> out{};
    std::size_t given = 0;         // how many tasks, ever
    bool late = false;             // it was killed for a task that took too long
    std::exception_ptr refused{};  // what its initializer threw

    explicit PoolWorker(const PoolBell& bell) : link(bell, sockets.mine.get()) {}
  };

  // What is done with a task when the lock is free again, as users' callbacks may run then.
  struct Outcome {
    TaskPointer task;
    Arrived result;  // if there is no error
    std::exception_ptr error;
  };

  static constexpr std::int64_t kQuick = 20'000;  // ns: tasks below it are given many at a time
  static constexpr std::size_t kDeep = 48;        // at most the slots of a ring
  static constexpr std::size_t kShallow = 2;
  static constexpr int kMostFalseStarts = 3;
  static constexpr std::int64_t kTryAgain = 100'000'000;  // ns: to start a worker

  static void* run(void* self) noexcept {
    PoolCore* const core = static_cast<PoolCore*>(self);
    core->manage();
    if (core->copy_) Supervisor::here().end_template(core->copy_);
    g_own_threads.fetch_sub(1, std::memory_order_relaxed);
    core->ended_.set();
    core->drop_owner();
    return nullptr;
  }

  void manage() noexcept {
    platform::trace_moment(platform::TraceKind::kThreadName, "manager");
    for (bool over = false; !over;) {
      const std::uint32_t seen = bell_->look();
      std::vector<Outcome> outcomes;
      std::vector<std::unique_ptr<PoolWorker>> gone;
      std::int64_t next_limit = 0;
      bool start = false;
      {
        const platform::RawGuard guard(lock_);
        take_in(outcomes, gone);
        if (broken_) fail_all(outcomes);
        dispatch(outcomes);
        next_limit = enforce_limits();
        start = wants_worker();
        if (closed_ && backlog_.empty()) stop_idle_workers();
        over = over_ = closed_ && backlog_.empty() && workers_.empty() && (feeders_ == 0 || joined_ || broken_);
      }
      bool busy = !outcomes.empty();
      conclude(outcomes);
      if (start && start_worker()) busy = true;
      else if (start) next_limit = monotonic_ns() + kTryAgain;
      if (!busy && !over) sleep(seen, next_limit);
    }
  }

  void sleep(std::uint32_t seen, std::int64_t limit) noexcept {
    if (limit == 0) {
      Wait forever;
      bell_->wait(seen, forever);
    } else {
      Wait wait(std::chrono::nanoseconds(limit - monotonic_ns()));
      bell_->wait(seen, wait);
    }
  }

  // ---- With the lock -------------------------------------------------------------------

  std::size_t depth(const PoolWorker& worker) const noexcept {
    const std::int64_t took = worker.link->took.load(std::memory_order_relaxed);
    std::size_t deep = took != 0 && took < kQuick ? kDeep : kShallow;
    if (options_.max_tasks_per_child != 0) {
      const std::size_t left = options_.max_tasks_per_child - worker.given;
      deep = deep < worker.out.size() + left ? deep : worker.out.size() + left;
    }
    return deep;
  }

  // Moves tasks from the backlog to the workers, as far as they have room. Those that were
  // cancelled, or cannot be sent, are among the outcomes.
  void dispatch(std::vector<Outcome>& outcomes) {
    while (!backlog_.empty() && !broken_) {
      PoolWorker* const worker = find_room();
      if (worker == nullptr) return;
      TaskPointer& task = backlog_.front();
      try {
        if (!task->begun && !task->begin()) throw CancelledError("it was cancelled");
        task->begun = true;
        if (!fill_slot(worker->link->requests.next(), worker->link.socket(), task->id, task->call, false)) return;
        worker->link->requests.push();
        worker->link->requested.ring();
        ++worker->given;
        worker->out.push_back(std::move(task));
      } catch (...) {
        outcomes.push_back({std::move(task), {}, std::current_exception()});
      }
      backlog_.pop_front();
    }
  }

  // The worker with the fewest tasks that takes another; null: none. One that is still to be
  // started is better than a place behind a task that may be long.
  PoolWorker* find_room() noexcept {
    PoolWorker* best = nullptr;
    for (auto& worker : workers_) {
      if (worker->child->ended() || worker->late || worker->out.size() >= depth(*worker)) continue;
      if (best == nullptr || worker->out.size() < best->out.size()) best = worker.get();
    }
    const bool more_to_come = workers_.size() < options_.max_workers;
    if (best != nullptr && !best->out.empty() && more_to_come && depth(*best) == kShallow) return nullptr;
    return best;
  }

  bool wants_worker() const noexcept { return !backlog_.empty() && !broken_ && workers_.size() < options_.max_workers; }

  void take_in(std::vector<Outcome>& outcomes, std::vector<std::unique_ptr<PoolWorker>>& gone) {
    for (std::size_t i = 0; i < workers_.size();) {
      PoolWorker& worker = *workers_[i];
      const bool ended = worker.child->ended();  // before the look: what it has sent is there then
      take_responses(worker, outcomes);
      if (!ended) {
        if (options_.max_tasks_per_child != 0 && worker.given >= options_.max_tasks_per_child && worker.out.empty()) {
          tell_to_stop(worker);
        }
        ++i;
        continue;
      }
      bury(worker, outcomes);
      gone.push_back(std::move(workers_[i]));
      workers_.erase(workers_.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }

  void take_responses(PoolWorker& worker, std::vector<Outcome>& outcomes) {
    while (!worker.link->responses.empty()) {
      Outcome outcome;
      const std::uint64_t id = worker.link->responses.first().id;
      try {
        outcome.result = Arrived::take(worker.link->responses.first(), worker.link.socket());
      } catch (...) {
        outcome.error = std::current_exception();
      }
      worker.link->responses.pop();
      if (id == 0) {
        worker.refused = outcome.error ? outcome.error : error_in(outcome.result);
        continue;
      }
      if (worker.out.empty() || worker.out.front()->id != id) continue;  // a worker gone mad
      false_starts_ = 0;
      outcome.task = std::move(worker.out.front());
      worker.out.pop_front();
      outcomes.push_back(std::move(outcome));
    }
  }

  static std::exception_ptr error_in(Arrived& arrived) {
    try {
      InputArchive in = arrived.archive();
      return load_exception(in);
    } catch (...) {
      return std::current_exception();
    }
  }

  // A worker that has ended: its tasks fail, or are given to others.
  void bury(PoolWorker& worker, std::vector<Outcome>& outcomes) {
    const std::uint64_t running = worker.link->running.load(std::memory_order_acquire) & ~WorkerState::kCondemned;
    const int exitcode = worker.child->exitcode();
    const int pid = worker.child->info().pid;
    if (exitcode != 0) platform::trace_moment(platform::TraceKind::kDeath, "a worker died", std::uint64_t(pid));
    if (!worker.link->ready.load(std::memory_order_acquire)) {
      if (worker.refused) {
        break_with("a pool of processes: the initializer of a worker failed", worker.refused);
      } else if (++false_starts_ >= kMostFalseStarts) {
        break_with("a pool of processes: workers die before they are ready", died(pid, exitcode));
      }
    } else {
      false_starts_ = 0;
    }
    if (!worker.out.empty() && running == worker.out.front()->id) {
      TaskPointer task = std::move(worker.out.front());
      worker.out.pop_front();
      if (worker.late) {
        outcomes.push_back(
            {std::move(task),
             {},
             std::make_exception_ptr(TimeoutError(
                 "a pool of processes: the task took longer than its timeout, and its worker was killed"))});
      } else if (options_.on_worker_death == OnWorkerDeath::retry && ++task->deaths <= options_.max_retries) {
        worker.out.push_front(std::move(task));
      } else {
        const std::exception_ptr error = died(pid, exitcode);
        if (options_.on_worker_death == OnWorkerDeath::break_pool) {
          break_with("a pool of processes: a worker died", error);
        }
        outcomes.push_back({std::move(task), {}, error});
      }
    }
    for (; !worker.out.empty(); worker.out.pop_back()) backlog_.push_front(std::move(worker.out.back()));
  }

  static std::exception_ptr died(int pid, int exitcode) {
    platform::Text text;
    text << "the worker process " << std::uint64_t(pid) << " died while it ran the task: ";
    if (exitcode < 0) text << "signal " << std::uint64_t(-exitcode);
    else text << "exit code " << std::uint64_t(exitcode);
    if (exitcode == -SIGKILL) text << " (killed, perhaps because memory ran out)";
    return std::make_exception_ptr(WorkerDied(text.take(), pid, exitcode));
  }

  void break_with(const char* why, const std::exception_ptr& cause) {
    if (broken_) return;
    broken_ = std::make_exception_ptr(
        BrokenProcessPool(std::string(why) + ": " + nogil::detail::describe_exception(cause), cause));
    closed_ = true;
  }

  void fail_all(std::vector<Outcome>& outcomes) {
    for (auto& worker : workers_) {
      worker->child->signal(SIGKILL);
      for (auto& task : worker->out) outcomes.push_back({std::move(task), {}, broken_});
      worker->out.clear();
    }
    for (auto& task : backlog_) outcomes.push_back({std::move(task), {}, broken_});
    backlog_.clear();
  }

  // Kills workers whose task takes too long. When to look again, in ns; 0: no need.
  std::int64_t enforce_limits() noexcept {
    std::int64_t next = 0;
    const auto earlier = [&next](std::int64_t when) { next = next == 0 || when < next ? when : next; };
    for (auto& worker : workers_) {
      if (worker->out.empty() || worker->out.front()->timeout.count() == 0 || worker->late) continue;
      const std::int64_t now = monotonic_ns();
      const std::int64_t length = worker->out.front()->timeout.count();
      if (worker->link->running.load(std::memory_order_acquire) != worker->out.front()->id) {
        earlier(now + (length < 10'000'000 ? length : 10'000'000));  // not begun, or just done
        continue;
      }
      const std::int64_t end = worker->link->began.load(std::memory_order_relaxed) + length;
      if (now < end) {
        earlier(end);
        continue;
      }
      std::uint64_t late = worker->out.front()->id;
      if (worker->link->running.compare_exchange_strong(late, late | WorkerState::kCondemned)) {
        worker->late = true;
        worker->child->signal(SIGKILL);
      } else {
        earlier(now);  // it is done, a moment ago
      }
    }
    return next;
  }

  static void tell_to_stop(PoolWorker& worker) noexcept {
    if (worker.link->stop.exchange(true, std::memory_order_release)) return;
    worker.link->requested.ring();
  }

  void stop_idle_workers() noexcept {
    for (auto& worker : workers_) {
      if (worker->out.empty()) tell_to_stop(*worker);
    }
  }

  // ---- Without the lock ------------------------------------------------------------------

  static void conclude(std::vector<Outcome>& outcomes) noexcept {
    for (Outcome& outcome : outcomes) {
      if (outcome.error) {
        outcome.task->fail(std::move(outcome.error));  // it is the future's alone
        continue;
      }
      try {
        InputArchive in = outcome.result.archive();
        if (outcome.result.failed) outcome.task->fail(load_exception(in));
        else outcome.task->succeed(in);
      } catch (...) {
        outcome.task->fail(std::current_exception());
      }
    }
  }

  // False: it could not be started, now.
  bool start_worker() noexcept {
    try {
      auto worker = std::make_unique<PoolWorker>(bell_);
      Frame job;
      OutputArchive out(job);
      JobHead head{{(platform::Text() << "ProcessPoolWorker-" << ++last_worker_).take(), 0, true}, parent_info(), {}};
      ::sigemptyset(&head.mask);
      out(head);
      save_worker_call(out, *worker);
      add_owner();
      worker->child =
          Supervisor::here().start(options_.method, head.self, job, nogil::detail::Ref<Listener>(this), copy_);
      worker->sockets.theirs.reset();
      const platform::RawGuard guard(lock_);
      if (broken_) worker->child->signal(SIGKILL);
      workers_.push_back(std::move(worker));
      return true;
    } catch (...) {
      const platform::RawGuard guard(lock_);
      if (!workers_.empty()) return false;
      break_with("a pool of processes: no worker could be started", std::current_exception());
      return true;
    }
  }

  static ProcessInfo parent_info() {
    return g_child_identity != nullptr ? g_child_identity->self : ProcessInfo{"MainProcess", ::getpid(), false};
  }

  // The call of worker_main, with the worker's end of the lines.
  void save_worker_call(OutputArchive& out, const PoolWorker& worker) {
    using Main =
        Call<Result::kDropped, void (*)(WorkerLink, std::vector<std::byte>), WorkerLink, std::vector<std::byte>>;
    save_descriptor(out, Main::descriptor);
    save_function(out, &worker_main);
    const WorkerLink theirs = worker.link.with_socket(worker.sockets.theirs.get());
    save(out, theirs);
    save(out, initializer_);
  }

  const PoolOptions options_;
  const std::vector<std::byte> initializer_;
  nogil::detail::Ref<Template> copy_;  // to fork from; null with the other methods
  PoolBell bell_;
  platform::RawLock lock_;
  std::deque<TaskPointer> backlog_;  // these, down to broken_, guarded by lock_
  std::vector<std::unique_ptr<PoolWorker>> workers_;
  std::uint64_t last_id_ = 0;
  int false_starts_ = 0;  // in a row, with no task done between them
  bool closed_ = false;
  std::size_t feeders_ = 0;
  bool joined_ = false;  // nobody waits for the feeders
  bool over_ = false;    // nothing is left to be done, and nobody to do it
  std::exception_ptr broken_;
  std::uint64_t last_worker_ = 0;  // the manager's
  nogil::detail::EventCore<platform::Native> ended_;
};

}  // namespace detail
}  // namespace nogil::multiprocessing
