// prime-count-mpi -- the primes below 2,000,000, counted by the ranks of an MPI job.
//
// The same as prime-count-threads and prime-count-processes, where one machine is not enough:
// the parts are counted by whichever rank is free, on whatever machine it runs. Only the
// executor is another.
//
//     mpirun -n 4 prime-count-mpi
//
// Python, run by mpiexec -n 4 python -m mpi4py.futures primes.py:
//
//     if __name__ == "__main__":
//         with MPIPoolExecutor() as executor:
//             first = executor.submit(count_primes, 2, 1000001)
//             second = executor.submit(count_primes, 1000001, 2000001)
//             print(first.result(), second.result())

#include "nogil/mpi.hpp"
#include "support/prime_demo.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

void prime_count_mpi(tour::Run& run) {
  const int last = static_cast<int>(run.size(2'000'000, 100)), half = last / 2;

  const tour::Stopwatch alone;
  const int sequential = tour::count_primes(2, last + 1);
  tour::print_count("no pool", tour::seconds(alone.wall(), 3), sequential);

  nogil::mpi::MPIPoolExecutor executor;
  const tour::Stopwatch two_halves;
  const auto first = executor.submit(tour::count_primes, 2, half + 1);
  const auto second = executor.submit(tour::count_primes, half + 1, last + 1);
  const int in_halves = first.result() + second.result();
  tour::print_count("MPIPoolExecutor, halves", tour::seconds(two_halves.wall(), 3), in_halves);

  const tour::Stopwatch chunked;
  const int in_chunks = tour::count_primes_by(executor, last);
  tour::print_count("MPIPoolExecutor, 64 chunks", tour::seconds(chunked.wall(), 3), in_chunks);

  tour::expect_primes(run, last, sequential, first.result(), second.result(), in_chunks);
}

const tour::Demo registered({.id = "prime-count-mpi",
                             .cell = "3.5",
                             .seconds = 0.8,
                             .teaches = "148933 primes counted by the ranks of an MPI job"},
                            prime_count_mpi);

}  // namespace
