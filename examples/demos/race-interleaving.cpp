// race-interleaving -- every order in which two threads can run, one by one.
//
// x = 2. One thread adds 1, the other doubles; each reads, then writes. Two steps each
// can be mixed in six ways, and the threads here are led through all of them: each waits
// for its permit before each step. The notebook's way is 1 2 2 1, and gives 3.
//
// Python:
//
//     x = 2
//
//     def add_one():              def double():
//         global x                    global x
//         seen = x        # read      seen = x        # read
//         x = seen + 1    # write     x = seen * 2    # write

#include <atomic>
#include <set>
#include <string>

#include "nogil/threading.hpp"
#include "support/tour.hpp"

namespace {

// Lets two threads take their steps in this order ("1221"); returns x.
int run_in_order(const std::string& order) {
  std::atomic<int> x = 2;
  nogil::Semaphore turns[2] = {nogil::Semaphore(0), nogil::Semaphore(0)};
  nogil::Semaphore step_done(0);

  auto thread_body = [&](nogil::Semaphore& turn, auto change) {
    turn.acquire();
    const int seen = x;
    step_done.release();
    turn.acquire();
    x = change(seen);
    step_done.release();
  };
  nogil::Thread add_one([&] { thread_body(turns[0], [](int seen) { return seen + 1; }); });
  nogil::Thread twice([&] { thread_body(turns[1], [](int seen) { return seen * 2; }); });
  add_one.start();
  twice.start();
  for (const char who : order) {
    turns[who == '1' ? 0 : 1].release();
    step_done.acquire();
  }
  add_one.join();
  twice.join();
  return x;
}

void race_interleaving(tour::Run& run) {
  tour::print("x = 2; thread 1: x + 1, thread 2: x * 2");
  std::set<int> results;
  int orders = 0, seen_in_notebook = 0;
  for (const std::string order : {"1122", "1212", "1221", "2112", "2121", "2211"}) {
    std::string steps;
    bool has_read[2] = {false, false};
    for (const char who : order) {
      bool& read = has_read[who == '1' ? 0 : 1];
      steps += tour::text("  ", who, read ? " writes" : " reads ");
      read = true;
    }
    const int x = run_in_order(order);
    tour::print(steps, "   x = ", x, order == "1221" ? "   <- the notebook's" : "");
    results.insert(x);
    ++orders;
    if (order == "1221") seen_in_notebook = x;
  }
  std::string all;
  for (const int x : results) all += tour::text(all.empty() ? "" : ",", x);

  run.expect("results", all, "3,4,5,6");
  run.expect("orders", orders, 6);
  run.expect("the notebook's", seen_in_notebook, 3);
}

const tour::Demo registered({.id = "race-interleaving",
                             .cell = "3.9",
                             .seconds = 0.1,
                             .teaches = "all six orders of two read-write pairs: 3, 4, 5 or 6"},
                            race_interleaving);

}  // namespace
