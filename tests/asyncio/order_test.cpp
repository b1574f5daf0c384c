// tests/asyncio/order_test.cpp -- the same scenarios, run by CPython and by us: the logs must agree.
//
// python/order.py has the same functions in the same order. Where there is no python3 the
// test is skipped.

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "nogil/asyncio/run.hpp"
#include "nogil/asyncio/sleep.hpp"
#include "support/watchdog.hpp"

namespace nogil::asyncio {
namespace {

using namespace std::chrono_literals;

std::vector<std::string> g_log;

void note(const std::string& text) {
  g_log.push_back(text);
}
std::string text_of(bool value) {
  return value ? "True" : "False";
}
std::string text_of(int value) {
  return std::to_string(value);
}
template <class... Values>
void note_all(Values... values) {
  std::string text;
  ((text += (text.empty() ? "" : " ") + text_of(values)), ...);
  note(text);
}

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

std::string our_logs() {
  std::string logs;
  const auto play = [&logs](const char* name, Coro<> scenario) {
    g_log.clear();
    run(std::move(scenario));
    logs += std::string("== ") + name + "\n";
    for (const std::string& line : g_log) logs += line + "\n";
  };
  play("soon_and_tasks", soon_and_tasks());
  play("hops", hops());
  play("timers", timers());
  play("joiners", joiners());
  play("cancel_chain", cancel_chain());
  play("cancel_early", cancel_early());
  play("refuse", refuse());
  play("self_cancel", self_cancel());
  return logs;
}

// What CPython says; empty if there is none.
std::string their_logs() {
  const auto script = std::filesystem::path(__FILE__).parent_path() / "python" / "order.py";
  std::FILE* const output = ::popen(("python3 '" + script.string() + "' 2>/dev/null").c_str(), "r");
  if (output == nullptr) return "";
  std::string logs;
  std::array<char, 4096> part;
  while (const std::size_t got = std::fread(part.data(), 1, part.size(), output)) logs.append(part.data(), got);
  return ::pclose(output) == 0 ? logs : "";
}

TEST(AsyncioOrder, is_that_of_cpython) {
  const std::string theirs = their_logs();
  if (theirs.empty()) GTEST_SKIP() << "no python3 of version 3.11 or later";
  EXPECT_EQ(our_logs(), theirs);
}

}  // namespace
}  // namespace nogil::asyncio
