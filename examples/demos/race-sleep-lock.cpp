// race-sleep-lock -- the lock makes read, sleep and write one step.
//
// While one thread is between acquire() and release(), the other waits. The second
// reads what the first wrote, so nothing is lost: 10, then 30 (or 20, then 30). The
// price: the two sleeps come one after the other.
//
// Python:
//
//     counter = 0
//
//     def increase(by, lock: Lock):
//         global counter
//         lock.acquire()
//         local_counter = counter
//         local_counter += by
//         sleep(1)
//         counter = local_counter
//         print(f"{counter=}")
//         lock.release()
//
//     lock = Lock()
//     t1 = Thread(target=increase, args=(10, lock))
//     t2 = Thread(target=increase, args=(20, lock))
//     t1.start(); t2.start()
//     t1.join(); t2.join()

#include <chrono>
#include <functional>
#include <string>

#include "nogil/threading.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

using namespace std::chrono_literals;

void race_sleep_lock(tour::Run& run) {
  int counter = 0;
  run.timeline.legend(tour::Paint::wait, "waits for the lock");
  run.timeline.legend(tour::Paint::hold, "holds it");

  auto increase = [&](int by, nogil::Lock& lock, tour::Lane& lane) {
    lane.begin(tour::Paint::wait);
    lock.acquire();
    lane.begin(tour::Paint::hold, tour::text("+", by));
    int local_counter = counter;
    local_counter += by;
    run.sleep(1s);
    counter = local_counter;
    tour::print("counter=", counter);
    lane.end();
    lock.release();
  };

  const tour::Stopwatch watch;
  nogil::Lock lock;
  nogil::Thread t1(increase, 10, std::ref(lock), std::ref(run.timeline.lane("t1")));
  nogil::Thread t2(increase, 20, std::ref(lock), std::ref(run.timeline.lane("t2")));
  t1.start();
  t2.start();
  t1.join();
  t2.join();
  run.timeline.print_text();
  run.expect("counter", counter, 30);
  run.expect_at_least("one after the other", watch.wall(), run.scaled(2s));
}

const tour::Demo registered({.id = "race-sleep-lock",
                             .cell = "3.11",
                             .seconds = 2,
                             .teaches = "with a Lock the two steps come one after the other: 30"},
                            race_sleep_lock);

}  // namespace
