// tests/asyncio/to_thread_test.cpp -- after CPython's test_threads.py and RunCoroutineThreadsafeTests.

#include "nogil/asyncio/to_thread.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "nogil/asyncio/run.hpp"
#include "nogil/asyncio/sleep.hpp"
#include "nogil/futures/promise.hpp"
#include "nogil/threading/event.hpp"
#include "support/threads.hpp"

namespace nogil::asyncio {
namespace {

using namespace std::chrono_literals;

Coro<int> number(int n) {
  co_await yield();
  co_return n;
}

// ---- to_thread and run_in_executor ----------------------------------------------------------

TEST(ToThread, runs_a_function_elsewhere_while_the_loop_goes_on) {
  const auto amain = []() -> Coro<> {
    nogil::Event let_go;
    const auto blocked = [](nogil::Event& event) {
      event.wait();
      return std::this_thread::get_id();
    };
    const auto thread = create_task(to_thread(blocked, std::ref(let_go)));
    co_await sleep(1ms);
    EXPECT_FALSE(thread.done());
    let_go.set();
    EXPECT_NE(co_await thread, std::this_thread::get_id());
  };
  run(amain());
}

TEST(ToThread, passes_arguments_and_results_that_cannot_be_copied) {
  const auto amain = []() -> Coro<> {
    const auto add = [](std::unique_ptr<int> value, int more) { return std::make_unique<int>(*value + more); };
    auto forty = std::make_unique<int>(40);
    const std::unique_ptr<int> sum = co_await to_thread(add, std::move(forty), 2);
    EXPECT_EQ(*sum, 42);
  };
  run(amain());
}

TEST(ToThread, throws_what_the_function_throws) {
  const auto amain = []() -> Coro<> {
    const auto fail = [] { throw std::out_of_range("thread"); };
    EXPECT_THROW(co_await to_thread(fail), std::out_of_range);
  };
  run(amain());
}

TEST(ToThread, has_threads_for_several_that_wait_for_each_other) {
  const auto amain = []() -> Coro<> {
    nogil::Event first;
    nogil::Event second;
    const auto meet = [](nogil::Event& mine, nogil::Event& other) {
      mine.set();
      other.wait();
    };
    const auto a = create_task(to_thread(meet, std::ref(first), std::ref(second)));
    const auto b = create_task(to_thread(meet, std::ref(second), std::ref(first)));
    co_await a;
    co_await b;
  };
  run(amain());
}

TEST(ToThread, frees_who_is_cancelled_and_lets_the_thread_finish) {
  std::atomic<bool> begun{false};
  std::atomic<bool> finished{false};
  nogil::Event let_go;
  const auto amain = [](nogil::Event& event, std::atomic<bool>& at_work, std::atomic<bool>& flag) -> Coro<> {
    const auto work = [](nogil::Event& to_wait_for, std::atomic<bool>& begins, std::atomic<bool>& done) {
      begins = true;
      to_wait_for.wait();
      done = true;
    };
    const auto task = create_task(to_thread(work, std::ref(event), std::ref(at_work), std::ref(flag)));
    while (!at_work) co_await sleep(1ms);  // who has not begun would not run at all
    task.cancel();
    EXPECT_THROW(co_await task, CancelledError);
    EXPECT_FALSE(flag);
    event.set();
  };
  run(amain(let_go, begun, finished));
  EXPECT_TRUE(finished);  // the loop's end joins its threads
}

TEST(RunInExecutor, begins_at_once_and_takes_any_executor) {
  ThreadPoolExecutor pool(1);
  const auto amain = [](ThreadPoolExecutor& executor) -> Coro<> {
    nogil::Event begun;
    const auto work = [](nogil::Event& event) {
      event.set();
      return 5;
    };
    const Task<int> task = run_in_executor(executor, work, std::ref(begun));
    begun.wait();  // before anybody awaits it
    EXPECT_EQ(co_await task, 5);
  };
  run(amain(pool));
}

TEST(RunInExecutor, never_runs_what_was_cancelled_in_the_queue) {
  ThreadPoolExecutor pool(1);
  std::atomic<int> runs{0};
  const auto amain = [](ThreadPoolExecutor& executor, std::atomic<int>& count) -> Coro<> {
    nogil::Event let_go;
    const auto hold = [](nogil::Event& event) { event.wait(); };
    const auto work = [](std::atomic<int>& to) { ++to; };
    const Task<> holds = run_in_executor(executor, hold, std::ref(let_go));
    const Task<> queued = run_in_executor(executor, work, std::ref(count));
    co_await yield();
    queued.cancel();
    EXPECT_THROW(co_await queued, CancelledError);
    let_go.set();
    co_await holds;
  };
  run(amain(pool, runs));
  pool.shutdown();
  EXPECT_EQ(runs, 0);
}

// ---- co_await on a nogil::Future --------------------------------------------------------------

TEST(AwaitFuture, gives_a_reference_or_moves_the_result_out) {
  ThreadPoolExecutor pool(2);
  const auto amain = [](ThreadPoolExecutor& executor) -> Coro<> {
    const auto text = [] { return std::string(100, 'x'); };
    const nogil::Future<std::string> future = executor.submit(text);
    const std::string& seen = co_await future;
    EXPECT_EQ(seen.size(), 100u);
    EXPECT_EQ(&seen, &future.result());
    const auto owner = [] { return std::make_unique<int>(3); };
    auto owned = executor.submit(owner);
    const std::unique_ptr<int> got = co_await std::move(owned);
    EXPECT_EQ(*got, 3);
    const auto nothing = [] {};
    co_await executor.submit(nothing);
  };
  run(amain(pool));
}

TEST(AwaitFuture, of_one_that_is_done_does_not_wait) {
  nogil::Promise<int> promise;
  promise.set_result(7);
  const auto amain = [](nogil::Future<int> future) -> Coro<> {
    bool others = false;
    const Handle handle = get_running_loop().call_soon([&] { others = true; });
    EXPECT_EQ(co_await future, 7);
    EXPECT_FALSE(others);
    handle.cancel();
  };
  run(amain(promise.get_future()));
}

TEST(AwaitFuture, of_a_cancelled_one_throws_that_of_asyncio) {
  nogil::Promise<int> promise;
  auto future = promise.get_future();
  future.cancel();
  const auto amain = [](nogil::Future<int> cancelled) -> Coro<> { EXPECT_THROW(co_await cancelled, CancelledError); };
  run(amain(future));
}

TEST(AwaitFuture, when_cancelled_cancels_the_future) {
  nogil::Promise<int> promise;
  const auto amain = [](nogil::Future<int> future) -> Coro<> {
    const auto wait = [](nogil::Future<int> awaited) -> Coro<int> { co_return co_await awaited; };
    const auto task = create_task(wait(future));
    co_await yield();
    task.cancel();
    EXPECT_THROW(co_await task, CancelledError);
    EXPECT_TRUE(future.cancelled());
  };
  run(amain(promise.get_future()));
}

TEST(AwaitFuture, may_be_set_and_cancelled_at_once_from_two_threads) {
  const auto one = [](nogil::Future<int> future, std::atomic<int>& go) -> Coro<> {
    const auto wait = [](nogil::Future<int> awaited) -> Coro<int> { co_return co_await awaited; };
    const auto task = create_task(wait(future));
    co_await yield();
    go = 1;
    task.cancel();
    try {
      EXPECT_EQ(co_await task, 1);
    } catch (const CancelledError&) {
    }
  };
  const auto amain = [](auto make) -> Coro<> {
    for (int i = 0; i < testing::rounds(500); ++i) {
      nogil::Promise<int> promise;
      auto future = promise.get_future();
      EXPECT_TRUE(future.set_running_or_notify_cancel());
      std::atomic<int> go{0};
      std::thread setter([&] {
        while (go == 0) std::this_thread::yield();
        promise.set_result(1);
      });
      co_await make(future, go);
      setter.join();
    }
  };
  run(amain(one));
}

TEST(AwaitFuture, loses_no_result_of_many_tasks) {
  ThreadPoolExecutor pool(2);
  const int count = testing::rounds(3000);
  const auto amain = [](ThreadPoolExecutor& executor, int times) -> Coro<long> {
    std::vector<Task<int>> tasks;
    const auto same = [](int n) { return n; };
    for (int i = 0; i < times; ++i) tasks.push_back(run_in_executor(executor, same, i));
    long sum = 0;
    for (const Task<int>& task : tasks) sum += co_await task;
    co_return sum;
  };
  EXPECT_EQ(run(amain(pool, count)), long{count} * (count - 1) / 2);
}

// ---- run_coroutine_threadsafe -----------------------------------------------------------------

// A loop in a thread of its own.
class LoopThread {
 public:
  LoopThread() : thread_([this] { loop.run_forever(); }) {}
  ~LoopThread() {
    loop.stop();
    thread_.join();
  }
  EventLoop loop;

