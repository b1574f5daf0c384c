// create-task -- three coroutines at the same time, in one thread.
//
// create_task() hands a coroutine to the loop, which runs it beside the others: when one
// waits, the next has its turn. To await a task is to wait for its end. Three sleeps of a
// second take one second.
//
// Python:
//
//     async def say_after(delay, what):
//         await asyncio.sleep(delay)
//         print(what)
//
//     async def main():
//         task1 = asyncio.create_task(say_after(1, "one"))
//         task2 = asyncio.create_task(say_after(1, "two"))
//         task3 = asyncio.create_task(say_after(1, "three"))
//         await task1
//         await task2
//         await task3
//
//     asyncio.run(main())

#include <chrono>
#include <string>
#include <vector>

#include "nogil/asyncio.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

namespace asyncio = nogil::asyncio;
using namespace std::chrono_literals;

asyncio::Coro<std::string> say_after(tour::Run& run, tour::Seconds delay, std::string what) {
  tour::Lane& lane = run.timeline.lane(what);
  lane.begin(tour::Paint::wait);
  co_await asyncio::sleep(run.scaled(delay));
  lane.end();
  tour::print(what);
  co_return what;
}

asyncio::Coro<std::string> amain(tour::Run& run) {
  auto task1 = asyncio::create_task(say_after(run, 1s, "one"));
  auto task2 = asyncio::create_task(say_after(run, 1s, "two"));
  auto task3 = asyncio::create_task(say_after(run, 1s, "three"));
  std::string all = co_await task1;
  all += ' ' + co_await task2;
  all += ' ' + co_await task3;
  co_return all;
}

void create_task_demo(tour::Run& run) {
  run.timeline.legend(tour::Paint::wait, "waits in sleep()");
  const tour::Stopwatch watch;
  const std::string all = asyncio::run(amain(run));
  const tour::Seconds wall = watch.wall();
  tour::print(watch.both());
  run.timeline.print_text();
  run.expect("said", all, "one two three");
  run.expect_at_least("time of one", wall, run.scaled(1s));
}

const tour::Demo registered(
    {.id = "create-task", .cell = "1.11", .seconds = 1, .teaches = "three tasks sleep at the same time, in one thread"},
    create_task_demo);

}  // namespace
