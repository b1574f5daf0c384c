// nogil/mpi/detail/thread_workers.hpp -- tasks that run in threads of the rank.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <utility>

#include "nogil/futures/thread_pool_executor.hpp"
#include "nogil/mpi/detail/body_memory.hpp"
#include "nogil/mpi/detail/local_pool.hpp"
#include "nogil/mpi/detail/station.hpp"

namespace nogil::mpi::detail {

class ThreadWorkers final : public LocalPool {
 public:
  using LocalPool::LocalPool;

  void open() override {
    threads_.emplace(ThreadPoolExecutor::Options{.max_workers = workers(), .thread_name_prefix = "MPIWorker"});
    if (plan.initializer.bytes.size() != 0) {
      threads_->submit([this] { initialize(); }).result();
    }
    const platform::RawGuard guard(station.lock());
    ready_ = true;
  }

  void close() noexcept override { threads_.reset(); }

  // Workers that are at quick tasks come to the next ones soon: others are started only if
  // there are many, or it is urgent.
  void advance(bool urgent) noexcept override {
    std::size_t more = 0;
    {
      const platform::RawGuard guard(station.lock());
      if (!ready_) return;
      std::size_t wanted = queued() + (urgent ? active_ : watching_ ? active_ - 1 : active_);
      if (!urgent && quick_) wanted = active_ == 0 ? queued() : active_ + queued() / kManyQuick;
      if (wanted > workers()) wanted = workers();
      if (wanted > active_) more = wanted - active_;
      active_ += more;
    }
    for (; more != 0; --more) threads_->post([this] { work(); });
  }

  bool attends() const noexcept override { return active_ != 0; }

 private:
  static constexpr std::int64_t kQuick = 20'000;  // ns
  static constexpr std::int64_t kLate = 20'000;   // ns that a result may wait for others
  static constexpr std::size_t kManyQuick = 32;

  void initialize() const {
    InputArchive in(plan.initializer.bytes.data(), plan.initializer.bytes.size());
    Frame nothing;
    OutputArchive dropped(nothing);
    multiprocessing::detail::run_call(in, dropped);
  }

  // One worker: from a task on, until there is none for a while.
  void work() noexcept {
    std::int64_t now = Crowd::clock();
    std::int64_t sent = now;
    for (Job job;;) {
      bool watch = false;
      {
        const platform::RawGuard guard(station.lock());
        if (!next(job)) {
          watching_ = watch = station.exchange().take();
          if (!watch) {
            --active_;
            return;
          }
        }
      }
      if (watch) {
        station.watch(true, [this] { return queued() != 0; });
        const platform::RawGuard guard(station.lock());
        watching_ = false;
        if (!next(job)) {
          --active_;
          return;
        }
        now = sent = Crowd::clock();
      }
      run(job, now, sent);
      job = Job();
    }
  }

  void run(Job& job, std::int64_t& now, std::int64_t& sent) noexcept {
    Frame result(BodyMemory::here());
    RecordKind kind = RecordKind::kResult;
    try {
      InputArchive in(job.body, job.size);
      OutputArchive out(result);
      multiprocessing::detail::run_call(in, out);
      if (!result.files.empty()) throw_handle();
    } catch (...) {
      kind = RecordKind::kError;
      save_error(result, std::current_exception());
    }
    job.packet = {};  // who submits the next call finds its memory free
    const std::int64_t ended = Crowd::clock();
    const std::int64_t took = ended - std::exchange(now, ended);
    bool hurry = took > kQuick || ended - sent > kLate;
    {
      const platform::RawGuard guard(station.lock());
      quick_ = took < kQuick;
      hurry = hurry || queued() == 0;
    }
    station.respond(kind, *this, job.id, took < kMost ? static_cast<std::uint32_t>(took) : kMost, result, hurry);
    if (hurry) sent = ended;
  }

  static constexpr std::uint32_t kMost = 0xffff'ffff;

  std::optional<ThreadPoolExecutor> threads_;
  // Guarded by the station's lock:
  bool ready_ = false;
  bool quick_ = false;      // the last task was
  bool watching_ = false;   // one of the active has the turn
  std::size_t active_ = 0;  // workers in work(), or on their way there
};

}  // namespace nogil::mpi::detail
