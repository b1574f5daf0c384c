// Timers side by side: nogil, and what one writes with a jthread.

#include <benchmark/benchmark.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

#include "nogil/threading/timer.hpp"
#include "support/cases.hpp"
#include "support/measure.hpp"

namespace {

using namespace std::chrono_literals;

// ---- The rivals: start at once, cancel(), and the end of the timer in the destructor ----

struct Nogil {
  static constexpr const char* kName = "nogil::Timer";
  template <class F>
  Nogil(std::chrono::nanoseconds interval, F f) : timer(interval, std::move(f)) {
    timer.start();
  }
  void cancel() { timer.cancel(); }
  void join() { timer.join(); }
  nogil::Timer timer;
};

#ifdef __cpp_lib_jthread
struct Std {
  static constexpr const char* kName = "std::jthread+condition_variable_any";
  template <class F>
  Std(std::chrono::nanoseconds interval, F f)
      : thread([this, interval, f = std::move(f)](std::stop_token token) mutable {
          std::unique_lock guard(mutex);
          condition.wait_for(guard, token, interval, [] { return false; });
          if (!token.stop_requested()) f();
        }) {}
  void cancel() { thread.request_stop(); }
  void join() { thread.join(); }
  std::mutex mutex;
  std::condition_variable_any condition;
  std::jthread thread;
};
#else
struct Std : bench::Absent {
  static constexpr const char* kName = "std::jthread+condition_variable_any";
};
#endif

using Timers = bench::Rivals<Nogil, Std>;

// ---- The cases -------------------------------------------------------------------------

// One thread starts a timer for an hour, cancels it and waits for its end: the price of a
// timeout that was not needed. Most of it is the thread.
template <class T>
void timer_start_cancel(benchmark::State& state) {
  std::int64_t called = 0;
  bench::measure_with(
      state, 0, [](std::int64_t) {},
      [&] {
        T timer(1h, [&called] { ++called; });
        timer.cancel();
        timer.join();
      });
  bench::check(state, called == 0, "a timer was not cancelled");
}

// One thread starts a timer for a millisecond and waits for its end: what is above 1 ms is
// how late it comes.
template <class T>
void timer_1ms(benchmark::State& state) {
  std::int64_t called = 0;
  bench::measure_with(
      state, 0, [](std::int64_t) {},
      [&] {
        T timer(1ms, [&called] { ++called; });
        timer.join();
      });
  bench::check(state, called == state.iterations() + 1, "a timer did not call");
}

[[maybe_unused]] const bool registered = [] {
  bench::compare(Timers(), BENCH_CASE(timer_start_cancel));
  bench::compare(Timers(), BENCH_CASE(timer_1ms));

  bench::size_of<nogil::Timer>("nogil::Timer");
  return true;
}();

}  // namespace
