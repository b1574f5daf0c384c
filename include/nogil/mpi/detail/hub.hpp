// nogil/mpi/detail/hub.hpp -- rank 0's side: tasks to the ranks, and results from them.
//
// Tasks go from submit() to a rank at once, if one has room, else into their pool's backlog.
// A rank that has nothing to do gets its task without delay; for one that is at work, tasks
// gather until they are many, or somebody looks for results.
//
// Results are taken in by who waits for one (fetch()), for a moment and without sleeping; and
// else by one thread, the watcher, which also tells the observers: so no callback runs in a
// thread that waits.
//
// Every task that was begun ends in one way: its result or exception; or BrokenExecutor, if
// its rank was lost or an initializer failed.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "nogil/errors.hpp"
#include "nogil/mpi/detail/exchange.hpp"
#include "nogil/mpi/detail/rank_pool.hpp"
#include "nogil/multiprocessing/detail/exception_codec.hpp"
#include "nogil/multiprocessing/detail/fetched_pool.hpp"
#include "nogil/multiprocessing/detail/own_thread.hpp"
#include "nogil/platform/raw_lock.hpp"
#include "nogil/platform/trace_point.hpp"

namespace nogil::mpi::detail {

using multiprocessing::InputArchive;
using multiprocessing::OutputArchive;
using multiprocessing::detail::Finisher;
using nogil::detail::TaskBlock;

class Hub final : public multiprocessing::detail::FetchedPool {
 public:
  // Rank 0's neighbours are 1 … ranks - 1. Who watches, has to be started: start() or watch().
  Hub(Wire& wire, std::size_t ranks, Turns turns) : exchange_(wire, ranks, turns), ranks_(ranks) { enlist(); }

  std::size_t ranks() const noexcept { return ranks_; }

  // A thread of its own that watches. Throws std::system_error.
  void start() {
    add_owner();  // the thread's
    try {
      multiprocessing::detail::start_own_thread(run, this, "make the watcher of the ranks");
    } catch (...) {
      drop_owner();
      throw;
    }
  }

  // Watches in the calling thread, until finish().
  void watch() noexcept;

  // ---- Pools -----------------------------------------------------------------------------------

  Ref<RankPool> open(const RankPool::Options& options, const PoolPlan& plan, std::size_t most_ranks);

  void submit(RankPool& pool, TaskPointer task);

  // No more tasks are taken. cancel: those that no rank has are cancelled.
  void close(RankPool& pool, bool cancel) noexcept;

  // Until all tasks are done, and the ranks have ended the pool.
  bool wait_ended(RankPool& pool, platform::Wait& wait);

  RankPool::Stats stats(RankPool& pool) noexcept {
    const platform::RawGuard guard(exchange_.lock());
    return {pool.ranks(), pool.backlog.size(), pool.out(), pool.submitted, pool.done, exchange_.sent()};
  }

  // Ends what is open, and the ranks' service; returns when all is sent. cancel: tasks that no
  // rank has are cancelled.
  void finish(bool cancel) noexcept;

  // Whether a rank was, which then nobody can wait for.
  bool lost() noexcept {
    const platform::RawGuard guard(exchange_.lock());
    return !lost_.empty();
  }

  // Of a process that is watched: none.
  void told() noexcept override {}

 private:
  static constexpr std::size_t kBatch = 64;              // tasks that are sent in one message
  static constexpr std::int64_t kWorthMoving = 500'000;  // ns of work
  static constexpr std::int64_t kDrowsy = 20'000'000;    // ns of silence until the watcher sleeps for good

  // A task that a rank has.
  struct Given {
    TaskPointer task;
    RankPool* pool = nullptr;
    Seat* seat = nullptr;
    std::uint32_t generation = 0;
  };

  // What is done with a task when no lock is held, as users' code may run then.
  struct Outcome {
    TaskPointer task;
    Ref<Packet> packet{};  // which the body lies in
    const std::byte* body = nullptr;
    std::size_t size = 0;
    bool failed = false;
    std::exception_ptr error{};

