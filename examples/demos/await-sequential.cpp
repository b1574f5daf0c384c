// await-sequential -- three awaits in a row take the sum of their times.
//
// To await is to wait for it: the next line runs when the sleep is over. That a function is
// a coroutine does not make it do things at the same time; create-task and gather do.
//
// Python:
//
//     async def main():
//         start = time.time()
//         await asyncio.sleep(1)
//         await asyncio.sleep(1)
//         await asyncio.sleep(1)
//         print(time.time() - start)
//
//     asyncio.run(main())

#include <chrono>

#include "nogil/asyncio.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

namespace asyncio = nogil::asyncio;
using namespace std::chrono_literals;

asyncio::Coro<int> amain(tour::Run& run) {
  tour::Lane& lane = run.timeline.lane("main");
  int sleeps = 0;
  for (; sleeps < 3; ++sleeps) {
    lane.begin(sleeps % 2 == 0 ? tour::Paint::work : tour::Paint::hold);
    co_await asyncio::sleep(run.scaled(1s));
  }
  lane.end();
  co_return sleeps;
}

void await_sequential(tour::Run& run) {
  run.timeline.legend(tour::Paint::work, "the first and the third");
  run.timeline.legend(tour::Paint::hold, "the second");
  const tour::Stopwatch watch;
  const int sleeps = asyncio::run(amain(run));
  const tour::Seconds wall = watch.wall();
  tour::print(watch.both());
  run.timeline.print_text();
  run.expect("sleeps", sleeps, 3);
  run.expect_at_least("one after another", wall, run.scaled(3s));
}

const tour::Demo registered({.id = "await-sequential",
                             .cell = "1.10",
                             .seconds = 3,
                             .teaches = "three awaits in a row take the sum of their times"},
                            await_sequential);

}  // namespace
