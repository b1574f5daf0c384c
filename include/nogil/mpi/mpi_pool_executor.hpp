// nogil/mpi/mpi_pool_executor.hpp -- MPIPoolExecutor: calls that run in the other ranks of an MPI job.
//
//   nogil::mpi::MPIPoolExecutor pool;                        // Python: MPIPoolExecutor()
//   auto future = pool.submit(is_prime, 112272535095293);    // pool.submit(is_prime, …)
//   bool prime = future.result();
//   for (bool one : pool.map(is_prime, numbers)) …           // for one in pool.map(is_prime, numbers): …
//
// To be made inside the function that mpi::run() calls (run.hpp). What can be sent is said in
// nogil/multiprocessing/serialize.hpp, but for the handles of shared objects (Lock, Queue, Value
// and their like), which mean nothing on another machine: ValueError.
//
// Threads    Every member except construction and destruction, from any number of threads.
// Workers    The ranks 1, 2, …, as far as max_workers wants them. In each, tasks run in threads of
//            the rank, or in processes that it starts: Options::run_in, workers_per_rank. A
//            thread is quicker, by the way to another process and back; but a task that
//            crashes there takes down the rank, and with it the job. In a process it fails its
//            own future with WorkerDied, and nothing else.
// Order      Tasks begin in about the order of submit(). A rank has more of them than it has
//            workers, so that it need not wait for the next: twice as many; up to 256 while they
//            take less than 20 us; or Options::credits. When a rank has nothing to do, what
//            waits behind a long task in another is given to it, within some milliseconds.
// Errors     submit(): RuntimeError after shutdown, BrokenExecutor when an initializer has failed,
//            or all ranks are lost. In the future: the task's exception (std's and nogil's as
//            themselves, others as RemoteError), WorkerDied, BrokenExecutor that names the rank
//            which was lost with it, as far as MPI lets us know: most end the job.
// Cancel     Future::cancel() is in time as long as no rank has the task.
// Callbacks  run in a thread of the job's, never in one that waits for a result, and must not
//            wait for one themselves.
// Waiting    Who waits for a future looks for messages meanwhile, up to 0.15 ms without sleeping
//            after each; then a thread of the job's does it, more and more seldom: a result is
//            found late by an eighth of the time that it took, up to 1 ms, or a 64th, up to 4 ms.
//            Types are decoded (constructors, serialize()) in any thread that waits.
// Cost       Tasks for a rank at work, and results of quick ones, go many in one message. What is
//            larger than 4 KiB goes in a message of its own, not copied by us; between ranks of
//            one machine, what is larger than 16 KiB is read where it was written.
// fork       In a process that was forked since, an executor is of no use, and its destructor
//            does nothing.
// Python     mpi4py.futures.MPIPoolExecutor, which has one task at a time in each rank.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "nogil/errors.hpp"
#include "nogil/mpi/detail/hub.hpp"
#include "nogil/mpi/detail/job.hpp"
#include "nogil/mpi/detail/plan.hpp"
#include "nogil/multiprocessing/detail/life.hpp"
#include "nogil/multiprocessing/detail/open_pool.hpp"
#include "nogil/multiprocessing/map.hpp"
#include "nogil/platform/wait.hpp"

namespace nogil::mpi {

using nogil::MapOptions;

class MPIPoolExecutor {
 public:
  struct Options {
    std::size_t max_workers = 0;  // 0: all that there are; else rounded up to whole ranks
    RunIn run_in = RunIn::threads;
    std::size_t workers_per_rank = 1;     // 0: as many as the rank has cores
    std::size_t credits = 0;              // tasks that a rank has at most; 0: by how long they take
    std::size_t max_tasks_per_child = 0;  // then a process is replaced; 0: never
  };

  // What a pool has done so far, and has to do, at some moment during the call.
  using Stats = detail::RankPool::Stats;

  explicit MPIPoolExecutor(std::size_t max_workers = 0) : MPIPoolExecutor(Options{.max_workers = max_workers}) {}

  // Throws RuntimeError outside of run() and in other ranks than 0, BrokenExecutor if all others
  // were lost.
  explicit MPIPoolExecutor(const Options& options) : core_(open(options, {})) {}

