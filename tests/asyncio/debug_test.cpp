// tests/asyncio/debug_test.cpp -- what debug mode reports, and that nothing is said without it.

#include "nogil/asyncio/detail/debug.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>

#include "asyncio/support/virtual_time.hpp"
#include "nogil/asyncio/run.hpp"
#include "nogil/asyncio/sleep.hpp"
#include "nogil/threading/event.hpp"
#include "nogil/threading/lock.hpp"

namespace nogil::asyncio {
namespace {

using namespace std::chrono_literals;

// What is written to stderr while `body` runs in a loop, in debug mode or not.
template <class T>
std::string said(Coro<T> body, bool debug = true) {
  ::testing::internal::CaptureStderr();
  {
    EventLoop loop;
    loop.set_debug(debug);
    loop.run_until_complete(std::move(body));
  }
  return ::testing::internal::GetCapturedStderr();
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// In one line: compilers say where it begins, or where it ends.
// clang-format off
Coro<> save() { co_return; }
constexpr int kLineOfSave = __LINE__ - 1;
// clang-format on

Coro<> forget() {
  static_cast<void>(save());
  co_return;
}

TEST(AsyncioDebug, says_which_coroutine_was_never_awaited) {
  const std::string report = said(forget());
  EXPECT_TRUE(has(report, "save' was never awaited")) << report;
  EXPECT_TRUE(has(report, "debug_test.cpp:" + std::to_string(kLineOfSave))) << report;
  EXPECT_EQ(said(forget(), false), "");
}

Coro<> busy() {
  co_await yield();
  const auto end = std::chrono::steady_clock::now() + 15ms;
  while (std::chrono::steady_clock::now() < end) {
  }
}
Coro<> impatient() {
  get_running_loop().set_slow_callback_duration(10ms);
  co_await busy();
}

TEST(AsyncioDebug, says_which_task_took_long) {
  const std::string report = said(impatient());
  EXPECT_TRUE(has(report, "Task-1 (")) << report;
  EXPECT_TRUE(has(report, "took 0.0")) << report;
  EXPECT_EQ(said(impatient(), false), "");
}

Coro<> stubborn() {
  try {
    co_await sleep(1h);
  } catch (...) {
  }
}
Coro<> cancel_it() {
  const Task<> task = create_task(stubborn(), "mule");
  co_await yield();
  task.cancel();
  co_await task;
}

TEST(AsyncioDebug, says_which_task_swallowed_its_cancellation) {
  const std::string report = said(cancel_it());
  EXPECT_TRUE(has(report, "stubborn at ")) << report;
  EXPECT_TRUE(has(report, "caught CancelledError")) << report;
  EXPECT_EQ(said(cancel_it(), false), "");
}

Coro<> wait_as_a_thread() {
  nogil::Event event;
  EXPECT_FALSE(event.wait(1ms));
  co_return;
}
Coro<> wait_for_nothing() {
  nogil::Event event;
  event.set();
  event.wait();
  nogil::Lock lock;
  lock.acquire();
  lock.release();
  EXPECT_FALSE(lock.acquire(0s) && lock.acquire(0s));
  co_return;
}

TEST(AsyncioDebug, says_which_task_stops_the_loop_in_a_wait_for_threads) {
  const std::string report = said(wait_as_a_thread());
  EXPECT_TRUE(has(report, "wait_as_a_thread at ")) << report;
  EXPECT_TRUE(has(report, "waits as a thread does")) << report;
  EXPECT_EQ(said(wait_for_nothing()), "");
  EXPECT_EQ(said(wait_as_a_thread(), false), "");
  ::testing::internal::CaptureStderr();
  nogil::Event event;
  EXPECT_FALSE(event.wait(1ms));  // no loop here
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

Coro<> call_from_elsewhere() {
  EventLoop& loop = get_running_loop();
  std::thread other([&loop] {
    EXPECT_THROW(loop.call_soon([] {}), RuntimeError);
    EXPECT_THROW(loop.call_later(1s, [] {}), RuntimeError);
    EXPECT_THROW(loop.create_task(save()), RuntimeError);
    loop.call_soon_threadsafe([] {});
  });
  other.join();
  co_return;
}

TEST(AsyncioDebug, refuses_calls_from_a_wrong_thread) {
  said(call_from_elsewhere());
}

TEST(AsyncioDebug, may_be_asked_for_in_the_environment) {
  EXPECT_FALSE(EventLoop().get_debug());
  ::setenv("NOGIL_ASYNCIO_DEBUG", "1", 1);
  EXPECT_TRUE(EventLoop().get_debug());
  ::unsetenv("NOGIL_ASYNCIO_DEBUG");
}

Coro<> nap() {
  co_await sleep(1h);
}
Coro<> join_it(Task<> task) {
  co_await task;
}
Coro<std::string> look() {
  const Task<> napping = create_task(nap(), "napper");
  const Task<> joining = create_task(join_it(napping), "joiner");
  co_await yield();
  const Task<> fresh = create_task(nap(), "fresh");
  co_return get_running_loop().dump_tasks();
}

TEST(DumpTasks, tells_who_waits_for_what) {
  const std::string dump = testing::in_virtual_time(look());
  EXPECT_TRUE(has(dump, "look at ")) << dump;
  EXPECT_TRUE(has(dump, ") runs\n")) << dump;
  EXPECT_TRUE(has(dump, "nap at ")) << dump;
  EXPECT_TRUE(has(dump, ") waits for sleep\n")) << dump;
  EXPECT_TRUE(has(dump, ") waits for task napper\n")) << dump;
  EXPECT_TRUE(has(dump, ") has not begun\n")) << dump;
}

}  // namespace
}  // namespace nogil::asyncio