 private:
  std::thread thread_;
};

TEST(RunCoroutineThreadsafe, gives_the_result_or_the_exception) {
  LoopThread other;
  EXPECT_EQ(run_coroutine_threadsafe(number(4), other.loop).result(), 4);
  const auto fail = []() -> Coro<> {
    co_await yield();
    throw std::out_of_range("remote");
  };
  EXPECT_THROW(run_coroutine_threadsafe(fail(), other.loop).result(), std::out_of_range);
  const auto owner = []() -> Coro<std::unique_ptr<int>> { co_return std::make_unique<int>(3); };
  EXPECT_EQ(*run_coroutine_threadsafe(owner(), other.loop).result(), 3);
}

TEST(RunCoroutineThreadsafe, cancels_the_task_with_the_future) {
  LoopThread other;
  std::atomic<int> state{0};
  const auto wait = [](std::atomic<int>& to) -> Coro<> {
    to = 1;
    try {
      co_await sleep(1h);
    } catch (const CancelledError&) {
      to = 2;
      throw;
    }
  };
  auto future = run_coroutine_threadsafe(wait(state), other.loop);
  ASSERT_TRUE(testing::eventually([&] { return state == 1; }));
  EXPECT_TRUE(future.cancel());
  EXPECT_TRUE(testing::eventually([&] { return state == 2; }));
  EXPECT_THROW(future.result(), nogil::CancelledError);
}

TEST(RunCoroutineThreadsafe, cancels_the_future_with_the_task) {
  LoopThread other;
  const auto suicide = []() -> Coro<> {
    current_task().cancel();
    co_await yield();
  };
  const auto future = run_coroutine_threadsafe(suicide(), other.loop);
  EXPECT_THROW(future.result(), nogil::CancelledError);
}

TEST(RunCoroutineThreadsafe, never_runs_what_was_cancelled_before) {
  EventLoop loop;
  bool ran = false;
  const auto body = [](bool& flag) -> Coro<> {
    flag = true;
    co_return;
  };
  auto future = run_coroutine_threadsafe(body(ran), loop);
  EXPECT_TRUE(future.cancel());
  loop.call_later(1ms, [&] { loop.stop(); });
  loop.run_forever();
  EXPECT_FALSE(ran);
}

TEST(RunCoroutineThreadsafe, may_be_cancelled_while_the_loop_ends) {
  for (int i = 0; i < testing::rounds(300); ++i) {
    nogil::Future<int> future;
    std::atomic<bool> go{false};
    std::thread canceller;
    {
      EventLoop loop;
      future = run_coroutine_threadsafe(number(1), loop);
      canceller = std::thread([&go, future]() mutable {
        while (!go) std::this_thread::yield();
        future.cancel();
      });
      loop.call_soon([&] {
        go = true;
        loop.stop();
      });
      loop.run_forever();
    }
    canceller.join();
    EXPECT_TRUE(future.done());
  }
}

}  // namespace
}  // namespace nogil::asyncio
