// Stacks between threads side by side: nogil, what one writes with a mutex and condition
// variables, and Boost with a semaphore.

#include <benchmark/benchmark.h>

#include "queue/rivals.hpp"
#include "queue/traffic.hpp"
#include "support/cases.hpp"

namespace {

using namespace queues;

using Stacks = bench::Rivals<NogilLifo, StdLifo, BoostLifo>;

// One thread puts a number and gets it: the price of the fast paths.
template <class R>
void lifo_put_get(benchmark::State& state) {
  puts_then_gets<R>(state);
}

// The same 16 deep.
template <class R>
void lifo_16_puts_16_gets(benchmark::State& state) {
  puts_then_gets<R, 16>(state);
}

// A producer and a consumer at the only end there is: the price of their meeting there.
template <class R>
void lifo_1p1c(benchmark::State& state) {
  producers_and_consumers<R>(state, {1, 1});
}

// Two and two.
template <class R>
void lifo_2p2c(benchmark::State& state) {
  producers_and_consumers<R>(state, {2, 2});
}

[[maybe_unused]] const bool registered = [] {
  bench::compare(Stacks(), BENCH_CASE(lifo_put_get), {.goals = {bench::at_most(0.6, StdLifo::kName)}});
  bench::compare(Stacks(), BENCH_CASE(lifo_16_puts_16_gets));
  bench::compare(Stacks(), BENCH_CASE(lifo_1p1c));
  bench::compare(Stacks(), BENCH_CASE(lifo_2p2c));

  bench::size_of<NogilLifo::Queue<int>>(NogilLifo::kName);
  bench::size_of<StdLifo::Queue<int>>(StdLifo::kName);
  return true;
}();

}  // namespace
