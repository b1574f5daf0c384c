// url-fetch -- thirteen pages from a slow server, with 1 to 32 threads.
//
// Whoever waits for a page needs no core, so here threads help in CPython too: the GIL
// is given back while one waits. One thread takes the sum of all delays; with as many
// threads as pages it is the longest of them, and no number of threads gets below that.
// C++ is no faster here, since nobody computes anything: waiting is waiting.
//
// The pages come from a server that this demo starts itself, on this machine: each page
// has its own delay, the same every time.
//
// Python:
//
//     def get_data(url):
//         with urllib.request.urlopen(url) as src:
//             return src.read()
//
//     results = []
//     for url in urls:
//         page = get_data(url)
//         results.append(page)
//
//     with ThreadPoolExecutor(4) as executor:
//         results = executor.map(get_data, urls)
//         print(next(results)[:20])               # b'<!doctype html>\n<!--'

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "nogil/futures.hpp"
#include "support/latency_server.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

using namespace std::chrono_literals;

struct Page {
  std::string path;
  tour::Seconds delay;
};

const std::vector<Page> kPages{
    {"/", 0.15s},
    {"/3/", 0.12s},
    {"/3/whatsnew/3.12.html", 0.28s},
    {"/3/tutorial/index.html", 0.17s},
    {"/3/library/index.html", 0.25s},
    {"/3/reference/index.html", 0.21s},
    {"/3/using/index.html", 0.11s},
    {"/3/howto/index.html", 0.13s},
    {"/3/installing/index.html", 0.10s},
    {"/3/distributing/index.html", 0.10s},
    {"/3/extending/index.html", 0.14s},
    {"/3/c-api/index.html", 0.22s},
    {"/3/faq/index.html", 0.16s},
};

// b'<!doctype html>\n<!--'
std::string as_bytes(const std::string& page) {
  std::string out = "b'";
  for (const char c : page.substr(0, 20)) out += c == '\n' ? std::string("\\n") : std::string(1, c);
  return out + "'";
}

void report(const std::string& how, const tour::Stopwatch& watch) {
  tour::print(tour::pad_right(how, 24), watch.both());
}

void url_fetch(tour::Run& run) {
  tour::LatencyServer::Pages delays;
  tour::Seconds sum(0), longest(0);
  for (const Page& page : kPages) {
    const tour::Seconds delay = run.scaled(page.delay);
    delays[page.path] = delay;
    sum += delay;
    longest = std::max(longest, delay);
  }
  const tour::LatencyServer server(delays);
  tour::print(kPages.size(), " pages; their delays: ", tour::seconds(sum, 3), " in all, ", tour::seconds(longest, 3),
              " the longest");
  const tour::Stopwatch loop;
  std::vector<std::string> expected;
  for (const Page& page : kPages) expected.push_back(tour::http_get(server.port(), page.path));
  const tour::Seconds by_loop = loop.wall();
  report("a loop", loop);

  // The same rows for all five, one after the other: a long stair, shorter ones, a wall.
  run.timeline.legend(tour::Paint::hold, "how many threads");
  run.timeline.legend(tour::Paint::work, "a page is on its way");
  tour::Lane& heading = run.timeline.lane("threads");
  std::vector<tour::Lane*> lanes;
  for (const Page& page : kPages) lanes.push_back(&run.timeline.lane(page.path));

  int runs = 1;
  bool same = true;
  for (const int threads : {1, 4, 8, 16, run.threads(32)}) {
    auto get_data = [&](const Page& page) {
      tour::Lane& lane = *lanes[static_cast<std::size_t>(&page - kPages.data())];
      lane.begin(tour::Paint::work);
      std::string data = tour::http_get(server.port(), page.path);
      lane.end();
      return data;
    };

    heading.begin(tour::Paint::hold, std::to_string(threads));
    const tour::Stopwatch watch;
    std::vector<std::string> results;
    {
      nogil::ThreadPoolExecutor executor(static_cast<std::size_t>(threads));
      for (std::string page : executor.map(get_data, kPages)) results.push_back(std::move(page));
    }
    const tour::Seconds wall = watch.wall();
    heading.end();
    report(tour::text("ThreadPoolExecutor(", threads, ")"), watch);
    if (threads == 1) tour::print(as_bytes(results.front()));
    same = same && results == expected;
    run.check(wall >= std::max(longest, sum / threads), "no page comes before its time");
    ++runs;
    run.progress(runs / 6.0);
  }
  run.timeline.print_text();

  run.expect("begins with", as_bytes(expected.front()), "b'<!doctype html>\\n<!--'");
  run.expect("every page is the same each time, in order", same, true);
  run.expect("pages served", server.served(), runs * static_cast<int>(kPages.size()));
  run.check(by_loop >= sum, "a loop takes the sum of all delays");
}

const tour::Demo registered({.id = "url-fetch",
                             .cell = "4.6",
                             .seconds = 6,
                             .teaches = "thirteen slow pages: the sum of the delays, or the longest of them"},
                            url_fetch);

}  // namespace
