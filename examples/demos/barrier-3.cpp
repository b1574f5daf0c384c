// barrier-3 -- nobody goes on before all have come.
//
// Three threads arrive at different times and leave together. In the notebook join()
// stands inside the loop that starts the threads: the first thread is joined before the
// others exist, so it waits at a barrier that can never fill, for ever. With a timeout
// the barrier breaks instead, and everybody gets BrokenBarrierError.
//
// Python:
//
//     barrier = threading.Barrier(3)
//
//     def worker(name):
//         time.sleep(random.uniform(0.5, 2))
//         barrier.wait()
//
//     threads = []
//     for i in range(3):
//         t = threading.Thread(target=worker, args=(f"Thread-{i}",))
//         threads.append(t)
//         t.start()
//     for t in threads:       # in the notebook indented once more, by mistake
//         t.join()

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "nogil/threading.hpp"
#include "support/child.hpp"
#include "support/tour.hpp"

namespace {

using namespace std::chrono_literals;

// How many left the barrier before the last had come, and the sum of their numbers.
struct Passing {
  int too_early = 0;
  std::ptrdiff_t numbers = 0;
};

Passing pass_together(tour::Run& run, int count) {
  nogil::Barrier barrier(count);
  std::atomic<int> arrived = 0, too_early = 0;
  std::atomic<std::ptrdiff_t> numbers = 0;
  run.timeline.legend(tour::Paint::work, "on the way");
  run.timeline.legend(tour::Paint::wait, "waits at the barrier");

  auto worker = [&](const std::string& name, tour::Seconds way, tour::Lane& lane) {
    lane.begin(tour::Paint::work, tour::seconds(way));
    run.sleep(way);
    ++arrived;
    lane.begin(tour::Paint::wait, "wait()");
    const std::ptrdiff_t number = barrier.wait();
    lane.end();
    if (arrived != count) ++too_early;
    numbers += number;
    tour::print(name, " came after ", tour::seconds(way), ", as number ", number);
  };

  std::mt19937 random(7);
  std::uniform_real_distribution<double> uniform(0.5, 2);
  std::vector<nogil::Thread> threads;
  for (int i = 0; i < count; ++i) {
    const std::string name = tour::text("Thread-", i);
    threads.emplace_back(worker, name, tour::Seconds(uniform(random)), std::ref(run.timeline.lane(name))).start();
  }
  for (nogil::Thread& t : threads) t.join();
  run.timeline.print_text();
  return {too_early, numbers};
}

// The join in the loop, with a timeout at the barrier. Returns how many gave up.
int break_it(tour::Run& run, int count) {
  nogil::Barrier barrier(count);
  std::atomic<int> broken = 0;
  auto worker = [&](const std::string& name) {
    try {
      barrier.wait(run.scaled(0.5s));
    } catch (const nogil::BrokenBarrierError&) {
      tour::print(name, ": BrokenBarrierError");
      ++broken;
    }
  };
  std::vector<nogil::Thread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back(worker, tour::text("Thread-", i)).start();
    for (nogil::Thread& t : threads) t.join();
  }
  return broken;
}

// The notebook's version without its typing mistake: never ends.
int join_in_loop(tour::Run&) {
  nogil::Barrier barrier(3);
  std::vector<nogil::Thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads
        .emplace_back([&, i] {
          tour::print("Thread-", i, " waits for two others");
          barrier.wait();
        })
        .start();
    for (nogil::Thread& t : threads) t.join();
  }
  return 0;
}

void barrier_3(tour::Run& run) {
  const int count = std::max(2, run.threads(3));
  const Passing passing = pass_together(run, count);

  tour::print("join() in the loop, wait() with a timeout:");
  const int broken = break_it(run, count);

  tour::print("join() in the loop, wait() without one, in a process that is killed after ",
              tour::seconds(run.scaled(1s)), ":");
  const tour::ChildReport hung = tour::run_child(run, "barrier-3/join-in-loop", "waits for two others", 1s);

  run.expect("left before the last came", passing.too_early, 0);
  run.expect("BrokenBarrierErrors", broken, count);
  run.check(passing.numbers == count * (count - 1) / 2, "each has its own number");
  run.check(hung.killed, "the join in the loop hangs");
}

const tour::Part join_in_loop_part("barrier-3/join-in-loop", join_in_loop);
const tour::Demo registered({.id = "barrier-3",
                             .cell = "0.15",
                             .seconds = 3.5,
                             .teaches = "threads leave a Barrier together; join() in the wrong place"},
                            barrier_3);

}  // namespace
