// deadlock-with-timeout -- four ways to take two locks in opposite order.
//
// 1. As written: `break` comes even when the second lock was not to be had, so a thread
//    that fails gives up without a word. At most one of the two does its work.
// 2. Naive cure: try again at once. Both give way and come back in step, like two people
//    in a corridor: a livelock. It may end by luck, so a watchdog ends it.
// 3. Try again after a pause of random length, holding nothing: both get through.
// 4. Take both locks at once, in one order for all (std::scoped_lock): no deadlock, no
//    timeout, no retry.
//
// Python:
//
//     def thread1_func():
//         while True:
//             acquired1 = lock1.acquire(timeout=1)
//             if acquired1:
//                 time.sleep(0.5)
//                 acquired2 = lock2.acquire(timeout=1)
//                 if acquired2:
//                     print("thread 1 works")
//                     lock2.release()
//                 lock1.release()
//                 break               # also when acquired2 is False
//             else:
//                 print("thread 1 did not get lock1")
//
//     # thread2_func: the same with lock1 and lock2 exchanged

#include <atomic>
#include <chrono>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

#include "nogil/threading.hpp"
#include "support/child.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

using namespace std::chrono_literals;

// Once: one lock, a pause, the other lock. Whether it worked.
bool try_both(tour::Run& run, int me, nogil::Lock& first, nogil::Lock& second, tour::Lane& lane,
              nogil::Barrier* both_hold_one = nullptr) {
  if (!first.acquire(run.scaled(1s))) return false;
  lane.begin(tour::Paint::hold, "holds one");
  if (both_hold_one != nullptr) both_hold_one->wait();
  run.sleep(0.5s);
  lane.begin(tour::Paint::wait, "waits for the other");
  const bool acquired = second.acquire(run.scaled(1s));
  if (acquired) {
    lane.mark(tour::Paint::work, "works");
    tour::print("thread ", me, " works");
    second.release();
  } else {
    tour::print("thread ", me, " gives way");  // said before it lets go: a livelock is a matter of microseconds
  }
  lane.end();
  first.release();
  return acquired;
}

// Runs body(number, first lock, second lock) in two threads that disagree on the order.
template <class Body>
void in_two_threads(Body body) {
  nogil::Lock lock1, lock2;
  nogil::Thread t1([&] { body(1, lock1, lock2); }), t2([&] { body(2, lock2, lock1); });
  t1.start();
  t2.start();
  t1.join();
  t2.join();
}

int retry_at_once(tour::Run& run) {
  in_two_threads([&](int me, nogil::Lock& first, nogil::Lock& second) {
    tour::Lane& lane = run.timeline.lane("not drawn");
    while (!try_both(run, me, first, second, lane)) {
    }
  });
  return 0;
}

void deadlock_with_timeout(tour::Run& run) {
  run.timeline.legend(tour::Paint::hold, "holds one lock");
  run.timeline.legend(tour::Paint::wait, "waits for the other, holds one");
  run.timeline.legend(tour::Paint::work, "works with both");

  tour::print("1. as written:");
  std::atomic<int> worked = 0;
  nogil::Barrier both_hold_one(2);
  in_two_threads([&](int me, nogil::Lock& first, nogil::Lock& second) {
    tour::Lane& lane = run.timeline.lane(tour::text("1. as written, thread ", me));
    if (try_both(run, me, first, second, lane, &both_hold_one)) ++worked;
  });
  const int worked_as_written = worked;
  tour::print(worked_as_written, " of 2 worked, the other gave up without a word");

  tour::print("2. try again at once, for at most ", tour::seconds(run.scaled(6s)), " more:");
  const tour::ChildReport retry = tour::run_child(run, "deadlock-with-timeout/retry-at-once", "gives way", 6s);
  const int lucky = retry.count("works"), tries = retry.count("gives way");
  tour::print(tries, " tries in vain, ", lucky, " of 2 worked", retry.killed ? ", ended by the watchdog" : ", by luck");

  tour::print("3. try again after a random pause:");
  worked = 0;
  std::atomic<int> pauses = 0;
  in_two_threads([&](int me, nogil::Lock& first, nogil::Lock& second) {
    std::mt19937 random(static_cast<unsigned>(me));
    std::uniform_real_distribution<double> pause(0, 2);
    tour::Lane& lane = run.timeline.lane(tour::text("3. random pause, thread ", me));
    while (!try_both(run, me, first, second, lane)) {
      ++pauses;
      run.sleep(tour::Seconds(pause(random)));
    }
    ++worked;
  });
  const int worked_with_pauses = worked;
  tour::print(worked_with_pauses, " of 2 worked, after ", pauses.load(), " pauses");

  tour::print("4. both at once:");
  worked = 0;
  const tour::Stopwatch watch;
  in_two_threads([&](int me, nogil::Lock& first, nogil::Lock& second) {
    tour::Lane& lane = run.timeline.lane(tour::text("4. both at once, thread ", me));
    const std::scoped_lock both(first, second);  // whichever order they are named in
    lane.begin(tour::Paint::work, "works");
    run.sleep(0.5s);
    tour::print("thread ", me, " works");
    lane.end();
    ++worked;
  });
  const tour::Seconds at_once = watch.wall();
  tour::print(worked.load(), " of 2 worked, in ", tour::seconds(at_once));
  run.timeline.print_text();

  run.expect_one_of("worked: as written", worked_as_written, {0, 1});
  run.check(retry.killed || lucky == 2, "retrying at once ends by luck or never");
  run.expect("random pause", worked_with_pauses, 2);
  run.expect("both at once", worked.load(), 2);
  run.check(at_once >= run.scaled(1s), "both at once is one after the other");
}

const tour::Part retry_part("deadlock-with-timeout/retry-at-once", retry_at_once);
const tour::Demo registered({.id = "deadlock-with-timeout",
                             .cell = "0.11",
                             .seconds = 14,
                             .teaches = "timeouts against deadlock: two failures and two cures"},
                            deadlock_with_timeout);

}  // namespace
