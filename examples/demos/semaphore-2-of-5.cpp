// semaphore-2-of-5 -- five threads, at most two of them inside.
//
// A semaphore holds permits. Whoever goes in takes one and gives it back on the way
// out; with two permits five workers come in waves of 2, 2 and 1, and 2 s of work each
// take 6 s.
//
// Python:
//
//     semaphore = threading.Semaphore(2)
//
//     def worker(name):
//         with semaphore:
//             print(f"{name} is inside")
//             time.sleep(2)
//             print(f"{name} goes out")
//
//     threads = []
//     for i in range(5):
//         t = threading.Thread(target=worker, args=(f"T{i}",))
//         threads.append(t)
//         t.start()
//     for t in threads:
//         t.join()
//     print("all done")

#include <algorithm>
#include <chrono>
#include <mutex>
#include <string>
#include <vector>

#include "nogil/threading.hpp"
#include "support/peak.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

using namespace std::chrono_literals;

void semaphore_2_of_5(tour::Run& run) {
  const int count = run.threads(5);
  nogil::Semaphore semaphore(2);
  tour::Peak inside(std::min(count, 2));
  run.timeline.legend(tour::Paint::wait, "waits for a permit");
  run.timeline.legend(tour::Paint::work, "inside");

  auto worker = [&](const std::string& name, tour::Lane& lane) {
    lane.begin(tour::Paint::wait);
    const std::scoped_lock permit(semaphore);  // with semaphore:
    lane.begin(tour::Paint::work, "inside");
    tour::print(name, " is inside, one of ", inside.enter());
    run.sleep(2s);
    tour::print(name, " goes out");
    inside.leave();
    lane.end();
  };

  const tour::Stopwatch watch;
  std::vector<nogil::Thread> threads;
  for (int i = 0; i < count; ++i) {
    const std::string name = tour::text("T", i);
    threads.emplace_back(worker, name, std::ref(run.timeline.lane(name))).start();
  }
  for (nogil::Thread& t : threads) t.join();
  tour::print("all done");
  run.timeline.print_text();

  const int waves = (count + 1) / 2;
  run.expect("peak", inside.most(), std::min(count, 2));
  run.check(watch.wall() >= waves * run.scaled(2s), "no wave began before a permit was free");
  run.expect("free permits at the end", semaphore.value(), 2);
}

const tour::Demo registered({.id = "semaphore-2-of-5",
                             .cell = "0.9",
                             .seconds = 6,
                             .teaches = "a Semaphore(2) lets five threads through in waves of two"},
                            semaphore_2_of_5);

}  // namespace
