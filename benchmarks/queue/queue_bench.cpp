// Queues side by side: nogil, what one writes with a mutex and condition variables,
// moodycamel, oneTBB, and Boost with a semaphore.
//
// Only nogil's, std's and oneTBB's are strictly first in, first out, and have bounds.

#include <benchmark/benchmark.h>
#include <malloc.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <type_traits>

#include "queue/rivals.hpp"
#include "queue/traffic.hpp"
#include "support/cases.hpp"
#include "support/measure.hpp"

namespace {

using namespace queues;

// ---- The rivals ------------------------------------------------------------------------

using OfInts = bench::Rivals<Nogil, Std, Moodycamel, MoodycamelTokens, Tbb, TbbUnbounded, Boost>;
using OfAnything = bench::Rivals<Nogil, Std, Moodycamel, MoodycamelTokens, Tbb, TbbUnbounded>;
using Bounded = bench::Rivals<Nogil, Std, Tbb>;
using InBulk = bench::Rivals<Nogil, Std, Moodycamel, MoodycamelTokens>;
using Joinable = bench::Rivals<Nogil, StdCounted>;
using Waiting = bench::Rivals<Nogil, Std, Moodycamel, Tbb, TbbUnbounded, Boost>;

// ---- One thread ------------------------------------------------------------------------

// One thread puts a number and gets it: the price of the fast paths.
template <class R>
void queue_put_get(benchmark::State& state) {
  puts_then_gets<R>(state);
}

// The same 16 deep: the queue is not always at its start, nor empty after each get.
template <class R>
void queue_16_puts_16_gets(benchmark::State& state) {
  puts_then_gets<R, 16>(state);
}

// One thread, a string that owns memory: the price of the moves comes on top.
template <class R>
void queue_put_get_string(benchmark::State& state) {
  round_and_round<R, std::string>(state);
}

// One thread, something that can only be moved, and has a destructor.
template <class R>
void queue_put_get_unique_ptr(benchmark::State& state) {
  round_and_round<R, std::unique_ptr<int>>(state);
}

// One thread puts, gets, and says that it is done: the price of being joinable.
template <class R>
void queue_put_get_task_done(benchmark::State& state) {
  typename R::template Queue<int> queue;
  std::int64_t got = 0;
  bench::measure(state, [&] {
    queue.put(1);
    got += queue.get();
    queue.task_done();
  });
  queue.join();  // would hang if a task_done() was lost
  bench::check(state, got == state.iterations(), "not all that was put came out");
}

// ---- Two threads -----------------------------------------------------------------------

// Two threads hand a number back and forth through two queues: the price of two waits and
// two wake-ups.
template <class R>
void queue_ping_pong(benchmark::State& state) {
  ping_pong_through_two<R>(state);
}

// A producer, a consumer, no bound: the price of an element when both ends are busy.
template <class R>
void queue_1p1c(benchmark::State& state) {
  producers_and_consumers<R>(state, {1, 1});
}

// The same with elements that one thread allocates and the other frees.
template <class R>
void queue_1p1c_string(benchmark::State& state) {
  producers_and_consumers<R, std::string>(state, {1, 1});
}
template <class R>
void queue_1p1c_unique_ptr(benchmark::State& state) {
  producers_and_consumers<R, std::unique_ptr<int>>(state, {1, 1});
}

// ---- More threads ----------------------------------------------------------------------

// Two and two: what fighting for both ends adds.
template <class R>
void queue_2p2c(benchmark::State& state) {
  producers_and_consumers<R>(state, {2, 2});
}

// Four and four: more threads than cores on many machines, so some always wait.
template <class R>
void queue_4p4c(benchmark::State& state) {
  producers_and_consumers<R>(state, {4, 4});
}

// Many put what one gets, as in a log: the price of a fight for one end.
template <class R>
void queue_4p1c(benchmark::State& state) {
  producers_and_consumers<R>(state, {4, 1});
}

// One puts what many get, as in a pool of workers: the consumers are faster, so the queue
// is nearly always empty, and the price is that of waking them, or of not having to.
template <class R>
void queue_1p4c(benchmark::State& state) {
  producers_and_consumers<R>(state, {1, 4});
}

// ---- With a bound ----------------------------------------------------------------------

// A small bound: the price of waiting for room again and again.
template <class R>
void queue_capacity_64_1p1c(benchmark::State& state) {
  producers_and_consumers<R>(state, {1, 1, 64});
}
template <class R>
void queue_capacity_64_4p4c(benchmark::State& state) {
  producers_and_consumers<R>(state, {4, 4, 64});
}

// A bound that is seldom reached: the price of having one.
template <class R>
void queue_capacity_1024_1p1c(benchmark::State& state) {
  producers_and_consumers<R>(state, {1, 1, 1024});
}
template <class R>
void queue_capacity_1024_4p4c(benchmark::State& state) {
  producers_and_consumers<R>(state, {4, 4, 1024});
}

// ---- In bulk ---------------------------------------------------------------------------

constexpr int kBulk = 32;

// One thread puts 32 numbers at once and gets them: the price of an element when that of
// the call is shared.
template <class R>
void queue_bulk_32(benchmark::State& state) {
  typename R::template Queue<int> queue;
  auto&& in = putter(queue);
  auto&& out = getter(queue);
  std::array<int, kBulk> sent;
  std::iota(sent.begin(), sent.end(), 1);
  std::array<int, kBulk> received{};
  bool right = true;
  bench::measure_batches(state, kBulk, [&] {
    in.put_many(sent.data(), sent.size());
    for (std::size_t got = 0; got < kBulk;) got += out.get_many(received.data() + got, kBulk - got);
    right &= received[0] == 1 && received[kBulk - 1] == kBulk;
  });
  bench::check(state, right && received == sent, "not all that was put came out");
}

// A producer and a consumer that each move up to 32 at once.
template <class R>
void queue_bulk_32_1p1c(benchmark::State& state) {
  typename R::template Queue<int> queue;
  const std::int64_t total = bench::stream_turns(state);
  Sum put;
  Sum got;
  bench::stream(state, 2, [&](int number) {
    std::array<int, kBulk> items;
    std::iota(items.begin(), items.end(), 1);
    std::uint64_t sum = 0;
    const auto next = [](std::int64_t left) { return static_cast<std::size_t>(std::min<std::int64_t>(left, kBulk)); };
    if (number == 0) {
      auto&& in = putter(queue);
      for (std::int64_t left = total; left > 0;) {
        const std::size_t count = next(left);
        sum = std::accumulate(items.begin(), items.begin() + count, sum);
        in.put_many(items.data(), count);
        left -= static_cast<std::int64_t>(count);
      }
      put.value = sum;
    } else {
      auto&& out = getter(queue);
      for (std::int64_t left = total; left > 0;) {
        const std::size_t count = out.get_many(items.data(), next(left));
        sum = std::accumulate(items.begin(), items.begin() + count, sum);
        left -= static_cast<std::int64_t>(count);
      }
      got.value = sum;
    }
  });
  bench::check(state, put.value == got.value, "not all that was put came out");
}

// ---- Work done -------------------------------------------------------------------------

// A producer puts everything and joins; a consumer gets and says of each that it is done:
// the price of knowing when all work is done.
template <class R>
void queue_task_done_join(benchmark::State& state) {
  typename R::template Queue<int> queue;
  std::atomic<std::int64_t> done{0};
  std::int64_t done_at_join = 0;
  const std::int64_t total = bench::stream_turns(state);
  bench::stream(state, 2, [&](int number) {
    if (number == 0) {
      for (std::int64_t left = total; left > 0; --left) queue.put(1);
      queue.join();
      done_at_join = done.load(std::memory_order_relaxed);
    } else {
      for (std::int64_t left = total; left > 0; --left) {
        const int item = queue.get();
        done.store(done.load(std::memory_order_relaxed) + item, std::memory_order_relaxed);
        queue.task_done();
      }
    }
  });
  bench::check(state, done_at_join == total, "join() returned before the work was done");
}

// ---- Nothing to do ---------------------------------------------------------------------

// A thread waits 50 ms for an element: the CPU time that the whole process uses meanwhile.
// It is this that is reported as the time, and cpu/wall is its part of the 50 ms.
template <class R>
void queue_blocked_get(benchmark::State& state) {
  typename R::template Queue<int> queue;
  int got = 0;
  for (auto _ : state) {
    const bench::Team team(1, [&](int) { got += queue.get(); });
    const bench::Usage usage;
    const auto began = bench::Clock::now();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const double cpu = usage.cpu_per_wall();
    state.SetIterationTime(cpu * bench::Seconds(bench::Clock::now() - began).count());
    state.counters["cpu_wall"] = cpu;
    queue.put(1);
  }
  bench::check(state, got == state.iterations(), "not all that was put came out");
}

// ---- Memory ----------------------------------------------------------------------------

constexpr std::size_t kElements = 100'000;

#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
constexpr bool kCanMeasureMemory = true;
std::size_t allocated() {
  const struct mallinfo2 info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}
#else
constexpr bool kCanMeasureMemory = false;
std::size_t allocated() {
  return 0;
}
#endif

// What a queue has allocated for each of 100,000 ints, rounded.
template <class Q>
std::size_t bytes_per_int() {
  const std::size_t before = allocated();
  const auto queue = std::make_unique<Q>();
  for (std::size_t i = 0; i < kElements; ++i) queue->put(1);
  return (allocated() - before + kElements / 2) / kElements;
}

// What it keeps, itself included, when they have been taken out again; and what malloc
// itself keeps of that, which may be a few freed blocks.
template <class Q>
std::size_t bytes_after_drain() {
  const std::size_t before = allocated();
  const auto queue = std::make_unique<Q>();
  for (std::size_t i = 0; i < kElements; ++i) queue->put(1);
  for (std::size_t i = 0; i < kElements; ++i) queue->get();
  return allocated() - before;
}

// Whether malloc does not know what the queue takes.
template <class R>
constexpr bool kAllocatesItself = std::is_same_v<R, Tbb>;

template <class... R>
void sizes_of(bench::Rivals<R...>) {
  const auto add = []<class One>(One) {
    if constexpr (!std::derived_from<One, bench::Absent>) {
      using Q = typename One::template Queue<int>;
      const std::string name = One::kName;
      bench::size_of<Q>(One::kName);
      if (!kCanMeasureMemory || kAllocatesItself<One>) return;
      bench::size_row(name + ": each of 100,000 ints", bytes_per_int<Q>);
      bench::size_row(name + ": empty, after 100,000 ints", bytes_after_drain<Q>);
    }
  };
  (add(R()), ...);
}

[[maybe_unused]] const bool registered = [] {
  const char* const by_hand = Std::kName;
  const char* const moodycamel = Moodycamel::kName;

  bench::compare(
      OfInts(), BENCH_CASE(queue_put_get),
      {.goals = {bench::at_most(0.55, by_hand), bench::at_most(0.5, moodycamel), bench::at_most(0.45, Tbb::kName)}});
  bench::compare(OfInts(), BENCH_CASE(queue_16_puts_16_gets));
  bench::compare(OfAnything(), BENCH_CASE(queue_put_get_string), {.goals = {bench::at_most(0.7, by_hand)}});
  bench::compare(OfAnything(), BENCH_CASE(queue_put_get_unique_ptr), {.goals = {bench::at_most(0.7, by_hand)}});

  bench::compare(OfInts(), BENCH_CASE(queue_ping_pong),
                 {.goals = {bench::at_most(0.6, moodycamel), bench::at_most(0.02, by_hand)}});
  bench::compare(OfInts(), BENCH_CASE(queue_1p1c), {.goals = {bench::at_most(0.6, moodycamel)}});
  bench::compare(OfAnything(), BENCH_CASE(queue_1p1c_string));
  bench::compare(OfAnything(), BENCH_CASE(queue_1p1c_unique_ptr));
  bench::compare(OfInts(), BENCH_CASE(queue_2p2c),
                 {.goals = {bench::at_most(0.5, moodycamel), bench::at_most(0.3, by_hand)}});
  bench::compare(OfInts(), BENCH_CASE(queue_4p4c),
                 {.goals = {bench::at_most(0.5, moodycamel), bench::at_most(0.3, by_hand)}});
  bench::compare(OfInts(), BENCH_CASE(queue_4p1c));
  bench::compare(OfInts(), BENCH_CASE(queue_1p4c), {.goals = {bench::at_most(0.3, moodycamel)}});

  bench::compare(Bounded(), BENCH_CASE(queue_capacity_64_1p1c), {.goals = {bench::at_most(0.2, by_hand)}});
  bench::compare(Bounded(), BENCH_CASE(queue_capacity_64_4p4c));
  bench::compare(Bounded(), BENCH_CASE(queue_capacity_1024_1p1c));
  bench::compare(Bounded(), BENCH_CASE(queue_capacity_1024_4p4c));

  bench::compare(InBulk(), BENCH_CASE(queue_bulk_32), {.goals = {bench::at_most(0.5, moodycamel)}});
  bench::compare(InBulk(), BENCH_CASE(queue_bulk_32_1p1c), {.goals = {bench::at_most(0.5, moodycamel)}});

  bench::compare(Joinable(), BENCH_CASE(queue_put_get_task_done));
  bench::compare(Joinable(), BENCH_CASE(queue_task_done_join), {.goals = {bench::at_most(0.5, by_hand)}});

  bench::compare(Waiting(), BENCH_CASE(queue_blocked_get),
                 {.timing = bench::Timing::kWindow, .goals = {bench::cpu_at_most(0.01)}});

  sizes_of(bench::Rivals<Nogil, Std, Moodycamel, Tbb, Boost>());
  return true;
}();

}  // namespace
