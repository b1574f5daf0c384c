// race-100ms -- the lost update once more, ten times as fast.
//
// Both threads start from 0, sleep for 0.1 s and write. Run it a few times: 10 or 20,
// as chance has it. The reads come first here (an Event holds the first writer back
// until the second has read), so that chance decides only who writes last.
//
// Python:
//
//     counter = 0
//
//     def increase(value):
//         global counter
//         local_counter = counter
//         local_counter += value
//         sleep(0.1)
//         counter = local_counter
//         print(f"counter={counter}")
//
//     t1 = Thread(target=increase, args=(10,))
//     t2 = Thread(target=increase, args=(20,))
//     t1.start(); t2.start()
//     t1.join(); t2.join()
//     print(f"{counter=}")        # as chance has it

#include <atomic>
#include <chrono>

#include "nogil/threading.hpp"
#include "support/tour.hpp"

namespace {

using namespace std::chrono_literals;

void race_100ms(tour::Run& run) {
  int outcomes[2] = {0, 0};  // how often 10, how often 20
  constexpr int kRounds = 5;
  for (int round = 0; round < kRounds; ++round) {
    std::atomic<int> counter = 0, reads = 0;
    nogil::Event both_have_read;

    auto increase = [&](int value) {
      int local_counter = counter;
      local_counter += value;
      if (++reads == 2) both_have_read.set();
      both_have_read.wait();
      run.sleep(0.1s);
      counter = local_counter;
      tour::print("counter=", local_counter);
    };

    nogil::Thread t1(increase, 10), t2(increase, 20);
    t1.start();
    t2.start();
    t1.join();
    t2.join();
    tour::print("in the end: counter=", counter.load());
    if (counter == 10) ++outcomes[0];
    if (counter == 20) ++outcomes[1];
  }
  tour::print(outcomes[0], " times 10, ", outcomes[1], " times 20");
  run.expect("rounds that lost an update", outcomes[0] + outcomes[1], kRounds);
}

const tour::Demo registered({.id = "race-100ms",
                             .cell = "4.4",
                             .seconds = 0.5,
                             .teaches = "a race in 0.1 s: 10 or 20, as chance has it, and never 30"},
                            race_100ms);

}  // namespace
