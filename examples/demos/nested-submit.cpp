// nested-submit -- a task that waits for another task of its own pool.
//
// The only worker runs the outer task. The outer task submits an inner one and waits for
// it: in CPython for ever, since nobody is left to run it. Here result() in a worker runs
// exactly the task that it waits for, so any nesting comes to an end, on any number of
// workers. And only that task: the outer task may hold a lock, and an unrelated task that
// wants the same lock must not be run in the middle of it. Futures that wait for each
// other in a circle cannot be helped; they get a DeadlockError.
//
// Python:
//
//     executor = ThreadPoolExecutor(1)
//
//     def outer():
//         return executor.submit(inner).result()      # waits for ever
//
//     executor.submit(outer).result()

#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "nogil/errors.hpp"
#include "nogil/futures.hpp"
#include "nogil/threading.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

using namespace std::chrono_literals;

// What the notebook's readers try first.
int outer_and_inner(tour::Run& run) {
  run.timeline.legend(tour::Paint::work, "runs");
  run.timeline.legend(tour::Paint::wait, "waits for the inner one");
  nogil::ThreadPoolExecutor executor(1);
  tour::Lane& outer_lane = run.timeline.lane("outer");
  tour::Lane& inner_lane = run.timeline.lane("inner");

  auto inner = [&] {
    tour::print("  the inner task runs in ", nogil::current_thread().name());
    inner_lane.begin(tour::Paint::work, "inner");
    run.sleep(0.3s);
    inner_lane.end();
    return 42;
  };
  auto outer = [&] {
    tour::print("  the outer task runs in ", nogil::current_thread().name());
    outer_lane.begin(tour::Paint::work, "submits");
    run.sleep(0.2s);
    const nogil::Future<int> future = executor.submit(inner);
    outer_lane.begin(tour::Paint::wait, "result()");
    const int result = future.result();
    outer_lane.begin(tour::Paint::work, "goes on");
    run.sleep(0.2s);
    outer_lane.end();
    return result;
  };
  return executor.submit(outer).result();
}

// Each call hands one half to the pool, and waits for it.
long fibonacci(nogil::ThreadPoolExecutor& executor, int n) {
  if (n < 2) return n;
  const nogil::Future<long> one = executor.submit(fibonacci, std::ref(executor), n - 1);
  const long other = fibonacci(executor, n - 2);
  return one.result() + other;
}

// Each task submits the next and waits for it.
long depth(nogil::ThreadPoolExecutor& executor, long left) {
  return left == 0 ? 0 : 1 + executor.submit(depth, std::ref(executor), left - 1).result();
}

// A task that waits while it holds a lock; meanwhile another task that wants the lock is
// first in the queue. Returns in which order they ran.
std::string lock_and_wait() {
  nogil::ThreadPoolExecutor executor(1);
  nogil::Lock lock;
  nogil::Event queued;
  std::string order;
  const auto holder = executor.submit([&] {
    queued.wait();
    const std::scoped_lock guard(lock);
    order += "holder waits, ";
    executor.submit([&] { order += "its own task, "; }).result();
    order += "holder goes on, ";
  });
  const auto unrelated = executor.submit([&] {
    const std::scoped_lock guard(lock);  // run inside the holder's wait, it would wait for its own thread
    order += "unrelated";
  });
  queued.set();
  holder.result();
  unrelated.result();
  return order;
}

// Two tasks that wait for each other. Returns how many of them got a DeadlockError.
int circle() {
  nogil::ThreadPoolExecutor executor(2);
  nogil::Event known;
  nogil::Future<int> a, b;
  a = executor.submit([&] {
    known.wait();
    return b.result();
  });
  b = executor.submit([&] {
    known.wait();
    return a.result();
  });
  known.set();
  int errors = 0;
  for (const nogil::Future<int>& future : {a, b}) {
    try {
      future.result();
    } catch (const nogil::DeadlockError& error) {
      if (++errors == 1) tour::print("DeadlockError: ", error.what());
    }
  }
  return errors;
}

void nested_submit(tour::Run& run) {
  tour::print("one worker, and a task that waits for a task:");
  const int answer = outer_and_inner(run);
  run.timeline.print_text();

  const tour::Stopwatch watch;
  long number = 0, reached = 0;
  const long deep = run.size(10'000, 100);
  {
    nogil::ThreadPoolExecutor executor(1);
    number = fibonacci(executor, 20);
    tour::print("fibonacci(20) by 10945 tasks that wait for tasks: ", number, ", ", watch.both());
    reached = depth(executor, deep);
    tour::print(deep, " tasks, each waits for the next: ", reached);
  }
  const std::string order = lock_and_wait();
  tour::print("a lock held while waiting: ", order);
  const int errors = circle();

  run.expect("inner result", answer, 42);
  run.expect("fibonacci", number, 6765);
  run.expect("depth", reached, deep);
  run.check(order == "holder waits, its own task, holder goes on, unrelated", "only the task waited for is run");
  run.expect("DeadlockErrors in a circle", errors, 2);
}

const tour::Demo registered({.id = "nested-submit",
                             .cell = "4.18",
                             .seconds = 0.8,
                             .teaches = "tasks that wait for tasks of their own pool: a deadlock in CPython"},
                            nested_submit);

}  // namespace
