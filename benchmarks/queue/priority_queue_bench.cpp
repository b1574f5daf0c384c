// Priority queues between threads side by side: nogil, what one writes with a mutex and
// condition variables, and oneTBB, whose queue cannot wait.
//
// Each gives the smallest number first.

#include <benchmark/benchmark.h>

#include <cstdint>

#include "queue/rivals.hpp"
#include "queue/traffic.hpp"
#include "support/cases.hpp"
#include "support/measure.hpp"

namespace {

using namespace queues;

using Heaps = bench::Rivals<NogilPriority, StdPriority, TbbPriority>;

// The next of a sequence of small numbers without a pattern.
class Numbers {
 public:
  std::uint64_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_ >> 44;
  }

 private:
  std::uint64_t state_ = 88172645463325252u;
};

// One thread puts a number and gets the smallest, while `depth` others lie in the queue.
// The next number is the smallest plus something, as in a queue of events to come: so it
// finds its place anywhere in the heap, however long this runs.
template <class R>
void put_get_at(benchmark::State& state, int depth) {
  typename R::template Queue<std::uint64_t> queue;
  Numbers numbers;
  for (int i = 0; i < depth; ++i) queue.put(numbers.next());
  std::uint64_t smallest = 0;
  bool in_order = true;
  bench::measure(state, [&] {
    queue.put(smallest + numbers.next());
    const std::uint64_t got = queue.get();
    in_order &= got >= smallest;
    smallest = got;
  });
  for (int i = 0; i < depth; ++i) queue.get();  // would hang if one was lost
  bench::check(state, in_order, "a larger number came before a smaller one");
}

// The price of the fast paths.
template <class R>
void priority_put_get(benchmark::State& state) {
  put_get_at<R>(state, 0);
}

// A heap that fits into the first cache: the price of its steps.
template <class R>
void priority_put_get_at_1000(benchmark::State& state) {
  put_get_at<R>(state, 1000);
}

// One of 800 KB: the price of its misses.
template <class R>
void priority_put_get_at_100000(benchmark::State& state) {
  put_get_at<R>(state, 100'000);
}

// Two put and two get: the price of a fight for the one heap there is.
template <class R>
void priority_2p2c(benchmark::State& state) {
  producers_and_consumers<R>(state, {2, 2});
}

[[maybe_unused]] const bool registered = [] {
  bench::compare(Heaps(), BENCH_CASE(priority_put_get));
  bench::compare(Heaps(), BENCH_CASE(priority_put_get_at_1000), {.goals = {bench::at_most(0.75, StdPriority::kName)}});
  bench::compare(Heaps(), BENCH_CASE(priority_put_get_at_100000));
  bench::compare(Heaps(), BENCH_CASE(priority_2p2c));

  bench::size_of<NogilPriority::Queue<int>>(NogilPriority::kName);
  bench::size_of<StdPriority::Queue<int>>(StdPriority::kName);
  return true;
}();

}  // namespace
