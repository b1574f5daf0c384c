// tests/asyncio/order_test.cpp -- the same scenarios, run by CPython and by us: the logs must agree.
//
// python/order.py has the same functions in the same order. Where there is no python3 the
// test is skipped.

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "asyncio/support/beside_cpython.hpp"
#include "nogil/asyncio/run.hpp"
#include "nogil/asyncio/sleep.hpp"

namespace nogil::asyncio {
namespace {

using namespace std::chrono_literals;

using testing::note;
using testing::note_all;
using testing::text_of;

Coro<> worker(std::string name, int rounds) {
  for (int i = 0; i < rounds; ++i) {
    note(name + std::to_string(i));
    co_await sleep(0s);
  }
}

Coro<int> value(int n) {
  co_return n;
}

Coro<> sleeper(std::string name, std::chrono::milliseconds length) {
  co_await sleep(length);
  note(name);
}

template <class T>
Coro<> waits_for(std::string name, Task<T> task) {
  try {
    co_await task;
    note(name + " joined");
  } catch (const CancelledError&) {
    note(name + " cancelled");
    throw;
  }
}

Coro<> soon_and_tasks() {
  EventLoop& loop = get_running_loop();
  loop.call_soon(note, "soon 1");
  const auto a = create_task(worker("a", 2));
  loop.call_soon(note, "soon 2");
  const auto b = create_task(worker("b", 3));
  note("main");
  co_await a;
  note("a joined");
  loop.call_soon(note, "soon 3");
  co_await b;
  note("b joined");
}

Coro<> hops() {
  const auto counter = create_task(worker("tick", 12));
  co_await sleep(0s);
  auto task = create_task(value(1));
  co_await task;
  note("joined");
  co_await sleep(0s);
  note("yielded");
  task = create_task(value(2));
  task.add_done_callback([](const Task<int>& done) { note("callback " + std::to_string(done.result())); });
  co_await task;
  note("joined again");
  co_await sleep(1ms);
  co_await counter;
}

Coro<> timers() {
  EventLoop& loop = get_running_loop();
  const auto when = loop.time() + 5ms;
  loop.call_at(when, note, "at 1");
  loop.call_at(when, note, "at 2");
  loop.call_later(2ms, note, "later 2");
  loop.call_later(1ms, note, "later 1");
  loop.call_later(0s, note, "later 0");
  loop.call_soon(note, "soon");
  co_await sleep(20ms);
}

Coro<> joiners() {
  const auto first = create_task(sleeper("first", 1ms));
  const auto a = create_task(waits_for("a", first));
  const auto b = create_task(waits_for("b", first));
  first.add_done_callback([](Task<>) { note("callback"); });
  const auto c = create_task(waits_for("c", b));
  co_await c;
  note_all(a.done(), b.done());
}

Coro<> cancel_chain() {
  const auto first = create_task(sleeper("never", 10s));
  const auto a = create_task(waits_for("a", first));
  const auto b = create_task(waits_for("b", a));
  const auto other = create_task(waits_for("other", first));
  co_await sleep(0s);
  co_await sleep(0s);
  b.cancel();
  note_all(first.cancelling(), a.cancelling(), b.cancelling());
  const auto ticker = create_task(worker("tick", 6));
  try {
    co_await b;
  } catch (const CancelledError&) {
    note("main");
  }
  note_all(first.cancelled(), a.cancelled(), b.cancelled(), other.done());
  co_await ticker;
  note_all(other.cancelled());
}

Coro<> cancel_early() {
  const auto a = create_task(worker("a", 1));
  const auto b = create_task(worker("b", 1));
  a.add_done_callback([](const Task<>& done) { note("a " + text_of(done.cancelled())); });
  a.cancel();
  note_all(a.done());
  co_await sleep(0s);
  note_all(a.done(), b.done());
  co_await sleep(0s);
  note_all(b.done());
}

Coro<int> stubborn(std::string name) {
  for (int i = 0; i < 2; ++i) {
    try {
      co_await sleep(10s);
    } catch (const CancelledError&) {
      note(name + " " + std::to_string(i));
    }
  }
  co_await sleep(0s);
  co_return 5;
}

Coro<> refuse() {
  const auto task = create_task(stubborn("mule"));
  const auto joiner = create_task(waits_for("joiner", task));
  co_await sleep(0s);
  note_all(joiner.cancel());
  co_await sleep(0s);
  co_await sleep(0s);
  const bool again = joiner.cancel();
  note_all(again, task.cancelling(), joiner.cancelling());
  co_await joiner;
  note_all(task.result(), task.cancelled(), task.cancelling(), joiner.cancelling());
  note_all(joiner.cancel());
}

Coro<> self_cancel() {
  const TaskHandle me = current_task();
  me.cancel();
  try {
    co_await sleep(0s);
  } catch (const CancelledError&) {
    note("at sleep 0");
  }
  me.cancel();
  const auto task = create_task(sleeper("inner", 10s));
  try {
    co_await task;
  } catch (const CancelledError&) {
    note("at join " + text_of(task.cancelled()) + " " + text_of(task.cancelling()));
  }
  const int left = me.uncancel();
  note_all(left, me.uncancel());
}

TEST(AsyncioOrder, is_that_of_cpython) {
  const std::string theirs = testing::logs_of_cpython("order.py");
  if (theirs.empty()) GTEST_SKIP() << "no python3 of version 3.11 or later";
  testing::Play play;
  play("soon_and_tasks", soon_and_tasks());
  play("hops", hops());
  play("timers", timers());
  play("joiners", joiners());
  play("cancel_chain", cancel_chain());
  play("cancel_early", cancel_early());
  play("refuse", refuse());
  play("self_cancel", self_cancel());
  EXPECT_EQ(play.logs, theirs);
}

}  // namespace
}  // namespace nogil::asyncio