  // Each rank, or each process, first calls initializer(arguments...). If that throws, the pool
  // is broken.
  template <class F, class... Arguments>
  MPIPoolExecutor(const Options& options, const F& initializer, const Arguments&... arguments)
      : core_(open(options, initial_call(initializer, arguments...))) {}

  MPIPoolExecutor(const MPIPoolExecutor&) = delete;
  MPIPoolExecutor& operator=(const MPIPoolExecutor&) = delete;

  // shutdown(true).
  ~MPIPoolExecutor() {
    if (owner_ == multiprocessing::detail::this_process()) shutdown();
  }

  // The future of f(arguments...), called in a rank. Throws ValueError for a callable with
  // references to variables on this thread's stack, and for handles. Waits for nothing.
  template <class F, class... Arguments>
  auto submit(const F& f, const Arguments&... arguments) {
    return multiprocessing::detail::submit_call(*core_, std::chrono::nanoseconds(0), f, arguments...);
  }

  // f of each element; of several ranges, of their first elements, their second ones, …, to
  // the end of the shortest. Returns a range of the results in the same order: see
  // nogil/multiprocessing/map.hpp, whose workers are ours here.
  // Throws as submit() does, and what reading the ranges throws.
  template <class F, class... Ranges>
  requires(sizeof...(Ranges) > 0 &&
           (nogil::detail::Iterable<std::remove_reference_t<Ranges>> && ...)) auto map(F&& f, Ranges&&... ranges) {
    return map(MapOptions(), std::forward<F>(f), std::forward<Ranges>(ranges)...);
  }
  template <class F, class... Ranges>
  requires(sizeof...(Ranges) > 0 && (nogil::detail::Iterable<std::remove_reference_t<Ranges>> &&
                                     ...)) auto map(const MapOptions& options, F&& f, Ranges&&... ranges) {
    using multiprocessing::detail::Spread;
    using Reader = multiprocessing::detail::ChunkReader<Spread::kNo, std::decay_t<F>, Ranges...>;
    using State = multiprocessing::detail::BasicChunkedMap<detail::RankPool, Reader>;
    return multiprocessing::detail::start_map<State>(
        core_, {options.chunksize, options.buffersize, options.timeout.deadline()}, std::forward<F>(f),
        std::forward<Ranges>(ranges)...);
  }

  // Takes no more tasks. wait: returns when all are done and the ranks have ended their workers.
  // cancel_futures: those that no rank has are cancelled.
  void shutdown(bool wait = true, bool cancel_futures = false) {
    core_->hub->close(*core_, cancel_futures);
    if (!wait) return;
    platform::Wait forever;
    core_->hub->wait_ended(*core_, forever);
  }

  // The same, and waits no longer than that: whether all has ended.
  bool shutdown(const platform::TimeLimit auto& limit) {
    core_->hub->close(*core_, false);
    return platform::within([this](platform::Wait& wait) { return core_->hub->wait_ended(*core_, wait); }, limit);
  }

  // In all ranks together.
  [[nodiscard]] std::size_t max_workers() const noexcept { return core_->options().max_workers; }

  [[nodiscard]] Stats stats() const noexcept { return core_->hub->stats(*core_); }

 private:
  template <class F, class... Arguments>
  static detail::Frame initial_call(const F& initializer, const Arguments&... arguments) {
    detail::Frame frame;
    multiprocessing::OutputArchive out(frame);
    multiprocessing::detail::save_call<multiprocessing::detail::Result::kDropped>(out, initializer, arguments...);
    return frame;
  }

  static detail::Ref<detail::RankPool> open(const Options& options, detail::Frame initializer) {
    detail::Hub& hub = detail::hub_of_this_job();
    const std::size_t each = options.workers_per_rank != 0 ? options.workers_per_rank : cpu_count();
    std::size_t ranks = hub.ranks() - 1;
    if (options.max_workers != 0 && (options.max_workers + each - 1) / each < ranks) {
      ranks = (options.max_workers + each - 1) / each;
    }
    detail::PoolPlan plan{options.run_in, options.workers_per_rank, options.max_tasks_per_child,
                          std::move(initializer)};
    return hub.open({ranks * each, each, options.credits}, plan, ranks);
  }

  const detail::Ref<detail::RankPool> core_;
  const multiprocessing::detail::Who owner_ = multiprocessing::detail::this_process();
};

}  // namespace nogil::mpi
