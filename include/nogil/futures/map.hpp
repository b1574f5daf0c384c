// nogil/futures/map.hpp -- what ThreadPoolExecutor::map() takes and returns.
//
//   for (bool prime : pool.map(is_prime, numbers)) …              // for prime in pool.map(is_prime, numbers): …
//   for (Page page : pool.map({.timeout = 60s}, fetch, urls)) …   // pool.map(fetch, urls, timeout=60)
//
// A single-pass range of the results, in the order of the arguments. The work starts at
// the call; reading waits for the result that comes next. An exception is thrown where
// its result would be read, and the loop may go on behind it.
//
// Threads    The results are for one thread at a time, which may be another than the
//            caller's.
// Lifetime   A container that is given as an lvalue is used in place, and must be there,
//            unchanged, as long as the results are; one that is moved in, or what a view
//            makes on the fly, is stored. Results that are destroyed early drop what has
//            not begun, and wait for what has: so the callable may use what lives longer
//            than the results. A result is destroyed when the loop goes on to the next.
// Python     Executor.map, with chunksize (which Python's threads ignore) and buffersize
//            (3.14). A Python map ends with the first exception.

#pragma once

#include <cstddef>
#include <iterator>
#include <type_traits>
#include <utility>

#include "nogil/platform/chrono.hpp"
#include "nogil/platform/deadline.hpp"
#include "nogil/threading/detail/ref.hpp"

namespace nogil {

struct MapOptions {
  // Any std::chrono::duration; as long as it is not given, for ever.
  class Timeout {
   public:
    constexpr Timeout() noexcept = default;
    template <class Rep, class Period>
    Timeout(std::chrono::duration<Rep, Period> timeout) : deadline_(platform::Deadline::after(timeout)) {}

    const platform::Deadline& deadline() const noexcept { return deadline_; }

   private:
    platform::Deadline deadline_ = platform::Deadline::never();
  };

  std::size_t chunksize = 0;   // how many arguments a worker takes at a time; 0: by what they cost
  std::size_t buffersize = 0;  // how many arguments are read ahead of the results, at most; 0: all
  Timeout timeout = {};        // from the call to each result: TimeoutError
};

template <class State>
class [[nodiscard]] MapResults {
 public:
  using Value = typename State::Value;

  explicit MapResults(detail::Ref<State> state) noexcept : state_(std::move(state)) {}
  MapResults(MapResults&&) noexcept = default;
  MapResults& operator=(MapResults&& other) noexcept {
    if (this != &other) {
      stop();
      state_ = std::move(other.state_);
    }
    return *this;
  }
  ~MapResults() { stop(); }

  class Iterator {
   public:
    using value_type = std::remove_cvref_t<decltype(std::declval<State&>().current())>;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;

    explicit Iterator(State& state) noexcept : state_(&state) {}

    // Waits for the result. It may be moved from: nobody else has it.
    // Throws what the callable threw; TimeoutError; CancelledError, if shutdown() has
    // cancelled it; BrokenThreadPool; RuntimeError, if it is beyond buffersize and the pool
    // was shut down.
    decltype(auto) operator*() const { return state_->current(); }

    // Goes on to the next, which may read another argument from the ranges.
    Iterator& operator++() {
      state_->advance();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& it, std::default_sentinel_t) noexcept { return it.state_->at_end(); }

   private:
    State* state_;
  };

  Iterator begin() { return Iterator(*state_); }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  friend class ThreadPoolExecutor;

  void start() { state_->start(); }
  void stop() noexcept {
    if (state_) state_->stop();
  }

  detail::Ref<State> state_;
};

}  // namespace nogil
