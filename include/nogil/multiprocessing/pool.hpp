// nogil/multiprocessing/pool.hpp -- Pool: processes that apply a callable to your data.
//
//   nogil::mp::Pool pool(4);                                   // with Pool(4) as pool:
//   std::vector<int> all = pool.map(square, numbers);          //     all = pool.map(square, numbers)
//   for (int x : pool.imap_unordered(square, numbers, 100)) …  //     for x in pool.imap_unordered(square, numbers,
//   100): … auto one = pool.apply_async(square, 7);                    //     one = pool.apply_async(square, (7,))
//   use(one.get());                                            //     use(one.get())
//
// The same processes as a ProcessPoolExecutor's, under the names of Python's older class:
// what can be sent, how workers are started, and what happens when one dies, is said there.
// A dead worker is an exception of what it ran, never a wait without end.
//
// Chunks     map, starmap and their _async kin send `chunksize` arguments in one message; 0:
//            as many as make 16 chunks for each worker. imap and imap_unordered send 1, as
//            long as they are not told otherwise: a larger one is much faster for short calls.
// Reading    Ranges are read to their end at the call. imap and imap_unordered read one whose
//            length cannot be told beforehand (an endless one, say) as its results are read,
//            16 chunks for each worker ahead; so read them before join(). What reading the
//            range throws comes behind the results of what was read before.
// Threads    Every member except construction and destruction, from any number of threads.
// Errors     After close() or terminate(): ValueError. A method that waits throws what the
//            callable threw; of several, the exception of the first argument in order.
// Lifetime   The destructor is terminate() and join(), as the end of a `with` is in Python:
//            close() and join() before it let everything come to its end. Results of imap
//            and AsyncResults may outlive the pool.
// Python     multiprocessing.Pool. There map() waits for ever when a worker is killed.
//            Callbacks of apply_async are AsyncResult::future().add_done_callback().

#pragma once

#include <signal.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "nogil/errors.hpp"
#include "nogil/multiprocessing/async_result.hpp"
#include "nogil/multiprocessing/detail/gather.hpp"
#include "nogil/multiprocessing/detail/open_pool.hpp"
#include "nogil/multiprocessing/detail/unordered_map.hpp"
#include "nogil/multiprocessing/map.hpp"
#include "nogil/multiprocessing/start_method.hpp"

namespace nogil::multiprocessing {

class Pool {
 public:
  struct Options {
    std::size_t processes = 0;         // 0: cpu_count()
    std::size_t maxtasksperchild = 0;  // chunks, after which a worker is replaced; 0: never
    std::optional<StartMethod> start_method{};
    OnWorkerDeath on_worker_death = OnWorkerDeath::fail_task;
    std::size_t max_retries = 3;
  };

  explicit Pool(std::size_t processes = 0) : Pool(Options{.processes = processes}) {}

  // Throws RuntimeError if the start method cannot be used.
  explicit Pool(const Options& options) : core_(detail::open_pool(setup(options))) {}

  // Each worker first calls initializer(arguments...). If that throws, the pool is broken.
  template <class F, class... Arguments>
  Pool(std::size_t processes, const F& initializer, const Arguments&... arguments)
      : Pool(Options{.processes = processes}, initializer, arguments...) {}
  template <class F, class... Arguments>
  Pool(const Options& options, const F& initializer, const Arguments&... arguments)
      : core_(detail::open_pool(setup(options), initializer, arguments...)) {}

  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // In a process that was forked meanwhile: nothing.
  ~Pool() {
    if (!core_.mine()) return;
    terminate();
    join();
  }

  // ---- One call ----------------------------------------------------------------------------

  // f(arguments...), called in a worker; waits for the result.
  template <class F, class... Arguments>
  auto apply(const F& f, const Arguments&... arguments) {
    return take(apply_async(f, arguments...));
  }

  template <class F, class... Arguments>
  auto apply_async(const F& f, const Arguments&... arguments) {
    require_running();
    return AsyncResult(core_.submit(std::chrono::nanoseconds(0), f, arguments...));
  }

  // ---- A call for each element -----------------------------------------------------------

  // f of each element, in order: a vector, or nothing if f returns nothing. Waits for all.
  template <class F, class Range>
  requires nogil::detail::Iterable<std::remove_reference_t<Range>>
  auto map(F&& f, Range&& range, std::size_t chunksize = 0) {
    return take(map_async(std::forward<F>(f), std::forward<Range>(range), chunksize));
  }

  template <class F, class Range>
  requires nogil::detail::Iterable<std::remove_reference_t<Range>>
  auto map_async(F&& f, Range&& range, std::size_t chunksize = 0) {
    return gather<detail::Spread::kNo>(std::forward<F>(f), std::forward<Range>(range), chunksize);
  }

