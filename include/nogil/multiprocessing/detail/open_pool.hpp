// nogil/multiprocessing/detail/open_pool.hpp -- what ProcessPoolExecutor and Pool have in common: a pool.

#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "nogil/errors.hpp"
#include "nogil/multiprocessing/detail/call.hpp"
#include "nogil/multiprocessing/detail/life.hpp"
#include "nogil/multiprocessing/detail/pool_core.hpp"
#include "nogil/multiprocessing/detail/pool_task.hpp"
#include "nogil/multiprocessing/start_method.hpp"
#include "nogil/threading/cpu_count.hpp"
#include "nogil/threading/detail/ref.hpp"

namespace nogil::multiprocessing::detail {

struct PoolSetup {
  std::size_t workers;  // 0: cpu_count()
  std::optional<StartMethod> method;
  std::size_t max_tasks_per_child;
  OnWorkerDeath on_worker_death;
  std::size_t max_retries;
};

// The future of f(arguments...), which a pool runs elsewhere. `timeout`: from when it begins to
// run; 0 or less: none.
template <class Core, class F, class... Arguments>
auto submit_call(Core& core, std::chrono::nanoseconds timeout, const F& f, const Arguments&... arguments) {
  using R = std::decay_t<std::invoke_result_t<std::decay_t<const F&>&, SentAs<const Arguments&>...>>;
  auto task = std::make_unique<PoolTaskOf<R>>(Frame(core.call_memory()), core.executor());
  if (timeout.count() > 0) task->timeout = timeout;
  OutputArchive out(task->call);
  save_call<Result::kSent>(out, f, arguments...);
  Future<R> future = task->future();
  core.submit(std::move(task));
  return future;
}

// Owns a pool.
class OpenPool {
 public:
  explicit OpenPool(nogil::detail::Ref<PoolCore> core) : core_(std::move(core)) {}

  PoolCore* operator->() const noexcept { return core_.get(); }
  PoolCore& operator*() const noexcept { return *core_; }
  const nogil::detail::Ref<PoolCore>& get() const noexcept { return core_; }

  // False in a process that was forked from the one that made it.
  bool mine() const noexcept { return owner_ == this_process(); }

  // The future of f(arguments...). `timeout`: from when it begins to run; 0 or less: none.
  template <class F, class... Arguments>
  auto submit(std::chrono::nanoseconds timeout, const F& f, const Arguments&... arguments) {
    return submit_call(*core_, timeout, f, arguments...);
  }

 private:
  nogil::detail::Ref<PoolCore> core_;
  Who owner_ = this_process();
};

// Throws ValueError for a bad number, RuntimeError if the start method cannot be used.
inline OpenPool open_pool(const PoolSetup& setup, Frame initializer = {}) {
  if (setup.workers > 65'535) throw ValueError("a pool of processes: more than 65,535 workers");
  const StartMethod method = method_or_default(setup.method);
  require_method(method);
  const std::size_t workers = setup.workers != 0 ? setup.workers : cpu_count();
  return OpenPool(nogil::detail::Ref<PoolCore>(new PoolCore(
      {workers, method, setup.max_tasks_per_child, setup.on_worker_death, setup.max_retries}, std::move(initializer))));
}

template <class F, class... Arguments>
requires(!std::is_same_v<F, Frame>) OpenPool
    open_pool(const PoolSetup& setup, const F& initializer, const Arguments&... arguments) {
  Frame frame;
  OutputArchive out(frame);
  save_call<Result::kDropped>(out, initializer, arguments...);
  return open_pool(setup, std::move(frame));
}

}  // namespace nogil::multiprocessing::detail
