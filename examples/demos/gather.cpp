// gather -- all at once, and their results in order: three sleeps, then ten thousand.
//
// gather() makes a task of each coroutine and waits for all of them. A task that sleeps is
// a few hundred bytes, and no thread: ten thousand of them sleep in the time of one.
//
// Python:
//
//     async def nap(number):
//         await asyncio.sleep(1)
//         return number
//
//     async def main():
//         print(await asyncio.gather(nap(1), nap(2), nap(3)))
//         naps = await asyncio.gather(*[nap(i) for i in range(10_000)])
//
//     asyncio.run(main())

#include <chrono>
#include <cstddef>
#include <numeric>
#include <vector>

#include "nogil/asyncio.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

namespace asyncio = nogil::asyncio;
using namespace std::chrono_literals;

constexpr int kMany = 10'000;

asyncio::Coro<int> nap(std::chrono::nanoseconds length, int number) {
  co_await asyncio::sleep(length);
  co_return number;
}

asyncio::Coro<> amain(tour::Run& run) {
  const auto length = run.scaled(1s);
  const tour::Stopwatch three;
  auto results = co_await asyncio::gather(nap(length, 1), nap(length, 2), nap(length, 3));
  auto& [a, b, c] = results;
  const tour::Seconds of_three = three.wall();
  tour::print("[", a, ", ", b, ", ", c, "]  ", three.both());

  const tour::Stopwatch many;
  std::vector<asyncio::Coro<int>> naps;
  for (int i = 0; i < kMany; ++i) naps.push_back(nap(length, i));
  const std::vector<int> numbers = co_await asyncio::gather(std::move(naps));
  const tour::Seconds of_many = many.wall();
  tour::print(kMany, " naps  ", many.both());

  run.expect("three", tour::text(a, b, c), "123");
  run.expect("sum of ten thousand", std::accumulate(numbers.begin(), numbers.end(), 0L), 49'995'000L);
  run.expect_at_least("three at once", of_three, length);
  run.expect_at_least("ten thousand at once", of_many, length);
}

void gather_demo(tour::Run& run) {
  asyncio::run(amain(run));
}

const tour::Demo registered(
    {.id = "gather", .cell = "1.12", .seconds = 2, .teaches = "three sleeps, or ten thousand, take the time of one"},
    gather_demo);

}  // namespace
