// tests/asyncio/coro_test.cpp

#include "nogil/asyncio/coro.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "asyncio/support/virtual_time.hpp"
#include "nogil/asyncio/sleep.hpp"

namespace nogil::asyncio {
namespace {

using namespace std::chrono_literals;
using testing::in_virtual_time;
using testing::Log;

Coro<int> number(int n) {
  co_return n;
}
Coro<int> number_later(int n) {
  co_await yield();
  co_return n;
}

TEST(Coro, runs_nothing_until_it_is_awaited) {
  static Log log;
  log.clear();
  const auto body = []() -> Coro<> {
    log.push_back("body");
    co_return;
  };
  const auto amain = [](auto start) -> Coro<> {
    Coro<> coro = start();
    log.push_back("called");
    co_await std::move(coro);
    log.push_back("awaited");
  };
  in_virtual_time(amain(body));
  EXPECT_EQ(log, (Log{"called", "body", "awaited"}));
}

TEST(Coro, gives_what_the_body_returns) {
  static int place = 0;
  const auto amain = []() -> Coro<std::string> {
    EXPECT_EQ(co_await number(3), 3);
    EXPECT_EQ(co_await number_later(4), 4);

    const auto owner = []() -> Coro<std::unique_ptr<int>> { co_return std::make_unique<int>(5); };
    std::unique_ptr<int> owned = co_await owner();
    EXPECT_EQ(*owned, 5);

    const auto reference = []() -> Coro<int&> { co_return place; };
    int& found = co_await reference();
    EXPECT_EQ(&found, &place);

    const auto pair = []() -> Coro<std::pair<int, std::string>> { co_return {1, "one"}; };
    const auto made = co_await pair();
    co_return made.second;
  };
  EXPECT_EQ(in_virtual_time(amain()), "one");
}

TEST(Coro, throws_what_the_body_throws) {
  const auto fail = [](bool later) -> Coro<int> {
    if (later) co_await yield();
    throw std::out_of_range("far");
  };
  const auto amain = [](auto failing) -> Coro<> {
    for (const bool later : {false, true}) {
      bool caught = false;
      try {
        co_await failing(later);
      } catch (const std::out_of_range& error) {
        caught = std::string(error.what()) == "far";
      }
      EXPECT_TRUE(caught);
    }
  };
  in_virtual_time(amain(fail));
}

TEST(Coro, cannot_be_awaited_twice) {
  const auto amain = []() -> Coro<> {
    Coro<int> coro = number(1);
    EXPECT_TRUE(coro.valid());
    EXPECT_EQ(co_await std::move(coro), 1);
    EXPECT_FALSE(coro.valid());
    EXPECT_THROW(co_await std::move(coro), RuntimeError);
    EXPECT_THROW(create_task(std::move(coro)), RuntimeError);
  };
  in_virtual_time(amain());
}

// g++ calls where others jump: notes in detail/promise.hpp.
TEST(Coro, may_be_awaited_a_million_times_in_a_loop) {
  const auto amain = []() -> Coro<int> {
    int sum = 0;
    for (int i = 0; i < 1'000'000; ++i) sum += co_await number(1);
    co_return sum;
  };
  EXPECT_EQ(in_virtual_time(amain()), 1'000'000);
}

TEST(Coro, may_wait_a_hundred_thousand_times_in_a_loop) {
  const auto amain = []() -> Coro<int> {
    int sum = 0;
    for (int i = 0; i < 100'000; ++i) sum += co_await number_later(1);
    co_return sum;
  };
  EXPECT_EQ(in_virtual_time(amain()), 100'000);
}

Coro<int> deep(int levels) {
  if (levels == 0) {
    co_await sleep(1s);
    co_return 0;
  }
  co_return 1 + co_await deep(levels - 1);
}

TEST(Coro, goes_on_in_its_parents_one_after_the_other) {
  EXPECT_EQ(in_virtual_time(deep(500)), 500);
}

struct Noted {
  Noted(Log& to, std::string text) : log(&to), name(std::move(text)) {}
  Noted(Noted&& other) noexcept : log(std::exchange(other.log, nullptr)), name(std::move(other.name)) {}
  Noted& operator=(Noted&&) = delete;
  ~Noted() {
    if (log != nullptr) log->push_back("~" + name);
  }
  Log* log;
  std::string name;
};

TEST(Coro, destroys_its_parameters_whether_it_was_awaited_or_not) {
  Log log;
  const auto body = [](Noted parameter, Log& to) -> Coro<> {
    const Noted local(to, "local of " + parameter.name);
    co_await yield();
  };
  { static_cast<void>(body(Noted(log, "dropped"), log)); }
  EXPECT_EQ(log, Log{"~dropped"});
  log.clear();
  in_virtual_time(body(Noted(log, "run"), log));
  EXPECT_EQ(log, (Log{"~local of run", "~run"}));
}

TEST(Coro, may_be_moved_before_it_is_awaited) {
  const auto amain = []() -> Coro<int> {
    Coro<int> one = number(1);
    Coro<int> two = number(2);
    std::swap(one, two);
    Coro<int> moved = std::move(one);
    co_return co_await std::move(moved) * 10 + co_await std::move(two);
  };
  EXPECT_EQ(in_virtual_time(amain()), 21);
}

// What must go on compiling beside the misuse that does not (tests/compile_fail/asyncio_*).
Coro<int> forwarded(int n) {
  return number(n);
}
template <class F>
Coro<int> call_later(F function) {
  co_await yield();
  co_return function();
}
template <class F>
Coro<int> call_referred(const F& function) {
  co_await yield();
  co_return co_await function();
}
struct Server {
  Coro<int> answer(int n) const { co_return n + base; }
  int base = 40;
};

TEST(Coro, takes_capturing_callables_and_is_forwarded_by_plain_functions) {
  const auto amain = []() -> Coro<> {
    const std::string text = "four";
    EXPECT_EQ(co_await forwarded(7), 7);
    auto size = [text] { return static_cast<int>(text.size()); };
    EXPECT_EQ(co_await call_later(size), 4);
    auto make = [text] { return number(static_cast<int>(text.size())); };
    EXPECT_EQ(co_await call_referred(make), 4);
    const Server server;
    EXPECT_EQ(co_await server.answer(2), 42);
  };
  in_virtual_time(amain());
}

}  // namespace
}  // namespace nogil::asyncio
