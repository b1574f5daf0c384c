// Loops shared out among threads: nogil, oneTBB, OpenMP, std::async, and the plain loop.

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "futures/parallel.hpp"
#include "futures/work.hpp"
#include "support/cases.hpp"
#include "support/measure.hpp"

namespace {

using namespace parallel;

using ForEach = bench::Rivals<Nogil, Tbb, OpenMp, Loop>;
using Sums = bench::Rivals<Nogil, Tbb, OpenMp, Async, Loop>;

// One addition for each of a million numbers: the price of sharing out what is hardly
// worth it.
template <class R>
void for_each_1e6_cheap(benchmark::State& state) {
  R rival(static_cast<int>(state.range(0)));
  std::vector<std::uint32_t> items(1'000'000, 0);
  bench::measure_with(
      state, 0, [](std::int64_t) {}, [&] { rival.for_each(items, [](std::uint32_t& item) { ++item; }); });
  const auto rounds = static_cast<std::uint32_t>(state.iterations() + 1);
  bool right = true;
  for (const std::uint32_t item : items) right &= item == rounds;
  bench::check(state, right, "not every element was visited once");
}

// 64 elements, next to nothing to do: the price of starting and ending.
template <class R>
void for_each_64(benchmark::State& state) {
  R rival(static_cast<int>(state.range(0)));
  std::vector<std::uint32_t> items(64, 0);
  bench::measure_with(
      state, 0, [](std::int64_t) {}, [&] { rival.for_each(items, [](std::uint32_t& item) { ++item; }); });
  bench::check(state, items[63] == static_cast<std::uint32_t>(state.iterations() + 1),
               "not every element was visited once");
}

// The primes below two million, counted in chunks of 10,000: work that is uneven, the last
// chunks being the dearest.
template <class R>
void for_each_primes_2e6(benchmark::State& state) {
  R rival(static_cast<int>(state.range(0)));
  bool right = true;
  const auto count = [](std::int64_t first, std::int64_t last) {
    std::int64_t primes = 0;
    for (std::int64_t n = first; n < last; ++n) primes += work::is_prime(n) ? 1 : 0;
    return primes;
  };
  bench::measure_with(
      state, 0, [](std::int64_t) {},
      [&] { right &= rival.sum(0, 2'000'000, 10'000, std::int64_t{0}, count) == 148'933; });
  bench::check(state, right, "not the number of primes below two million");
}

// Pi from five million strips, in ten chunks.
template <class R>
void for_each_pi(benchmark::State& state) {
  R rival(static_cast<int>(state.range(0)));
  constexpr std::int64_t kStrips = 5'000'000;
  bool right = true;
  const auto strips = [](std::int64_t first, std::int64_t last) { return work::pi_strips(first, last, kStrips); };
  bench::measure_with(
      state, 0, [](std::int64_t) {},
      [&] { right &= std::abs(4 * rival.sum(0, kStrips, kStrips / 10, 0.0, strips) - 3.14159265358979) < 1e-9; });
  bench::check(state, right, "not pi");
}

[[maybe_unused]] const bool registered = [] {
  const bench::Goal beats_both[] = {bench::at_most(1.0, Tbb::kName), bench::at_most(1.0, OpenMp::kName)};
  bench::compare(ForEach(), BENCH_CASE(for_each_1e6_cheap),
                 {.threads = {2, 4}, .goals = {beats_both[0], beats_both[1]}});
  bench::compare(ForEach(), BENCH_CASE(for_each_64), {.threads = {2}});
  bench::compare(Sums(), BENCH_CASE(for_each_primes_2e6),
                 {.threads = {2}, .goals = {bench::at_most(1.05, Tbb::kName)}});
  bench::compare(Sums(), BENCH_CASE(for_each_pi), {.threads = {2}, .goals = {bench::at_most(1.05, Tbb::kName)}});
  return true;
}();

}  // namespace
