// support/pi.hpp -- the notebook's way to pi: the area under a half circle, in slices.

#pragma once

#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "support/print.hpp"

namespace tour {

// n points from a to b, both included. The same operations in the same order as in the
// notebook, so the same bits.
inline std::vector<double> linspace(double a, double b, long n) {
  std::vector<double> points;
  points.reserve(static_cast<std::size_t>(n));
  points.push_back(a);
  const double dx = (b - a) / static_cast<double>(n - 1);
  for (long i = 1; i < n - 1; ++i) points.push_back(a + dx * static_cast<double>(i));
  points.push_back(b);
  return points;
}

// The area under f, by trapezia between n points, which are all put into a list first.
template <class F>
double integrate(F f, double a, double b, long n) {
  const std::vector<double> x = linspace(a, b, n);
  double value = 0;
  for (std::size_t i = 0; i + 1 < x.size(); ++i) {  // for left, right in zip(x[:-1], x[1:])
    value += (f(x[i]) + f(x[i + 1])) * 0.5 * (x[i + 1] - x[i]);
  }
  return value;
}

// def F(x): return math.sqrt(1 - x**2)
inline double half_circle(double x) {
  return std::sqrt(1 - x * x);
}

// The arguments of one call: dict(a=…, b=…, N=…).
struct Section {
  double a, b;
  long n;
  std::string text() const { return tour::text("{'a': ", shortest(a), ", 'b': ", shortest(b), ", 'N': ", n, "}"); }
};

// From -1 to 1 in equal parts that share n points.
inline std::vector<Section> sections_of_half_circle(long n, int parts) {
  const std::vector<double> nodes = linspace(-1, 1, parts + 1);
  std::vector<Section> args;
  for (std::size_t i = 0; i + 1 < nodes.size(); ++i) args.push_back({nodes[i], nodes[i + 1], n / parts});
  return args;
}

// Whether it is pi as nearly as n points allow: the error shrinks with n to the 1.5.
inline bool is_nearly_pi(double value, long n) {
  return std::abs(value - 3.14159265358979323846) < 4 / std::pow(static_cast<double>(n), 1.5);
}

}  // namespace tour
