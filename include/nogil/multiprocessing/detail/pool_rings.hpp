// nogil/multiprocessing/detail/pool_rings.hpp -- tasks into the workers' rings, and results out of them.
//
// The rest of pool_core.hpp: what is done with its lock.

#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "nogil/multiprocessing/detail/pool_core.hpp"

namespace nogil::multiprocessing::detail {

// Everything that can be done at the moment, whoever does it.
inline void PoolCore::step(Taken& taken) {
  for (std::size_t i = 0; i < workers_.size();) {
    PoolWorker& worker = *workers_[i];
    const bool ended = worker.child->ended();  // before the look: what it has sent is there then
    const std::size_t before = taken.outcomes.size();
    worker.take_responses(taken.outcomes);
    if (taken.outcomes.size() != before) false_starts_ = 0;
    if (!ended) {
      if (options_.max_tasks_per_child != 0 && worker.given >= options_.max_tasks_per_child && worker.out.empty()) {
        worker.tell_to_stop();
      }
      ++i;
      continue;
    }
    bury(worker, taken.outcomes);
    (lookers_ != 0 ? graves_ : taken.gone).push_back(std::move(workers_[i]));
    workers_.erase(workers_.begin() + static_cast<std::ptrdiff_t>(i));
  }
  if (broken_) fail_all(taken.outcomes);
  if (!backlog_.empty()) dispatch(taken.outcomes);
  while (balance()) dispatch(taken.outcomes);
  if (closed_ && backlog_.empty()) {
    for (auto& worker : workers_) {
      if (worker->out.empty()) worker->tell_to_stop();
    }
  }
}

// Moves tasks from the backlog to the workers, as far as they have room. Those that were
// cancelled, or cannot be sent, are among the outcomes.
inline void PoolCore::dispatch(std::vector<Outcome>& outcomes) {
  while (!backlog_.empty() && !broken_) {
    PoolWorker* const worker = find_room();
    if (worker == nullptr) return;
    TaskPointer& task = backlog_.front();
    try {
      if (!task->begun && !task->begin()) throw CancelledError("it was cancelled");
      task->begun = true;
      if (!worker->give(task, heap_)) return;
    } catch (...) {
      outcomes.push_back({std::move(task), {}, std::current_exception()});
    }
    backlog_.pop_front();
  }
}

// If a worker has nothing to do, while tasks lie behind others: takes back half of those. So no
// task waits for one before it, of which nobody knows how long it takes, longer than it must.
inline bool PoolCore::balance() {
  if (!backlog_.empty() || broken_) return false;
  bool idle = false;
  PoolWorker* most = nullptr;
  for (auto& worker : workers_) {
    if (worker->child->ended() || worker->late) continue;
    if (worker->out.empty()) idle = idle || worker->has_room(options_.max_tasks_per_child);
    else if (most == nullptr || worker->out.size() > most->out.size()) most = worker.get();
  }
  if (!idle || most == nullptr) return false;
  for (std::size_t left = most->out.size() / 2; left > 0; --left) {
    TaskPointer task = most->take_back();
    if (!task) break;
    backlog_.push_front(std::move(task));
  }
  return !backlog_.empty();
}

// The worker with the fewest tasks that takes another; null: none. One that is still to be
// started is better than a place behind a task that may be long.
inline PoolWorker* PoolCore::find_room() noexcept {
  PoolWorker* best = nullptr;
  for (auto& worker : workers_) {
    if (!worker->has_room(options_.max_tasks_per_child)) continue;
    if (best == nullptr || worker->out.size() < best->out.size()) best = worker.get();
    if (best->out.empty()) return best;
  }
  const bool more_to_come = workers_.size() < options_.max_workers;
  if (best != nullptr && more_to_come && !best->quick()) return nullptr;
  return best;
}

// A worker that has ended: its tasks fail, or are given to others.
inline void PoolCore::bury(PoolWorker& worker, std::vector<Outcome>& outcomes) {
  bell_.spinners().leave(worker.number);
  const int exitcode = worker.child->exitcode();
  if (exitcode != 0) {
    platform::trace_moment(platform::TraceKind::kDeath, "a worker died", std::uint64_t(worker.child->info().pid));
  }
  if (worker.link->ready.load(std::memory_order_acquire)) {
    false_starts_ = 0;
  } else if (worker.refused) {
    break_with("a pool of processes: the initializer of a worker failed", worker.refused);
  } else if (++false_starts_ >= kMostFalseStarts) {
    break_with("a pool of processes: workers die before they are ready", worker.death());
  }
  if (worker.died_running()) {
    TaskPointer task = std::move(worker.out.front().task);
    worker.out.pop_front();
    if (worker.late) {
      outcomes.push_back(
          {std::move(task),
           {},
           std::make_exception_ptr(
               TimeoutError("a pool of processes: the task took longer than its timeout, and its worker was killed"))});
    } else if (options_.on_worker_death == OnWorkerDeath::retry && ++task->deaths <= options_.max_retries) {
      worker.out.push_front({std::move(task), 0});
    } else {
      const std::exception_ptr error = worker.death();
      if (options_.on_worker_death == OnWorkerDeath::break_pool) {
        break_with("a pool of processes: a worker died", error);
      }
      outcomes.push_back({std::move(task), {}, error});
    }
  }
  for (; !worker.out.empty(); worker.out.pop_back()) backlog_.push_front(std::move(worker.out.back().task));
}

inline void PoolCore::break_with(const char* why, const std::exception_ptr& cause) {
  if (broken_) return;
  broken_ = std::make_exception_ptr(
      BrokenProcessPool(std::string(why) + ": " + nogil::detail::describe_exception(cause), cause));
  closed_ = true;
}

inline void PoolCore::fail_all(std::vector<Outcome>& outcomes) {
  for (auto& worker : workers_) {
    worker->child->signal(SIGKILL);
    for (auto& [task, place] : worker->out) {
      worker->kept.push_back(std::move(task->call));
      outcomes.push_back({std::move(task), {}, broken_});
    }
    worker->out.clear();
  }
  for (auto& task : backlog_) outcomes.push_back({std::move(task), {}, broken_});
  backlog_.clear();
}

// Kills workers whose task takes too long. When to look again, in ns; 0: no need.
inline std::int64_t PoolCore::enforce_limits() noexcept {
  std::int64_t next = 0;
  for (auto& worker : workers_) {
    std::int64_t when = worker->enforce_limit();
    if (when == 0) {
      // One of those behind the first may have a limit, and begin while nobody looks.
      for (const auto& [task, place] : worker->out) {
        if (task->timeout.count() == 0 || worker->late) continue;
        when = monotonic_ns() + kUntilBegun;
        break;
      }
    }
    if (when != 0 && (next == 0 || when < next)) next = when;
  }
  if (next == 0) {
    for (const auto& task : backlog_) {
      if (task->timeout.count() != 0) return monotonic_ns() + kUntilBegun;
    }
  }
  return next;
}

}  // namespace nogil::multiprocessing::detail
