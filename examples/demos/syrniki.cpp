// syrniki -- two girls make cheese pancakes: who waits with idle hands?
//
// Masha and Dasha need the same things. In the shop the curd has to be weighed, which takes
// 5 minutes; eggs, sugar, berries and flour take 5, the queue takes 2. At home the pan gets
// hot in 10 minutes, and to make the dough takes 10. Dasha does one after another. Masha
// lets the curd be weighed, and the pan get hot, while she does something else: each of
// them is a task of its own, which she awaits when she needs it. Nobody works faster; she
// only never waits for what can wait for her. (Threads would do it as well: one to look at
// the curd, and one at the pan.)
//
// The race runs twice: here, where a minute takes 50 ms, and on a clock that jumps from one
// event to the next, on which nothing takes any time, and the minutes come out exactly.
//
// Python:
//
//     async def masha():
//         curd = asyncio.create_task(asyncio.sleep(5 * MINUTE))       # gets weighed
//         await asyncio.sleep(5 * MINUTE)                             # eggs, sugar, berries, flour
//         await curd
//         await asyncio.sleep(2 * MINUTE)                             # the queue: 7 minutes
//         pan = asyncio.create_task(asyncio.sleep(10 * MINUTE))       # gets hot
//         await asyncio.sleep(10 * MINUTE)                            # dough
//         await pan                                                   # 17 minutes
//
//     async def dasha():
//         await asyncio.sleep(5 * MINUTE)                             # curd
//         await asyncio.sleep(5 * MINUTE)                             # eggs, sugar, berries, flour
//         await asyncio.sleep(2 * MINUTE)                             # the queue: 12 minutes
//         await asyncio.sleep(10 * MINUTE)                            # the pan gets hot
//         await asyncio.sleep(10 * MINUTE)                            # dough: 32 minutes
//
//     await asyncio.gather(masha(), dasha())

#include <chrono>
#include <string>
#include <string_view>
#include <thread>

#include "nogil/asyncio.hpp"
#include "nogil/threading.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"
#include "support/virtual_clock.hpp"

