// oversubscription -- more threads than cores.
//
// The same work, cut into 256 pieces, by 1 to 64 threads. Up to the number of cores it
// gets faster; beyond that it does not, while the system switches more often between
// threads. In C++ that costs little: it is no help, rather than a catastrophe. (An
// involuntary switch: the system took the core away. A voluntary one: the thread slept.)
//
// Python:
//
//     def work(pieces):
//         while True:
//             with lock:
//                 piece = next(pieces, None)
//             if piece is None:
//                 return
//             count(piece)
//
//     for n in (1, 2, 4, 8, 64):
//         start = time.perf_counter()
//         threads = [Thread(target=work, args=(iter(PIECES),)) for _ in range(n)]
//         for t in threads: t.start()
//         for t in threads: t.join()
//         print(n, time.perf_counter() - start)

#include <sys/resource.h>

#include <atomic>
#include <string>
#include <vector>

#include "nogil/threading.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

constexpr int kPieces = 256;

struct Switches {
  long voluntary, involuntary;
};

Switches switches_so_far() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return {usage.ru_nvcsw, usage.ru_nivcsw};
}

// How many numbers in one piece are prime.
int work_on(int piece, int piece_size) {
  int count = 0;
  for (int number = piece * piece_size; number < (piece + 1) * piece_size; ++number) {
    bool prime = number >= 2;
    for (int i = 2; prime && i * i <= number; ++i) prime = number % i != 0;
    count += prime;
  }
  return count;
}

void oversubscription(tour::Run& run) {
  const int piece_size = static_cast<int>(run.size(6'000));
  std::vector<int> thread_counts{1, 2, 4, 8, 64};
  if (run.threads(64) != 64) thread_counts.back() = run.threads(64);

  tour::print("this machine has ", nogil::cpu_count(), " cores for us");
  tour::print("threads    wall       CPU     switches: voluntary involuntary");
  int first_result = 0;
  int agreeing = 0;
  for (std::size_t i = 0; i < thread_counts.size(); ++i) {
    std::atomic<int> next = 0, result = 0;
    auto work = [&] {
      for (int piece; (piece = next++) < kPieces;) {
        result += work_on(piece, piece_size);
        run.progress((static_cast<double>(i) + static_cast<double>(piece) / kPieces) /
                     static_cast<double>(thread_counts.size()));
      }
    };
    const Switches before = switches_so_far();
    const tour::Stopwatch watch;
    std::vector<nogil::Thread> threads;
    for (int n = 0; n < thread_counts[i]; ++n) threads.emplace_back(work);
    for (nogil::Thread& t : threads) t.start();
    for (nogil::Thread& t : threads) t.join();
    const tour::Seconds wall = watch.wall(), cpu = watch.cpu();
    const Switches after = switches_so_far();

    tour::print(tour::pad_left(std::to_string(thread_counts[i]), 7), tour::pad_left(tour::seconds(wall, 3), 10),
                tour::pad_left(tour::seconds(cpu, 3), 10),
                tour::pad_left(std::to_string(after.voluntary - before.voluntary), 19),
                tour::pad_left(std::to_string(after.involuntary - before.involuntary), 12));
    if (i == 0) first_result = result;
    agreeing += result == first_result;
  }
  run.check(first_result > 0, "the work is real");
  run.expect("runs with the same result", agreeing, thread_counts.size());
}

const tour::Demo registered({.id = "oversubscription",
                             .cell = "4.3",
                             .seconds = 1.2,
                             .teaches = "64 threads on few cores: no faster than one a core"},
                            oversubscription);

}  // namespace
