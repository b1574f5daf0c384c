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

#include <cstddef>

#include "nogil/futures.hpp"
#include "nogil/threading.hpp"
#include "support/prime_demo.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

void prime_count_threads(tour::Run& run) {
  const int last = static_cast<int>(run.size(2'000'000, 100)), half = last / 2;

  const tour::Stopwatch one_thread;
  const int sequential = tour::count_primes(2, last + 1);
  tour::print_count("no threads", one_thread.both(), sequential);

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
  tour::print_count("2 threads, halves", two_halves.both(), counts[0] + counts[1]);

  const int workers = run.threads(static_cast<int>(nogil::cpu_count()));
  const tour::Stopwatch chunked;
  nogil::ThreadPoolExecutor executor(static_cast<std::size_t>(workers));
  const int in_chunks = tour::count_primes_by(executor, last);
  tour::print_count(tour::text("a pool of ", workers, ", 64 chunks"), chunked.both(), in_chunks);

  tour::expect_primes(run, last, sequential, counts[0], counts[1], in_chunks);
}

const tour::Demo registered({.id = "prime-count-threads",
                             .cell = "3.7",
                             .seconds = 0.7,
                             .teaches = "148933 primes counted on all cores: what the GIL forbids"},
                            prime_count_threads);

}  // namespace
