// tests/asyncio/order_more_test.cpp -- combinators and primitives beside CPython's: see order_test.cpp.

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "asyncio/support/beside_cpython.hpp"
#include "nogil/asyncio/event.hpp"
#include "nogil/asyncio/gather.hpp"
#include "nogil/asyncio/lock.hpp"
#include "nogil/asyncio/queue.hpp"
#include "nogil/asyncio/run.hpp"
#include "nogil/asyncio/semaphore.hpp"
#include "nogil/asyncio/shield.hpp"
#include "nogil/asyncio/sleep.hpp"
#include "nogil/asyncio/wait.hpp"
#include "nogil/asyncio/wait_for.hpp"

namespace nogil::asyncio {
namespace {

using namespace std::chrono_literals;
using testing::note;
using testing::note_all;

Coro<> tick(int rounds) {
  for (int i = 0; i < rounds; ++i) {
    note("tick" + std::to_string(i));
    co_await sleep(0s);
  }
}

Coro<int> value(int n, int rounds) {
  for (int i = 0; i < rounds; ++i) co_await sleep(0s);
  co_return n;
}

Coro<int> fail(std::string text, int rounds) {
  for (int i = 0; i < rounds; ++i) co_await sleep(0s);
  throw ValueError(text);
}

Coro<> nap(std::string name, std::chrono::milliseconds length) {
  try {
    co_await sleep(length);
    note(name + " woke");
  } catch (const CancelledError&) {
    note(name + " cancelled");
    throw;
  }
}

Coro<> gather_values() {
  const auto ticker = create_task(tick(10));
  co_await sleep(0s);
  auto both = co_await gather(value(1, 2), value(2, 1));
  auto& [a, b] = both;
  note_all(a, b);
  co_await ticker;
}

Coro<> gather_failure() {
  const auto ticker = create_task(tick(10));
  const auto other = create_task(nap("other", 50ms));
  auto failing = fail("first", 2);
  try {
    co_await gather(std::move(failing), other);
  } catch (const ValueError& error) {
    note(error.what());
  }
  note_all(other.done());
  co_await other;
  co_await ticker;
}

Coro<> both(Task<> a, Task<> b) {
  co_await gather(a, b);
}

Coro<> gather_cancelled() {
  const auto a = create_task(nap("a", 10s));
  const auto b = create_task(nap("b", 10s));
  const auto task = create_task(both(a, b));
  const auto ticker = create_task(tick(8));
  co_await sleep(0s);
  co_await sleep(0s);
  task.cancel();
  try {
    co_await task;
  } catch (const CancelledError&) {
    note("cancelled");
  }
  note_all(a.cancelled(), b.cancelled());
  co_await ticker;
}

Coro<> lock_user(Lock& lock, std::string name, int rounds) {
  co_await lock.acquire();
  note(name + " has it");
  for (int i = 0; i < rounds; ++i) co_await sleep(0s);
  note(name + " lets go");
  lock.release();
}

Coro<> lock_order() {
  Lock lock;
  const auto a = create_task(lock_user(lock, "a", 2));
  const auto b = create_task(lock_user(lock, "b", 0));
  const auto c = create_task(lock_user(lock, "c", 1));
  const auto ticker = create_task(tick(8));
  co_await sleep(0s);
  b.cancel();
  co_await a;
  co_await c;
  co_await ticker;
}

Coro<> event_waiter(Event& event, std::string name) {
  co_await event.wait();
  note(name);
}

Coro<> event_order() {
  Event event;
  std::vector<Task<>> tasks;
  for (const char* name : {"a", "b", "c"}) tasks.push_back(create_task(event_waiter(event, name)));
  co_await sleep(0s);
  event.set();
  note("set");
  const auto ticker = create_task(tick(3));
  for (const Task<>& task : tasks) co_await task;
  co_await ticker;
}

Coro<> semaphore_user(Semaphore& semaphore, std::string name) {
  co_await semaphore.acquire();
  note(name + " in");
  co_await sleep(0s);
  note(name + " out");
  semaphore.release();
}

Coro<> semaphore_order() {
  Semaphore semaphore(1);
  std::vector<Task<>> tasks;
  for (const char* name : {"a", "b", "c"}) tasks.push_back(create_task(semaphore_user(semaphore, name)));
  const auto ticker = create_task(tick(8));
  for (const Task<>& task : tasks) co_await task;
  co_await ticker;
}

Coro<> producer(Queue<std::string>& queue, std::string name) {
  for (int i = 0; i < 2; ++i) {
    std::string item = name + std::to_string(i);
    co_await queue.put(item);
    note("put " + item);
  }
}

Coro<> consumer(Queue<std::string>& queue, std::string name) {
  for (int i = 0; i < 2; ++i) {
    const std::string item = co_await queue.get();
    note(name + " got " + item);
  }
}

Coro<> queue_order() {
  Queue<std::string> queue(1);
  std::vector<Task<>> tasks;
  tasks.push_back(create_task(producer(queue, "p")));
  tasks.push_back(create_task(consumer(queue, "c")));
  tasks.push_back(create_task(producer(queue, "q")));
  tasks.push_back(create_task(consumer(queue, "d")));
  const auto ticker = create_task(tick(10));
  for (const Task<>& task : tasks) co_await task;
  co_await ticker;
}

Coro<> shields(Task<> inner) {
  co_await shield(inner);
}

Coro<> shielded() {
  const auto inner = create_task(nap("inner", 2ms));
  const auto task = create_task(shields(inner));
  co_await sleep(0s);
  task.cancel();
  try {
    co_await task;
  } catch (const CancelledError&) {
    note("outer cancelled");
  }
  note_all(inner.done());
  co_await inner;
}

Coro<> waits_first() {
  const auto a = create_task(nap("a", 1ms));
  const auto b = create_task(nap("b", 500ms));
  const std::vector<Task<>> tasks{a, b};
  const auto first = co_await wait(tasks, FIRST_COMPLETED);
  note_all(static_cast<int>(first.done.size()), static_cast<int>(first.pending.size()));
  const auto second = co_await wait(tasks, 1ms);
  note_all(static_cast<int>(second.done.size()), static_cast<int>(second.pending.size()));
  co_await b;
}

Coro<> wait_for_timeout() {
  const auto task = create_task(nap("slow", 10s));
  try {
    co_await wait_for(task, 1ms);
  } catch (const TimeoutError&) {
    note("timeout");
  }
  note_all(task.cancelled(), current_task().cancelling());
  auto quick = value(5, 1);
  const int got = co_await wait_for(std::move(quick), 1s);
  note_all(got);
}

TEST(AsyncioOrder, of_combinators_and_primitives_is_that_of_cpython) {
  const std::string theirs = testing::logs_of_cpython("order_more.py");
  if (theirs.empty()) GTEST_SKIP() << "no python3 of version 3.11 or later";
  testing::Play play;
  play("gather_values", gather_values());
  play("gather_failure", gather_failure());
  play("gather_cancelled", gather_cancelled());
  play("lock_order", lock_order());
  play("event_order", event_order());
  play("semaphore_order", semaphore_order());
  play("queue_order", queue_order());
  play("shielded", shielded());
  play("waits_first", waits_first());
  play("wait_for_timeout", wait_for_timeout());
  EXPECT_EQ(play.logs, theirs);
}

}  // namespace
}  // namespace nogil::asyncio
