// pi-threads -- the ten parts of pi, by a pool of 1, 4 and 8 threads.
//
// In CPython all three take as long as no pool at all: the GIL lets one thread compute
// at a time, and the notebook ends with "no gain". Here the parts really run at once.
// The results come back in the order of the parts, whoever computed them and whenever,
// so the sum is the same to the last bit with any number of threads.
//
// Python:
//
//     with ThreadPoolExecutor(4) as executor:
//         value = sum(executor.map(lambda args: integrate(F, **args), args)) * 2
//     value                                           # 3.1415926532923013

#include <string>
#include <string_view>
#include <vector>

#include "nogil/futures.hpp"
#include "nogil/threading.hpp"
#include "support/pi.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

double area(const tour::Section& part) {
  return tour::integrate(tour::half_circle, part.a, part.b, part.n);
}

void report(const std::string& how, const tour::Stopwatch& watch, double pi) {
  tour::print(tour::pad_right(how, 24), watch.both(), "  ", tour::shortest(pi));
}

void pi_threads(tour::Run& run) {
  const long n = run.size(5'000'000, 1000);
  const std::vector<tour::Section> args = tour::sections_of_half_circle(n, 10);
  tour::print(n, " points in ", args.size(), " parts; ", nogil::cpu_count(), " cores for us");

  const tour::Stopwatch alone;
  double no_pool = 0;
  for (const tour::Section& part : args) no_pool += area(part);
  no_pool *= 2;
  report("no pool", alone, no_pool);

  std::string with_pools;
  for (const int workers : {1, 4, run.threads(8)}) {
    const tour::Stopwatch watch;
    double value = 0;
    {
      nogil::ThreadPoolExecutor executor(static_cast<std::size_t>(workers));  // with ThreadPoolExecutor(…) as executor:
      for (const double part : executor.map(area, args)) value += part;
    }
    value *= 2;
    report(tour::text("ThreadPoolExecutor(", workers, ")"), watch, value);
    run.check(tour::shortest(value) == tour::shortest(no_pool), "the same bits with any number of threads");
    with_pools = tour::shortest(value);
  }

  if (n == 5'000'000) run.expect("pi", with_pools, "3.1415926532923013");
  else if (n == 250'000) run.expect("pi", with_pools, "3.141592626978761");
  else run.expect("nearly pi", tour::is_nearly_pi(no_pool, n / 10), true);
}

const tour::Demo registered({.id = "pi-threads",
                             .cell = "4.15",
                             .seconds = 0.1,
                             .teaches = "pi on all cores, and bit for bit the same with 1, 4 or 8 threads"},
                            pi_threads);

}  // namespace
