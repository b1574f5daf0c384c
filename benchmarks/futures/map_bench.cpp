// map() over many small tasks: nogil, which makes chunks of them, beside a task for each.

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include "futures/rivals.hpp"
#include "futures/work.hpp"
#include "support/cases.hpp"
#include "support/measure.hpp"

#ifdef NOGIL_HAVE_TBB
#include <oneapi/tbb/parallel_for.h>
#endif

namespace {

using Numbers = std::vector<std::int64_t>;

struct Nogil {
  static constexpr const char* kName = "nogil::ThreadPoolExecutor";
  explicit Nogil(int workers) : pool(static_cast<std::size_t>(workers)) {}
  std::int64_t primes(const Numbers& numbers) {
    std::int64_t count = 0;
    for (const bool prime : pool.map(work::is_prime, numbers)) count += prime ? 1 : 0;
    return count;
  }
  nogil::ThreadPoolExecutor pool;
};

struct Loop {
  static constexpr const char* kName = "a loop";
  explicit Loop(int) {}
  std::int64_t primes(const Numbers& numbers) {
    std::int64_t count = 0;
    for (const std::int64_t n : numbers) count += work::is_prime(n) ? 1 : 0;
    return count;
  }
};

// A future for each number.
template <class R>
struct OneByOne {
  static constexpr const char* kName = R::kName;
  explicit OneByOne(int workers) : pool(workers) {}
  std::int64_t primes(const Numbers& numbers) {
    std::vector<decltype(pool.submit([] { return true; }))> futures;
    futures.reserve(numbers.size());
    for (const std::int64_t n : numbers) futures.push_back(pool.submit([n] { return work::is_prime(n); }));
    std::int64_t count = 0;
    for (auto& future : futures) count += future.get() ? 1 : 0;
    return count;
  }
  typename R::Pool pool;
};

#ifdef NOGIL_HAVE_TBB
using TbbTasks = OneByOne<pools::Tbb>;

struct TbbLoop {
  static constexpr const char* kName = "tbb::parallel_for";
  explicit TbbLoop(int workers) : arena(workers) {}
  std::int64_t primes(const Numbers& numbers) {
    std::vector<char> results(numbers.size());
    arena.execute([&] {
      tbb::parallel_for(std::size_t{0}, numbers.size(),
                        [&](std::size_t i) { results[i] = work::is_prime(numbers[i]); });
    });
    return std::accumulate(results.begin(), results.end(), std::int64_t{0});
  }
  tbb::task_arena arena;
};
#else
using TbbTasks = pools::Tbb;
struct TbbLoop : bench::Absent {
  static constexpr const char* kName = "tbb::parallel_for";
};
#endif

#ifdef NOGIL_HAVE_ASIO
using AsioTasks = OneByOne<pools::Asio>;
#else
using AsioTasks = pools::Asio;
#endif

// Which of the numbers to 10,000 are primes, in order: the price of map() where a task is
// shorter than what it costs to submit.
template <class R>
void map_is_prime_10000(benchmark::State& state) {
  R rival(static_cast<int>(state.range(0)));
  Numbers numbers(10'000);
  std::iota(numbers.begin(), numbers.end(), 1);
  bool right = true;
  bench::measure_with(
      state, 0, [](std::int64_t) {}, [&] { right &= rival.primes(numbers) == 1'229; });
  bench::check(state, right, "not the number of primes up to 10,000");
}

[[maybe_unused]] const bool registered = [] {
  bench::compare(
      bench::Rivals<Nogil, TbbTasks, TbbLoop, AsioTasks, OneByOne<pools::ByHand>, Loop>(),
      BENCH_CASE(map_is_prime_10000),
      {.threads = {2, 4}, .goals = {bench::at_most(0.33, pools::Tbb::kName), bench::at_most(1.0, Loop::kName)}});
  return true;
}();

}  // namespace
