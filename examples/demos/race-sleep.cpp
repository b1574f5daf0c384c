// race-sleep -- two threads overwrite each other.
//
// Both read the counter, both sleep, both write: the one that writes last wins, and the
// other's share is gone. 10 or 20 comes out, never 30. A barrier makes sure that both
// have read before one writes, however slow the machine is.
//
// Python:
//
//     counter = 0
//
//     def increase(by, n):
//         global counter
//         local_counter = counter
//         local_counter += by
//         sleep(1)
//         counter = local_counter
//         print(f"{n}. {counter=}")
//
//     t1 = Thread(target=increase, args=(10, 1))
//     t2 = Thread(target=increase, args=(20, 2))
//     t1.start(); t2.start()
//     t1.join(); t2.join()

#include <atomic>
#include <chrono>

#include "nogil/threading.hpp"
#include "support/tour.hpp"

namespace {

using namespace std::chrono_literals;

void race_sleep(tour::Run& run) {
  std::atomic<int> counter = 0;  // a plain int would be undefined behaviour on top of the race
  nogil::Barrier both_have_read(2);

  auto increase = [&](int by, int n) {
    int local_counter = counter;
    local_counter += by;
    both_have_read.wait();
    run.sleep(1s);  // the other thread's turn
    counter = local_counter;
    tour::print(n, ". counter=", local_counter);
  };

  nogil::Thread t1(increase, 10, 1), t2(increase, 20, 2);
  t1.start();
  t2.start();
  t1.join();
  t2.join();
  tour::print("in the end counter=", counter.load());
  run.expect_one_of("counter", counter.load(), {10, 20});
}

const tour::Demo registered({.id = "race-sleep",
                             .cell = "3.10",
                             .seconds = 1,
                             .teaches = "read, sleep, write: one thread overwrites the other"},
                            race_sleep);

}  // namespace
