// deadlock -- two threads, two locks, opposite order.
//
// Each thread holds one lock and waits for the other: Python's program hangs until
// somebody interrupts it. With Policy::raise the acquire() that would close the circle
// throws DeadlockError instead; the text names who waits for what. The exception leaves
// the block, so the lock of that thread is given back, and the other thread can go on.
// (A barrier makes sure that both hold one lock, however slow the machine is.)
//
// Python:
//
//     def function_a():
//         a_lock.acquire()
//         print("function a, a_lock = locked")
//         sleep(1)
//         b_lock.acquire()
//         print("function a, b_lock = locked")
//         sleep(1)
//         a_lock.release()
//         b_lock.release()
//
//     def function_b():
//         b_lock.acquire()
//         print("function b, b_lock = locked")
//         a_lock.acquire()
//         print("function b, a_lock = locked")
//         sleep(1)
//         b_lock.release()
//         a_lock.release()
//
//     t1 = Thread(target=function_a)
//     t2 = Thread(target=function_b)
//     t1.start(); t2.start()
//     t1.join(); t2.join()            # never

#include <atomic>
#include <chrono>
#include <mutex>
#include <string>
#include <string_view>

#include "nogil/threading.hpp"
#include "support/child.hpp"
#include "support/tour.hpp"

namespace {

using namespace std::chrono_literals;

struct Locks {
  nogil::Lock a, b;
  nogil::Barrier both_hold_one{2};
  Locks() {
    nogil::deadlock::set_name(a, "a_lock");
    nogil::deadlock::set_name(b, "b_lock");
  }
  ~Locks() {
    nogil::deadlock::set_name(a, "");
    nogil::deadlock::set_name(b, "");
  }
};

// The notebook's functions: they differ in which lock comes first, and in the sleep.
void take_both(tour::Run& run, Locks& locks, bool is_a, tour::Lane& lane) {
  const std::string_view me = is_a ? "function a, " : "function b, ";
  const std::string_view first = is_a ? "a_lock" : "b_lock", second = is_a ? "b_lock" : "a_lock";

  std::unique_lock holds_first(is_a ? locks.a : locks.b);  // given back when this block is left
  lane.begin(tour::Paint::hold, tour::text("holds ", first));
  tour::print(me, first, " = locked");
  locks.both_hold_one.wait();
  if (is_a) run.sleep(1s);
  lane.begin(tour::Paint::wait, tour::text("holds ", first, ", waits for ", second));
  std::unique_lock holds_second(is_a ? locks.b : locks.a);
  lane.begin(tour::Paint::work, "holds both");
  tour::print(me, second, " = locked");
  run.sleep(1s);
  lane.end();
}

// Nobody looks: it hangs. Before that it says who waits for whom.
int undetected(tour::Run& run) {
  nogil::deadlock::set_policy(nogil::deadlock::Policy::off);
  Locks locks;
  nogil::Thread t1({.name = "function_a"}, [&] { take_both(run, locks, true, run.timeline.lane("function_a")); });
  nogil::Thread t2({.name = "function_b"}, [&] { take_both(run, locks, false, run.timeline.lane("function_b")); });
  t1.start();
  t2.start();
  while (!t1.join(run.scaled(3s))) {
    const std::string waits = nogil::deadlock::describe_waits();
    if (waits.find("a_lock") == std::string::npos || waits.find("b_lock") == std::string::npos) continue;
    tour::print(waits.substr(0, waits.size() - 1), "\nstill waiting after ", tour::seconds(run.scaled(3s)));
    break;
  }
  t1.join();
  t2.join();
  return 0;
}

void deadlock(tour::Run& run) {
  tour::print("without detection, in a process that is killed in the end:");
  const tour::ChildReport hung = tour::run_child(run, "deadlock/undetected", "still waiting", 0.5s);

  tour::print("with Policy::raise:");
  nogil::deadlock::set_policy(nogil::deadlock::Policy::raise);
  run.timeline.legend(tour::Paint::hold, "holds one lock");
  run.timeline.legend(tour::Paint::wait, "waits for the other, holds one");
  run.timeline.legend(tour::Paint::work, "holds both");
  run.timeline.legend(tour::Paint::error, "DeadlockError");
  Locks locks;
  std::atomic<int> errors = 0, survivors = 0, in_order = 0;
  std::string message;  // written by the one thread that gets the error

  auto function = [&](bool is_a, tour::Lane& lane) {
    try {
      take_both(run, locks, is_a, lane);
      ++survivors;
    } catch (const nogil::DeadlockError& error) {
      lane.mark(tour::Paint::error, "DeadlockError");
      tour::print("DeadlockError in function ", is_a ? 'a' : 'b', ":\n  ", error.what());
      if (++errors == 1) message = error.what();
    }
  };
  nogil::Thread t1({.name = "function_a"}, function, true, std::ref(run.timeline.lane("function_a")));
  nogil::Thread t2({.name = "function_b"}, function, false, std::ref(run.timeline.lane("function_b")));
  t1.start();
  t2.start();
  t1.join();
  t2.join();
  run.timeline.print_text();

  tour::print("std::scoped_lock takes both at once, in any order, and cannot deadlock:");
  auto ordered = [&](nogil::Lock& one, nogil::Lock& other) {
    const std::scoped_lock both(one, other);
    ++in_order;
  };
  nogil::Thread t3(ordered, std::ref(locks.a), std::ref(locks.b)), t4(ordered, std::ref(locks.b), std::ref(locks.a));
  t3.start();
  t4.start();
  t3.join();
  t4.join();
  tour::print("both done");

  run.expect("DeadlockErrors", errors.load(), 1);
  run.expect("threads that went on", survivors.load(), 1);
  run.expect("undetected, it hangs", hung.killed, true);
  run.check(in_order == 2, "scoped_lock gets both locks for both");
  for (const char* name : {"function_a", "function_b", "a_lock", "b_lock"}) {
    run.check(message.find(name) != std::string::npos, tour::text("the error names ", name));
  }
}

const tour::Part undetected_part("deadlock/undetected", undetected);
const tour::Demo registered({.id = "deadlock",
                             .cell = "3.12",
                             .seconds = 6,
                             .teaches = "two locks in opposite order: a hang, or an error that says why"},
                            deadlock);

}  // namespace
