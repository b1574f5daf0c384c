// prime-count-threads -- real work on all cores.
//
// How many primes are there below 2,000,000? Each thread takes half of the numbers. In
// CPython two threads take as long as one: the GIL lets one of them compute at a time.
// Here they really run at once. The halves are uneven, since large numbers take longer;
// small chunks, fetched by whoever is free, even that out. A sieve checks the counts.
//
// Python:
//
//     def count_primes(n, st, end):
//         def is_prime(num):
//             for i in range(2, int(num ** 0.5 + 1)):
//                 if num % i == 0:
//                     return False
//             return True
//
//         cnt = 0
//         start_ = datetime.now()
//         for i in range(st, end):
//             if is_prime(i):
//                 cnt += 1
//         end_ = datetime.now()
//         print(f"Thread {n} is finished. Spent {(end_ - start_).total_seconds()} sec")
//         print(cnt)
//
//     t1 = threading.Thread(target=count_primes, args=(1, 2, 1000001), daemon=True)
//     t2 = threading.Thread(target=count_primes, args=(2, 1000001, 2000001), daemon=True)
//     t1.start(); t2.start()
//     t1.join(); t2.join()

#include <algorithm>
#include <atomic>
#include <string>
#include <vector>

#include "nogil/threading.hpp"
#include "support/primes.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

void report(const std::string& how, const tour::Stopwatch& watch, int count) {
  tour::print(tour::pad_right(how, 24), watch.both(), "  ", count);
}

void prime_count_threads(tour::Run& run) {
  const int last = static_cast<int>(run.size(2'000'000, 100)), half = last / 2;

  const tour::Stopwatch one_thread;
  const int sequential = tour::count_primes(2, last + 1);
  report("no threads", one_thread, sequential);

  int counts[2] = {0, 0};
  const tour::Stopwatch two_halves;
  auto count_half = [&](int n, int from, int end) {
    const tour::Stopwatch own;
    counts[n - 1] = tour::count_primes(from, end);
    tour::print("Thread ", n, " is finished. Spent ", tour::fixed(own.wall().count(), 6), " sec\n", counts[n - 1]);
  };
  nogil::Thread t1({.name = "Thread 1", .daemon = true}, count_half, 1, 2, half + 1);
  nogil::Thread t2({.name = "Thread 2", .daemon = true}, count_half, 2, half + 1, last + 1);
  t1.start();
  t2.start();
  t1.join();
  t2.join();
  report("2 threads, halves", two_halves, counts[0] + counts[1]);

  const int workers = run.threads(static_cast<int>(nogil::cpu_count()));
  const int chunk = std::max(1, last / 64);
  std::atomic<int> next = 2, in_chunks = 0;
  const tour::Stopwatch chunked;
  std::vector<nogil::Thread> threads;
  for (int i = 0; i < workers; ++i) {
    threads
        .emplace_back([&] {
          for (int from; (from = next.fetch_add(chunk)) <= last;) {
            in_chunks += tour::count_primes(from, std::min(from + chunk, last + 1));
            run.progress(static_cast<double>(from) / last);
          }
        })
        .start();
  }
  for (nogil::Thread& t : threads) t.join();
  report(tour::text(workers, workers == 1 ? " thread, 64 chunks" : " threads, 64 chunks"), chunked, in_chunks);

  const std::string by_sieve =
      tour::text(tour::count_by_sieve(2, half + 1), '+', tour::count_by_sieve(half + 1, last + 1));
  run.expect("halves", tour::text(counts[0], '+', counts[1]), last == 2'000'000 ? "78498+70435" : by_sieve);
  run.expect("in chunks", in_chunks.load(), tour::count_by_sieve(2, last + 1));
  run.check(sequential == in_chunks, "threads change nothing");
}

const tour::Demo registered({.id = "prime-count-threads",
                             .cell = "3.7",
                             .seconds = 0.7,
                             .teaches = "148933 primes counted on all cores: what the GIL forbids"},
                            prime_count_threads);

}  // namespace
