// pi-args -- cutting the work for a pool: ten parts, and what each of them costs.
//
// Before pi can be computed by a pool it has to be cut: ten calls with their own
// arguments, which the notebook keeps as a list of dicts and prints. -0.4 comes out as
// -0.3999999999999999, in C++ as in Python: both add up the same doubles.
//
// The ten parts share 5,000,000 points, but neighbours both hold the point between them,
// so there are nine slices fewer than in one piece: the sum differs after the twelfth
// digit. That is rounding of the method, not a race.
//
// Python:
//
//     N = 5000000
//     steps = 10
//     dN = N // steps
//     nodes = linspace(-1, 1, steps + 1)
//
//     args = []
//     for a, b in zip(nodes[:-1], nodes[1:]):
//         args.append(dict(a=a, b=b, N=dN))
//     args

#include <cstddef>
#include <string>
#include <vector>

#include "support/pi.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

constexpr int kSteps = 10;

// As the notebook prints them; Python writes the first and the last as -1 and 1, since
// they were whole numbers and stayed so.
constexpr double kNodes[] = {-1,
                             -0.8,
                             -0.6,
                             -0.3999999999999999,
                             -0.19999999999999996,
                             0.0,
                             0.20000000000000018,
                             0.40000000000000013,
                             0.6000000000000001,
                             0.8,
                             1};

void pi_args(tour::Run& run) {
  const long n = run.size(5'000'000, 1000);
  const std::vector<tour::Section> args = tour::sections_of_half_circle(n, kSteps);

  std::size_t as_in_the_notebook = 0;
  double value = 0;
  for (std::size_t i = 0; i < args.size(); ++i) {
    const tour::Section& part = args[i];
    const tour::Stopwatch watch;
    const double area = tour::integrate(tour::half_circle, part.a, part.b, part.n);
    value += area;
    tour::print(tour::pad_right(part.text(), 68), tour::seconds(watch.wall(), 4), "  ", tour::fixed(area, 6));
    as_in_the_notebook += part.a == kNodes[i] && part.b == kNodes[i + 1] && part.n == n / kSteps;
  }
  value *= 2;
  tour::print("twice their sum: ", tour::shortest(value));

  run.expect("parts as in the notebook", as_in_the_notebook, args.size());
  run.expect("parts", args.size(), kSteps);
  if (n == 5'000'000) run.expect("pi", tour::shortest(value), "3.1415926532923013");
  else if (n == 250'000) run.expect("pi", tour::shortest(value), "3.141592626978761");
  else run.expect("nearly pi", tour::is_nearly_pi(value, n / kSteps), true);
}

const tour::Demo registered({.id = "pi-args",
                             .cell = "4.14",
                             .seconds = 0.1,
                             .teaches = "the arguments of ten calls, with the same digits as in Python"},
                            pi_args);

}  // namespace
