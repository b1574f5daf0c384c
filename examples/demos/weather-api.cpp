// weather-api -- a web service in front of a slow one: who waits while it waits?
//
// A service answers three clients, and asks a slow weather service for each of them. If its
// handler blocks until the answer is there, the second client waits for the first one's
// weather as well as for his own, and the third for all three. If it awaits, they wait at
// the same time. The service is the same in both cases: one thread.
//
// Python:
//
//     async def handler(reader, writer):
//         city = await reader.readline()
//         weather = requests.get(f"{api}/{city}").text          # blocks: nobody else is served
//         weather = await (await session.get(f"{api}/{city}")).text()
//         writer.write(weather)
//         await writer.drain()
//
//     server = await asyncio.start_server(handler, "127.0.0.1", 0)

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
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

const std::vector<std::string> kCities{"/Moscow", "/London", "/Tokyo"};

struct Service {
  std::uint16_t api;
  bool blocking;
  int served = 0;
  std::map<std::string, tour::Lane*> lanes{};  // a row for each city: its client waits, and is served
};

asyncio::Coro<> answer(Service& service, asyncio::StreamReader reader, asyncio::StreamWriter writer) {
  std::string city = co_await reader.readline();
  city.pop_back();
  tour::Lane& lane = *service.lanes.at(city);
  lane.begin(service.blocking ? tour::Paint::error : tour::Paint::work, "asks the weather service");
  std::string weather;
  if (service.blocking) weather = tour::http_get(service.api, city);  // wrong: nobody else is served
  else weather = co_await tour::http_get_async(service.api, city);
  lane.begin(tour::Paint::wait);
  ++service.served;
  writer.write(weather);
  co_await writer.drain();
}

asyncio::Coro<tour::Seconds> ask(tour::Lane& lane, std::uint16_t port, std::string city) {
  const tour::Stopwatch watch;
  lane.begin(tour::Paint::wait);
  auto connection = co_await asyncio::open_connection("127.0.0.1", port);
  auto& [reader, writer] = connection;
  writer.write(city + "\n");
  const std::string weather = co_await reader.read();
  lane.end();
  co_return watch.wall();
}

asyncio::Coro<tour::Seconds> serve_all(tour::Run& run, Service& service) {
  const auto handler = [&service](asyncio::StreamReader reader, asyncio::StreamWriter writer) {
    return answer(service, std::move(reader), std::move(writer));
  };
  const asyncio::Server server = co_await asyncio::start_server(handler, "127.0.0.1", 0);
  const std::string how = service.blocking ? "blocks" : "awaits";
  run.timeline.again();
  std::vector<asyncio::Coro<tour::Seconds>> clients;
  for (const std::string& city : kCities) {
    tour::Lane& lane = run.timeline.lane(tour::text(how, ' ', city.substr(1)));
    service.lanes[city] = &lane;
    clients.push_back(ask(lane, server.port(), city));
  }
  const std::vector<tour::Seconds> waited = co_await asyncio::gather(std::move(clients));
  tour::Seconds longest(0);
  for (std::size_t i = 0; i < waited.size(); ++i) {
    tour::print(how, ": the client for ", kCities[i].substr(1), " waited ", tour::seconds(waited[i], 3));
    longest = std::max(longest, waited[i]);
  }
  co_return longest;
}

void weather_api(tour::Run& run) {
  tour::LatencyServer::Pages delays;
  for (const std::string& city : kCities) delays[city] = run.scaled(1s);
  const tour::LatencyServer api(delays);
  run.timeline.legend(tour::Paint::wait, "waits for the service");
  run.timeline.legend(tour::Paint::error, "the service asks, and blocks");
  run.timeline.legend(tour::Paint::work, "the service asks, and goes on");

  Service blocking{api.port(), true};
  const tour::Seconds blocked = asyncio::run(serve_all(run, blocking));
  Service awaiting{api.port(), false};
  const tour::Seconds awaited = asyncio::run(serve_all(run, awaiting));
  run.timeline.print_text();

  run.expect("clients served", blocking.served + awaiting.served, 6);
  run.expect_at_least("the last of the blocking service waited", blocked, run.scaled(3s));
  run.expect_at_least("the last of the awaiting service waited", awaited, run.scaled(1s));
}

const tour::Demo registered({.id = "weather-api",
                             .cell = "3.4",
                             .seconds = 4,
                             .teaches = "a service that blocks makes its clients wait for each other"},
                            weather_api);

}  // namespace
