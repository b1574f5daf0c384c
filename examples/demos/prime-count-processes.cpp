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

#include <algorithm>
#include <string>
#include <vector>

#include "nogil/multiprocessing.hpp"
#include "support/primes.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

void count_half(int n, int from, int end, nogil::mp::Value<int> count) {
  const tour::Stopwatch watch;
  count.set(tour::count_primes(from, end));
  tour::print("Process ", n, " is finished. Spent ", tour::fixed(watch.wall().count(), 6), " sec\n", count.get());
}

void report(const std::string& how, const tour::Stopwatch& watch, int count) {
  tour::print(tour::pad_right(how, 26), tour::seconds(watch.wall(), 3), "  ", count);
}

void prime_count_processes(tour::Run& run) {
  const int last = static_cast<int>(run.size(2'000'000, 100)), half = last / 2;

  const tour::Stopwatch alone;
  const int sequential = tour::count_primes(2, last + 1);
  report("no processes", alone, sequential);

  const tour::Stopwatch two_halves;
  nogil::mp::Value<int> first(0), second(0);
  nogil::mp::Process p1({.daemon = true}, count_half, 1, 2, half + 1, first);
  nogil::mp::Process p2({.daemon = true}, count_half, 2, half + 1, last + 1, second);
  p1.start();
  p2.start();
  p1.join();
  p2.join();
  report("2 processes, halves", two_halves, first.get() + second.get());

  // The halves are uneven, since large numbers take longer: 64 small parts for whoever is free.
  const int workers = run.threads(static_cast<int>(nogil::cpu_count())), chunk = std::max(1, last / 64);
  const tour::Stopwatch chunked;
  int in_chunks = 0;
  {
    nogil::mp::ProcessPoolExecutor executor(static_cast<std::size_t>(workers));
    std::vector<nogil::Future<int>> parts;
    for (int from = 2; from <= last; from += chunk) {
      parts.push_back(executor.submit(tour::count_primes, from, std::min(from + chunk, last + 1)));
    }
    for (const nogil::Future<int>& part : parts) in_chunks += part.result();
  }
  report(tour::text("a pool of ", workers, ", 64 chunks"), chunked, in_chunks);

  const std::string by_sieve =
      tour::text(tour::count_by_sieve(2, half + 1), '+', tour::count_by_sieve(half + 1, last + 1));
  run.expect("halves", tour::text(first.get(), '+', second.get()), last == 2'000'000 ? "78498+70435" : by_sieve);
  run.expect("in chunks", in_chunks, tour::count_by_sieve(2, last + 1));
  run.check(sequential == in_chunks, "processes change nothing");
}

const tour::Demo registered({.id = "prime-count-processes",
                             .cell = "3.5",
                             .seconds = 0.8,
                             .teaches = "148933 primes counted by two processes, then by a pool in small chunks"},
                            prime_count_processes);

}  // namespace
