// benchmarks/queue/traffic.hpp -- what the benchmarks of all kinds of queue do with them.
//
// Each takes a rival of rivals.hpp, makes its queue, measures, and checks that what came
// out is what went in.

#pragma once

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "queue/rivals.hpp"
#include "support/measure.hpp"

namespace queues {

// ---- Elements ----------------------------------------------------------------------------

// make<T>(number) and number_of(T): an element that carries a number.
template <class T>
T make(int number);
template <>
inline int make<int>(int number) {
  return number;
}
template <>
inline std::unique_ptr<int> make<std::unique_ptr<int>>(int number) {
  return std::make_unique<int>(number);
}
// 40 characters: too many to lie inside the string itself.
template <>
inline std::string make<std::string>(int number) {
  std::string text(40, '-');
  text.replace(0, sizeof number, reinterpret_cast<const char*>(&number), sizeof number);
  return text;
}

inline int number_of(int item) {
  return item;
}
inline int number_of(const std::unique_ptr<int>& item) {
  return *item;
}
inline int number_of(const std::string& item) {
  int number;
  item.copy(reinterpret_cast<char*>(&number), sizeof number);
  return number;
}

// ---- One thread --------------------------------------------------------------------------

// kDepth puts, then as many gets, again and again: what a put and a get cost together.
template <class R, int kDepth = 1>
void puts_then_gets(benchmark::State& state) {
  typename R::template Queue<int> queue;
  auto&& in = putter(queue);
  auto&& out = getter(queue);
  int next = 0;
  std::uint64_t put = 0;
  std::uint64_t got = 0;
  bench::measure_batches(state, kDepth, [&] {
    for (int i = 0; i < kDepth; ++i) {
      put += static_cast<std::uint64_t>(++next);
      in.put(make<int>(next));
    }
    for (int i = 0; i < kDepth; ++i) got += static_cast<std::uint64_t>(out.get());
  });
  bench::check(state, put == got, "not all that was put came out");
}

// One element of type T goes through the queue again and again: a put, a get, and a few
// moves of a T, but no allocation of an element.
template <class R, class T>
void round_and_round(benchmark::State& state) {
  typename R::template Queue<T> queue;
  auto&& in = putter(queue);
  auto&& out = getter(queue);
  T item = make<T>(42);
  bench::measure(state, [&] {
    in.put(std::move(item));
    item = out.get();
    benchmark::DoNotOptimize(item);
  });
  bench::check(state, number_of(item) == 42, "the element has changed on its way");
}

// ---- Two threads, one element -------------------------------------------------------------

// A number to and fro through two queues: the price of two waits and two wake-ups.
template <class R>
void ping_pong_through_two(benchmark::State& state) {
  typename R::template Queue<int> ping;
  typename R::template Queue<int> pong;
  auto&& to_partner = putter(ping);
  auto&& from_partner = getter(pong);
  int number = 0;
  bool right = true;
  bench::measure_with(
      state, 1,
      [&](std::int64_t rounds) {
        auto&& in = getter(ping);
        auto&& out = putter(pong);
        for (; rounds > 0; --rounds) out.put(in.get() + 1);
      },
      [&] {
        to_partner.put(make<int>(number));
        right &= from_partner.get() == ++number;
      });
  bench::check(state, right, "something else came back");
}

// ---- Streams -------------------------------------------------------------------------------

// Who puts and gets, and how many at once in the queue: 0 is any number.
struct Shape {
  int producers;
  int consumers;
  std::size_t capacity = 0;
};

// What a thread has put or got, on a line of its own.
struct alignas(128) Sum {
  std::uint64_t value = 0;
};

template <class Q>
std::unique_ptr<Q> with_capacity(std::size_t capacity) {
  if constexpr (std::is_constructible_v<Q, std::size_t>) {
    if (capacity != 0) return std::make_unique<Q>(capacity);
  }
  return std::make_unique<Q>();
}

// What thread `number` of `threads` does of `total` turns.
inline std::int64_t part(std::int64_t total, int threads, int number) {
  return total / threads + (number < total % threads ? 1 : 0);
}

// Producers put, consumers get, each its part of all elements: the time is for one element,
// from the first put to the last get.
template <class R, class T = int>
void producers_and_consumers(benchmark::State& state, Shape shape) {
  using Queue = typename R::template Queue<T>;
  const std::unique_ptr<Queue> queue = with_capacity<Queue>(shape.capacity);
  const std::int64_t total = bench::stream_turns(state);
  std::vector<Sum> put(static_cast<std::size_t>(shape.producers));
  std::vector<Sum> got(static_cast<std::size_t>(shape.consumers));

  const auto produce = [&](int number) {
    auto&& in = putter(*queue);
    std::uint64_t sum = 0;
    for (std::int64_t left = part(total, shape.producers, number); left > 0; --left) {
      const int value = static_cast<int>(left);
      sum += static_cast<std::uint64_t>(value);
      in.put(make<T>(value));
    }
    put[static_cast<std::size_t>(number)].value = sum;
  };
  const auto consume = [&](int number) {
    auto&& out = getter(*queue);
    std::uint64_t sum = 0;
    for (std::int64_t left = part(total, shape.consumers, number); left > 0; --left) {
      sum += static_cast<std::uint64_t>(number_of(out.get()));
    }
    got[static_cast<std::size_t>(number)].value = sum;
  };
  bench::stream(state, shape.producers + shape.consumers, [&](int number) {
    if (number < shape.producers) produce(number);
    else consume(number - shape.producers);
  });

  std::uint64_t difference = 0;
  for (const Sum& sum : put) difference += sum.value;
  for (const Sum& sum : got) difference -= sum.value;
  bench::check(state, difference == 0, "not all that was put came out");
}

}  // namespace queues
