// dependency-chain -- what depends on what decides, not how many threads there are.
//
// Four tasks that need nothing of each other take as long as one, on four threads. Four
// tasks of which each needs the result of the one before take four times as long, on any
// number of threads. In between is the tree: four values are added in pairs, and the
// pairs again. What counts is the longest way from a beginning to the end.
//
// future.then(f) runs f as soon as the result is there, with the result. A task that
// needs two results asks both futures; in a worker of the same pool, that cannot block
// the pool.
//
// Python:
//
//     a = executor.submit(step, 0)
//     b = executor.submit(lambda: step(a.result()))        # B needs what A gives
//     c = executor.submit(lambda: step(b.result()))        # each blocks a worker meanwhile

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "nogil/futures.hpp"
#include "support/peak.hpp"
#include "support/stopwatch.hpp"
#include "support/tour.hpp"

namespace {

using namespace std::chrono_literals;

constexpr int kTasks = 4;
constexpr tour::Seconds kStep = 0.3s;

struct Outcome {
  int result = 0;
  tour::Seconds wall{0};
  int at_once = 0;
};

// One shape of dependencies: a pool of its own, and lanes of its own that begin at 0.
class Shape {
 public:
  Shape(tour::Run& run, std::string name, int at_once) : run_(run), name_(std::move(name)), peak_(at_once) {
    for (int i = 1; i <= kTasks; ++i) add_lane(std::to_string(i));
  }

  void add_lane(const std::string& name) {
    lanes_.push_back(&run_.timeline.lane(name_ + ' ' + name));
    lanes_.back()->begin(tour::Paint::wait);
  }

  // The step of the n-th lane: takes its time and returns one more than it was given.
  int step(std::size_t lane, int value) {
    lanes_[lane]->begin(tour::Paint::work, std::to_string(value + 1));
    peak_.enter();
    run_.sleep(kStep);
    peak_.leave();
    lanes_[lane]->end();
    return value + 1;
  }

  Outcome finish(int result) {
    const Outcome outcome{result, watch_.wall(), peak_.most()};
    tour::print(tour::pad_right(name_, 12), tour::seconds(outcome.wall), ", at most ", outcome.at_once,
                " at once, result ", outcome.result);
    run_.timeline.again();
    return outcome;
  }

  nogil::ThreadPoolExecutor& executor() { return executor_; }

 private:
  tour::Run& run_;
  const std::string name_;
  tour::Peak peak_;
  std::vector<tour::Lane*> lanes_;
  const tour::Stopwatch watch_;
  nogil::ThreadPoolExecutor executor_{kTasks};  // last, so first to go: its tasks use the rest
};

Outcome independent(tour::Run& run) {
  Shape shape(run, "independent", kTasks);
  std::vector<nogil::Future<int>> futures;
  for (std::size_t i = 0; i < kTasks; ++i)
    futures.push_back(shape.executor().submit([&, i] { return shape.step(i, 0); }));
  int sum = 0;
  for (const nogil::Future<int>& future : futures) sum += future.result();
  return shape.finish(sum);
}

Outcome chain(tour::Run& run) {
  Shape shape(run, "chain", 1);
  nogil::Future<int> last = shape.executor().submit([&] { return shape.step(0, 0); });
  for (std::size_t i = 1; i < kTasks; ++i) last = last.then([&, i](int value) { return shape.step(i, value); });
  return shape.finish(last.result());
}

Outcome tree(tour::Run& run) {
  Shape shape(run, "tree", kTasks);
  for (const char* sum : {"1+2", "3+4", "all"}) shape.add_lane(sum);
  std::vector<nogil::Future<int>> futures;
  for (std::size_t i = 0; i < kTasks; ++i)
    futures.push_back(shape.executor().submit([&, i] { return shape.step(i, 0); }));
  const auto add = [&](std::size_t lane, nogil::Future<int> left, nogil::Future<int> right) {
    return shape.executor().submit([&shape, lane, left, right] {
      const int sum = left.result() + right.result();
      return shape.step(lane, sum - 1);
    });
  };
  const nogil::Future<int> left = add(4, futures[0], futures[1]), right = add(5, futures[2], futures[3]);
  return shape.finish(add(6, left, right).result());
}

void dependency_chain(tour::Run& run) {
  run.timeline.legend(tour::Paint::wait, "waits for what it needs");
  run.timeline.legend(tour::Paint::work, "a step, and its result");
  const Outcome at_once = independent(run), one_by_one = chain(run), in_pairs = tree(run);
  run.timeline.print_text();

  run.expect("independent", at_once.result, kTasks);
  run.expect("at once", at_once.at_once, kTasks);
  run.expect("chain", one_by_one.result, kTasks);
  run.expect("at once", one_by_one.at_once, 1);
  run.expect("tree", in_pairs.result, kTasks);
  run.check(one_by_one.wall >= kTasks * run.scaled(kStep), "a chain takes one step after the other");
  run.check(in_pairs.wall >= 3 * run.scaled(kStep), "a tree of four takes three steps");
}

const tour::Demo registered({.id = "dependency-chain",
                             .cell = "0.17a",
                             .seconds = 2.4,
                             .teaches = "a chain of four tasks on four threads: as slow as on one"},
                            dependency_chain);

}  // namespace
