// prime-count-queue -- the counts come back through a queue.
//
// As prime-count-processes, but each process puts what it found into a queue. The notebook
// joins the processes first and reads the queue afterwards, while it is not empty. Both are
// traps in Python. A process ends only when what it has put is in the pipe, so a join before
// the reading never returns once a result is larger than the pipe, 64 KiB; and empty() may
// say so before the last result is there. Right is to read as many results as there are
// processes, then to join. Here put() is done when it returns, nothing waits behind it, and
// both orders work as long as the queue has room; the second part sends as much as
// hangs in Python.
//
// Python:
//
//     def count_primes(n, st, end, q):
//         cnt = 0
//         for i in range(st, end):
//             if is_prime(i):
//                 cnt += 1
//         q.put((n, cnt))
//
//     q = Queue()
//     p1 = Process(target=count_primes, args=(1, 2, 1000001, q))
//     p2 = Process(target=count_primes, args=(2, 1000001, 2000001, q))
//     p1.start(); p2.start()
//     p1.join(); p2.join()                                # drain first!
//     while not q.empty():
//         print(q.get())

#include <chrono>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "nogil/multiprocessing.hpp"
#include "support/primes.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

using namespace std::chrono_literals;
using Found = std::pair<int, int>;  // who, and how many

void count_half(int n, int from, int end, nogil::mp::Queue<Found> q) {
  q.put(Found(n, tour::count_primes(from, end)));
}

void put_much(std::size_t size, nogil::mp::Queue<std::string> q) {
  q.put(std::string(size, 'x'));
}

// The order that hangs in Python: join, then get. How many bytes came; 0 if the join did not
// end in time.
std::size_t join_then_get(std::size_t size) {
  nogil::mp::Queue<std::string> q;
  nogil::mp::Process p({.daemon = true}, put_much, size, q);
  p.start();
  return p.join(30s) ? q.get().size() : 0;
}

void prime_count_queue(tour::Run& run) {
  const int last = static_cast<int>(run.size(2'000'000, 100)), half = last / 2;

  const tour::Stopwatch watch;
  nogil::mp::Queue<Found> q;
  nogil::mp::Process p1(count_half, 1, 2, half + 1, q);
  nogil::mp::Process p2(count_half, 2, half + 1, last + 1, q);
  p1.start();
  p2.start();
  int counts[2] = {0, 0};
  for (int i = 0; i < 2; ++i) {
    const auto [n, count] = q.get();
    tour::print("Process ", n, ": ", count);
    counts[n - 1] = count;
  }
  p1.join();
  p2.join();
  tour::print("2 processes and a queue: ", tour::seconds(watch.wall(), 3));

  std::string big;
  for (const std::size_t size : {60'000u, 70'000u, 1'000'000u}) {
    const std::size_t came = join_then_get(size);
    tour::print("join, then get() of ", size, " bytes: ", came == size ? "they came" : "they did not come");
    big += tour::text(big.empty() ? "" : "/", came);
  }

  const std::string by_sieve =
      tour::text(tour::count_by_sieve(2, half + 1), '+', tour::count_by_sieve(half + 1, last + 1));
  run.expect("counts", tour::text(counts[0], '+', counts[1]), last == 2'000'000 ? "78498+70435" : by_sieve);
  run.expect("bytes after a join", big, "60000/70000/1000000");
}

const tour::Demo registered({.id = "prime-count-queue",
                             .cell = "3.6",
                             .seconds = 0.3,
                             .teaches = "results through a queue between processes; a join before the reading"},
                            prime_count_queue);

}  // namespace
