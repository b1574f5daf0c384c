// nogil/futures/detail/parallel.hpp -- for_each() and reduce() over a Row; invoke().

#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "nogil/futures/detail/future_await.hpp"
#include "nogil/futures/detail/future_task.hpp"
#include "nogil/futures/detail/pool.hpp"
#include "nogil/futures/detail/row.hpp"
#include "nogil/futures/detail/row_source.hpp"
#include "nogil/futures/detail/worker.hpp"
#include "nogil/platform/wait.hpp"

namespace nogil::detail {

template <class Range, class F>
void parallel_for_each(Pool& pool, Range& range, F& function) {
  struct Context {
    RowSource<Range> source;
    F& function;

    static void run(void* context, std::uint64_t first, std::uint64_t last) {
      Context& self = *static_cast<Context*>(context);
      self.source.each(first, last, self.function);
    }
  } context{RowSource<Range>(range), function};
  Row(pool, context.source.size(), &Context::run, &context).run();
}

// The range is cut into blocks by its length alone. Each is reduced from its first element
// to its last, by whoever takes it; the caller then reduces the results of the blocks from
// the first to the last. So the order of all steps is the same for every pool and every
// run, and so is a sum of floating-point numbers, to the last bit.
template <class Range, class R, class Combine, class F>
R parallel_reduce(Pool& pool, Range& range, R init, Combine& combine, F& transform) {
  constexpr std::uint64_t kMostBlocks = 512;

  struct Context {
    RowSource<Range> source;
    Combine& combine;
    F& transform;
    std::uint64_t blocks;
    std::vector<std::optional<R>> results;

    std::uint64_t cut(std::uint64_t block) const noexcept {
      const std::uint64_t size = source.size();
      return size / blocks * block + (block < size % blocks ? block : size % blocks);
    }

    static void run(void* context, std::uint64_t first, std::uint64_t last) {
      Context& self = *static_cast<Context*>(context);
      for (std::uint64_t block = first; block != last; ++block) self.reduce(block);
    }
    void reduce(std::uint64_t block) {
      const std::uint64_t first = cut(block);
      std::optional<R> sum;
      source.each(first, first + 1,
                  [&](auto&& element) { sum.emplace(transform(std::forward<decltype(element)>(element))); });
      R& value = *sum;
      source.each(first + 1, cut(block + 1), [&](auto&& element) {
        value = combine(std::move(value), transform(std::forward<decltype(element)>(element)));
      });
      results[static_cast<std::size_t>(block)] = std::move(sum);
    }
  } context{RowSource<Range>(range), combine, transform, 0, {}};
  const std::uint64_t size = context.source.size();
  context.blocks = size < kMostBlocks ? size : kMostBlocks;
  context.results.resize(static_cast<std::size_t>(context.blocks));
  Row(pool, context.blocks, &Context::run, &context).run();
  for (std::optional<R>& result : context.results) init = combine(std::move(init), *std::move(result));
  return init;
}

// ---- Fork and join ------------------------------------------------------------------------

template <class G>
struct CallByReference {
  G* function;
  void operator()() const { static_cast<void>((*function)()); }
};

// The end of a fork whose second half is not to be taken back any more. With its ownership.
[[gnu::noinline]] inline void join_fork(TaskBlock& block) {
  const BlockRef mine(&block);
  platform::Wait forever;
  await(block, forever);
  if (block.state() == FutureState::kFailed) std::rethrow_exception(payload<std::exception_ptr>(block));
}

// The same when the first half has thrown: the second is not begun any more.
[[gnu::noinline, gnu::cold]] inline void abandon_fork(TaskBlock& block) noexcept {
  const BlockRef mine(&block);
  platform::Wait forever;
  if (!block.cancel()) block.wait(forever);
}

// In a worker: the second is offered to others while the first runs here. Most of the time
// nobody has taken it, and it is taken back, without a step that other threads could see.
template <class F, class G>
void fork_and_join(Worker& worker, F& first, G& second) {
  using Call = BoundCall<CallByReference<G>>;
  TaskBlock& block = Task<Call>::make(2, &worker.pool(), CallByReference<G>{&second});
  try {
    worker.push(block);
  } catch (...) {
    Task<Call>::take_apart(block);
    throw;
  }
  worker.pool().notify_often();
  try {
    static_cast<void>(first());
  } catch (...) {
    if (worker.take_back(block)) Task<Call>::take_apart(block);
    else abandon_fork(block);
    throw;
  }
  if (!worker.take_back(block)) return join_fork(block);
  Task<Call>::take_apart(block);
  static_cast<void>(second());
}

}  // namespace nogil::detail
