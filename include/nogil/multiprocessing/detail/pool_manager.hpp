// nogil/multiprocessing/detail/pool_manager.hpp -- who watches over a pool: its manager, and who fetches.
//
// The rest of pool_core.hpp.

#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>

#include "nogil/multiprocessing/detail/pool_core.hpp"

namespace nogil::multiprocessing::detail {

// ---- The manager -------------------------------------------------------------------------

inline void PoolCore::manage() noexcept {
  const Finisher teller;
  bool looked_around = false;
  for (bool over = false; !over;) {
    const std::uint32_t calls = bell_->calls();
    Taken taken;
    std::int64_t look_again = 0;
    bool start = false;
    bool look_around = false;
    bool sleep = false;
    {
      const platform::RawGuard guard(lock_);
      step(taken);
      taken.untold = std::move(untold_);
      untold_.clear();
      look_again = enforce_limits();
      start = starting_ ? asked_for_->done() : wants_worker();
      over = over_ = all_done();
      if (taken.outcomes.empty() && taken.untold.empty() && !start && !over) {
        look_around = !looked_around && !fetcher_ && anything_soon() && begin_look(managers_look_);
        sleep = !look_around && stop_watching(look_again);
      }
    }
    for (Outcome& outcome : taken.outcomes) outcome.conclude(teller);
    for (TaskBlock* const block : taken.untold) block->tell();
    if (start && !start_worker()) {
      const platform::RawGuard guard(lock_);
      look_again = monotonic_ns() + kTryAgain;
      sleep = taken.outcomes.empty() && stop_watching(look_again);
    }
    looked_around = look_around;
    if (look_around) {
      bell_.spinners().spin(Spinners::kParent,
                            [&] { return anything_there(managers_look_) || bell_->calls() != calls; });
      const platform::RawGuard guard(lock_);
      end_look(taken);
    } else if (sleep) {
      Wait wait;
      if (look_again != 0) wait = Wait(std::chrono::nanoseconds(look_again - monotonic_ns()));
      bell_->sleep(calls, wait);
    }
  }
}

// With the lock, by the manager, which has looked and found nothing. False: it has to look
// again; else it may sleep, to `look_again` if that is not 0.
inline bool PoolCore::stop_watching(std::int64_t& look_again) noexcept {
  const bool traffic = std::exchange(departed_, departures_) != departures_;
  polls_ = traffic && (fetcher_ || !asked_);
  if (polls_) {
    const std::int64_t soon = monotonic_ns() + kLookAgain;
    if (look_again == 0 || soon < look_again) look_again = soon;
    return true;
  }
  if (fetcher_) return true;
  asked_ = false;
  return hand_over();
}

// With the lock. From now on workers call the manager; false: it has something to do already.
inline bool PoolCore::hand_over() noexcept {
  bell_->hand_over();
  for (const auto& worker : workers_) {
    if (!worker->link->responses.empty()) return false;
  }
  return true;
}

// Asks for a worker's process, or takes the one that was asked for. The pool goes on meanwhile:
// a process that others are forked from may take its time. False: it cannot be had, now.
inline bool PoolCore::start_worker() noexcept {
  try {
    if (starting_) take_worker();
    else begin_worker();
    return true;
  } catch (...) {
    starting_.reset();
    asked_for_ = {};
    const platform::RawGuard guard(lock_);
    if (!workers_.empty()) return false;
    break_with("a pool of processes: no worker could be started", std::current_exception());
    return true;
  }
}

inline void PoolCore::begin_worker() {
  auto worker =
      std::make_unique<PoolWorker>(bell_, calls_, static_cast<std::uint32_t>(last_worker_ % Spinners::kWorkers));
  Frame job;
  OutputArchive out(job);
  JobHead head;
  head.self.name = (platform::Text() << "ProcessPoolWorker-" << ++last_worker_).take();
  head.self.daemon = true;
  head.parent = g_child_identity != nullptr ? g_child_identity->self : ProcessInfo{"MainProcess", ::getpid(), false};
  head.mask = only_sigint();  // which the worker ignores, before it takes signals
  out(head);
  save_worker_call(out, *worker);
  worker->sockets.theirs.reset();
  add_owner();
  asked_for_ =
      Supervisor::here().begin(options_.method, head.self, std::move(job), nogil::detail::Ref<Listener>(this), copy_);
  starting_ = std::move(worker);
}

inline void PoolCore::take_worker() {
  starting_->child = asked_for_->child();
  asked_for_ = {};
  const platform::RawGuard guard(lock_);
  if (broken_) starting_->child->signal(SIGKILL);
  workers_.push_back(std::move(starting_));
}

// The call of worker_main, with the worker's end of the lines.
inline void PoolCore::save_worker_call(OutputArchive& out, const PoolWorker& worker) {
  using Main =
      Call<Result::kDropped, void (*)(WorkerLink, std::uint32_t, InitialCall), WorkerLink, std::uint32_t, InitialCall>;
  save_descriptor(out, Main::descriptor);
  save_function(out, &worker_main);
  const WorkerLink theirs = worker.link.with_socket(worker.sockets.theirs.get());
  save(out, theirs);
  save(out, worker.number);
  save(out, initializer_);
}

// ---- Who fetches -------------------------------------------------------------------------

// By a thread that is not the manager, and has counted itself in busy_.
inline void PoolCore::conclude_quietly(Taken& taken) noexcept {
  const Finisher quiet(taken.untold);
  for (Outcome& outcome : taken.outcomes) outcome.conclude(quiet);
  taken.outcomes.clear();
  taken.gone.clear();
}

// With the lock, after that. Whether the manager is to be called.
inline bool PoolCore::hand_over_untold(Taken& taken) {
  --busy_;
  untold_.insert(untold_.end(), taken.untold.begin(), taken.untold.end());
  const bool call = closed_ || !taken.untold.empty();
  taken.untold.clear();
  return call;
}

// Takes in what comes, for a moment, until `awaited` is done; then, or when nothing comes
// soon, lets go.
inline void PoolCore::fetch(TaskBlock& awaited) noexcept {
  Taken taken;
  bool call = false;
  bool patient = true;
  lock_.lock();
  if (fetcher_ || over_) {
    asked_ = true;
    lock_.unlock();
    return;
  }
  fetcher_ = true;
  bell_->stay_awake();
  for (;;) {
    if (awaited.done()) break;
    if (!patient) {
      asked_ = true;
      break;
    }
    step(taken);
    call = call || wants_worker();
    if (!taken.outcomes.empty()) {
      ++busy_;
      lock_.unlock();
      conclude_quietly(taken);
      lock_.lock();
      call = hand_over_untold(taken) || call;
    } else if (anything_soon() && begin_look(fetchers_look_)) {
      lock_.unlock();
      if (std::exchange(call, false)) bell_->call();
      const auto told = [&] { return awaited.done() || anything_there(fetchers_look_); };
      const bool at_once = Spinners::look(told);
      patient = at_once || bell_.spinners().spin(Spinners::kParent, told);
      lock_.lock();
      end_look(taken);
      if (!at_once) quick_looks_ = 0;
      else if (quick_looks_ < kBrisk) ++quick_looks_;
    } else {
      patient = false;
    }
  }
  call = leave() || call;
  lock_.unlock();
  if (call) bell_->call();
}

// With the lock. Whether the manager is to be called.
inline bool PoolCore::leave() noexcept {
  fetcher_ = false;
  if (!asked_ && (quick_looks_ == kBrisk || anything_out())) {
    ++departures_;
    return !polls_;
  }
  return !hand_over();
}

// ---- To look at the rings without the lock -------------------------------------------------

// With the lock, which is given up for the look. False: there is no memory for the list.
inline bool PoolCore::begin_look(std::vector<const WorkerState*>& list) noexcept {
  list.clear();
  try {
    for (const auto& worker : workers_) {
      if (!worker->out.empty()) list.push_back(worker->link.operator->());
    }
  } catch (...) {
    return false;
  }
  ++lookers_;
  return true;
}

inline bool PoolCore::anything_there(const std::vector<const WorkerState*>& list) noexcept {
  for (const WorkerState* const state : list) {
    if (!state->responses.empty()) return true;
  }
  return false;
}

// With the lock again: workers that were buried meanwhile are let go of.
inline void PoolCore::end_look(Taken& taken) noexcept {
  if (--lookers_ != 0 || graves_.empty()) return;
  std::vector<std::unique_ptr<PoolWorker>> buried = std::exchange(graves_, {});
  if (taken.gone.empty()) taken.gone.swap(buried);
  else
    for (auto& worker : buried) taken.gone.push_back(std::move(worker));
}

}  // namespace nogil::multiprocessing::detail
