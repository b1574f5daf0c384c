// io-vs-cpu -- a job that waits and a job that computes, in all four models: one table.
//
// The notebook says: what waits for input and output goes to threads or to asyncio, what
// computes goes to processes, because of the GIL. Without a GIL only half of that is left.
// Eight slow pages take the time of one in every model that can wait for several at once.
// Computing is as fast as there are cores, in threads as in processes; a coroutine that
// computes keeps the only thread of its loop, so that asyncio gains nothing.
//
// It also answers the question that another notebook ends with: why did threads make the
// pages faster and not the sum? In CPython who waits gives the GIL back, and who computes
// keeps it.
//
// Python:
//
//     def get_page(url):                            # I/O-bound: it waits
//         with urllib.request.urlopen(url) as src:
//             return src.read()
//
//     def count_primes(part):                       # CPU-bound: it computes
//         return sum(map(is_prime, part))
//
//     with ThreadPoolExecutor(8) as executor:       # good for pages
//         pages = list(executor.map(get_page, urls))
//     with ProcessPoolExecutor() as executor:       # good for primes
//         counts = list(executor.map(count_primes, parts))

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "nogil/asyncio.hpp"
#include "nogil/threading.hpp"
#include "support/http_async.hpp"
#include "support/latency_server.hpp"
#include "support/models.hpp"
#include "support/tour.hpp"

namespace {

namespace asyncio = nogil::asyncio;
using namespace std::chrono_literals;

constexpr int kPages = 8;
constexpr tour::Seconds kDelay = 0.25s;

std::string path_of(int page) {
  return tour::text("/page/", page);
}

// Its length, since a page that was sent through a pool would be measured along with it.
struct GetPage {
  std::uint16_t port;
  std::size_t operator()(int page) const { return tour::http_get(port, path_of(page)).size(); }
};

asyncio::Coro<std::size_t> get_page_async(std::uint16_t port, int page) {
  const std::string content = co_await tour::http_get_async(port, path_of(page));
  co_return content.size();
}

template <class R>
tour::Model fastest(const tour::ByModel<R>& job) {
  return static_cast<tour::Model>(std::min_element(job.wall.begin(), job.wall.end()) - job.wall.begin());
}

void io_vs_cpu(tour::Run& run) {
  tour::LatencyServer::Pages delays;
  for (int page = 0; page < kPages; ++page) delays[path_of(page)] = run.scaled(kDelay);
  const tour::LatencyServer server(delays);
  const std::uint16_t port = server.port();
  const auto pages =
      tour::by_each_model(kPages, kPages, GetPage{port}, [port](int page) { return get_page_async(port, page); });
  run.progress(0.6);

  const int last = static_cast<int>(run.size(1'000'000, 200'000));
  const auto cores = static_cast<std::size_t>(run.threads(static_cast<int>(nogil::cpu_count())));
  const auto primes = tour::count_by_each_model(last, 32, cores);

  const auto column = [](const std::string& words) { return tour::pad_left(words, 12); };
  tour::print(tour::pad_right("", 12), column(tour::text(kPages, " pages")), column(""), column("primes"), column(""),
              column("cores"));
  for (std::size_t model = 0; model < tour::kModels; ++model) {
    const auto times = [&](const auto& job) {
      return tour::fixed(job.wall[tour::kSequential] / job.wall[model], 1) + "x";
    };
    tour::print(tour::pad_right(tour::kModelNames[model], 12), column(tour::seconds(pages.wall[model], 3)),
                column(times(pages)), column(tour::seconds(primes.wall[model], 3)), column(times(primes)),
                column(tour::fixed(tour::cores(primes, static_cast<tour::Model>(model)), 1)));
  }
  tour::print("fastest here: ", tour::kModelNames[fastest(pages)], " for the pages, ",
              tour::kModelNames[fastest(primes)], " for the primes");
  tour::print("why threads made the pages faster in CPython, and not the primes: who waits gives the GIL back");

  const int expected = tour::count_by_sieve(2, last);
  bool same_pages = true, right_primes = true;
  for (std::size_t model = 0; model < tour::kModels; ++model) {
    same_pages = same_pages && pages.results[model] == pages.results[tour::kSequential];
    right_primes = right_primes && tour::primes_in(primes.results[model]) == expected;
    run.check(pages.wall[model] >= run.scaled(kDelay), "no page comes before its time");
  }
  run.expect("pages in each model", pages.results[tour::kProcesses].size(), kPages);
  run.expect("the same pages", same_pages, true);
  run.expect("primes", tour::primes_in(primes.results[tour::kThreads]), expected);
  run.expect("in each model", right_primes, true);
  run.check(pages.wall[tour::kSequential] >= kPages * run.scaled(kDelay), "one by one, all delays add up");
}

const tour::Demo registered({.id = "io-vs-cpu",
                             .cell = "0.5",
                             .seconds = 3.5,
                             .teaches = "waiting and computing, sequential, in threads, async, in processes"},
                            io_vs_cpu);

}  // namespace
