// SimpleQueue beside Queue, which it is a part of, and the queues of others.

#include <benchmark/benchmark.h>

#include "queue/rivals.hpp"
#include "queue/traffic.hpp"
#include "support/cases.hpp"

namespace {

using namespace queues;

using Queues = bench::Rivals<NogilSimple, Nogil, Std, Moodycamel, Tbb, Boost>;

// One thread puts a number and gets it: the price of the fast paths.
template <class R>
void simple_queue_put_get(benchmark::State& state) {
  puts_then_gets<R>(state);
}

// Two threads hand a number back and forth through two queues: the price of two waits and
// two wake-ups.
template <class R>
void simple_queue_ping_pong(benchmark::State& state) {
  ping_pong_through_two<R>(state);
}

// A producer and a consumer: the price of an element when both ends are busy.
template <class R>
void simple_queue_1p1c(benchmark::State& state) {
  producers_and_consumers<R>(state, {1, 1});
}

[[maybe_unused]] const bool registered = [] {
  bench::compare(Queues(), BENCH_CASE(simple_queue_put_get));
  bench::compare(Queues(), BENCH_CASE(simple_queue_ping_pong));
  bench::compare(Queues(), BENCH_CASE(simple_queue_1p1c));

  bench::size_of<nogil::SimpleQueue<int>>(NogilSimple::kName);
  return true;
}();

}  // namespace
