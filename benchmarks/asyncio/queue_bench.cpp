// Queues between the tasks of one loop side by side: nogil::asyncio, and Asio's experimental
// channel on an io_context of one thread.

#include <benchmark/benchmark.h>

#include <cstddef>
#include <utility>

#include "nogil/asyncio/lifo_queue.hpp"
#include "nogil/asyncio/priority_queue.hpp"
#include "nogil/asyncio/queue.hpp"
#include "nogil/asyncio/run.hpp"
#include "support/cases.hpp"
#include "support/measure.hpp"

#ifdef NOGIL_HAVE_ASIO
#include <asio.hpp>
#include <asio/experimental/channel.hpp>
#endif

namespace {

// ---- The rivals: each function runs a loop to its end, with `count` turns in it ------------

template <template <class...> class Kind>
struct OfNogil {
  using Queue = Kind<int>;

  // One who sends, and one who sends back.
  static nogil::asyncio::Coro<> answer(Queue& in, Queue& out, int count) {
    for (int i = 0; i < count; ++i) {
      const int item = co_await in.get();
      co_await out.put(item);
    }
  }
  static nogil::asyncio::Coro<int> ask(int count) {
    Queue there(1);
    Queue back(1);
    const auto other = nogil::asyncio::create_task(answer(there, back, count));
    int sum = 0;
    for (int i = 0; i < count; ++i) {
      co_await there.put(1);
      sum += co_await back.get();
    }
    co_await other;
    co_return sum;
  }
  static int round_trips(int count) { return nogil::asyncio::run(ask(count)); }

  // One puts, one gets, with room for 100.
  static nogil::asyncio::Coro<> feed(Queue& queue, int count) {
    for (int i = 0; i < count; ++i) co_await queue.put(1);
  }
  static nogil::asyncio::Coro<int> drain(int count) {
    Queue queue(100);
    const auto feeder = nogil::asyncio::create_task(feed(queue, count));
    int sum = 0;
    for (int i = 0; i < count; ++i) sum += co_await queue.get();
    co_await feeder;
    co_return sum;
  }
  static int streams(int count) { return nogil::asyncio::run(drain(count)); }
};

struct Nogil : OfNogil<nogil::asyncio::Queue> {
  static constexpr const char* kName = "nogil::asyncio::Queue";
};
struct NogilLifo : OfNogil<nogil::asyncio::LifoQueue> {
  static constexpr const char* kName = "nogil::asyncio::LifoQueue";
};
template <class T>
using Priorities = nogil::asyncio::PriorityQueue<T>;
struct NogilPriority : OfNogil<Priorities> {
  static constexpr const char* kName = "nogil::asyncio::PriorityQueue";
};

#ifdef NOGIL_HAVE_ASIO
struct AsioChannel {
  static constexpr const char* kName = "asio::experimental::channel";
  using Channel = asio::experimental::channel<void(asio::error_code, int)>;
  template <class T>
  using Coro = asio::awaitable<T>;

  static constexpr auto kUse = asio::use_awaitable;

  static Coro<void> answer(Channel& in, Channel& out, int count) {
    for (int i = 0; i < count; ++i) {
      const int item = co_await in.async_receive(kUse);
      co_await out.async_send(asio::error_code(), item, kUse);
    }
  }
  static Coro<void> ask(Channel& there, Channel& back, int count, int& sum) {
    for (int i = 0; i < count; ++i) {
      co_await there.async_send(asio::error_code(), 1, kUse);
      sum += co_await back.async_receive(kUse);
    }
  }
  static int round_trips(int count) {
    asio::io_context context(1);
    Channel there(context, 1);
    Channel back(context, 1);
    int sum = 0;
    asio::co_spawn(context, answer(there, back, count), asio::detached);
    asio::co_spawn(context, ask(there, back, count, sum), asio::detached);
    context.run();
    return sum;
  }

  static Coro<void> feed(Channel& channel, int count) {
    for (int i = 0; i < count; ++i) co_await channel.async_send(asio::error_code(), 1, kUse);
  }
  static Coro<void> drain(Channel& channel, int count, int& sum) {
    for (int i = 0; i < count; ++i) sum += co_await channel.async_receive(kUse);
  }
  static int streams(int count) {
    asio::io_context context(1);
    Channel channel(context, 100);
    int sum = 0;
    asio::co_spawn(context, feed(channel, count), asio::detached);
    asio::co_spawn(context, drain(channel, count, sum), asio::detached);
    context.run();
    return sum;
  }
};
#else
struct AsioChannel : bench::Absent {
  static constexpr const char* kName = "asio::experimental::channel";
};
#endif

using Queues = bench::Rivals<Nogil, AsioChannel, NogilLifo, NogilPriority>;

// ---- The cases ---------------------------------------------------------------------------

// An item there and back between two tasks: the price of two puts, two gets and two switches.
template <class R>
void queue_round_trip(benchmark::State& state) {
  constexpr int kEach = 20'000;
  bool right = true;
  bench::measure_batches(state, kEach, [&] { right = R::round_trips(kEach) == kEach && right; });
  bench::check(state, right, "an item was lost");
}

// An item from a task that puts to one that gets, which take turns when 100 are there.
template <class R>
void queue_stream(benchmark::State& state) {
  constexpr int kEach = 50'000;
  bool right = true;
  bench::measure_batches(state, kEach, [&] { right = R::streams(kEach) == kEach && right; });
  bench::check(state, right, "an item was lost");
}

[[maybe_unused]] const bool registered = [] {
  bench::compare(Queues(), BENCH_CASE(queue_round_trip), {.goals = {bench::at_most(0.1, AsioChannel::kName)}});
  bench::compare(Queues(), BENCH_CASE(queue_stream));
  return true;
}();

}  // namespace
