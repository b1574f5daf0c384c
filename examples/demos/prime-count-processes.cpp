// prime-count-processes -- the primes below 2,000,000, each half in a process of its own.
//
// In CPython processes are the way round the GIL; here threads would do as well (see
// prime-count-threads), and processes are for what must not share memory. In the notebook
// this cell fails: Jupyter cannot start a function that was typed into it in another
// process. A compiled program has that problem solved: a function is found by its place in
// the program. What the processes count comes back through Value, a number in shared memory.
//
// Python:
//
//     def count_primes(n, st, end):
//         cnt = 0
//         start_ = datetime.now()
//         for i in range(st, end):
//             if is_prime(i):
//                 cnt += 1
//         end_ = datetime.now()
//         print(f"Process {n} is finished. Spent {(end_ - start_).total_seconds()} sec")
//         print(cnt)
//
//     p1 = Process(target=count_primes, args=(1, 2, 1000001), daemon=True)
//     p2 = Process(target=count_primes, args=(2, 1000001, 2000001), daemon=True)
//     p1.start(); p2.start()
//     p1.join(); p2.join()

#include <cstddef>

#include "nogil/multiprocessing.hpp"
#include "support/prime_demo.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

void count_half(int n, int from, int end, nogil::mp::Value<int> count) {
  const tour::Stopwatch watch;
  count.set(tour::count_primes(from, end));
  tour::print("Process ", n, " is finished. Spent ", tour::fixed(watch.wall().count(), 6), " sec\n", count.get());
}

void prime_count_processes(tour::Run& run) {
  const int last = static_cast<int>(run.size(2'000'000, 100)), half = last / 2;

  const tour::Stopwatch alone;
  const int sequential = tour::count_primes(2, last + 1);
  tour::print_count("no processes", tour::seconds(alone.wall(), 3), sequential);

  const tour::Stopwatch two_halves;
  nogil::mp::Value<int> first(0), second(0);
  nogil::mp::Process p1({.daemon = true}, count_half, 1, 2, half + 1, first);
  nogil::mp::Process p2({.daemon = true}, count_half, 2, half + 1, last + 1, second);
  p1.start();
  p2.start();
  p1.join();
  p2.join();
  tour::print_count("2 processes, halves", tour::seconds(two_halves.wall(), 3), first.get() + second.get());

  const int workers = run.threads(static_cast<int>(nogil::cpu_count()));
  const tour::Stopwatch chunked;
  nogil::mp::ProcessPoolExecutor executor(static_cast<std::size_t>(workers));
  const int in_chunks = tour::count_primes_by(executor, last);
  tour::print_count(tour::text("a pool of ", workers, ", 64 chunks"), tour::seconds(chunked.wall(), 3), in_chunks);

  tour::expect_primes(run, last, sequential, first.get(), second.get(), in_chunks);
}

const tour::Demo registered({.id = "prime-count-processes",
                             .cell = "3.5",
                             .seconds = 0.8,
                             .teaches = "148933 primes counted by two processes, then by a pool in small chunks"},
                            prime_count_processes);

}  // namespace
