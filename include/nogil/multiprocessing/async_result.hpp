// nogil/multiprocessing/async_result.hpp -- AsyncResult: the result of Pool's methods that end in _async.
//
//   nogil::mp::AsyncResult<int> answer = pool.apply_async(pow, 323, 2);   // answer = pool.apply_async(pow, (323, 2))
//   use(answer.get(2s));                                                  // use(answer.get(timeout=2))
//
// Threads    A handle: copies are handles to the same result. Each member may be called from
//            any number of threads at once.
// Callbacks  future() has them: future().add_done_callback(f), future().then(f).
// Python     multiprocessing.pool.AsyncResult and MapResult. wait() says whether it is ready.

#pragma once

#include <type_traits>
#include <utility>

#include "nogil/errors.hpp"
#include "nogil/futures/future.hpp"
#include "nogil/platform/wait.hpp"

namespace nogil::multiprocessing {

template <class T>
class AsyncResult {
 public:
  explicit AsyncResult(Future<T> future) noexcept : future_(std::move(future)) {}

  // Waits for the result: const T& of an AsyncResult with a name, T of a temporary or a moved
  // one. Throws what the callable threw; WorkerDied, BrokenProcessPool.
  std::add_lvalue_reference_t<const T> get() const& { return future_.result(); }
  T get() && { return std::move(future_).result(); }

  // get(timeout | deadline): TimeoutError if it is not ready by then.
  std::add_lvalue_reference_t<const T> get(const platform::TimeLimit auto& limit) const& {
    return future_.result(limit);
  }
  T get(const platform::TimeLimit auto& limit) && { return std::move(future_).result(limit); }

  // Waits until it is ready; true, always.
  bool wait() const { return future_.wait(); }

  // wait(timeout | deadline | stop_token | timeout, stop_token): whether it is ready.
  template <class... Limits>
  requires platform::WaitLimits<Limits...>
  bool wait(const Limits&... limits) const { return future_.wait(limits...); }

  // Whether there is a result, or an exception.
  [[nodiscard]] bool ready() const { return future_.done(); }

  // Whether that is no exception. Throws ValueError if it is not ready.
  [[nodiscard]] bool successful() const {
    if (!ready()) throw ValueError("AsyncResult.successful: it is not ready");
    return !future_.cancelled() && future_.exception() == nullptr;
  }

  // The same as a Future.
  [[nodiscard]] Future<T> future() const { return future_; }

 private:
  Future<T> future_;
};

}  // namespace nogil::multiprocessing
