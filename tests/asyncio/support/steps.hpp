// tests/asyncio/support/steps.hpp -- small coroutines from which tests are made.

#pragma once

#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>

#include "asyncio/support/virtual_time.hpp"
#include "nogil/asyncio/sleep.hpp"
#include "nogil/asyncio/task.hpp"

namespace nogil::testing {

using namespace std::chrono_literals;

// Lets all that is ready run, so often.
inline asyncio::Coro<> pass_rounds(int count) {
  for (int i = 0; i < count; ++i) co_await asyncio::yield();
}

template <class T>
asyncio::Coro<T> value_after(std::chrono::milliseconds delay, T value) {
  co_await asyncio::sleep(delay);
  co_return value;
}

inline asyncio::Coro<int> number(int n) {
  co_return n;
}

inline asyncio::Coro<int> fail_after(std::chrono::milliseconds delay, std::string text) {
  co_await asyncio::sleep(delay);
  throw std::domain_error(text);
}

inline asyncio::Coro<> nap(std::chrono::milliseconds delay) {
  co_await asyncio::sleep(delay);
}

// Notes that it was cancelled, and takes a while to clean up.
inline asyncio::Coro<int> reluctant(Log& log, std::string name, std::chrono::milliseconds cleanup) {
  bool cancelled = false;
  try {
    co_await asyncio::sleep(1h);
  } catch (const asyncio::CancelledError&) {
    cancelled = true;
    log.push_back(name + " cancelled");
  }
  co_await asyncio::sleep(cleanup);
  log.push_back(name + " ended");
  if (cancelled) throw asyncio::CancelledError();
  co_return 0;
}

// Answers a cancellation with a value.
inline asyncio::Coro<int> stubborn(int value) {
  try {
    co_await asyncio::sleep(1h);
  } catch (const asyncio::CancelledError&) {
  }
  co_return value;
}

// Whether it ends cancelled.
template <class T>
asyncio::Coro<bool> ends_cancelled(asyncio::Task<T> task) {
  try {
    co_await task;
  } catch (const asyncio::CancelledError&) {
    co_return true;
  }
  co_return false;
}

}  // namespace nogil::testing
