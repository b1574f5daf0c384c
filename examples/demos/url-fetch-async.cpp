// url-fetch-async -- thirteen slow pages at once, in one thread.
//
// url-fetch has a thread for each page that is on its way. Here one thread is enough: it
// asks for all of them, and goes to whichever answers. The notebook's cell is a skeleton
// (`urls = [..., ...]`) around aiohttp; this is what it meant.
//
// Every page takes 100 ms, and comes from a server that the demo starts on this machine.
//
// Python:
//
//     async def get_data(session, url):
//         async with session.get(url) as response:
//             return await response.text()
//
//     async def main():
//         async with aiohttp.ClientSession() as session:
//             contents = await asyncio.gather(*[get_data(session, url) for url in urls])
//         for content in contents:
//             print(content[:15])
//
//     asyncio.run(main())

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "nogil/asyncio.hpp"
#include "support/http_async.hpp"
#include "support/latency_server.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

namespace asyncio = nogil::asyncio;
using namespace std::chrono_literals;

constexpr int kPages = 13;

asyncio::Coro<std::string> get_data(tour::Lane& lane, std::uint16_t port, std::string path) {
  lane.begin(tour::Paint::hold);
  std::string page = co_await tour::http_get_async(port, path);
  lane.end();
  co_return page;
}

asyncio::Coro<std::vector<std::string>> all_at_once(const std::vector<tour::Lane*>& lanes, std::uint16_t port,
                                                    const std::vector<std::string>& paths) {
  std::vector<asyncio::Coro<std::string>> pages;
  for (std::size_t i = 0; i < paths.size(); ++i) pages.push_back(get_data(*lanes[i], port, paths[i]));
  co_return co_await asyncio::gather(std::move(pages));
}

void url_fetch_async(tour::Run& run) {
  tour::LatencyServer::Pages delays;
  std::vector<std::string> paths;
  for (int i = 0; i < kPages; ++i) {
    paths.push_back(tour::text("/page/", i));
    delays[paths.back()] = run.scaled(100ms);
  }
  const tour::LatencyServer server(delays);
  run.timeline.legend(tour::Paint::work, "one after another");
  run.timeline.legend(tour::Paint::hold, "all at once");
  std::vector<tour::Lane*> lanes;
  for (const std::string& path : paths) lanes.push_back(&run.timeline.lane(path));

  const tour::Stopwatch loop;
  std::vector<std::string> expected;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    lanes[i]->begin(tour::Paint::work);
    expected.push_back(tour::http_get(server.port(), paths[i]));
    lanes[i]->end();
  }
  const tour::Seconds by_loop = loop.wall();
  tour::print("one after another  ", loop.both());

  const tour::Stopwatch watch;
  const std::vector<std::string> contents = asyncio::run(all_at_once(lanes, server.port(), paths));
  const tour::Seconds at_once = watch.wall();
  tour::print("all at once        ", watch.both());
  for (const std::string& content : contents) tour::print(content.substr(0, 15));
  run.timeline.print_text();

  run.expect("pages", contents.size(), std::size_t{kPages});
  run.expect("every page is the same each time, in order", contents == expected, true);
  run.check(by_loop >= kPages * run.scaled(100ms), "a loop takes the sum of all delays");
  run.expect_at_least("at once", at_once, run.scaled(100ms));
}

const tour::Demo registered({.id = "url-fetch-async",
                             .cell = "0.4",
                             .seconds = 1.5,
                             .teaches = "thirteen slow pages in the time of one, in one thread"},
                            url_fetch_async);

}  // namespace
