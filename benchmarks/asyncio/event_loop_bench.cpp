// Event loops side by side: nogil::asyncio, and Asio's coroutines on an io_context of one
// thread.
//
// Asio's loop may be used by several threads at once, and ours by one: part of what lies
// between them is that.

#include <benchmark/benchmark.h>
#include <malloc.h>

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "nogil/asyncio/run.hpp"
#include "nogil/asyncio/sleep.hpp"
#include "support/cases.hpp"
#include "support/measure.hpp"

#ifdef NOGIL_HAVE_ASIO
#include <asio.hpp>
#endif

namespace {

using namespace std::chrono_literals;

// ---- The rivals: each function runs a loop to its end, with `count` turns in it ------------

struct Nogil {
  static constexpr const char* kName = "nogil::asyncio";
  template <class T = void>
  using Coro = nogil::asyncio::Coro<T>;

  static Coro<int> one() { co_return 1; }
  static Coro<> nap(std::chrono::nanoseconds length) { co_await nogil::asyncio::sleep(length); }

  static Coro<int> await_all(int count) {
    int sum = 0;
    for (int i = 0; i < count; ++i) sum += co_await one();
    co_return sum;
  }
  static int awaits(int count) { return nogil::asyncio::run(await_all(count)); }

  static Coro<int> create_all(int count) {
    int sum = 0;
    for (int i = 0; i < count; ++i) sum += co_await nogil::asyncio::create_task(one());
    co_return sum;
  }
  static int tasks(int count) { return nogil::asyncio::run(create_all(count)); }

  static Coro<int> yield_all(int count) {
    for (int i = 0; i < count; ++i) co_await nogil::asyncio::yield();
    co_return count;
  }
  static int switches(int count) { return nogil::asyncio::run(yield_all(count)); }

  static Coro<int> sleep_all(int count) {
    std::vector<nogil::asyncio::Task<>> naps;
    naps.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) naps.push_back(nogil::asyncio::create_task(nap(std::chrono::nanoseconds(1 + i))));
    for (const auto& task : naps) co_await task;
    co_return count;
  }
  static int timers(int count) { return nogil::asyncio::run(sleep_all(count)); }

  static Coro<int> cancel_all(int count) {
    int cancelled = 0;
    for (int i = 0; i < count; ++i) {
      const auto task = nogil::asyncio::create_task(nap(1h));
      co_await nogil::asyncio::yield();
      task.cancel();
      try {
        co_await task;
      } catch (const nogil::asyncio::CancelledError&) {
        ++cancelled;
      }
    }
    co_return cancelled;
  }
  static int cancels(int count) { return nogil::asyncio::run(cancel_all(count)); }

  // The loop sleeps each time until another thread wakes it.
  static int wakes(int count) {
    nogil::asyncio::EventLoop loop;
    std::atomic<int> woken{0};
    std::thread other([&] {
      for (int i = 1; i <= count; ++i) {
        loop.call_soon_threadsafe([&woken] { woken.fetch_add(1, std::memory_order_release); });
        while (woken.load(std::memory_order_acquire) != i) std::this_thread::yield();
      }
      loop.stop();
    });
    loop.run_forever();
    other.join();
    return woken;
  }

  // Bytes that `count` sleeping tasks take.
  static Coro<std::size_t> weigh(std::size_t count, std::size_t (*allocated)()) {
    std::vector<nogil::asyncio::Task<>> naps;
    naps.reserve(count);
    const std::size_t before = allocated();
    for (std::size_t i = 0; i < count; ++i) naps.push_back(nogil::asyncio::create_task(nap(1h)));
    co_await nogil::asyncio::yield();
    co_return allocated() - before;
  }
  static std::size_t weight(std::size_t count, std::size_t (*allocated)()) {
    return nogil::asyncio::run(weigh(count, allocated));
  }
};

#ifdef NOGIL_HAVE_ASIO
struct Asio {
  static constexpr const char* kName = "asio::awaitable";
  template <class T>
  using Coro = asio::awaitable<T>;

  static int run(Coro<int> amain) {
    asio::io_context context(1);
    int result = 0;
    asio::co_spawn(context, std::move(amain), [&](std::exception_ptr, int value) { result = value; });
    context.run();
    return result;
  }

  static Coro<int> one() { co_return 1; }

  static Coro<int> await_all(int count) {
    int sum = 0;
    for (int i = 0; i < count; ++i) sum += co_await one();
    co_return sum;
  }
  static int awaits(int count) { return run(await_all(count)); }

  static Coro<int> create_all(int count) {
    int sum = 0;
    const auto executor = co_await asio::this_coro::executor;
    for (int i = 0; i < count; ++i) sum += co_await asio::co_spawn(executor, one(), asio::use_awaitable);
    co_return sum;
  }
  static int tasks(int count) { return run(create_all(count)); }

  static Coro<int> yield_all(int count) {
    for (int i = 0; i < count; ++i) co_await asio::post(asio::use_awaitable);
    co_return count;
  }
  static int switches(int count) { return run(yield_all(count)); }

