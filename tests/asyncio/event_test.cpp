// tests/asyncio/event_test.cpp -- after CPython's test_locks.py.

#include "nogil/asyncio/event.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "asyncio/support/steps.hpp"

namespace nogil::asyncio {
namespace {

using namespace testing;

Coro<> passes(Event& event, Log& log, std::string name) {
  EXPECT_TRUE(co_await event.wait());
  log.push_back(name);
}

TEST(AsyncEvent, wakes_all_who_wait_in_the_order_of_their_coming) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    Event event;
    EXPECT_FALSE(event.is_set());
    for (const char* name : {"a", "b", "c"}) create_task(passes(event, log, name));
    co_await pass_rounds(2);
    EXPECT_TRUE(log.empty());
    event.set();
    EXPECT_TRUE(log.empty());
    co_await yield();
  };
  in_virtual_time(amain());
  EXPECT_EQ(log, (Log{"a", "b", "c"}));
}

TEST(AsyncEvent, does_not_make_wait_when_it_is_set) {
  const auto amain = []() -> Coro<> {
    Event event;
    event.set();
    static bool other_ran;
    other_ran = false;
    get_running_loop().call_soon([] { other_ran = true; });
    EXPECT_TRUE(co_await event.wait());
    EXPECT_FALSE(other_ran);
    event.clear();
    EXPECT_FALSE(event.is_set());
  };
  in_virtual_time(amain());
}

TEST(AsyncEvent, lets_go_on_who_was_woken_though_it_is_cleared) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    Event event;
    const Task<> a = create_task(passes(event, log, "a"));
    co_await yield();
    event.set();
    event.clear();
    const Task<> b = create_task(passes(event, log, "b"));
    co_await pass_rounds(3);
    EXPECT_EQ(log, Log{"a"});
    event.set();
    co_await b;
  };
  in_virtual_time(amain());
}

TEST(AsyncEvent, forgets_one_who_is_cancelled) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    Event event;
    const Task<> a = create_task(passes(event, log, "a"));
    const Task<> b = create_task(passes(event, log, "b"));
    co_await yield();
    a.cancel();
    event.set();
    EXPECT_TRUE(co_await ends_cancelled(a));
    co_await b;
  };
  in_virtual_time(amain());
  EXPECT_EQ(log, Log{"b"});
}

TEST(AsyncEvent, that_is_destroyed_first_lets_those_who_wait_be_cancelled) {
  static Log log;
  log.clear();
  const auto amain = []() -> Coro<> {
    auto event = std::make_unique<Event>();
    const Task<> a = create_task(passes(*event, log, "a"));
    co_await yield();
    event.reset();
    a.cancel();
    EXPECT_TRUE(co_await ends_cancelled(a));
  };
  in_virtual_time(amain());
}

}  // namespace
}  // namespace nogil::asyncio
