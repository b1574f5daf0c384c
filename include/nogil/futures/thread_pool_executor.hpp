// nogil/futures/thread_pool_executor.hpp -- ThreadPoolExecutor: threads that run your callables.
//
//   nogil::ThreadPoolExecutor pool(4);                       // with ThreadPoolExecutor(4) as pool:
//   nogil::Future<int> answer = pool.submit(pow, 323, 2);    //     answer = pool.submit(pow, 323, 2)
//   use(answer.result());                                    //     use(answer.result())
//   for (int size : pool.map(fetch, urls)) add(size);        //     for size in pool.map(fetch, urls): …
//
// Threads    Every member except construction and destruction may be called from any
//            number of threads at once, tasks of the pool included.
// Ordering   What the caller did before submit() is visible to the task; what that did, to
//            whoever sees its future done, and to the caller after shutdown().
//            Tasks that are submitted from outside begin in the order of submission (of
//            those that take less than 2 us, some workers take up to 64 at once). Tasks
//            that a task submits begin newest first, or are taken by other workers, oldest
//            first.
// Waiting    A task may wait for another one of its pool: if nobody has begun that yet, it
//            is run then and there, and nothing else is. So a pool of one worker gets to
//            the end of any tree of tasks, and a task that holds a lock while it waits does
//            not meet an unrelated one that wants the same lock. Tasks that wait for each
//            other in a ring: DeadlockError. (A wait with a limit does the same, so a task
//            that is run in it may make it last longer than that.)
// Workers    Are started when there is work and none is free; then they stay. One without
//            work looks for it for a moment (docs/design/waiting.md), then sleeps.
// Errors     What a task throws goes to its future; of a task without one, to the
//            excepthook. submit() throws RuntimeError after shutdown(), and
//            BrokenThreadPool when an initializer has thrown.
// Lifetime   The destructor is shutdown(true): it runs what is queued and waits for it. (In
//            a task of the same pool it cannot wait: then the workers end by themselves.)
//            Futures may outlive the pool.
// Fork       The child has none of the threads: there submit() throws BrokenThreadPool, and
//            shutdown() and the destructor return at once.
// Cost       A small callable with its future: one block of 64 bytes from a cache, no
//            allocation. submit() from outside: one locked instruction, and a wake-up only
//            if a worker sleeps and none is searching.
// Python     concurrent.futures.ThreadPoolExecutor, where a task that waits for another one
//            of its pool may wait for ever.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "nogil/futures/detail/future_task.hpp"
#include "nogil/futures/detail/map_state.hpp"
#include "nogil/futures/detail/parallel.hpp"
#include "nogil/futures/detail/pool.hpp"
#include "nogil/futures/detail/shared_callback.hpp"
#include "nogil/futures/future.hpp"
#include "nogil/futures/map.hpp"
#include "nogil/platform/errors.hpp"
#include "nogil/platform/text.hpp"
#include "nogil/platform/wait.hpp"
#include "nogil/threading/cpu_count.hpp"
#include "nogil/threading/current_thread.hpp"
#include "nogil/threading/excepthook.hpp"

namespace nogil {

namespace detail {

template <class F, class... Args>
using TaskCall = BoundCall<std::decay_t<F>, std::decay_t<Args>...>;

// A task without a future.
template <class Call>
class PostedCall : public Call {
 public:
  using Result = void;
  using Call::Call;

  template <class... Token>
  void operator()(Token&&... token) {
    try {
      static_cast<void>(Call::operator()(std::forward<Token>(token)...));
    } catch (...) {
      report_exception(std::current_exception(), current_thread().name());
    }
  }
};

}  // namespace detail

class ThreadPoolExecutor {
 public:
  struct Options {
    std::size_t max_workers = 0;           // 0: cpu_count()
    std::string thread_name_prefix = {};   // empty: "ThreadPoolExecutor-N"; a worker is prefix_0, prefix_1, …
    detail::SharedCallback initializer{};  // called in each worker before its first task
    std::size_t max_queue = 0;             // most tasks from outside that wait to be begun; 0: no bound
  };

  // What a pool has done so far, and has to do: each of them a number at some moment during
  // the call.
  struct Stats {
    std::size_t workers;      // started
    std::uint64_t queued;     // tasks that wait to be begun, or were cancelled meanwhile
    std::uint64_t submitted;  // from outside the pool
    std::uint64_t run;        // begun
    std::uint64_t helped;     // of these, inside a task that waited for them
    std::uint64_t stolen;     // of these, by another worker than the one whose task submitted them
    std::uint64_t sleeps;     // of workers without work
  };

