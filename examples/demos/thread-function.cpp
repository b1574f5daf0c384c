// thread-function -- a function and its arguments, run by a thread.
//
// The usual way to start a thread. T2 was started later and ends earlier. join() waits
// for the end; join(timeout) says whether the end came in time, where Python makes you
// ask is_alive() afterwards.
//
// Python:
//
//     def task(msg, t):
//         print(f"START[{msg}]")
//         sleep(t)
//         print(f"END  [{msg}]")
//
//     t1 = threading.Thread(target=task, args=("T1", 5))
//     t2 = threading.Thread(target=task, args=("T2", 2))
//     t1.start()
//     t2.start()
//     t1.join()
//     t2.join()
//
//     t3.join(timeout=1)
//     if t3.is_alive(): print("T3 is still at work")

#include <atomic>
#include <chrono>
#include <string>

#include "nogil/threading.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

using namespace std::chrono_literals;

void thread_function(tour::Run& run) {
  run.timeline.legend(tour::Paint::work, "sleeps");
  run.timeline.legend(tour::Paint::wait, "waits for an event");
  std::atomic<int> ended = 0;

  auto task = [&](const std::string& message, tour::Seconds t) {
    tour::Lane& lane = run.timeline.lane(message);
    tour::print("START[", message, "]");
    lane.begin(tour::Paint::work, "sleeps");
    run.sleep(t);
    lane.end();
    tour::print("END  [", message, "]");
    ++ended;
  };

  const tour::Stopwatch watch;
  nogil::Thread t1(task, "T1", 5s);
  nogil::Thread t2(task, "T2", 2s);
  t1.start();
  t2.start();
  t1.join();
  t2.join();
  const tour::Seconds both = watch.wall();

  nogil::Event finish;
  nogil::Thread t3([&] {
    tour::Lane& lane = run.timeline.lane("T3");
    lane.begin(tour::Paint::wait);
    finish.wait();
    lane.end();
  });
  t3.start();
  const bool in_time = t3.join(run.scaled(1s));  // t3.join(timeout=1)
  tour::print("T3 has ", in_time ? "" : "not ", "ended after ", tour::seconds(run.scaled(1s)));
  finish.set();
  const bool ended_at_last = t3.join();

  run.expect("ended", ended.load(), 2);
  run.expect_at_least("together", both, run.scaled(5s));
  run.check(!in_time, "join(1 s) of a thread that goes on is false");
  run.check(ended_at_last, "join() of T3 is true in the end");
}

const tour::Demo registered({.id = "thread-function",
                             .cell = "4.2",
                             .seconds = 6,
                             .teaches = "a function as a thread; join(timeout) says if it ended in time"},
                            thread_function);

}  // namespace
