// primes-processpool -- a task per number, by processes.
//
// The same question as in primes-threadpool: is a task per number worth it? A process is
// further away than a thread, so a task has more to pay for. Pool.map() cuts the numbers
// into chunks by itself, which are sent as a whole; chunksize = 1 shows what that saves. And
// the processes cost their start: once for 25 rounds, or 25 times.
//
// Python:
//
//     def multi_process(n, max_workers=None):
//         data_range = range(1, n + 1)
//         with multiprocessing.Pool(max_workers) as pool:
//             results = pool.map(is_prime_number, data_range)
//             return list(itertools.compress(data_range, results))
//
//     timeit.timeit(lambda: multi_process(10000), number=25)

#include <cstddef>
#include <numeric>
#include <string>
#include <vector>

#include "nogil/multiprocessing.hpp"
#include "nogil/threading.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

constexpr int kNumbers = 10'000;
constexpr std::size_t kPrimes = 1229;  // below 10,000

using Primes = std::vector<int>;

bool by_full_division(int number) {
  for (int i = 2; i < number; ++i)
    if (number % i == 0) return false;
  return number >= 2;
}

bool by_square_root(int number) {
  for (int i = 2; i * i <= number; ++i)
    if (number % i == 0) return false;
  return number >= 2;
}

// itertools.compress(numbers, results)
Primes compress(const std::vector<int>& numbers, const std::vector<bool>& results) {
  Primes primes;
  for (std::size_t i = 0; i < numbers.size(); ++i)
    if (results[i]) primes.push_back(numbers[i]);
  return primes;
}

template <class IsPrime>
Primes alone(const std::vector<int>& numbers, IsPrime is_prime) {
  std::vector<bool> results;
  for (const int number : numbers) results.push_back(is_prime(number));
  return compress(numbers, results);
}

template <class IsPrime>
Primes by_pool(nogil::mp::Pool& pool, const std::vector<int>& numbers, IsPrime is_prime, std::size_t chunksize) {
  const auto results = pool.map(is_prime, numbers, chunksize);
  return compress(numbers, {results.begin(), results.end()});
}

// Every way, `rounds` times each. Returns in how many of them the primes were right.
template <class IsPrime>
long compare(tour::Run& run, const std::string& test, IsPrime is_prime, long rounds, double progress) {
  const int cores = run.threads(static_cast<int>(nogil::cpu_count()));
  std::vector<int> numbers(kNumbers);  // range(1, 10001)
  std::iota(numbers.begin(), numbers.end(), 1);
  long right = 0;
  double loop = 0;
  int ways = 0;
  tour::print(test, ':');
  const auto time = [&](const std::string& how, auto find_primes) {
    const tour::Stopwatch watch;
    for (long round = 0; round < rounds; ++round) right += find_primes().size() == kPrimes;
    const double wall = watch.wall().count();
    if (loop == 0) loop = wall;
    tour::print("  ", tour::pad_right(how, 34), tour::seconds(watch.wall(), 3),
                tour::pad_left(tour::fixed(wall / loop, 2), 9), " of the loop");
    run.progress(progress + 0.5 * ++ways / 4);
  };
  time("a loop", [&] { return alone(numbers, is_prime); });
  time(tour::text("Pool(", cores, ") made each time, map"), [&] {
    nogil::mp::Pool pool(static_cast<std::size_t>(cores));
    return by_pool(pool, numbers, is_prime, 0);
  });
  nogil::mp::Pool pool(static_cast<std::size_t>(cores));
  time(tour::text("Pool(", cores, "), map"), [&] { return by_pool(pool, numbers, is_prime, 0); });
  time(tour::text("Pool(", cores, "), map, chunksize = 1"), [&] { return by_pool(pool, numbers, is_prime, 1); });
  return right;
}

void primes_processpool(tour::Run& run) {
  const long rounds = run.size(25);
  const long right = compare(run, "division by every number below", by_full_division, rounds, 0) +
                     compare(run, "division up to the square root", by_square_root, rounds, 0.5);
  run.expect("right in all ways", right, 8 * rounds);
}

const tour::Demo registered({.id = "primes-processpool",
                             .cell = "1.5",
                             .seconds = 2,
                             .teaches = "Pool.map over 10,000 numbers, 25 times: what chunks are for"},
                            primes_processpool);

}  // namespace
