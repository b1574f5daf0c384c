// support/pi_demo.hpp -- the ten parts of pi by any executor: threads, processes, an MPI job.
//
//   tour::PiDemo demo(run);                                          // first without any
//   demo.measure("ThreadPoolExecutor(4)", [&] {
//     nogil::ThreadPoolExecutor executor(4);
//     return demo.pi_by(executor);
//   });
//   demo.expect_pi();
//
// The parts come back in order, whoever computed them and whenever, so the sum is the same to
// the last bit each time.

#pragma once

#include <string>
#include <vector>

#include "support/pi.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace tour {

inline double area(const Section& part) {
  return integrate(half_circle, part.a, part.b, part.n);
}

class PiDemo {
 public:
  // Other processes' CPU time is not known here, so it is not printed.
  enum class Workers { threads, processes };

  explicit PiDemo(Run& run, Workers workers = Workers::threads)
      : run_(run), workers_(workers), points_(run.size(5'000'000, 1000)), args_(sections_of_half_circle(points_, 10)) {
    print(points_, " points in ", args_.size(), " parts");
    measure("no pool", [this] {
      double value = 0;
      for (const Section& part : args_) value += area(part);
      return value * 2;
    });
    without_pool_ = last_;
  }

  // sum(executor.map(lambda args: integrate(F, **args), args)) * 2
  template <class Executor>
  double pi_by(Executor& executor) const {
    double value = 0;
    for (const double part : executor.map(area, args_)) value += part;
    return value * 2;
  }

  // Runs compute(), which returns pi, and prints how long it took.
  template <class Compute>
  void measure(const std::string& how, Compute compute) {
    const Stopwatch watch;
    last_ = compute();
    const std::string took = workers_ == Workers::threads ? watch.both() : seconds(watch.wall(), 3);
    print(pad_right(how, 28), took, "  ", shortest(last_));
    run_.check(without_pool_ == 0 || last_ == without_pool_, "the same bits in every way");
  }

  void expect_pi() const {
    if (points_ == 5'000'000) run_.expect("pi", shortest(last_), "3.1415926532923013");
    else if (points_ == 250'000) run_.expect("pi", shortest(last_), "3.141592626978761");
    else run_.expect("nearly pi", is_nearly_pi(without_pool_, points_ / 10), true);
  }

 private:
  Run& run_;
  const Workers workers_;
  const long points_;
  const std::vector<Section> args_;
  double without_pool_ = 0;
  double last_ = 0;
};

}  // namespace tour
