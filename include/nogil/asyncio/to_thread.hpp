// nogil/asyncio/to_thread.hpp -- between a loop and threads: to_thread, run_in_executor, run_coroutine_threadsafe.
//
//   Image image = co_await asyncio::to_thread(decode, bytes);   // Python: image = await asyncio.to_thread(decode,
//   data)
//
//   nogil::Future<Page> page = asyncio::run_coroutine_threadsafe(fetch(url), loop);   // in another thread
//   use(page.result());
//
// And co_await takes a nogil::Future, as executors give them.
//
// Cancel     To cancel who waits for a thread frees him at once. What has not begun never
//            will; what runs goes on, and nobody sees its result (as in Python).
// Lifetime   What is called in a thread gets copies of its arguments. The loop's own threads
//            are joined at its end: a callable that hangs holds that up.
// g++        Before a lambda with captures that are not trivial (a string) is written inside
//            a co_await: g++ 12 destroys it twice. Give the values as arguments, or give the
//            lambda a name and move it.
// Python     asyncio.to_thread, loop.run_in_executor, asyncio.run_coroutine_threadsafe,
//            asyncio.wrap_future.

#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

#include "nogil/asyncio/detail/future_await.hpp"
#include "nogil/asyncio/detail/remote_task.hpp"
#include "nogil/asyncio/event_loop.hpp"
#include "nogil/asyncio/task.hpp"
#include "nogil/futures/thread_pool_executor.hpp"
#include "nogil/threading/cpu_count.hpp"

namespace nogil::asyncio {

namespace detail {

// A loop's own threads: as many as Python's, since they mostly wait.
class DefaultExecutor final : public LoopService {
 public:
  explicit DefaultExecutor(LoopCore&) : pool(most_workers()) {}

  ThreadPoolExecutor pool;

 private:
  static std::size_t most_workers() {
    const std::size_t workers = cpu_count() + 4;
    return workers < 32 ? workers : 32;
  }
};

template <class Executor, class F, class... Args>
using SubmitResult =
    typename decltype(std::declval<Executor&>().submit(std::declval<F>(), std::declval<Args>()...))::value_type;

}  // namespace detail

// function(args...) in a thread of the loop's own, when this is awaited. Gives what it
// returns, and throws what it throws.
template <class F, class... Args>
Coro<detail::SubmitResult<ThreadPoolExecutor, F, Args...>> to_thread(F function, Args... args) {
  auto future =
      detail::running_loop().service<detail::DefaultExecutor>().pool.submit(std::move(function), std::move(args)...);
  co_return co_await std::move(future);
}

// executor.submit(function, args...), at once. The task waits for the result: it may be
// awaited, gathered, cancelled.
template <class Executor, class F, class... Args>
auto run_in_executor(Executor& executor, F&& function, Args&&... args) {
  static_cast<void>(detail::running_loop());
  return create_task(executor.submit(std::forward<F>(function), std::forward<Args>(args)...));
}

// From another thread: runs a coroutine as a task of the loop, which need not run yet. To
// cancel the future is to cancel the task. The loop must be there until this returns.
template <class T>
nogil::Future<T> run_coroutine_threadsafe(Coro<T> coro, EventLoop& loop) {
  return detail::RemoteTask<T>::start(std::move(coro), detail::LoopAccess::core(loop));
}

}  // namespace nogil::asyncio
