// pi-processes -- the ten parts of pi, by processes instead of threads.
//
// In CPython this is the way to more than one core, and the notebook promises it in a file
// that is not there. Here threads do as well (pi-threads), and this costs the start of the
// processes on top; the sum is the same to the last bit, whoever computed the parts.
//
// Python:
//
//     if __name__ == "__main__":
//         with ProcessPoolExecutor(4) as executor:
//             value = sum(executor.map(integrate_part, args)) * 2
//         print(value)                                    # 3.1415926532923013

#include <cstddef>
#include <string>
#include <vector>

#include "nogil/multiprocessing.hpp"
#include "support/pi.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

double area(const tour::Section& part) {
  return tour::integrate(tour::half_circle, part.a, part.b, part.n);
}

void report(const std::string& how, const tour::Stopwatch& watch, double pi) {
  tour::print(tour::pad_right(how, 26), tour::seconds(watch.wall(), 3), "  ", tour::shortest(pi));
}

void pi_processes(tour::Run& run) {
  const long n = run.size(5'000'000, 1000);
  const std::vector<tour::Section> args = tour::sections_of_half_circle(n, 10);

  const tour::Stopwatch alone;
  double no_pool = 0;
  for (const tour::Section& part : args) no_pool += area(part);
  no_pool *= 2;
  report("no pool", alone, no_pool);

  std::string with_pools;
  const auto add_up = [&](const std::string& how, const tour::Stopwatch& watch, auto&& parts) {
    double value = 0;
    for (const double part : parts) value += part;
    value *= 2;
    report(how, watch, value);
    run.check(tour::shortest(value) == tour::shortest(no_pool), "the same bits in every way");
    with_pools = tour::shortest(value);
  };
  for (const int workers : {1, run.threads(4)}) {
    const tour::Stopwatch watch;
    nogil::mp::ProcessPoolExecutor executor(
        static_cast<std::size_t>(workers));  // with ProcessPoolExecutor(…) as executor:
    add_up(tour::text("ProcessPoolExecutor(", workers, ")"), watch, executor.map(area, args));
  }
  const int workers = run.threads(2);
  const tour::Stopwatch watch;
  nogil::mp::Pool pool(static_cast<std::size_t>(workers));
  add_up(tour::text("Pool(", workers, ")"), watch, pool.map(area, args));

  if (n == 5'000'000) run.expect("pi", with_pools, "3.1415926532923013");
  else if (n == 250'000) run.expect("pi", with_pools, "3.141592626978761");
  else run.expect("nearly pi", tour::is_nearly_pi(no_pool, n / 10), true);
}

const tour::Demo registered({.id = "pi-processes",
                             .cell = "4.16",
                             .seconds = 0.2,
                             .teaches = "pi by processes: the same bits as with threads, and what they cost to start"},
                            pi_processes);

}  // namespace
