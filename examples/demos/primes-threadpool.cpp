// primes-threadpool -- is a task per number worth it?
//
// The notebook asks a pool of 12 threads 25 times which numbers up to 10,000 are prime,
// one task per number, and finds that it takes twice as long as without a pool. That is
// not the GIL alone: to hand over a task costs something in every language, and it must
// not cost more than the task. Dividing by every number below makes a test long enough;
// dividing up to the square root only makes it forty times shorter, and then a task per
// number is a bad bargain here too. What helps is the chunk: map() cuts the numbers into
// chunks by itself, as large as is worth while, and chunksize overrules it.
//
// Python:
//
//     def multi_thread_concurrent(n, max_workers=None):
//         data_range = range(1, n + 1)
//         with ThreadPoolExecutor(max_workers) as executor:
//             results = executor.map(is_prime_number, data_range)
//             return list(itertools.compress(data_range, results))
//
//     timeit.timeit(lambda: get_prime_numbers(10000), number=25)           # 4.64
//     timeit.timeit(lambda: multi_thread_concurrent(10000), number=25)     # 8.37

#include <cstddef>
#include <numeric>
#include <string>
#include <vector>

#include "nogil/futures.hpp"
#include "nogil/threading.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

constexpr int kNumbers = 10'000;
constexpr std::size_t kPrimes = 1229;  // below 10,000

using Primes = std::vector<int>;

// range(1, 10001)
std::vector<int> one_to_ten_thousand() {
  std::vector<int> numbers(kNumbers);
  std::iota(numbers.begin(), numbers.end(), 1);
  return numbers;
}

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
template <class Results>
Primes compress(const std::vector<int>& numbers, Results&& results) {
  Primes primes;
  auto number = numbers.begin();
  for (const bool is_prime : results) {
    if (is_prime) primes.push_back(*number);
    ++number;
  }
  return primes;
}

template <class IsPrime>
Primes alone(const std::vector<int>& numbers, IsPrime is_prime) {
  Primes primes;
  for (const int number : numbers)
    if (is_prime(number)) primes.push_back(number);
  return primes;
}

template <class IsPrime>
Primes one_task_each(nogil::ThreadPoolExecutor& executor, const std::vector<int>& numbers, IsPrime is_prime) {
  std::vector<nogil::Future<bool>> futures;
  futures.reserve(numbers.size());
  for (const int number : numbers) futures.push_back(executor.submit(is_prime, number));
  std::vector<bool> results;
  for (const nogil::Future<bool>& future : futures) results.push_back(future.result());
  return compress(numbers, results);
}

// Every way, `rounds` times each. Returns in how many of them the primes were right.
template <class IsPrime>
long compare(tour::Run& run, const std::string& test, IsPrime is_prime, long rounds, double progress) {
  const std::size_t many = static_cast<std::size_t>(run.threads(12)), cores = nogil::cpu_count();
  const std::vector<int> numbers = one_to_ten_thousand();
  long right = 0;
  double loop = 0;
  int ways = 0;
  tour::print(test, ':');
  const auto time = [&](const std::string& how, auto find_primes) {
    const tour::Stopwatch watch;
    for (long round = 0; round < rounds; ++round) right += find_primes().size() == kPrimes;
    const double wall = watch.wall().count();
    if (loop == 0) loop = wall;
    tour::print("  ", tour::pad_right(how, 34), watch.both(), tour::pad_left(tour::fixed(wall / loop, 2), 9),
                " of the loop");
    run.progress(progress + 0.5 * ++ways / 6);
  };
  const auto pool = [](std::size_t workers) { return tour::text("pool(", workers, ")"); };

  time("a loop", [&] { return alone(numbers, is_prime); });
  time(pool(many) + ", submit each number", [&] {
    nogil::ThreadPoolExecutor executor(many);
    return one_task_each(executor, numbers, is_prime);
  });
  time(pool(many) + ", map, chunksize 1", [&] {
    nogil::ThreadPoolExecutor executor(many);
    return compress(numbers, executor.map({.chunksize = 1}, is_prime, numbers));
  });
  time(pool(many) + ", map", [&] {
    nogil::ThreadPoolExecutor executor(many);
    return compress(numbers, executor.map(is_prime, numbers));
  });
  time(pool(cores) + ", map", [&] {
    nogil::ThreadPoolExecutor executor(cores);
    return compress(numbers, executor.map(is_prime, numbers));
  });
  nogil::ThreadPoolExecutor executor(cores);
  time("the same pool each time, map", [&] { return compress(numbers, executor.map(is_prime, numbers)); });
  return right;
}

void primes_threadpool(tour::Run& run) {
  const long rounds = run.size(25);
  tour::print(rounds, rounds == 1 ? " round" : " rounds", " of 1 to ", kNumbers, "; pools made anew for each");
  const long right_by_division = compare(run, "division by every number below", by_full_division, rounds, 0);
  const long right_by_root = compare(run, "division up to the square root", by_square_root, rounds, 0.5);

  run.expect("primes", alone(one_to_ten_thousand(), by_square_root).size(), kPrimes);
  run.expect("rounds with 1229 primes", right_by_division + right_by_root, 2 * 6 * rounds);
}

const tour::Demo registered({.id = "primes-threadpool",
                             .cell = "1.2",
                             .seconds = 1.4,
                             .teaches = "what a task for each number costs, and what chunks do about it"},
                            primes_threadpool);

}  // namespace
