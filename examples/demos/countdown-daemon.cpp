// countdown-daemon -- a daemon thread does not keep the program alive.
//
// The timer would print 5, 4, 3, 2, 1, one a second. As a daemon it is cut off when
// main() returns after 3 s. A plain thread, or a join(), lets it print all five.
// In C++ a thread that outlives main() is a trap: what it uses may be gone. So the
// daemon here owns all that it needs, copies and no references.
//
// Python:
//
//     def countdown_timer(seconds):
//         for i in range(seconds, 0, -1):
//             print(f"timer: {i} s")
//             time.sleep(1)
//
//     timer_thread = threading.Thread(target=countdown_timer, args=(5,))
//     timer_thread.daemon = True      # ends with the program; else use join()
//     timer_thread.start()
//
//     print("other work: sleep(3)")
//     time.sleep(3)
//     print("sleep(3) is over")

#include <chrono>
#include <thread>

#include "nogil/threading.hpp"
#include "support/child.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

using namespace std::chrono_literals;

void countdown_timer(int from, std::chrono::nanoseconds second) {
  for (int i = from; i > 0; --i) {
    tour::print("timer: ", i, " s");
    std::this_thread::sleep_for(second);
  }
}

void start_and_work(tour::Run& run, nogil::Thread& timer_thread) {
  timer_thread.start();
  tour::print("other work: sleep(3)");
  run.sleep(3s);
  tour::print("sleep(3) is over");
}

int main_of_the_daemon(tour::Run& run) {
  nogil::Thread timer_thread({.name = "timer", .daemon = true}, countdown_timer, 5, run.scaled(1s));
  start_and_work(run, timer_thread);
  return 0;
}

int main_that_joins(tour::Run& run) {
  nogil::Thread timer_thread({.name = "timer"}, countdown_timer, 5, run.scaled(1s));
  start_and_work(run, timer_thread);
  timer_thread.join();
  return 0;
}

// Each in a program of its own, because the end of the program is the point.
void countdown_daemon(tour::Run& run) {
  tour::print("daemon:");
  const tour::ChildReport daemon = tour::run_child(run, "countdown-daemon/daemon", "sleep(3) is over", 600s);
  tour::print("join:");
  const tour::Stopwatch watch;
  const tour::ChildReport joined = tour::run_child(run, "countdown-daemon/join", "sleep(3) is over", 600s);

  tour::print("the daemon was cut off after ", daemon.count("timer:"), " of 5 lines");
  run.expect("exit code with a daemon at work", daemon.exit_code, 0);
  run.expect("lines with join()", joined.count("timer:"), 5);
  run.check(joined.exit_code == 0 && watch.wall() >= run.scaled(5s), "join() waited for all five seconds");
}

const tour::Part daemon_part("countdown-daemon/daemon", main_of_the_daemon);
const tour::Part join_part("countdown-daemon/join", main_that_joins);
const tour::Demo registered({.id = "countdown-daemon",
                             .cell = "2.1",
                             .seconds = 8,
                             .teaches = "a daemon is cut off when main() returns; join() waits for it"},
                            countdown_daemon);

}  // namespace
