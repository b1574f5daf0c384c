// barista -- twelve guests, and one to four who make coffee.
//
// The guests all come at once, and their orders lie in a queue. Each barista takes the
// next order, works for 0.2 s and takes the next one: the baristas are threads, the
// orders are their tasks. Twice as many baristas halve the time until the last guest is
// served, and a little more than that how long a guest waits on average. (A barista who
// sleeps needs no core. If making coffee were computing, more baristas than cores would
// be of no use.)
//
// Python:
//
//     def barista(orders, served):
//         while (order := orders.get()) is not None:
//             time.sleep(0.2)
//             served[order] = time.perf_counter() - opened
//
//     for count in (1, 2, 3, 4):
//         orders, served = queue.Queue(), [0] * 12
//         opened = time.perf_counter()
//         for order in range(12):
//             orders.put(order)
//         baristas = [Thread(target=barista, args=(orders, served)) for _ in range(count)]
//         for b in baristas:
//             orders.put(None)
//             b.start()
//         for b in baristas:
//             b.join()
//         print(count, max(served), sum(served) / 12)

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "nogil/queue.hpp"
#include "nogil/threading.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

using namespace std::chrono_literals;

constexpr int kGuests = 12;
constexpr tour::Seconds kOneCoffee = 0.2s;

struct Service {
  std::vector<int> coffees = std::vector<int>(kGuests);                     // how many each guest got
  std::vector<tour::Seconds> waited = std::vector<tour::Seconds>(kGuests);  // from the order to the coffee

  tour::Seconds longest() const { return *std::max_element(waited.begin(), waited.end()); }
  tour::Seconds mean() const {
    tour::Seconds sum(0);
    for (const tour::Seconds one : waited) sum += one;
    return sum / kGuests;
  }
};

Service serve(tour::Run& run, int count) {
  nogil::Queue<int> orders;
  Service service;
  const tour::Stopwatch opened;

  auto barista = [&](tour::Lane& lane) {
    for (const int guest : orders) {
      lane.begin(guest % 2 == 0 ? tour::Paint::work : tour::Paint::hold, std::to_string(guest + 1));
      run.sleep(kOneCoffee);
      lane.end();
      const auto at = static_cast<std::size_t>(guest);  // one element each: no lock needed
      ++service.coffees[at];
      service.waited[at] = opened.wall();
    }
  };

  for (int guest = 0; guest < kGuests; ++guest) orders.put(guest);
  orders.shutdown();  // nobody else comes: go home when all are served
  std::vector<nogil::Thread> baristas;
  for (int n = 1; n <= count; ++n) {
    const std::string name = count == 1 ? "alone" : tour::text(n, " of ", count);
    baristas.emplace_back(barista, std::ref(run.timeline.lane(name))).start();
  }
  for (nogil::Thread& b : baristas) b.join();
  run.timeline.again();
  return service;
}

void barista(tour::Run& run) {
  const int most = std::min(run.threads(4), kGuests);
  run.timeline.legend(tour::Paint::work, "makes a coffee");
  run.timeline.legend(tour::Paint::hold, "the next one");

  std::vector<Service> services;
  for (int count = 1; count <= most; ++count) {
    services.push_back(serve(run, count));
    run.progress(static_cast<double>(count) / most);
  }
  run.timeline.print_text();

  tour::print("baristas   last served   mean waiting time   at best");
  bool all_served = true, never_too_early = true;
  for (int count = 1; count <= most; ++count) {
    const Service& service = services[static_cast<std::size_t>(count - 1)];
    // The guests are served in rounds of `count`; the n-th round ends after n coffees.
    tour::Seconds least_mean(0);
    for (int guest = 0; guest < kGuests; ++guest)
      least_mean += run.scaled(kOneCoffee) * (guest / count + 1.0) / kGuests;
    const tour::Seconds least_longest = run.scaled(kOneCoffee) * ((kGuests + count - 1) / count);
    tour::print(tour::pad_left(std::to_string(count), 8), tour::pad_left(tour::seconds(service.longest(), 3), 14),
                tour::pad_left(tour::seconds(service.mean(), 3), 20), tour::pad_left(tour::seconds(least_mean, 3), 10));
    all_served = all_served && service.coffees == std::vector<int>(kGuests, 1);
    never_too_early = never_too_early && service.longest() >= least_longest && service.mean() >= least_mean;
  }

  run.expect("every guest got one coffee", all_served, true);
  run.check(never_too_early, "a coffee takes its time");
  run.expect_at_least("mean wait, one barista", services.front().mean(), run.scaled(kOneCoffee) * (kGuests + 1) / 2);
}

const tour::Demo registered({.id = "barista",
                             .cell = "1.1",
                             .seconds = 5,
                             .teaches = "threads as baristas: how long twelve guests wait for one to four of them"},
                            barista);

}  // namespace
