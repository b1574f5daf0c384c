// Tests of detail::Task, the block that an executor runs, and of what a worker does while it
// waits: with an executor and a helper of the test's own.

#include "nogil/futures/detail/future_task.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "nogil/futures/as_completed.hpp"
#include "nogil/futures/promise.hpp"
#include "nogil/futures/wait.hpp"
#include "support/allocations.hpp"
#include "support/threads.hpp"

namespace nogil::testing::task_test {

namespace {

using namespace std::chrono_literals;
using detail::TaskBlock;

// Keeps what it is given until it is told to run it.
class SlowExecutor {
 public:
  ~SlowExecutor() { run(); }

  template <class F, class... Args>
  requires detail::TaskCallable<F, Args...>
  auto submit(F&& f, Args&&... args) {
    using Call = detail::BoundCall<std::decay_t<F>, std::decay_t<Args>...>;
    TaskBlock& block = detail::Task<Call>::make(2, this, std::forward<F>(f), std::forward<Args>(args)...);
    queue_.push_back(&block);
    return detail::FutureAccess::take_over<Future<typename Call::Result>>(block);
  }

  void run() {
    for (TaskBlock* const block : std::exchange(queue_, {})) block->run(1);
  }

 private:
  std::vector<TaskBlock*> queue_;
};

TEST(TaskTest, gives_what_its_callable_returns) {
  SlowExecutor executor;
  int place = 0;
  const auto number = executor.submit([](int a, int b) { return a * b; }, 6, 7);
  const auto text = executor.submit([](std::string s) { return s + "!"; }, "hello");
  const auto nothing = executor.submit([&] { place = 1; });
  const auto reference = executor.submit([&]() -> int& { return place; });
  const auto member = executor.submit(&std::string::size, std::string("four"));
  auto owner = executor.submit([p = std::make_unique<int>(5)]() mutable { return std::move(p); });
  const auto bound = executor.submit([](int& n) { return ++n; }, std::ref(place));
  EXPECT_FALSE(number.done());
  executor.run();
  EXPECT_EQ(number.result(), 42);
  EXPECT_EQ(text.result(), "hello!");
  nothing.result();
  EXPECT_EQ(&reference.result(), &place);
  EXPECT_EQ(member.result(), 4u);
  EXPECT_EQ(*std::move(owner).result(), 5);
  EXPECT_EQ(bound.result(), 2);
}

TEST(TaskTest, gives_what_its_callable_throws) {
  SlowExecutor executor;
  const auto failed = executor.submit([]() -> std::string { throw std::out_of_range("gone"); });
  executor.run();
  EXPECT_THROW(failed.result(), std::out_of_range);
}

TEST(TaskTest, takes_callables_and_results_of_any_size) {
  SlowExecutor executor;
  struct alignas(128) Large {
    char bytes[1000] = "large";
  };
  struct Pinned {
    explicit Pinned(int n) : number(n) {}
    Pinned(const Pinned&) = delete;
    Pinned& operator=(const Pinned&) = delete;
    int number;
  };
  const auto large = executor.submit([given = Large()] { return given; });
  const auto pinned = executor.submit([text = std::string(100, 'x')] { return Pinned(static_cast<int>(text.size())); });
  executor.run();
  EXPECT_STREQ(large.result().bytes, "large");
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&large.result()) % 128, 0u);
  EXPECT_EQ(pinned.result().number, 100);
}

TEST(TaskTest, has_destroyed_its_callable_before_it_is_done) {
  SlowExecutor executor;
  auto token = std::make_shared<int>(0);
  auto returning = executor.submit([token] { return 1; });
  auto throwing = executor.submit([token](auto) { throw 1; }, token);
  auto cancelled = executor.submit([](auto) { return 1; }, token);
  EXPECT_EQ(token.use_count(), 5);
  std::vector<long> seen;
  const auto look = [&](auto) { seen.push_back(token.use_count()); };
  returning.add_done_callback(look);
  throwing.add_done_callback(look);
  cancelled.add_done_callback(look);
  EXPECT_TRUE(cancelled.cancel());
  executor.run();
  EXPECT_EQ(seen, (std::vector<long>{4, 3, 1}));
}

