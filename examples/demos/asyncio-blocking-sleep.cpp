// asyncio-blocking-sleep -- a blocking call in a coroutine stops all of them.
//
// The notebook's coroutines call time.sleep(2), and gather() of three takes six seconds:
// while one sleeps, the loop's only thread sleeps. There are two ways out. Where there is
// something to await, await it: asyncio::sleep. Where there is only a blocking function,
// to_thread() has another thread block.
//
// Python:
//
//     async def task(number):
//         print(number)
//         time.sleep(2)                          # await asyncio.sleep(2)
//         print(number)                          # await asyncio.to_thread(time.sleep, 2)
//
//     async def main():
//         await asyncio.gather(task(0), task(1), task(2))
//
//     asyncio.run(main())

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "nogil/asyncio.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

namespace asyncio = nogil::asyncio;
using namespace std::chrono_literals;

enum class How { kBlocking, kAwaiting, kInThread };

asyncio::Coro<> task(tour::Run& run, How how, int number, std::string& order, tour::Lane& lane) {
  const auto say = [&order, number] {
    tour::print(number);
    order += std::to_string(number);
  };
  say();
  switch (how) {
    case How::kBlocking:
      lane.begin(tour::Paint::error, "sleep()");
      run.sleep(2s);  // wrong: nobody else can run
      break;
    case How::kAwaiting:
      lane.begin(tour::Paint::work, "co_await sleep()");
      co_await asyncio::sleep(run.scaled(2s));
      break;
    case How::kInThread:
      lane.begin(tour::Paint::work, "co_await to_thread(sleep)");
      co_await asyncio::to_thread([](tour::Run* of) { of->sleep(2s); }, &run);
      break;
  }
  lane.end();
  say();
}

asyncio::Coro<std::string> amain(tour::Run& run, How how) {
  run.timeline.again();
  const char* const name = how == How::kBlocking ? "blocking " : how == How::kAwaiting ? "awaiting " : "in thread ";
  std::vector<tour::Lane*> lanes;
  for (int number = 0; number < 3; ++number) {
    lanes.push_back(&run.timeline.lane(tour::text(name, number)));
    lanes.back()->begin(tour::Paint::wait);
  }
  std::string order;
  co_await asyncio::gather(task(run, how, 0, order, *lanes[0]), task(run, how, 1, order, *lanes[1]),
                           task(run, how, 2, order, *lanes[2]));
  co_return order;
}

void asyncio_blocking_sleep(tour::Run& run) {
  run.timeline.legend(tour::Paint::error, "blocks the loop");
  run.timeline.legend(tour::Paint::wait, "waits for its turn");
  run.timeline.legend(tour::Paint::work, "sleeps, and the loop goes on");

  const tour::Stopwatch blocking;
  const std::string one_by_one = asyncio::run(amain(run, How::kBlocking));
  const tour::Seconds blocked = blocking.wall();
  tour::print("sleep() that blocks        ", blocking.both());

  const tour::Stopwatch awaiting;
  const std::string together = asyncio::run(amain(run, How::kAwaiting));
  const tour::Seconds awaited = awaiting.wall();
  tour::print("co_await asyncio::sleep()  ", awaiting.both());

  const tour::Stopwatch in_thread;
  std::string threads = asyncio::run(amain(run, How::kInThread));
  const tour::Seconds threaded = in_thread.wall();
  tour::print("co_await to_thread(sleep)  ", in_thread.both());
  run.timeline.print_text();

  run.expect("blocking", one_by_one, "001122");
  run.expect("awaiting", together, "012012");
  std::sort(threads.begin(), threads.end());  // who ends first is up to the threads
  run.expect("in threads, sorted", threads, "001122");
  run.expect_at_least("blocking", blocked, run.scaled(6s));
  run.expect_at_least("awaiting", awaited, run.scaled(2s));
  run.expect_at_least("in threads", threaded, run.scaled(2s));
}

const tour::Demo registered({.id = "asyncio-blocking-sleep",
                             .cell = "0.2",
                             .seconds = 10,
                             .teaches = "a blocking call stops every coroutine: 6 s instead of 2"},
                            asyncio_blocking_sleep);

}  // namespace
