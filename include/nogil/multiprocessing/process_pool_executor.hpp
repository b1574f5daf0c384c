// nogil/multiprocessing/process_pool_executor.hpp -- ProcessPoolExecutor: calls that run in other processes.
//
//   nogil::mp::ProcessPoolExecutor pool(4);                  // Python: ProcessPoolExecutor(4)
//   auto future = pool.submit(is_prime, 112272535095293);    // pool.submit(is_prime, …)
//   bool prime = future.result();
//   for (bool one : pool.map(is_prime, numbers)) …           // for one in pool.map(is_prime, numbers): …
//
// A task that crashes takes down its worker, and nothing else: its future fails with
// WorkerDied, the worker is replaced, and all other tasks go on.
//
// What can be sent is said in serialize.hpp, how workers are started in start_method.hpp.
//
// Threads    Every member except construction and destruction, from any number of threads.
// Order      Tasks begin in about the order of submit(); with several workers they end in any.
//            None waits behind another while a worker has nothing to do, or may be started.
// Errors     submit(): RuntimeError after shutdown, BrokenProcessPool when the pool is broken:
//            an initializer failed, workers die before they are ready three times in a row, or
//            as OnWorkerDeath says. In the future: the task's exception (std's and nogil's as
//            themselves, others as RemoteError), WorkerDied, TimeoutError.
// Cancel     Future::cancel() is in time as long as the task lies in no worker's ring.
// Workers    are started when there is work for them, and ignore SIGINT: the parent decides.
//            What a task has written to stdout is out when its future is done.
// fork       All workers, also the later ones, are copies of the parent as it was when the pool
//            was made; other threads may be started after that.
// Callbacks  run in a thread of the pool's, never in one that waits for a result.
// Waiting    Who waits for a future takes in results meanwhile, others' too: so types are
//            decoded (constructors, serialize()) in any thread that waits.
// Cost       One thread, which sleeps when nothing happens. Calls and results of up to 224
//            bytes lie in rings in shared memory; larger ones in memory that both sides have
//            mapped; those above some MiB, and handles, in memory of their own that is sent
//            with a system call. Who waits looks for up to 0.15 ms without sleeping, as long
//            as a core is free for it.
// Python     concurrent.futures.ProcessPoolExecutor. There a dead worker breaks the pool.

#pragma once

#include <signal.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "nogil/multiprocessing/detail/open_pool.hpp"
#include "nogil/multiprocessing/map.hpp"
#include "nogil/multiprocessing/start_method.hpp"
#include "nogil/platform/wait.hpp"

namespace nogil::multiprocessing {

struct TaskOptions {
  // From when the task begins to run; then its worker is killed and replaced. 0: for ever.
  std::chrono::nanoseconds timeout{0};
};

class ProcessPoolExecutor {
 public:
  struct Options {
    std::size_t max_workers = 0;  // 0: cpu_count()
    std::optional<StartMethod> start_method{};
    std::size_t max_tasks_per_child = 0;  // then the worker is replaced; 0: never
    OnWorkerDeath on_worker_death = OnWorkerDeath::fail_task;
    std::size_t max_retries = 3;
  };

  explicit ProcessPoolExecutor(std::size_t max_workers = 0)
      : ProcessPoolExecutor(Options{.max_workers = max_workers}) {}

  // Throws RuntimeError if the start method cannot be used.
  explicit ProcessPoolExecutor(const Options& options) : core_(detail::open_pool(setup(options))) {}

  // Each worker first calls initializer(arguments...). If that throws, the pool is broken.
  template <class F, class... Arguments>
  ProcessPoolExecutor(const Options& options, const F& initializer, const Arguments&... arguments)
      : core_(detail::open_pool(setup(options), initializer, arguments...)) {}

  ProcessPoolExecutor(const ProcessPoolExecutor&) = delete;
  ProcessPoolExecutor& operator=(const ProcessPoolExecutor&) = delete;

  // shutdown(true). In a process that was forked meanwhile: nothing.
  ~ProcessPoolExecutor() {
    if (core_.mine()) shutdown();
  }

  // The future of f(arguments...), called in a worker. Throws ValueError for a callable with
  // references to variables on this thread's stack.
  template <class F, class... Arguments>
  requires(!std::is_same_v<std::remove_cvref_t<F>, TaskOptions>) auto submit(const F& f,
                                                                             const Arguments&... arguments) {
    return submit(TaskOptions(), f, arguments...);
  }

  template <class F, class... Arguments>
  auto submit(TaskOptions options, const F& f, const Arguments&... arguments) {
    return core_.submit(options.timeout, f, arguments...);
  }

  // f of each element; of several ranges, of their first elements, their second ones, …, to
  // the end of the shortest. Returns a range of the results in the same order: see map.hpp.
  // Throws as submit() does, and what reading the ranges throws.
  template <class F, class... Ranges>
  requires(sizeof...(Ranges) > 0 &&
           (nogil::detail::Iterable<std::remove_reference_t<Ranges>> && ...)) auto map(F&& f, Ranges&&... ranges) {
    return map(MapOptions(), std::forward<F>(f), std::forward<Ranges>(ranges)...);
  }
  template <class F, class... Ranges>
  requires(sizeof...(Ranges) > 0 && (nogil::detail::Iterable<std::remove_reference_t<Ranges>> &&
                                     ...)) auto map(const MapOptions& options, F&& f, Ranges&&... ranges) {
    using Reader = detail::ChunkReader<detail::Spread::kNo, std::decay_t<F>, Ranges...>;
    return detail::start_map<detail::ChunkedMap<Reader>>(
        core_.get(), {options.chunksize, options.buffersize, options.timeout.deadline()}, std::forward<F>(f),
        std::forward<Ranges>(ranges)...);
  }

  // Takes no more tasks. wait: returns when all are done and the workers have ended.
  // cancel_futures: those that lie in no worker's ring are cancelled.
  void shutdown(bool wait = true, bool cancel_futures = false) {
    core_->close(cancel_futures);
    if (!wait) return;
    platform::Wait forever;
    core_->wait_ended(forever);
  }

  // The same, and waits no longer than that: whether all has ended.
  bool shutdown(const platform::TimeLimit auto& limit) {
    core_->close(false);
    return platform::within([this](platform::Wait& wait) { return core_->wait_ended(wait); }, limit);
  }

  // Sends SIGTERM, or SIGKILL, to the workers. What is pending or running fails with
  // BrokenProcessPool; the pool is shut down.
  void terminate_workers() { core_->break_off("ProcessPoolExecutor: its workers were terminated", SIGTERM); }
  void kill_workers() { core_->break_off("ProcessPoolExecutor: its workers were killed", SIGKILL); }

  // Of those that are there at some moment during the call.
  [[nodiscard]] std::vector<int> worker_pids() { return core_->pids(); }

  [[nodiscard]] std::size_t max_workers() const noexcept { return core_->options().max_workers; }

 private:
  static detail::PoolSetup setup(const Options& options) {
    return {options.max_workers, options.start_method, options.max_tasks_per_child, options.on_worker_death,
            options.max_retries};
  }

  detail::OpenPool core_;
};

}  // namespace nogil::multiprocessing
