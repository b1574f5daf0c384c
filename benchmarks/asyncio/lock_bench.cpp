// Locks between the tasks of one loop side by side: nogil::asyncio's, and what one writes
// with Asio: a channel that holds one token.

#include <benchmark/benchmark.h>

#include "nogil/asyncio/lock.hpp"
#include "nogil/asyncio/run.hpp"
#include "nogil/asyncio/semaphore.hpp"
#include "nogil/asyncio/sleep.hpp"
#include "support/cases.hpp"
#include "support/measure.hpp"

#ifdef NOGIL_HAVE_ASIO
#include <asio.hpp>
#include <asio/experimental/channel.hpp>
#endif

namespace {

// ---- The rivals: each function runs a loop to its end, with `count` turns in it ------------

template <class L>
struct OfNogil {
  static nogil::asyncio::Coro<> take(L& lock, int count, int& turns) {
    for (int i = 0; i < count; ++i) {
      const auto guard = co_await lock.guard();
      ++turns;
    }
  }
  static nogil::asyncio::Coro<int> alone(int count) {
    L lock;
    int turns = 0;
    co_await take(lock, count, turns);
    co_return turns;
  }
  static int uncontended(int count) { return nogil::asyncio::run(alone(count)); }

  // Each keeps it until the other waits for it.
  static nogil::asyncio::Coro<> keep(L& lock, int count, int& turns) {
    for (int i = 0; i < count; ++i) {
      const auto guard = co_await lock.guard();
      co_await nogil::asyncio::yield();
      ++turns;
    }
  }
  static nogil::asyncio::Coro<int> two(int count) {
    L lock;
    int turns = 0;
    const auto other = nogil::asyncio::create_task(keep(lock, count / 2, turns));
    co_await keep(lock, count / 2, turns);
    co_await other;
    co_return turns;
  }
  static int hand_overs(int count) { return nogil::asyncio::run(two(count)); }
};

struct Lock : OfNogil<nogil::asyncio::Lock> {
  static constexpr const char* kName = "nogil::asyncio::Lock";
};
struct Semaphore : OfNogil<nogil::asyncio::Semaphore> {
  static constexpr const char* kName = "nogil::asyncio::Semaphore";
};

#ifdef NOGIL_HAVE_ASIO
struct Token {
  static constexpr const char* kName = "asio::experimental::channel";
  using Channel = asio::experimental::channel<void(asio::error_code, int)>;

  template <bool kYields>
  static asio::awaitable<void> take(asio::io_context& context, Channel& token, int count, int& turns) {
    for (int i = 0; i < count; ++i) {
      co_await token.async_send(asio::error_code(), 0, asio::use_awaitable);
      if constexpr (kYields) co_await asio::post(context, asio::use_awaitable);
      ++turns;
      token.try_receive([](asio::error_code, int) {});
    }
  }
  template <bool kYields>
  static int run(int count, int tasks) {
    asio::io_context context(1);
    Channel token(context, 1);
    int turns = 0;
    for (int i = 0; i < tasks; ++i) {
      asio::co_spawn(context, take<kYields>(context, token, count / tasks, turns), asio::detached);
    }
    context.run();
    return turns;
  }
  static int uncontended(int count) { return run<false>(count, 1); }
  static int hand_overs(int count) { return run<true>(count, 2); }
};
#else
struct Token : bench::Absent {
  static constexpr const char* kName = "asio::experimental::channel";
};
#endif

using Locks = bench::Rivals<Lock, Token, Semaphore>;

// ---- The cases ---------------------------------------------------------------------------

// One task takes and releases what nobody else wants.
template <class R>
void lock_alone(benchmark::State& state) {
  constexpr int kEach = 100'000;
  bool right = true;
  bench::measure_batches(state, kEach, [&] { right = R::uncontended(kEach) == kEach && right; });
  bench::check(state, right, "a turn is missing");
}

// Two tasks, of which one always waits: a hand-over, and the switch that makes the other wait.
template <class R>
void lock_hand_over(benchmark::State& state) {
  constexpr int kEach = 20'000;
  bool right = true;
  bench::measure_batches(state, kEach, [&] { right = R::hand_overs(kEach) == kEach && right; });
  bench::check(state, right, "a turn is missing");
}

[[maybe_unused]] const bool registered = [] {
  bench::compare(Locks(), BENCH_CASE(lock_alone));
  bench::compare(Locks(), BENCH_CASE(lock_hand_over), {.goals = {bench::at_most(0.2, Token::kName)}});
  return true;
}();

}  // namespace