  // f(a, b, …) of each element, which is a tuple or pair (a, b, …).
  template <class F, class Range>
  requires nogil::detail::Iterable<std::remove_reference_t<Range>>
  auto starmap(F&& f, Range&& range, std::size_t chunksize = 0) {
    return take(starmap_async(std::forward<F>(f), std::forward<Range>(range), chunksize));
  }

  template <class F, class Range>
  requires nogil::detail::Iterable<std::remove_reference_t<Range>>
  auto starmap_async(F&& f, Range&& range, std::size_t chunksize = 0) {
    return gather<detail::Spread::kTuple>(std::forward<F>(f), std::forward<Range>(range), chunksize);
  }

  // A single-pass range of the results, in order, each as soon as it is there: see map.hpp.
  // Throws ValueError for a chunksize of 0.
  template <class F, class Range>
  requires nogil::detail::Iterable<std::remove_reference_t<Range>>
  auto imap(F&& f, Range&& range, std::size_t chunksize = 1) {
    return lazily<detail::ChunkedMap>(std::forward<F>(f), std::forward<Range>(range), chunksize);
  }

  // The same, in the order in which they are done. (Those of one chunk stay together.)
  template <class F, class Range>
  requires nogil::detail::Iterable<std::remove_reference_t<Range>>
  auto imap_unordered(F&& f, Range&& range, std::size_t chunksize = 1) {
    return lazily<detail::UnorderedMap>(std::forward<F>(f), std::forward<Range>(range), chunksize);
  }

  // ---- The end ------------------------------------------------------------------------------

  // Takes no more work. The workers end when all is done.
  void close() {
    closed_.store(true, std::memory_order_relaxed);
    core_->close(false);
  }

  // Ends the workers, at once. What is pending or running fails with BrokenProcessPool.
  void terminate() {
    closed_.store(true, std::memory_order_relaxed);
    core_->break_off("Pool: it was terminated", SIGTERM);
  }

  // Waits until the workers have ended. Throws ValueError before close() or terminate().
  void join() {
    prepare_join();
    platform::Wait forever;
    core_->wait_ended(forever);
  }

  // join() that waits no longer than that: whether they have ended.
  bool join(const platform::TimeLimit auto& limit) {
    prepare_join();
    return platform::within([this](platform::Wait& wait) { return core_->wait_ended(wait); }, limit);
  }

  [[nodiscard]] std::size_t processes() const noexcept { return core_->options().max_workers; }

  // Of those that are there at some moment during the call.
  [[nodiscard]] std::vector<int> worker_pids() { return core_->pids(); }

 private:
  static detail::PoolSetup setup(const Options& options) {
    return {options.processes, options.start_method, options.maxtasksperchild, options.on_worker_death,
            options.max_retries};
  }

  void require_running() const {
    if (closed_.load(std::memory_order_relaxed))
      throw ValueError("Pool: it is not running: it was closed or terminated");
  }

  void prepare_join() {
    if (!closed_.load(std::memory_order_relaxed)) throw ValueError("Pool.join: the pool is still running: close() it");
    core_->give_up_feeders();
  }

  // The result of a call that nobody else waits for: moved out, never copied.
  template <class T>
  static T take(const AsyncResult<T>& result) {
    result.get();
    if constexpr (!std::is_void_v<T>) return detail::take_result<T>(result.future());
  }

  template <detail::Spread kSpread, class F, class Range>
  auto gather(F&& f, Range&& range, std::size_t chunksize) {
    require_running();
    using Reader = detail::ChunkReader<kSpread, std::decay_t<F>, Range>;
    return AsyncResult(detail::gather<Reader>(*core_, chunksize, std::forward<F>(f), std::forward<Range>(range)));
  }

  template <template <class> class Map, class F, class Range>
  auto lazily(F&& f, Range&& range, std::size_t chunksize) {
    require_running();
    if (chunksize == 0) throw ValueError("Pool.imap: chunksize must be 1 or more");
    using Reader = detail::ChunkReader<detail::Spread::kNo, std::decay_t<F>, Range>;
    const std::size_t window = Reader::kSized ? 0 : chunksize * 16 * processes();
    return detail::start_map<Map<Reader>>(core_.get(),
                                          {chunksize, window, platform::Deadline::never(), detail::Late::kTaken},
                                          std::forward<F>(f), std::forward<Range>(range));
  }

  detail::OpenPool core_;
  std::atomic<bool> closed_{false};
};

}  // namespace nogil::multiprocessing
