// race-100ms-lock -- `with lock:` in C++ is a scoped_lock.
//
// std::scoped_lock takes the lock where it is declared and gives it back at the end of
// the block, also when an exception leaves the block: that is `with`. nogil::with(lock,
// f) is the same for a callable. The result is 30, every time.
//
// Python:
//
//     counter = 0
//     lock = Lock()
//
//     def increase(by):
//         with lock:
//             global counter
//             local_counter = counter
//             local_counter += by
//             sleep(0.1)
//             counter = local_counter
//             print(f"counter={counter}")
//
//     t1 = Thread(target=increase, args=(10,))
//     t2 = Thread(target=increase, args=(20,))
//     t1.start(); t2.start()
//     t1.join(); t2.join()
//     print(f"{counter=}")        # the same every time

#include <chrono>
#include <mutex>

#include "nogil/threading.hpp"
#include "support/tour.hpp"

namespace {

using namespace std::chrono_literals;

void race_100ms_lock(tour::Run& run) {
  int right = 0;
  constexpr int kRounds = 5;
  for (int round = 0; round < kRounds; ++round) {
    int counter = 0;
    nogil::Lock lock;

    auto increase = [&](int by) {
      const std::scoped_lock guard(lock);  // with lock:
      int local_counter = counter;
      local_counter += by;
      run.sleep(0.1s);
      counter = local_counter;
      tour::print("counter=", counter);
    };

    nogil::Thread t1(increase, 10), t2(increase, 20);
    t1.start();
    t2.start();
    t1.join();
    t2.join();
    tour::print("in the end: counter=", counter);
    if (counter == 30) ++right;
  }
  run.expect("rounds that ended with 30", right, kRounds);
}

const tour::Demo registered({.id = "race-100ms-lock",
                             .cell = "4.5",
                             .seconds = 1,
                             .teaches = "`with lock:` as std::scoped_lock: 30 every time"},
                            race_100ms_lock);

}  // namespace
