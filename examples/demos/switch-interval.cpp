// switch-interval -- how late a thread wakes beside a busy one.
//
// In CPython a thread that wakes must wait for the GIL, and a thread that computes gives
// it away only every 5 ms (sys.getswitchinterval()). Without a GIL the light thread runs
// as soon as the system gives it a core: the figure here is how much later than asked a
// sleep of 1 ms ends, beside no busy thread, beside one, and with one on every core.
//
// Python:
//
//     def busy():
//         while not stop:
//             pass
//
//     def light():
//         for _ in range(200):
//             asked = time.perf_counter() + 0.001
//             time.sleep(0.001)
//             late.append(time.perf_counter() - asked)      # about 5 ms

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "nogil/threading.hpp"
#include "support/tour.hpp"

namespace {

using namespace std::chrono_literals;

// How late each of `samples` sleeps ended, sorted, beside that many busy threads.
std::vector<tour::Seconds> lateness(int busy_threads, long samples) {
  std::atomic<bool> stop = false;
  std::vector<nogil::Thread> busy;
  for (int i = 0; i < busy_threads; ++i) {
    busy.emplace_back([&] {
          while (!stop.load(std::memory_order_relaxed)) {
          }
        })
        .start();
  }

  std::vector<tour::Seconds> late;
  nogil::Thread light([&] {
    for (long i = 0; i < samples; ++i) {
      const auto asked = tour::Clock::now() + 1ms;
      std::this_thread::sleep_until(asked);
      late.push_back(tour::Clock::now() - asked);
    }
  });
  light.start();
  light.join();
  stop = true;
  for (nogil::Thread& t : busy) t.join();
  std::sort(late.begin(), late.end());
  return late;
}

void switch_interval(tour::Run& run) {
  const long samples = run.size(200, 10);
  const int all_cores = run.threads(static_cast<int>(nogil::cpu_count()));
  tour::print("busy threads   median      90 %     worst");
  std::size_t measured = 0;
  bool never_early = true;
  for (const int busy_threads : {0, 1, all_cores}) {
    const std::vector<tour::Seconds> late = lateness(busy_threads, samples);
    const auto ms = [&](std::size_t at) { return tour::pad_left(tour::fixed(late[at].count() * 1e3, 3) + " ms", 10); };
    tour::print(tour::pad_left(std::to_string(busy_threads), 12), ms(late.size() / 2), ms(late.size() * 9 / 10),
                ms(late.size() - 1));
    measured += late.size();
    never_early = never_early && late.front() >= 0s;
  }
  tour::print("CPython, one busy thread: about 5 ms");
  run.expect("sleeps measured", measured, 3 * samples);
  run.check(never_early, "no sleep ended early");
}

const tour::Demo registered({.id = "switch-interval",
                             .cell = "2.0",
                             .seconds = 0.8,
                             .teaches = "a light thread beside a busy one: microseconds, not 5 ms"},
                            switch_interval);

}  // namespace
