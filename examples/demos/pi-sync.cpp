// pi-sync -- pi by five million slices, in one thread, to the last bit.
//
// The half circle above the line from -1 to 1 has the area pi / 2. The notebook makes a
// list of all five million points first and then adds up trapezia. C++ does the same
// operations in the same order, so it gets the same double, bit for bit (where the
// compiler may not contract a * b + c into one step: -ffp-contract=off). The list is the
// expensive part: 40 MB are written and read again. Without it, each point is made when
// it is needed; the sum is still the same.
//
// Python:
//
//     def linspace(a, b, N):
//         result = [a]
//         dx = (b - a) / (N - 1)
//         for n in range(1, N - 1):
//             result.append(a + dx * n)
//         result.append(b)
//         return result
//
//     def integrate(f, *, a, b, N):
//         x = linspace(a, b, N)
//         value = 0
//         for left, right in zip(x[:-1], x[1:]):
//             value += (F(left) + F(right)) * 0.5 * (right - left)    # means f
//         return value
//
//     def F(x):
//         return math.sqrt(1 - x**2)
//
//     integrate(F, a=-1, b=1, N=5000000) * 2          # 3.141592653292644

#include <string>
#include <string_view>

#include "support/pi.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

// tour::integrate() without the list: the next point is made when it is needed, and f is
// computed once for each.
template <class F>
double integrate_lazily(F f, double a, double b, long n) {
  const double dx = (b - a) / static_cast<double>(n - 1);
  double value = 0;
  double left = a, f_left = f(left);
  for (long i = 1; i < n; ++i) {
    const double right = i == n - 1 ? b : a + dx * static_cast<double>(i);
    const double f_right = f(right);
    value += (f_left + f_right) * 0.5 * (right - left);
    left = right;
    f_left = f_right;
  }
  return value;
}

template <class HalfOfPi>
double report(std::string_view how, HalfOfPi half_of_pi) {
  const tour::Stopwatch watch;
  const double pi = half_of_pi() * 2;
  tour::print(tour::pad_right(std::string(how), 16), watch.both(), "  ", tour::shortest(pi));
  return pi;
}

void pi_sync(tour::Run& run) {
  const long n = run.size(5'000'000, 1000);
  tour::print(n, " points");
  const double with_list = report("with the list", [&] { return tour::integrate(tour::half_circle, -1, 1, n); });
  const double lazily = report("point by point", [&] { return integrate_lazily(tour::half_circle, -1, 1, n); });

  // What CPython computes, for the notebook's number of points and for --fast.
  if (n == 5'000'000) run.expect("pi", tour::shortest(with_list), "3.141592653292644");
  else if (n == 250'000) run.expect("pi", tour::shortest(with_list), "3.141592626980222");
  else run.expect("nearly pi", tour::is_nearly_pi(with_list, n), true);
  run.expect("without the list", tour::shortest(lazily), tour::shortest(with_list));
}

const tour::Demo registered({.id = "pi-sync",
                             .cell = "4.13",
                             .seconds = 0.1,
                             .teaches = "pi from five million slices: the same bits as Python's"},
                            pi_sync);

}  // namespace
