// semaphore-3-of-7 -- seven calls, three at a time, with the clock beside them.
//
// acquire() and release() by hand, as the notebook has it. The times show the waves: 3,
// 3 and 1. (The notebook says that a semaphore solves deadlocks. It does not: it limits
// how many are inside. `deadlock-with-timeout` has what solves them.)
//
// Python:
//
//     s = Semaphore(3)
//
//     def semaphore_func(payload: int):
//         s.acquire()
//         now = datetime.datetime.now().strftime("%H:%M:%S")
//         print(f"{now=}, {payload=}")
//         sleep(2)
//         s.release()
//
//     threads = [Thread(target=semaphore_func, args=(i,)) for i in range(7)]
//     for t in threads: t.start()
//     for t in threads: t.join()

#include <algorithm>
#include <chrono>
#include <ctime>
#include <string>
#include <vector>

#include "nogil/threading.hpp"
#include "support/peak.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

using namespace std::chrono_literals;

// datetime.datetime.now().strftime("%H:%M:%S")
std::string time_of_day() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  char buffer[16];
  return std::string(buffer, std::strftime(buffer, sizeof buffer, "%H:%M:%S", &local));
}

void semaphore_3_of_7(tour::Run& run) {
  const int count = run.threads(7);
  nogil::Semaphore s(3);
  tour::Peak inside(std::min(count, 3));
  run.timeline.legend(tour::Paint::wait, "waits in acquire()");
  run.timeline.legend(tour::Paint::work, "between acquire() and release()");

  auto semaphore_func = [&](int payload, tour::Lane& lane) {
    lane.begin(tour::Paint::wait);
    s.acquire();
    lane.begin(tour::Paint::work, tour::text("payload ", payload));
    inside.enter();
    tour::print("now='", time_of_day(), "', payload=", payload);
    run.sleep(2s);
    inside.leave();
    lane.end();
    s.release();
  };

  const tour::Stopwatch watch;
  std::vector<nogil::Thread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back(semaphore_func, i, std::ref(run.timeline.lane(tour::text("call ", i))));
  }
  for (nogil::Thread& t : threads) t.start();
  for (nogil::Thread& t : threads) t.join();
  run.timeline.print_text();

  const int waves = (count + 2) / 3;
  run.expect("peak", inside.most(), std::min(count, 3));
  run.check(watch.wall() >= waves * run.scaled(2s), "no wave began before a permit was free");
}

const tour::Demo registered({.id = "semaphore-3-of-7",
                             .cell = "3.14",
                             .seconds = 6,
                             .teaches = "seven calls through a Semaphore(3): the clock shows the waves"},
                            semaphore_3_of_7);

}  // namespace
