// condition-prodcons -- sleep until there is something in the list.
//
// A condition is a lock and a place to wait for a change of what the lock guards. The
// consumer comes first, finds nothing and waits, which gives up the lock; the producer
// puts something in and notifies. Waiting with a predicate writes the while loop for
// you. At the end two threads hand a token to and fro, to show what a hand-over costs.
//
// Python:
//
//     condition = threading.Condition()
//     queue = []
//
//     def producer():
//         with condition:
//             queue.append(1)
//             condition.notify()
//
//     def consumer():
//         with condition:
//             while not queue:
//                 condition.wait()
//             queue.pop(0)
//
//     consumer_thread.start()
//     time.sleep(1)
//     producer_thread.start()

#include <chrono>
#include <deque>
#include <mutex>

#include "nogil/threading.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

using namespace std::chrono_literals;

// Two threads take turns, `rounds` each. Returns how many turns were taken.
long ping_pong(long rounds) {
  nogil::Condition condition;
  long turn = 0;  // even: ping's

  auto player = [&](long parity) {
    const std::scoped_lock guard(condition);
    for (long n = 0; n < rounds; ++n) {
      condition.wait([&] { return turn % 2 == parity; });  // condition.wait_for(lambda: …)
      ++turn;
      condition.notify();
    }
  };

  nogil::Thread ping(player, 0), pong(player, 1);
  ping.start();
  pong.start();
  ping.join();
  pong.join();
  return turn;
}

void condition_prodcons(tour::Run& run) {
  nogil::Condition condition;
  std::deque<int> queue;
  int consumed = 0;

  auto producer = [&] {
    const std::scoped_lock guard(condition);  // with condition:
    queue.push_back(1);
    tour::print("producer: one item in, notify()");
    condition.notify();
  };
  auto consumer = [&] {
    const std::scoped_lock guard(condition);
    while (queue.empty()) {
      tour::print("consumer: nothing there, wait()");
      condition.wait();
    }
    consumed = queue.front();
    queue.pop_front();
    tour::print("consumer: got ", consumed);
  };

  nogil::Thread consumer_thread(consumer), producer_thread(producer);
  consumer_thread.start();
  run.sleep(1s);
  producer_thread.start();
  producer_thread.join();
  consumer_thread.join();

  bool in_vain = false;
  {
    const std::scoped_lock guard(condition);
    in_vain = condition.wait(run.scaled(0.2s), [&] { return !queue.empty(); });  // wait_for(…, timeout=0.2)
  }
  tour::print("wait with a predicate, ", tour::seconds(run.scaled(0.2s)), ": ", in_vain ? "true" : "false");

  const long rounds = run.size(20'000);
  const tour::Stopwatch watch;
  const long turns = ping_pong(rounds);
  tour::print(turns, " hand-overs between two threads: ", watch.both(), ", ",
              tour::fixed(watch.wall().count() / static_cast<double>(turns) * 1e6, 2), " us each");

  run.expect("consumed", consumed, 1);
  run.check(!in_vain, "a wait for what does not come is false");
  run.expect("hand-overs", turns, 2 * rounds);
}

const tour::Demo registered({.id = "condition-prodcons",
                             .cell = "0.14",
                             .seconds = 1.4,
                             .teaches = "a Condition: wait until the list has an item, notify when it has"},
                            condition_prodcons);

}  // namespace
