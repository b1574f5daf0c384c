// A future and its promise, on one thread: nogil beside the standard library.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "nogil/futures.hpp"
#include "support/cases.hpp"
#include "support/measure.hpp"

namespace {

struct Nogil {
  static constexpr const char* kName = "nogil::Promise";
  template <class T>
  using Promise = nogil::Promise<T>;
  template <class T>
  static T get(nogil::Future<T> future) {
    return std::move(future).result();
  }
};

struct Std {
  static constexpr const char* kName = "std::promise";
  template <class T>
  using Promise = std::promise<T>;
  template <class T>
  static T get(std::future<T> future) {
    return future.get();
  }
};

template <class T>
void set(nogil::Promise<T>& promise, T value) {
  promise.set_result(std::move(value));
}
template <class T>
void set(std::promise<T>& promise, T value) {
  promise.set_value(std::move(value));
}

using Both = bench::Rivals<Nogil, Std>;

// One thread makes a promise, keeps it, and gets the value: the price of a future without
// its wait.
template <class R>
void future_create_set_get(benchmark::State& state) {
  std::int64_t got = 0;
  bench::measure(state, [&] {
    typename R::template Promise<int> promise;
    auto future = promise.get_future();
    set(promise, 1);
    got += R::get(std::move(future));
  });
  bench::check(state, got == state.iterations(), "not the value that was set");
}

// The same with a value that owns memory.
template <class R>
void future_create_set_get_string(benchmark::State& state) {
  std::string text(40, 'x');
  bench::measure(state, [&] {
    typename R::template Promise<std::string> promise;
    auto future = promise.get_future();
    set(promise, std::move(text));
    text = R::get(std::move(future));
  });
  bench::check(state, text == std::string(40, 'x'), "not the value that was set");
}

// The same with an exception.
template <class R>
void future_create_fail_get(benchmark::State& state) {
  const auto error = std::make_exception_ptr(1);
  std::int64_t caught = 0;
  bench::measure(state, [&] {
    typename R::template Promise<int> promise;
    auto future = promise.get_future();
    promise.set_exception(error);
    try {
      R::get(std::move(future));
    } catch (int one) {
      caught += one;
    }
  });
  bench::check(state, caught == state.iterations(), "not the exception that was set");
}

[[maybe_unused]] const bool registered = [] {
  bench::compare(Both(), BENCH_CASE(future_create_set_get), {.goals = {bench::at_most(0.125, Std::kName)}});
  bench::compare(Both(), BENCH_CASE(future_create_set_get_string));
  bench::compare(Both(), BENCH_CASE(future_create_fail_get));
  bench::size_of<nogil::Future<int>>("nogil::Future<int>");
  bench::size_of<std::future<int>>("std::future<int>");
  bench::size_of<std::shared_future<int>>("std::shared_future<int>");
  return true;
}();

}  // namespace