TEST(TaskTest, runs_without_anybody_who_sees) {
  SlowExecutor executor;
  auto token = std::make_shared<int>(0);
  static_cast<void>(executor.submit([token] { ++*token; }));
  static_cast<void>(executor.submit([token] {
    ++*token;
    throw 1;
  }));
  executor.run();
  EXPECT_EQ(*token, 2);
  EXPECT_EQ(token.use_count(), 1);
}

TEST(TaskTest, gives_its_stop_token_to_who_needs_one) {
  SlowExecutor executor;
  auto stoppable = executor.submit([](std::stop_token token, int n) { return token.stop_requested() ? n : 0; }, 5);
  auto other = executor.submit([](int n) { return n; }, 5);
  auto either = executor.submit([](auto... args) { return sizeof...(args); }, 5);
  EXPECT_TRUE(stoppable.request_stop());
  EXPECT_FALSE(stoppable.request_stop()) << "it was requested before";
  EXPECT_FALSE(other.request_stop());
  executor.run();
  EXPECT_EQ(stoppable.result(), 5);
  EXPECT_EQ(either.result(), 1u) << "who can do without is given none";
  EXPECT_FALSE(stoppable.request_stop());
}

TEST(TaskTest, can_be_asked_to_stop_while_it_runs) {
  SlowExecutor executor;
  std::atomic<bool> running{false};
  auto future = executor.submit([&](std::stop_token token) {
    running = true;
    while (!token.stop_requested()) std::this_thread::yield();
    return 1;
  });
  std::thread worker([&] { executor.run(); });
  ASSERT_TRUE(eventually([&] { return running.load(); }));
  EXPECT_TRUE(future.running());
  EXPECT_FALSE(future.cancel());
  EXPECT_TRUE(future.request_stop());
  EXPECT_EQ(future.result(), 1);
  worker.join();
}

TEST(TaskTest, sets_its_result_itself) {
  SlowExecutor executor;
  auto future = executor.submit([] { return 1; });
  EXPECT_THROW(future.set_result(2), InvalidStateError);
  EXPECT_THROW(future.set_exception(2), InvalidStateError);
  EXPECT_THROW(future.set_running_or_notify_cancel(), RuntimeError);
  executor.run();
  EXPECT_EQ(future.result(), 1);
  EXPECT_THROW(future.set_result(2), InvalidStateError);
}

TEST(TaskTest, is_not_made_when_its_callable_cannot_be) {
  struct Thorny {
    Thorny() = default;
    Thorny(const Thorny&) { throw std::runtime_error("ouch"); }
    int operator()() const { return 1; }
  };
  SlowExecutor executor;
  const Thorny thorny;
  EXPECT_THROW(executor.submit(thorny), std::runtime_error);
}

TEST(TaskTest, needs_no_allocation_once_warm) {
  if (!kCountsAllocations) GTEST_SKIP() << "a sanitizer has its own operator new";
  int sum = 0;
  const auto use_all = [&sum] {
    const auto work = [&sum](int n) { return n + sum; };
    using Call = detail::BoundCall<decltype(work), int>;
    for (int i = 0; i < 100; ++i) {
      TaskBlock& block = detail::Task<Call>::make(2, nullptr, work, 1);
      const auto future = detail::FutureAccess::take_over<Future<int>>(block);
      const auto next = future.then([&sum](int n) { return n - sum; });
      Future<int> watched = next;
      watched.add_done_callback([&sum](const Future<int>& done) { sum += done.result(); });
      block.run(1);
      Promise<std::string> promise;
      const auto text = promise.get_future();
      promise.set_result("short");
      sum += static_cast<int>(text.result().size());
    }
  };
  use_all();
  const auto before = allocations().made;
  use_all();
  EXPECT_EQ(allocations().made, before);
  EXPECT_EQ(sum, 1200);
}

TEST(TaskTest, is_cancelled_once_or_run_once) {
  for (int round = 0; round < rounds(300); ++round) {
    SlowExecutor executor;
    std::atomic<int> runs{0};
    auto future = executor.submit([&] { ++runs; });
    std::atomic<int> cancels{0};
    Bunch others(2, [&, mine = future]() mutable { cancels += mine.cancel(); });
    executor.run();
    others.join();
    EXPECT_EQ(runs, cancels == 0 ? 1 : 0);
    EXPECT_EQ(cancels, future.cancelled() ? 2 : 0);
  }
}

// ---- Workers that wait ----------------------------------------------------------------

