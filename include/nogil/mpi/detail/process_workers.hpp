// nogil/mpi/detail/process_workers.hpp -- tasks that run in processes that the rank has started.
//
// A call goes on to the pool of processes as it has come, and its result as that comes back:
// neither is decoded here. The pool has no more tasks than processes: what lies there cannot
// be given back.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <optional>
#include <typeinfo>
#include <utility>

#include "nogil/mpi/detail/body_memory.hpp"
#include "nogil/mpi/detail/local_pool.hpp"
#include "nogil/mpi/detail/station.hpp"
#include "nogil/multiprocessing/detail/open_pool.hpp"
#include "nogil/multiprocessing/detail/pool_task.hpp"

namespace nogil::mpi::detail {

class ProcessWorkers final : public LocalPool {
 public:
  using LocalPool::LocalPool;

  void open() override {
    Frame initializer;
    const std::size_t size = plan.initializer.bytes.size();
    if (size != 0) std::memcpy(initializer.bytes.extend(size), plan.initializer.bytes.data(), size);
    pool_.emplace(multiprocessing::detail::open_pool({workers(),
                                                      {},
                                                      static_cast<std::size_t>(plan.max_tasks_per_child),
                                                      multiprocessing::OnWorkerDeath::fail_task,
                                                      0},
                                                     std::move(initializer)));
    const platform::RawGuard guard(station.lock());
    ready_ = true;
  }

  void close() noexcept override {
    if (!pool_) return;
    (*pool_)->close(false);
    platform::Wait forever;
    (*pool_)->wait_ended(forever);
    pool_.reset();
  }

  void advance(bool) noexcept override {
    for (;;) {
      Job job;
      {
        const platform::RawGuard guard(station.lock());
        if (!ready_ || active_ == workers() || !next(job)) return;
        ++active_;
      }
      begin(job);
    }
  }

  bool attends() const noexcept override { return false; }

 private:
  class Relay final : public multiprocessing::detail::PoolTask {
   public:
    using Finisher = multiprocessing::detail::Finisher;

    Relay(Frame its_call, Ref<ProcessWorkers> pool, std::uint64_t task)
        : PoolTask(std::move(its_call)), pool_(std::move(pool)), id_(task), began_(Crowd::clock()) {}

    bool begin() noexcept override { return true; }
    void cancel() noexcept override {}
    void succeed(InputArchive& result, const Finisher&) override {
      if (result.holds_files()) throw_handle();
      Frame frame(BodyMemory::here());
      const std::size_t size = result.left();
      if (size != 0) std::memcpy(frame.bytes.extend(size), result.read(size), size);
      pool_->done(id_, RecordKind::kResult, frame, began_);
    }
    void fail(std::exception_ptr error, const Finisher&) noexcept override {
      Frame frame;
      save_error(frame, error);
      pool_->done(id_, RecordKind::kError, frame, began_);
    }

   private:
    const Ref<ProcessWorkers> pool_;
    const std::uint64_t id_;
    const std::int64_t began_;
  };

  void begin(const Job& job) noexcept {
    try {
      Frame call((*pool_)->call_memory());
      std::memcpy(call.bytes.extend(job.size), job.body, job.size);
      add_owner();
      (*pool_)->submit(std::make_unique<Relay>(std::move(call), Ref<ProcessWorkers>(this), job.id));
    } catch (const BrokenProcessPool&) {
      refuse(job);
      station.report_broken(*this, std::current_exception());
    } catch (...) {
      refuse(job);
    }
  }

  void refuse(const Job& job) noexcept {
    Frame frame;
    save_error(frame, std::current_exception());
    done(job.id, RecordKind::kError, frame, Crowd::clock());
  }

  void done(std::uint64_t id, RecordKind kind, Frame& frame, std::int64_t began) noexcept {
    const std::int64_t took = Crowd::clock() - began;
    bool last = false;
    {
      const platform::RawGuard guard(station.lock());
      --active_;
      last = queued() == 0;
    }
    station.respond(kind, *this, id, took < kMost ? static_cast<std::uint32_t>(took) : kMost, frame,
                    last || took > kLate);
    if (last) station.expect_message();
    else advance(false);
  }

  static constexpr std::uint32_t kMost = 0xffff'ffff;
  static constexpr std::int64_t kLate = 20'000;  // ns that a result may wait for others

  std::optional<multiprocessing::detail::OpenPool> pool_;
  // Guarded by the station's lock:
  bool ready_ = false;
  std::size_t active_ = 0;  // tasks that the processes have
};

}  // namespace nogil::mpi::detail
