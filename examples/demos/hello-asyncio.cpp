// hello-asyncio -- a coroutine that waits in the middle.
//
// Python's `async def` is a function that returns a Coro. A call runs nothing yet: run()
// makes an event loop, and runs the coroutine in it to its end. Where it awaits the sleep,
// the loop has its turn, and would run others, if there were any.
//
// Python:
//
//     async def main():
//         print("Hello ...")
//         await asyncio.sleep(1)
//         print("... World!")
//
//     asyncio.run(main())

#include <chrono>

#include "nogil/asyncio.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

namespace asyncio = nogil::asyncio;
using namespace std::chrono_literals;

asyncio::Coro<> amain(tour::Run& run, int& lines) {
  tour::print("Hello ...");
  ++lines;
  co_await asyncio::sleep(run.scaled(1s));
  tour::print("... World!");
  ++lines;
}

void hello_asyncio(tour::Run& run) {
  const tour::Stopwatch watch;
  int lines = 0;
  auto coroutine = amain(run, lines);
  run.expect("lines before run()", lines, 0);
  asyncio::run(std::move(coroutine));
  const tour::Seconds wall = watch.wall();
  tour::print(watch.both());
  run.expect("lines", lines, 2);
  run.expect_at_least("time", wall, run.scaled(1s));
}

const tour::Demo registered({.id = "hello-asyncio",
                             .cell = "1.6",
                             .seconds = 1,
                             .teaches = "a coroutine that waits, and the loop that runs it"},
                            hello_asyncio);

}  // namespace