namespace {

namespace asyncio = nogil::asyncio;
using namespace std::chrono_literals;

// Where the race takes place: how long a minute is, and who draws it. No lanes: nobody.
struct Kitchen {
  std::chrono::nanoseconds minute;
  tour::Lane *masha = nullptr, *mashas_things = nullptr, *dasha = nullptr;
};

struct Minutes {
  double shop = 0, all = 0;
};

asyncio::Coro<> takes(const Kitchen& kitchen, int minutes, tour::Lane* lane, tour::Paint paint, std::string_view what) {
  if (lane != nullptr) lane->begin(paint, what);
  co_await asyncio::sleep(minutes * kitchen.minute);
  if (lane != nullptr) lane->end();
}

double minutes_since(std::chrono::steady_clock::time_point start, const Kitchen& kitchen) {
  return std::chrono::duration<double>(asyncio::get_running_loop().time() - start) / kitchen.minute;
}

asyncio::Coro<Minutes> masha(const Kitchen& kitchen) {
  using enum tour::Paint;
  const auto start = asyncio::get_running_loop().time();
  auto curd = asyncio::create_task(takes(kitchen, 5, kitchen.mashas_things, wait, "curd 5"));
  co_await takes(kitchen, 5, kitchen.masha, work, "eggs, flour 5");
  co_await curd;
  co_await takes(kitchen, 2, kitchen.masha, wait, "pay 2");
  const double shop = minutes_since(start, kitchen);

  auto pan = asyncio::create_task(takes(kitchen, 10, kitchen.mashas_things, wait, "pan 10"));
  co_await takes(kitchen, 10, kitchen.masha, work, "dough 10");
  co_await pan;
  if (kitchen.masha != nullptr) kitchen.masha->begin(hold, "eats, after 17 minutes");
  co_return Minutes{shop, minutes_since(start, kitchen)};
}

asyncio::Coro<Minutes> dasha(const Kitchen& kitchen) {
  using enum tour::Paint;
  const auto start = asyncio::get_running_loop().time();
  co_await takes(kitchen, 5, kitchen.dasha, wait, "curd 5");
  co_await takes(kitchen, 5, kitchen.dasha, work, "eggs, flour 5");
  co_await takes(kitchen, 2, kitchen.dasha, wait, "pay 2");
  const double shop = minutes_since(start, kitchen);

  co_await takes(kitchen, 10, kitchen.dasha, wait, "pan 10");
  co_await takes(kitchen, 10, kitchen.dasha, work, "dough 10");
  co_return Minutes{shop, minutes_since(start, kitchen)};
}

// Threads do as well, for her who can afford one to look at a pan.
Minutes masha_by_threads(const Kitchen& kitchen) {
  const tour::Stopwatch watch;
  const auto takes = [&kitchen](int minutes) { std::this_thread::sleep_for(minutes * kitchen.minute); };
  nogil::Thread curd(takes, 5);
  curd.start();
  takes(5);
  curd.join();
  takes(2);
  const double shop = watch.wall() / kitchen.minute;

  nogil::Thread pan(takes, 10);
  pan.start();
  takes(10);
  pan.join();
  return {shop, watch.wall() / kitchen.minute};
}

struct Race {
  Minutes masha, dasha;
};

asyncio::Coro<Race> race(const Kitchen& kitchen) {
  auto both = co_await asyncio::gather(masha(kitchen), dasha(kitchen));
  auto& [first, second] = both;
  if (kitchen.masha != nullptr) kitchen.masha->end();
  co_return Race{first, second};
}

void print(std::string_view who, const Minutes& minutes) {
  tour::print(tour::pad_right(std::string(who), 24), "shop ", tour::pad_left(tour::fixed(minutes.shop, 1), 4), ", all ",
              tour::pad_left(tour::fixed(minutes.all, 1), 4));
}

void syrniki(tour::Run& run) {
  run.timeline.legend(tour::Paint::work, "busy hands");
  run.timeline.legend(tour::Paint::wait, "waits");
  run.timeline.legend(tour::Paint::hold, "syrniki");
  const Kitchen here{run.scaled(50ms), &run.timeline.lane("Masha"), &run.timeline.lane("for Masha"),
                     &run.timeline.lane("Dasha")};
  const tour::Stopwatch watch;
  const Race real = asyncio::run(race(here));
  tour::print("a minute takes ", tour::seconds(here.minute, 4), ", the race ", watch.both());
  run.timeline.print_text();

  const Minutes by_threads = masha_by_threads(here);

  asyncio::EventLoop loop(new tour::VirtualClock);
  const Race exact = loop.run_until_complete(race({.minute = 1min}));

  tour::print("minutes:");
  print("Masha", real.masha);
  print("Masha, by threads", by_threads);
  print("Dasha", real.dasha);
  tour::print("minutes on the clock that jumps:");
  print("Masha", exact.masha);
  print("Dasha", exact.dasha);

  run.expect("Masha, shop", tour::shortest(exact.masha.shop), "7.0");
  run.expect("Masha", tour::shortest(exact.masha.all), "17.0");
  run.expect("Dasha, shop", tour::shortest(exact.dasha.shop), "12.0");
  run.expect("Dasha", tour::shortest(exact.dasha.all), "32.0");
  run.check(by_threads.shop >= 7 && by_threads.all >= 17, "nor is she with threads");
  run.check(real.masha.shop >= 7 && real.masha.all >= 17, "Masha is not faster than can be");
  run.check(real.dasha.shop >= 12 && real.dasha.all >= 32, "nor is Dasha");
}

const tour::Demo registered({.id = "syrniki",
                             .cell = "3.1",
                             .seconds = 2.5,
                             .teaches = "17 minutes with tasks for what can wait, 32 one after another"},
                            syrniki);

}  // namespace
