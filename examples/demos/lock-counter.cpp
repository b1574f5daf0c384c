// lock-counter -- two threads count, with a lock and without.
//
// counter += 1 is three steps: read, add, write. With a lock round them nothing is lost.
// Without one, two threads read the same number, and one of the two steps is lost. Ten
// thousand steps are over before the second thread has even started, so the race runs
// longer, both start together, and now and then one gives way in the middle of a step.
// (An unguarded int would be undefined behaviour; the race here reads and writes an
// atomic in two steps, which is what Python does.)
//
// Python:
//
//     counter = 0
//     lock = threading.Lock()
//
//     def inc():
//         global counter
//         for _ in range(10000):
//             with lock:
//                 counter += 1
//
//     thread1 = threading.Thread(target=inc)
//     thread2 = threading.Thread(target=inc)
//     thread1.start(); thread2.start()
//     thread1.join(); thread2.join()

#include <atomic>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "nogil/threading.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

// Calls inc(0 .. times - 1) in each of `count` threads, which start together.
template <class Increment>
void in_threads(std::string_view how, int count, long times, Increment inc) {
  nogil::Barrier start(count);
  const tour::Stopwatch watch;
  std::vector<nogil::Thread> threads;
  for (int i = 0; i < count; ++i) {
    threads
        .emplace_back([&] {
          start.wait();
          for (long n = 0; n < times; ++n) inc(n);
        })
        .start();
  }
  for (nogil::Thread& t : threads) t.join();
  tour::print(tour::pad_right(std::string(how), 24), tour::pad_left(tour::text(count, " x ", times), 14), "  ",
              watch.both());
}

void lock_counter(tour::Run& run) {
  const int threads = run.threads(2);
  const long times = run.size(10'000), many = run.size(1'000'000);

  nogil::Lock lock;
  long with_lock = 0;
  in_threads("with lock", threads, times, [&](long) {
    const std::scoped_lock guard(lock);  // with lock:
    ++with_lock;
  });

  long acquire_release = 0;
  in_threads("acquire(), release()", threads, times, [&](long) {
    lock.acquire();
    ++acquire_release;  // what throws here leaves the lock locked: prefer scoped_lock
    lock.release();
  });

  nogil::RLock rlock;
  long with_rlock = 0;
  in_threads("RLock, taken twice", threads, times, [&](long) {
    const std::scoped_lock outer(rlock);
    const std::scoped_lock inner(rlock);  // a Lock would wait for itself for ever
    ++with_rlock;
  });

  std::atomic<long> racy = 0;
  in_threads("no lock", threads, many, [&](long n) {
    const long seen = racy.load(std::memory_order_relaxed);
    if (n % 1000 == 0) std::this_thread::yield();     // it happens anywhere; here it is sure to
    racy.store(seen + 1, std::memory_order_relaxed);  // whoever wrote in between is overwritten
  });
  tour::print("without a lock ", threads * many - racy, " of ", threads * many, " steps were lost");

  run.expect("with lock", with_lock, threads * times);
  run.expect("acquire/release", acquire_release, threads * times);
  run.expect("RLock", with_rlock, threads * times);
  run.check(racy <= threads * many, "a race never counts too much here");
}

const tour::Demo registered({.id = "lock-counter",
                             .cell = "0.7",
                             .seconds = 0.3,
                             .teaches = "two threads add to one counter: exact with a Lock, else short"},
                            lock_counter);

}  // namespace
