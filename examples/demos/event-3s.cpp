// event-3s -- one thread tells others that something has happened.
//
// Waiters sleep until set() wakes them all, and measure how late they woke. An event
// stays set, so whoever comes later does not wait; clear() makes it new. A wait with a
// timeout says whether the event came.
//
// Python:
//
//     event = threading.Event()
//
//     def waiter():
//         event.wait()
//
//     def setter():
//         time.sleep(3)
//         event.set()
//
//     thread_wait = threading.Thread(target=waiter)
//     thread_set = threading.Thread(target=setter)
//     thread_wait.start()
//     thread_set.start()
//     thread_wait.join()
//     thread_set.join()

#include <chrono>
#include <string>
#include <vector>

#include "nogil/threading.hpp"
#include "support/tour.hpp"

namespace {

using namespace std::chrono_literals;

void event_3s(tour::Run& run) {
  const int count = run.threads(3);
  nogil::Event event;
  tour::Clock::time_point set_at;  // written before set(), read after wait(): no lock needed
  std::vector<tour::Seconds> late(static_cast<std::size_t>(count));
  run.timeline.legend(tour::Paint::wait, "waits for the event");
  run.timeline.legend(tour::Paint::work, "sleeps, then sets it");

  auto waiter = [&](int number, tour::Lane& lane) {
    lane.begin(tour::Paint::wait, "wait()");
    event.wait();
    const tour::Seconds delay = tour::Clock::now() - set_at;
    lane.end();
    tour::print("waiter ", number, " woke ", tour::fixed(delay.count() * 1000, 3), " ms after set()");
    late[static_cast<std::size_t>(number)] = delay;
  };
  auto setter = [&](tour::Lane& lane) {
    lane.begin(tour::Paint::work, "sleep(3)");
    run.sleep(3s);
    lane.end();
    tour::print("setter: set()");
    set_at = tour::Clock::now();
    event.set();
  };

  std::vector<nogil::Thread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back(waiter, i, std::ref(run.timeline.lane(tour::text("waiter ", i)))).start();
  }
  threads.emplace_back(setter, std::ref(run.timeline.lane("setter"))).start();
  for (nogil::Thread& t : threads) t.join();

  int after_set = 0;
  for (const tour::Seconds delay : late) after_set += delay >= 0s;
  const bool stays_set = event.is_set() && event.wait(0s);
  event.clear();
  const bool came = event.wait(run.scaled(0.5s));  // event.wait(timeout=0.5)
  tour::print("cleared, and waited ", tour::seconds(run.scaled(0.5s)), ": ", came ? "it came" : "it did not come");

  run.expect("woke after set()", after_set, count);
  run.check(stays_set, "an event stays set");
  run.expect("cleared, it came", came, false);
}

const tour::Demo registered({.id = "event-3s",
                             .cell = "0.10",
                             .seconds = 3.5,
                             .teaches = "an Event wakes all who wait for it, microseconds after set()"},
                            event_3s);

}  // namespace