// Makes the thread a worker, for as long as it lives, that runs what is awaited.
class Helper final : public detail::WaitHelper {
 public:
  Helper() { detail::t_wait_helper = this; }
  ~Helper() { detail::t_wait_helper = nullptr; }

  bool help(TaskBlock& awaited, bool only) override {
    asked.push_back(&awaited);
    for_certain = only;
    if (deadlock) throw DeadlockError("a ring");
    if (awaited.executor() == nullptr || !awaited.claim(7)) return false;
    awaited.finish(awaited.call());
    return true;
  }
  void awake() noexcept override { ++awakes; }

  std::vector<TaskBlock*> asked;
  bool for_certain = false;
  bool deadlock = false;
  int awakes = 0;
};

TEST(WaitHelperTest, runs_what_the_worker_waits_for) {
  SlowExecutor executor;
  Helper helper;
  const auto future = executor.submit([] { return 1; });
  const auto other = executor.submit([] { return 2; });
  EXPECT_EQ(future.result(), 1);
  EXPECT_TRUE(helper.for_certain);
  EXPECT_FALSE(other.done()) << "and nothing else";
  EXPECT_EQ(helper.asked.size(), 1u);
  EXPECT_EQ(helper.awakes, 0) << "it never slept";
  EXPECT_EQ(detail::FutureAccess::block(future)->runner(), 7u);
  EXPECT_TRUE(other.wait(1h));
  EXPECT_FALSE(helper.for_certain) << "such a wait ends by itself";
}

TEST(WaitHelperTest, is_asked_for_the_root_of_a_chain) {
  SlowExecutor executor;
  Helper helper;
  const auto root = executor.submit([] { return 1; });
  const auto end = root.then([](int n) { return n + 1; }).then([](int n) { return n + 1; });
  EXPECT_EQ(end.result(), 3);
  EXPECT_EQ(helper.asked, std::vector<TaskBlock*>{detail::FutureAccess::block(root)});
}

TEST(WaitHelperTest, is_not_asked_for_what_is_done_or_not_waited_for) {
  SlowExecutor executor;
  Helper helper;
  auto future = executor.submit([] { return 1; });
  EXPECT_FALSE(future.wait(0s));
  EXPECT_THROW(future.result(-1s), TimeoutError);
  EXPECT_EQ(wait({future}, 0s).not_done.size(), 1u);
  future.cancel();
  EXPECT_THROW(future.result(), CancelledError);
  EXPECT_TRUE(helper.asked.empty());
}

TEST(WaitHelperTest, is_told_when_its_thread_has_slept) {
  Promise<int> promise;
  const auto future = promise.get_future();
  {
    Helper helper;
    EXPECT_FALSE(future.wait(1ms));
    EXPECT_EQ(helper.awakes, 1);
  }
  int awakes = 0;
  Call worker([&] {
    Helper helper;
    const int result = future.result();
    awakes = helper.awakes;
    return result;
  });
  ASSERT_TRUE(falls_asleep(worker));
  promise.set_result(3);
  EXPECT_EQ(worker.result(), 3);
  EXPECT_EQ(awakes, 1);
}

TEST(WaitHelperTest, can_refuse_a_wait_that_would_never_end) {
  SlowExecutor executor;
  Helper helper;
  helper.deadlock = true;
  const auto future = executor.submit([] { return 1; });
  EXPECT_THROW(future.result(), DeadlockError);
  EXPECT_THROW(future.wait(), DeadlockError);
  EXPECT_THROW(static_cast<void>(future.exception()), DeadlockError);
  EXPECT_THROW(wait({future}), DeadlockError);
  EXPECT_FALSE(future.done());
}

TEST(WaitHelperTest, runs_what_a_wait_for_several_needs) {
  SlowExecutor executor;
  Helper helper;
  std::vector<Future<int>> futures;
  for (int i = 0; i < 4; ++i) futures.push_back(executor.submit([i] { return i; }));
  EXPECT_EQ(wait(futures, FIRST_COMPLETED).done.size(), 1u);
  EXPECT_EQ(wait(futures, FIRST_COMPLETED).done.size(), 1u) << "one is done: nothing to run";
  int sum = 0;
  for (const auto& future : as_completed({futures[0], futures[1]})) sum += future.result();
  EXPECT_EQ(sum, 1);
  EXPECT_FALSE(futures[2].done());
  EXPECT_EQ(wait(futures).done.size(), 4u);
}

}  // namespace
}  // namespace nogil::testing::task_test
