// Several coroutines at once, side by side: gather and task_group of nogil::asyncio, and what
// one writes with Asio: co_spawn with a handler that counts.

#include <benchmark/benchmark.h>

#include <cstddef>
#include <exception>
#include <utility>
#include <vector>

#include "nogil/asyncio/gather.hpp"
#include "nogil/asyncio/run.hpp"
#include "nogil/asyncio/task_group.hpp"
#include "support/cases.hpp"
#include "support/measure.hpp"

#ifdef NOGIL_HAVE_ASIO
#include <asio.hpp>
#endif

namespace {

// ---- The rivals: each runs a loop to its end, with `count` coroutines of which each gives 1 --

nogil::asyncio::Coro<int> one() {
  co_return 1;
}

struct Gather {
  static constexpr const char* kName = "nogil::asyncio::gather";

  static nogil::asyncio::Coro<int> amain(int count) {
    std::vector<nogil::asyncio::Coro<int>> coros;
    coros.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) coros.push_back(one());
    int sum = 0;
    const std::vector<int> results = co_await nogil::asyncio::gather(std::move(coros));
    for (const int result : results) sum += result;
    co_return sum;
  }
  static int all(int count) { return nogil::asyncio::run(amain(count)); }
};

struct Group {
  static constexpr const char* kName = "nogil::asyncio::task_group";

  static nogil::asyncio::Coro<> add_one(int& sum) {
    ++sum;
    co_return;
  }
  static nogil::asyncio::Coro<int> amain(int count) {
    int sum = 0;
    co_await nogil::asyncio::task_group([&](nogil::asyncio::TaskGroup& group) -> nogil::asyncio::Scoped<> {
      for (int i = 0; i < count; ++i) group.create_task(add_one(sum));
      co_return;
    });
    co_return sum;
  }
  static int all(int count) { return nogil::asyncio::run(amain(count)); }
};

#ifdef NOGIL_HAVE_ASIO
struct Spawned {
  static constexpr const char* kName = "asio::co_spawn";

  static asio::awaitable<int> number() { co_return 1; }
  static int all(int count) {
    asio::io_context context(1);
    std::vector<int> results(static_cast<std::size_t>(count));
    for (int& result : results) {
      asio::co_spawn(context, number(), [&result](std::exception_ptr, int value) { result = value; });
    }
    context.run();
    int sum = 0;
    for (const int result : results) sum += result;
    return sum;
  }
};
#else
struct Spawned : bench::Absent {
  static constexpr const char* kName = "asio::co_spawn";
};
#endif

// ---- The cases ---------------------------------------------------------------------------

// One of 100,000 coroutines that are begun, run and awaited together.
template <class R>
void gather_100000(benchmark::State& state) {
  constexpr int kEach = 100'000;
  bool right = true;
  bench::measure_batches(state, kEach, [&] { right = R::all(kEach) == kEach && right; });
  bench::check(state, right, "a result is missing");
}

[[maybe_unused]] const bool registered = [] {
  bench::compare(bench::Rivals<Gather, Spawned, Group>(), BENCH_CASE(gather_100000),
                 {.goals = {bench::at_most(0.5, Spawned::kName)}});
  return true;
}();

}  // namespace
