// url-fetch-async-3 -- three pages at once, as each comes.
//
// The notebook asks three search engines. Here three pages of different slowness stand in
// for them, on this machine. Whoever is first is printed first; gather() gives them in the
// order in which they were asked for.
//
// Python:
//
//     async def fetch(session, url):
//         async with session.get(url) as response:
//             print(url, len(await response.text()))
//
//     async def main():
//         urls = ["https://ya.ru", "https://google.com", "https://duckduckgo.com"]
//         async with aiohttp.ClientSession() as session:
//             await asyncio.gather(*[fetch(session, url) for url in urls])
//
//     asyncio.run(main())

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "nogil/asyncio.hpp"
#include "support/http_async.hpp"
#include "support/latency_server.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

namespace asyncio = nogil::asyncio;
using namespace std::chrono_literals;

asyncio::Coro<std::size_t> fetch(tour::Lane& lane, std::uint16_t port, std::string path,
                                 std::vector<std::string>& order) {
  lane.begin(tour::Paint::wait);
  const std::string page = co_await tour::http_get_async(port, path);
  lane.end();
  tour::print(path, " ", page.size());
  order.push_back(path);
  co_return page.size();
}

asyncio::Coro<> amain(tour::Run& run, std::uint16_t port) {
  std::vector<std::string> order;
  const tour::Stopwatch watch;
  auto sizes = co_await asyncio::gather(fetch(run.timeline.lane("/ya"), port, "/ya", order),
                                        fetch(run.timeline.lane("/google"), port, "/google", order),
                                        fetch(run.timeline.lane("/duckduckgo"), port, "/duckduckgo", order));
  auto& [ya, google, duckduckgo] = sizes;
  const tour::Seconds wall = watch.wall();
  tour::print(watch.both());
  run.timeline.print_text();

  run.expect("pages", order.size(), std::size_t{3});
  run.expect("all are whole", ya > 20'000 && google > 20'000 && duckduckgo > 20'000, true);
  run.expect_at_least("the slowest", wall, run.scaled(300ms));
}

void url_fetch_async_3(tour::Run& run) {
  const tour::LatencyServer server(
      {{"/ya", run.scaled(100ms)}, {"/google", run.scaled(200ms)}, {"/duckduckgo", run.scaled(300ms)}});
  run.timeline.legend(tour::Paint::wait, "waits for its page");
  asyncio::run(amain(run, server.port()));
  run.expect("pages served", server.served(), 3);
}

const tour::Demo registered({.id = "url-fetch-async-3",
                             .cell = "2.2",
                             .seconds = 0.5,
                             .teaches = "three pages at once, each printed when it comes"},
                            url_fetch_async_3);

}  // namespace