  // Starts no thread yet. Throws ValueError for more workers than 65,535.
  explicit ThreadPoolExecutor(std::size_t max_workers = 0) : ThreadPoolExecutor(Options{.max_workers = max_workers}) {}
  explicit ThreadPoolExecutor(Options options) : pool_(make_pool(std::move(options))) {}
  ThreadPoolExecutor(const ThreadPoolExecutor&) = delete;
  ThreadPoolExecutor& operator=(const ThreadPoolExecutor&) = delete;
  ~ThreadPoolExecutor() { pool_->abandon(); }

  // Has f(args...) called by a worker; or f(token, args...), if it cannot be called without
  // a std::stop_token, which Future::request_stop() stops. Callable and arguments are
  // copied or moved in (they may be move-only) and moved into the call. Waits for room if
  // max_queue is reached, unless a task of the pool calls it.
  // Throws RuntimeError after shutdown(), and if the system refuses the first thread;
  // BrokenThreadPool; what copying or moving throws.
  template <class F, class... Args>
  requires detail::TaskCallable<F, Args...>
  auto submit(F&& f, Args&&... args) -> Future<typename detail::TaskCall<F, Args...>::Result> {
    using Call = detail::TaskCall<F, Args...>;
    if (pool_->refuses()) [[unlikely]]
      pool_->refuse();
    detail::BlockRef entry(&detail::Task<Call>::make(2, pool_, std::forward<F>(f), std::forward<Args>(args)...));
    auto future = detail::FutureAccess::take_over<Future<typename Call::Result>>(*entry);
    pool_->submit(entry);
    return future;
  }

  // submit() that waits for nothing: empty if there is no room, or after shutdown(). Throws
  // as submit() does otherwise.
  template <class F, class... Args>
  requires detail::TaskCallable<F, Args...>
  auto try_submit(F&& f, Args&&... args) -> std::optional<Future<typename detail::TaskCall<F, Args...>::Result>> {
    using Call = detail::TaskCall<F, Args...>;
    if (!pool_->has_room()) return std::nullopt;
    detail::BlockRef entry(&detail::Task<Call>::make(2, pool_, std::forward<F>(f), std::forward<Args>(args)...));
    auto future = detail::FutureAccess::take_over<Future<typename Call::Result>>(*entry);
    if (!pool_->try_submit(entry)) return std::nullopt;
    return future;
  }

  // submit() without a future: what the callable throws goes to the excepthook.
  template <class F, class... Args>
  requires detail::TaskCallable<F, Args...>
  void post(F&& f, Args&&... args) {
    using Call = detail::PostedCall<detail::TaskCall<F, Args...>>;
    if (pool_->refuses()) [[unlikely]]
      pool_->refuse();
    detail::BlockRef entry(&detail::Task<Call>::make(1, pool_, std::forward<F>(f), std::forward<Args>(args)...));
    pool_->submit(entry);
  }

  // f of each element; of several ranges, of their first elements, their second ones, …, to
  // the end of the shortest. Returns a range of the results in the same order: see map.hpp.
  // Throws as submit() does, and what reading the ranges throws.
  template <class F, class... Ranges>
  requires(sizeof...(Ranges) > 0 &&
           (detail::Iterable<std::remove_reference_t<Ranges>> && ...)) auto map(F&& f, Ranges&&... ranges) {
    return map(MapOptions(), std::forward<F>(f), std::forward<Ranges>(ranges)...);
  }
  template <class F, class... Ranges>
  requires(sizeof...(Ranges) > 0 && (detail::Iterable<std::remove_reference_t<Ranges>> &&
                                     ...)) auto map(const MapOptions& options, F&& f, Ranges&&... ranges) {
    using Source = std::conditional_t<(detail::kReadableInPlace<Ranges> && ...), detail::MapInPlace<Ranges...>,
                                      detail::MapStored<Ranges...>>;
    using State = detail::MapState<std::decay_t<F>, Source>;
    if (pool_->refuses()) [[unlikely]]
      pool_->refuse();
    MapResults<State> results(
        detail::Ref<State>(new State(*pool_, {options.chunksize, options.buffersize, options.timeout.deadline()},
                                     std::forward<F>(f), std::forward<Ranges>(ranges)...)));
    results.start();
    return results;
  }

  // ---- Blocking: the caller works too. May be used within each other, to any depth ----

  // f of each element, in any order, several at a time; returns when all are done. The
  // first exception ends it and is thrown, when what has begun has come to its end.
  // Throws RuntimeError and BrokenThreadPool as submit() does, but not in a task of the
  // pool: that does it alone then.
  template <class Range, class F>
  requires detail::Iterable<std::remove_reference_t<Range>>
  void for_each(Range&& range, F&& f) { detail::parallel_for_each(*pool_, range, f); }