  static Coro<void> nap(std::chrono::nanoseconds length) {
    asio::steady_timer timer(co_await asio::this_coro::executor, length);
    co_await timer.async_wait(asio::use_awaitable);
  }
  static int timers(int count) {
    asio::io_context context(1);
    int done = 0;
    for (int i = 0; i < count; ++i) {
      asio::co_spawn(context, nap(std::chrono::nanoseconds(1 + i)), [&](std::exception_ptr) { ++done; });
    }
    context.run();
    return done;
  }

  static int wakes(int count) {
    asio::io_context context(1);
    auto guard = asio::make_work_guard(context);
    std::atomic<int> woken{0};
    std::thread other([&] {
      for (int i = 1; i <= count; ++i) {
        asio::post(context, [&woken] { woken.fetch_add(1, std::memory_order_release); });
        while (woken.load(std::memory_order_acquire) != i) std::this_thread::yield();
      }
      guard.reset();
    });
    context.run();
    other.join();
    return woken;
  }

  static std::size_t weight(std::size_t count, std::size_t (*allocated)()) {
    asio::io_context context(1);
    const std::size_t before = allocated();
    for (std::size_t i = 0; i < count; ++i) asio::co_spawn(context, nap(1h), asio::detached);
    context.poll();
    return allocated() - before;
  }
};
#else
struct Asio : bench::Absent {
  static constexpr const char* kName = "asio::awaitable";
};
#endif

using Loops = bench::Rivals<Nogil, Asio>;
// Asio has no task that can be joined and cancelled. What cannot be done without: an exception
// in the task, and one in who awaits it.
struct TwoExceptions {
  static constexpr const char* kName = "two exceptions";

  [[gnu::noinline]] static void throw_one() { throw nogil::asyncio::CancelledError(); }
  static int cancels(int count) {
    int caught = 0;
    for (int i = 0; i < 2 * count; ++i) {
      try {
        throw_one();
      } catch (const nogil::asyncio::CancelledError&) {
        ++caught;
      }
    }
    return caught / 2;
  }
};
using Cancellable = bench::Rivals<Nogil, TwoExceptions>;

// ---- The cases ---------------------------------------------------------------------------

constexpr int kMany = 100'000;

template <class R, int (*kRun)(int), int kCount = kMany>
void in_batches(benchmark::State& state) {
  bool right = true;
  bench::measure_batches(state, kCount, [&] { right = kRun(kCount) == kCount && right; });
  bench::check(state, right, "not all turns were done");
}

// A coroutine awaits another one that does not wait: the price of the call.
template <class R>
void asyncio_await(benchmark::State& state) {
  in_batches<R, &R::awaits>(state);
}

// It makes a task of it and awaits that: two steps of the loop.
template <class R>
void asyncio_create_task(benchmark::State& state) {
  in_batches<R, &R::tasks>(state);
}

// A coroutine lets others run, though there are none: one step of the loop.
template <class R>
void asyncio_yield(benchmark::State& state) {
  in_batches<R, &R::switches>(state);
}

// 100,000 tasks sleep until moments that have passed when the last of them begins: the price
// of a task, a timer and their ends.
template <class R>
void asyncio_100000_timers(benchmark::State& state) {
  in_batches<R, &R::timers>(state);
}

// A task that sleeps is cancelled and awaited: two exceptions.
template <class R>
void asyncio_cancel_and_join(benchmark::State& state) {
  in_batches<R, &R::cancels, 10'000>(state);
}

// Another thread has the sleeping loop call something, and waits until it has: the price of
// a system call that wakes, and of one that sleeps.
template <class R>
void asyncio_wake_from_thread(benchmark::State& state) {
  const double before = bench::two_thread_control();
  in_batches<R, &R::wakes, 2'000>(state);
  bench::report_control(state, before);
}

// ---- Memory ------------------------------------------------------------------------------

#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
std::size_t allocated() {
  const struct mallinfo2 info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

template <class R>
std::size_t bytes_per_sleeping_task() {
  return (R::weight(kMany, &allocated) + kMany / 2) / kMany;
}

template <class... R>
void weigh(bench::Rivals<R...>) {
  const auto add = []<class One>(One) {
    if constexpr (!std::derived_from<One, bench::Absent>) {
      constexpr std::size_t kGoal = std::is_same_v<One, Nogil> ? 350 : 0;
      bench::size_row(std::string(One::kName) + ": each of 100,000 sleeping tasks", bytes_per_sleeping_task<One>,
                      kGoal);
    }
  };
  (add(R()), ...);
}
#endif

[[maybe_unused]] const bool registered = [] {
  bench::compare(Loops(), BENCH_CASE(asyncio_await));
  bench::compare(Loops(), BENCH_CASE(asyncio_create_task), {.goals = {bench::at_most(1.0 / 6, Asio::kName)}});
  bench::compare(Loops(), BENCH_CASE(asyncio_yield), {.goals = {bench::at_most(1.0 / 8, Asio::kName)}});
  bench::compare(Loops(), BENCH_CASE(asyncio_100000_timers), {.goals = {bench::at_most(1 / 2.5, Asio::kName)}});
  bench::compare(Cancellable(), BENCH_CASE(asyncio_cancel_and_join),
                 {.goals = {bench::at_most(1.5, TwoExceptions::kName)}});
  bench::compare(Loops(), BENCH_CASE(asyncio_wake_from_thread), {.goals = {bench::at_most(1.1, Asio::kName)}});
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
  weigh(Loops());
#endif
  return true;
}();

}  // namespace
