// thread-class -- a thread as a class of its own.
//
// Derive from Thread and override run(): the arguments become members. T1 sleeps for
// 2 s and T2 for 5 s at the same time, so both are done after 5 s.
//
// Python:
//
//     class MyThread(threading.Thread):
//         def __init__(self, msg, sleep):
//             super().__init__()
//             self.msg = msg
//             self.sleep = sleep
//
//         def run(self):
//             print(f"START[{self.msg}]")
//             sleep(self.sleep)
//             print(f"END  [{self.msg}]")
//
//     t1 = MyThread("T1", 2)
//     t2 = MyThread("T2", 5)
//     t1.start()
//     t2.start()
//     t1.join()
//     t2.join()

#include <chrono>
#include <string>
#include <utility>

#include "nogil/threading.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

using namespace std::chrono_literals;

class MyThread : public nogil::Thread {
 public:
  MyThread(tour::Run& run, std::string message, tour::Seconds sleep)
      : run_(run), lane_(run.timeline.lane(message)), message_(std::move(message)), sleep_(sleep) {}

  ~MyThread() override { join_if_started(); }  // before the members go that run() uses

  void run() override {
    tour::print("START[", message_, "]");
    lane_.begin(tour::Paint::work, "sleeps");
    run_.sleep(sleep_);
    lane_.end();
    tour::print("END  [", message_, "]");
    ended_ = true;
  }

  bool ended() const { return ended_; }

 private:
  tour::Run& run_;
  tour::Lane& lane_;
  const std::string message_;
  const tour::Seconds sleep_;
  bool ended_ = false;  // read after join()
};

void thread_class(tour::Run& run) {
  run.timeline.legend(tour::Paint::work, "sleeps");
  const tour::Stopwatch watch;
  MyThread t1(run, "T1", 2s);
  MyThread t2(run, "T2", 5s);
  t1.start();
  t2.start();

  t1.join();
  t2.join();
  run.expect("ended", t1.ended() + t2.ended(), 2);
  run.expect_at_least("together", watch.wall(), run.scaled(5s));
}

const tour::Demo registered({.id = "thread-class",
                             .cell = "4.1",
                             .seconds = 5,
                             .teaches = "a thread as a class: derive from Thread, override run()"},
                            thread_class);

}  // namespace
