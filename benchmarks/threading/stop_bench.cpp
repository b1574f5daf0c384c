// Waits that a stop_token ends, side by side: nogil, the standard library.
//
// In the standard library only condition_variable_any takes a token; so what waits there
// is an event made of a mutex, one of those and a bool. POSIX, abseil, nsync, oneTBB and
// Boost's header-only part have nothing of the kind.

#include <benchmark/benchmark.h>

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <stop_token>

#include "nogil/threading/event.hpp"
#include "support/cases.hpp"
#include "support/measure.hpp"

namespace {

// ---- The rivals ------------------------------------------------------------------------

struct Nogil : nogil::Event {
  static constexpr const char* kName = "nogil::Event";
};

struct Std {
  static constexpr const char* kName = "std::mutex+condition_variable_any";
  void set() {
    const std::scoped_lock guard(mutex);
    flag = true;
    condition.notify_all();
  }
  void clear() {
    const std::scoped_lock guard(mutex);
    flag = false;
  }
  bool wait(const std::stop_token& token) {
    std::unique_lock guard(mutex);
    return condition.wait(guard, token, [this] { return flag; });
  }
  std::mutex mutex;
  std::condition_variable_any condition;
  bool flag = false;
};

using Events = bench::Rivals<Nogil, Std>;

// ---- The cases -------------------------------------------------------------------------

// One thread waits for what has happened already, with a token that nobody uses: the price
// of allowing for one.
template <class E>
void stop_token_unused(benchmark::State& state) {
  const std::stop_source source;
  const std::stop_token token = source.get_token();
  E event;
  event.set();
  std::int64_t passed = 0;
  bench::measure(state, [&] { passed += event.wait(token); });
  bench::check(state, passed == state.iterations(), "a wait was lost");
}

// Two threads hand a turn back and forth, each with a token that nobody uses: the price of
// two waits that could be stopped.
template <class E>
void stop_token_ping_pong(benchmark::State& state) {
  const std::stop_source source;
  const std::stop_token token = source.get_token();
  E ping;
  E pong;
  std::int64_t returned = 0;  // belongs to whoever has the turn
  bench::measure_with(
      state, 1,
      [&](std::int64_t rounds) {
        for (; rounds > 0; --rounds) {
          ping.wait(token);
          ping.clear();
          ++returned;
          pong.set();
        }
      },
      [&] {
        ping.set();
        pong.wait(token);
        pong.clear();
      });
  bench::check(state, returned == state.iterations() + 1, "a turn was lost");
}

// One thread gives another a new token to wait with, requests the stop, and waits until
// the other says that it has stopped: the price of making a waiter give up.
template <class E>
void stop_request(benchmark::State& state) {
  E ready;
  E stopped;
  E never;
  std::optional<std::stop_source> source;
  const std::stop_source unused;
  const std::stop_token token = unused.get_token();
  std::int64_t given_up = 0;  // belongs to whoever has the turn
  bench::measure_with(
      state, 1,
      [&](std::int64_t rounds) {
        for (; rounds > 0; --rounds) {
          ready.wait(token);
          ready.clear();
          given_up += !never.wait(source->get_token());
          stopped.set();
        }
      },
      [&] {
        source.emplace();
        ready.set();
        source->request_stop();
        stopped.wait(token);
        stopped.clear();
      });
  bench::check(state, given_up == state.iterations() + 1, "a wait was not stopped");
}

[[maybe_unused]] const bool registered = [] {
  bench::compare(Events(), BENCH_CASE(stop_token_unused));
  bench::compare(Events(), BENCH_CASE(stop_token_ping_pong));
  bench::compare(Events(), BENCH_CASE(stop_request));
  return true;
}();

}  // namespace