  // combine(…combine(combine(init, e0), e1)…, en), for a combine() that may be bracketed in
  // another way: it gets two values of R, or an R and an element. The brackets depend on
  // the length of the range alone: so a floating-point sum is the same each time, and with
  // any number of workers. Throws as for_each() does.
  template <class Range, class R, class Combine>
  requires detail::Iterable<std::remove_reference_t<Range>> R reduce(Range&& range, R init, Combine&& combine) {
    auto same = [](auto&& element) -> decltype(auto) { return std::forward<decltype(element)>(element); };
    return detail::parallel_reduce(*pool_, range, std::move(init), combine, same);
  }

  // reduce() of f of each element.
  template <class Range, class R, class Combine, class F>
  requires detail::Iterable<std::remove_reference_t<Range>> R transform_reduce(Range&& range, R init, Combine&& combine,
                                                                               F&& f) {
    return detail::parallel_reduce(*pool_, range, std::move(init), combine, f);
  }

  // Calls all of these, several at once if workers are free; returns when all are done. An
  // exception is thrown then; of several, the one of the first callable that has thrown, as
  // far as those behind it were begun at all. For recursion that forks and joins: a fork
  // costs a few nanoseconds. From outside it is run by a worker.
  template <class F, class... More>
  void invoke(F&& f, More&&... more) {
    if constexpr (sizeof...(More) == 0) {
      static_cast<void>(f());
    } else if (!pool_->inside()) {
      submit([&] { invoke(f, more...); }).result();
    } else {
      auto rest = [&] { invoke(more...); };
      detail::fork_and_join(*detail::Worker::current(), f, rest);
    }
  }

  // ---- End ----

  // No more tasks from now on; idempotent. What is queued is run all the same, or cancelled
  // if `cancel_futures`; what is running goes on. With `wait`, returns when all is done and
  // the threads have ended. Throws RuntimeError if a task of the pool would wait.
  void shutdown(bool wait = true, bool cancel_futures = false) {
    if (wait) require_outside();
    pool_->close(cancel_futures);
    if (wait) pool_->join();
  }

  // shutdown(timeout | deadline): waits no longer than that. Returns whether all is done.
  template <platform::TimeLimit Time>
  bool shutdown(const Time& limit) {
    require_outside();
    const auto end = end_of(limit);
    pool_->close(false);
    return pool_->join(end);
  }

  // Most threads that it may have.
  [[nodiscard]] std::size_t max_workers() const noexcept { return pool_->size(); }

  [[nodiscard]] Stats stats() const noexcept {
    Stats stats{0, pool_->queued(), pool_->submitted(), 0, 0, 0, 0};
    pool_->for_each_worker([&](const detail::Worker& worker) {
      ++stats.workers;
      stats.run += worker.tasks_run.get();
      stats.helped += worker.tasks_helped.get();
      stats.stolen += worker.tasks_stolen.get();
      stats.sleeps += worker.sleeps.get();
    });
    return stats;
  }

 private:
  static detail::Pool* make_pool(Options options) {
    const std::size_t workers = options.max_workers == 0 ? cpu_count() : options.max_workers;
    if (workers > detail::Pool::kMostWorkers) {
      throw ValueError((platform::Text() << "ThreadPoolExecutor: max_workers must be at most "
                                         << std::uint64_t{detail::Pool::kMostWorkers} << ", not " << workers)
                           .take());
    }
    if (options.thread_name_prefix.empty()) {
      const std::uint64_t number = detail::g_pools.fetch_add(1, std::memory_order_relaxed);
      options.thread_name_prefix = (platform::Text() << "ThreadPoolExecutor-" << number).take();
    }
    return new detail::Pool({static_cast<std::uint32_t>(workers), std::move(options.thread_name_prefix),
                             std::move(options.initializer), options.max_queue});
  }

  // The point in time when a limit is reached.
  template <class Rep, class Period>
  static auto end_of(const std::chrono::duration<Rep, Period>& timeout) {
    using Clock = platform::Deadline::Clock;
    const auto end = platform::Deadline::after(timeout);
    if (end.is_never()) return Clock::time_point::max();
    const std::timespec when = end.to_timespec();
    return Clock::time_point(std::chrono::seconds(when.tv_sec) + std::chrono::nanoseconds(when.tv_nsec));
  }
  template <class Clock, class Duration>
  static auto end_of(const std::chrono::time_point<Clock, Duration>& when) {
    return when;
  }

  void require_outside() const {
    if (pool_->inside()) {
      throw RuntimeError("ThreadPoolExecutor.shutdown: a task cannot wait for the end of its own pool");
    }
  }

  detail::Pool* const pool_;  // deletes itself
};

}  // namespace nogil