    void conclude(const Finisher& finisher) noexcept {
      if (error) return task->fail(std::move(error), finisher);
      try {
        InputArchive in(body, size);
        if (failed) task->fail(multiprocessing::detail::load_exception(in), finisher);
        else task->succeed(in, finisher);
      } catch (...) {
        task->fail(std::current_exception(), finisher);
      }
    }
  };

  struct Taken {
    std::vector<Outcome> outcomes{};
    std::vector<TaskPointer> dropped{};  // which were cancelled
    std::vector<Ref<RankPool>> ended{};
  };

  static void* run(void* self) noexcept {
    Hub* const hub = static_cast<Hub*>(self);
    platform::trace_moment(platform::TraceKind::kThreadName, "mpi watcher");
    hub->watch();
    multiprocessing::detail::g_own_threads.fetch_sub(1, std::memory_order_relaxed);
    hub->drop_owner();
    return nullptr;
  }

  void fetch(TaskBlock& awaited) noexcept override {
    pump([&awaited] { return awaited.done(); });
  }

  template <class Enough>
  bool take_turn(Enough enough) noexcept;
  template <class Enough>
  void pump(Enough enough) noexcept;
  bool leave(std::vector<TaskBlock*>& untold) noexcept;
  bool look(std::vector<TaskBlock*>& untold) noexcept;

  // ---- With the lock (hub_tables.hpp) ------------------------------------------------------------

  void take_in(const Ref<Packet>& packet, Taken& taken);
  void take_record(const Record& record, const std::byte* body, const Ref<Packet>& packet, Taken& taken);
  void lose(int rank, const std::string& why, Taken& taken);
  void dispatch(RankPool& pool, Taken& taken);
  void give(RankPool& pool, Seat& seat, TaskPointer task);
  TaskPointer take_given(std::uint64_t id, RankPool*& pool, Seat*& seat);
  void balance(RankPool& pool, std::int64_t now);
  void break_pool(RankPool& pool, const std::exception_ptr& error, Taken& taken);
  void see_to_end(RankPool& pool, Taken& taken);
  bool anything_closing() const noexcept {
    for (const Ref<RankPool>& pool : pools_) {
      if (pool->close_sent) return true;
    }
    return false;
  }

  // Without it.
  void conclude(Taken& taken, const Finisher& finisher) noexcept {
    for (Outcome& outcome : taken.outcomes) outcome.conclude(finisher);
    for (const Ref<RankPool>& pool : taken.ended) pool->ended.set();
    taken = Taken();
  }

  Exchange exchange_;
  const std::size_t ranks_;
  // Guarded by the exchange's lock:
  std::vector<Ref<RankPool>> pools_{};  // until they have ended
  std::vector<Given> given_{};
  std::vector<std::uint32_t> free_{};  // places in it
  std::vector<int> lost_{};            // ranks
  std::uint32_t last_number_ = 0;
  std::size_t out_ = 0;    // tasks that ranks have
  bool urgent_ = false;    // something is to be sent at once
  bool asked_ = false;     // somebody sleeps until his result is there
  bool drowsy_ = false;    // the watcher looks from time to time, though there may be nothing
  bool watching_ = false;  // the watcher has the turn
  bool pumping_ = false;   // another thread has it, for as long as it waits
  bool over_ = false;
  std::vector<TaskBlock*> untold_{};  // done, and their observers wait for the watcher
  std::int64_t last_message_ = 0;

  std::atomic<int> fetchers_{0};  // who want the turn from the watcher
  nogil::detail::EventCore<platform::Native> ended_{};
};

inline RankPool::RankPool(Ref<Hub> its_hub, std::uint32_t its_number, const Options& options)
    : hub(std::move(its_hub)), number(its_number), options_(options) {}
inline RankPool::~RankPool() = default;

inline void* RankPool::executor() noexcept {
  return hub->executor();
}

inline void RankPool::submit(TaskPointer task, Late) {
  hub->submit(*this, std::move(task));
}

}  // namespace nogil::mpi::detail

#include "nogil/mpi/detail/hub_tables.hpp"
#include "nogil/mpi/detail/hub_watch.hpp"
