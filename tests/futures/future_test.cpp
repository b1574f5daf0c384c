// Tests of nogil::Future: its states, results, callbacks and limits.
//
// The scenarios of CPython's test_concurrent_futures/test_future.py are here.

#include "nogil/futures/future.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "nogil/futures/promise.hpp"
#include "nogil/threading/excepthook.hpp"
#include "nogil/threading/thread.hpp"
#include "support/threads.hpp"
#include "support/wait_suite.hpp"

namespace nogil::testing::future_test {

static_assert(sizeof(Future<std::string>) == 8);
static_assert(std::is_nothrow_default_constructible_v<Future<int>> &&
              std::is_nothrow_copy_constructible_v<Future<int>>);
static_assert(std::is_nothrow_move_constructible_v<Future<int>> && std::is_nothrow_move_assignable_v<Future<int>>);
static_assert(std::is_same_v<decltype(std::declval<Future<int>&>().result()), const int&>);
static_assert(std::is_same_v<decltype(std::declval<Future<int>>().result()), int>);
static_assert(std::is_same_v<decltype(std::declval<Future<int&>&>().result()), int&>);
static_assert(std::is_same_v<decltype(std::declval<Future<int&>>().result()), int&>);
static_assert(std::is_void_v<decltype(std::declval<Future<void>&>().result())>);

// The suites of every wait.
class FutureDoor {
 public:
  static constexpr bool kStays = true;
  static constexpr bool kStops = true;
  static constexpr bool kBoth = true;

  template <class... Limits>
  bool wait(const Limits&... limits) {
    return future_.wait(limits...);
  }
  void done() {}
  void open() { promise_.set_result(1); }

 private:
  Promise<int> promise_;
  Future<int> future_ = promise_.get_future();
};

NOGIL_WAIT_SUITE(Future, TimedWait, FutureDoor);
NOGIL_WAIT_SUITE(Future, StoppableWait, FutureDoor);
NOGIL_WAIT_SUITE(Future, TimedStoppableWait, FutureDoor);
NOGIL_WAIT_SUITE(Future, WaitForWhatIsFree, FutureDoor);

namespace {

// Collects what goes to the excepthook while it lives.
class Reported {
 public:
  Reported() {
    set_excepthook([this](const ExceptHookArgs& args) {
      try {
        std::rethrow_exception(args.exception);
      } catch (const std::exception& error) {
        texts.push_back(error.what());
      }
    });
  }
  ~Reported() { set_excepthook(nullptr); }

  std::vector<std::string> texts;
};

// A future in each of the states.
struct Pending {
  Promise<int> promise;
  Future<int> future = promise.get_future();
};
struct Running : Pending {
  Running() { future.set_running_or_notify_cancel(); }
};
struct Finished : Pending {
  Finished() { promise.set_result(42); }
};
struct Failed : Pending {
  Failed() { promise.set_exception(std::domain_error("failed")); }
};
struct Cancelled : Pending {
  Cancelled() { future.cancel(); }
};

TEST(FutureTest, is_in_one_state_at_a_time) {
  const auto states = [](const Future<int>& future) {
    return std::string(future.running() ? "running" : "") + (future.cancelled() ? "cancelled" : "") +
           (future.done() ? " done" : "");
  };
  EXPECT_EQ(states(Pending().future), "");
  EXPECT_EQ(states(Running().future), "running");
  EXPECT_EQ(states(Finished().future), " done");
  EXPECT_EQ(states(Failed().future), " done");
  EXPECT_EQ(states(Cancelled().future), "cancelled done");
}

TEST(FutureTest, can_be_cancelled_as_long_as_it_is_pending) {
  Pending pending;
  EXPECT_TRUE(pending.future.cancel());
  EXPECT_TRUE(pending.future.cancelled());
  EXPECT_TRUE(pending.future.cancel()) << "it is cancelled";
  Running running;
  EXPECT_FALSE(running.future.cancel());
  EXPECT_TRUE(running.future.running());
  Finished finished;
  EXPECT_FALSE(finished.future.cancel());
  EXPECT_FALSE(finished.future.cancelled());
  Failed failed;
  EXPECT_FALSE(failed.future.cancel());
}

TEST(FutureTest, tells_its_executor_once_that_it_was_cancelled) {
  Cancelled cancelled;
  EXPECT_FALSE(cancelled.future.set_running_or_notify_cancel());
  EXPECT_TRUE(cancelled.future.cancelled());
  EXPECT_THROW(cancelled.future.set_running_or_notify_cancel(), RuntimeError);
  Running running;
  EXPECT_THROW(running.future.set_running_or_notify_cancel(), RuntimeError);
  Finished finished;
  EXPECT_THROW(finished.future.set_running_or_notify_cancel(), RuntimeError);
}

TEST(FutureTest, throws_what_it_has_instead_of_a_result) {
  EXPECT_THROW(Pending().future.result(0s), TimeoutError);
  EXPECT_THROW(Running().future.result(0s), TimeoutError);
  EXPECT_THROW(Cancelled().future.result(0s), CancelledError);
  EXPECT_THROW(Failed().future.result(0s), std::domain_error);
  EXPECT_EQ(Finished().future.result(0s), 42);
  EXPECT_THROW(Cancelled().future.result(), CancelledError);
  EXPECT_THROW(Failed().future.result(), std::domain_error);
  EXPECT_EQ(Finished().future.result(), 42);
  EXPECT_EQ(Finished().future.result(steady_clock::now()), 42);
  EXPECT_THROW(Pending().future.result(1ms), TimeoutError);
  EXPECT_THROW(Pending().future.result(system_clock::now() + 1ms), TimeoutError);
}

TEST(FutureTest, gives_its_exception_or_none) {
  EXPECT_THROW(static_cast<void>(Pending().future.exception(0s)), TimeoutError);
  EXPECT_THROW(static_cast<void>(Cancelled().future.exception(0s)), CancelledError);
  EXPECT_THROW(static_cast<void>(Cancelled().future.exception()), CancelledError);
  EXPECT_FALSE(Finished().future.exception());
  EXPECT_FALSE(Finished().future.exception(0s));
  EXPECT_THROW(std::rethrow_exception(Failed().future.exception()), std::domain_error);
  EXPECT_THROW(std::rethrow_exception(Failed().future.exception(1h)), std::domain_error);
}

TEST(FutureTest, lets_through_who_waits_when_it_is_cancelled) {
  Pending pending;
  Call waiter([future = pending.future] { return future.result(); });
  Call patient([future = pending.future] { return future.exception(1h); });
  ASSERT_TRUE(falls_asleep(waiter, patient));
  pending.future.cancel();
  EXPECT_THROW(waiter.result(), CancelledError);
  EXPECT_THROW(patient.result(), CancelledError);
}

TEST(FutureTest, is_a_handle_that_can_be_empty) {
  Future<int> empty;
  EXPECT_FALSE(empty.valid());
  EXPECT_THROW(empty.result(), RuntimeError);
  EXPECT_THROW(empty.result(1s), RuntimeError);
  EXPECT_THROW(static_cast<void>(empty.exception()), RuntimeError);
  EXPECT_THROW(empty.wait(), RuntimeError);
  EXPECT_THROW(empty.wait(1s), RuntimeError);
  EXPECT_THROW(static_cast<void>(empty.done()), RuntimeError);
  EXPECT_THROW(static_cast<void>(empty.running()), RuntimeError);
  EXPECT_THROW(static_cast<void>(empty.cancelled()), RuntimeError);
  EXPECT_THROW(empty.cancel(), RuntimeError);
  EXPECT_THROW(empty.request_stop(), RuntimeError);
  EXPECT_THROW(empty.set_result(1), RuntimeError);
  EXPECT_THROW(empty.set_exception(1), RuntimeError);
  EXPECT_THROW(empty.set_running_or_notify_cancel(), RuntimeError);
  EXPECT_THROW(empty.add_done_callback([](auto) {}), RuntimeError);
  EXPECT_THROW(empty.then([](int) {}), RuntimeError);
}

TEST(FutureTest, equals_its_copies_only) {
  Pending one, other;
  Future<int> copy = one.future;
  EXPECT_TRUE(copy == one.future);
  EXPECT_TRUE(copy != other.future);
  Future<int> moved = std::move(copy);
  EXPECT_TRUE(moved == one.future);
  EXPECT_FALSE(copy.valid());  // NOLINT: what is left is to be seen
  EXPECT_TRUE(copy == Future<int>());
  std::unordered_map<Future<int>, std::string> urls{{one.future, "one"}, {other.future, "other"}};
  EXPECT_EQ(urls.at(moved), "one");
  std::map<Future<int>, std::string> sorted{{one.future, "one"}, {other.future, "other"}};
  EXPECT_EQ(sorted.at(other.future), "other");
}

// ---- The result of a temporary -----------------------------------------------------------

struct Counting {
  static inline int copies = 0;
  Counting() = default;
  Counting(const Counting&) { ++copies; }
  Counting(Counting&&) noexcept {}
  ~Counting() = default;
};

TEST(FutureTest, moves_its_result_out_only_if_nobody_else_can_see_it) {
  Counting::copies = 0;
  Promise<Counting> promise;
  auto future = promise.get_future();
  auto other = promise.get_future();
  promise.set_result(Counting());
  static_cast<void>(future.result());
  EXPECT_EQ(Counting::copies, 0) << "only looked at";
  static_cast<void>(std::move(future).result());
  EXPECT_EQ(Counting::copies, 1);
  other = Future<Counting>();
  static_cast<void>(std::move(future).result());
  EXPECT_EQ(Counting::copies, 1);
}

TEST(FutureTest, gives_away_what_cannot_be_copied) {
  Promise<std::unique_ptr<int>> promise;
  auto future = promise.get_future();
  promise.set_result(std::make_unique<int>(3));
  const std::unique_ptr<int> got = std::move(future).result(0s);
  EXPECT_EQ(*got, 3);
  EXPECT_EQ(future.result(), nullptr);  // NOLINT: what is left is to be seen
}

// ---- Callbacks ------------------------------------------------------------------------------

TEST(FutureTest, calls_back_with_itself_when_it_is_done) {
  Pending finished, failed, cancelled;
  std::vector<std::string> calls;
  finished.future.add_done_callback([&](Future<int> done) { calls.push_back(std::to_string(done.result())); });
  failed.future.add_done_callback([&](const Future<int>& done) { calls.push_back(done.exception() ? "failed" : ""); });
  cancelled.future.add_done_callback([&](auto done) { calls.push_back(done.cancelled() ? "cancelled" : ""); });
  EXPECT_TRUE(calls.empty());
  finished.promise.set_result(5);
  failed.promise.set_exception(1);
  cancelled.future.cancel();
  EXPECT_EQ(calls, (std::vector<std::string>{"5", "failed", "cancelled"}));
  cancelled.future.cancel();
  cancelled.future.set_running_or_notify_cancel();
  EXPECT_EQ(calls.size(), 3u) << "each is called once";
}

TEST(FutureTest, calls_back_at_once_when_it_is_done_already) {
  Finished finished;
  Failed failed;
  Cancelled cancelled;
  int calls = 0;
  finished.future.add_done_callback([&](auto) { ++calls; });
  failed.future.add_done_callback([&](auto) { ++calls; });
  cancelled.future.add_done_callback([&](auto) { ++calls; });
  EXPECT_EQ(calls, 3);
}

TEST(FutureTest, calls_back_in_order_in_the_thread_that_completes_it) {
  Pending pending;
  std::vector<int> order;
  std::vector<std::thread::id> threads;
  for (int i = 0; i < 10; ++i) {
    pending.future.add_done_callback([&, i](auto) {
      order.push_back(i);
      threads.push_back(std::this_thread::get_id());
    });
  }
  std::thread::id completing;
  std::thread([&] {
    completing = std::this_thread::get_id();
    pending.promise.set_result(1);
  }).join();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(threads, std::vector<std::thread::id>(10, completing));
}

TEST(FutureTest, goes_on_after_a_callback_that_throws) {
  Reported reported;
  Pending pending;
  bool called = false;
  pending.future.add_done_callback([](auto) { throw std::runtime_error("first"); });
  pending.future.add_done_callback([&](auto) { called = true; });
  pending.promise.set_result(1);
  EXPECT_TRUE(called);
  pending.future.add_done_callback([](auto) { throw std::runtime_error("second"); });
  EXPECT_EQ(reported.texts, (std::vector<std::string>{"first", "second"}));
  EXPECT_EQ(pending.future.result(), 1);
}

TEST(FutureTest, wakes_who_waits_before_it_calls_back) {
  Pending pending;
  Call waiter([future = pending.future] { return future.result(); });
  ASSERT_TRUE(falls_asleep(waiter));
  bool seen = false;
  pending.future.add_done_callback([&](auto) { seen = eventually([&] { return waiter.returned(); }); });
  pending.promise.set_result(1);
  EXPECT_TRUE(seen);
}

TEST(FutureTest, holds_no_lock_while_it_calls_back) {
  Pending pending;
  int inner = 0;
  pending.future.add_done_callback([&](Future<int> done) {
    done.add_done_callback([&](auto) { ++inner; });
    EXPECT_FALSE(done.cancel());
    EXPECT_EQ(done.result(), 1);
    done.then([&](int) { ++inner; });
  });
  pending.promise.set_result(1);
  EXPECT_EQ(inner, 2);
}

TEST(FutureTest, lets_go_of_a_callback_when_it_was_called) {
  Pending pending;
  auto token = std::make_shared<int>(1);
  pending.future.add_done_callback([token](auto) {});
  pending.future.add_done_callback([token = std::make_unique<int>(2)](auto) {});
  EXPECT_EQ(token.use_count(), 2);
  pending.promise.set_result(1);
  EXPECT_EQ(token.use_count(), 1);
}

TEST(FutureTest, calls_every_callback_once_whenever_it_came) {
  for (int round = 0; round < rounds(300); ++round) {
    Pending pending;
    std::atomic<int> calls{0};
    std::atomic<bool> go{false};
    Bunch adders(3, [&, future = pending.future]() mutable {
      while (!go) std::this_thread::yield();
      for (int i = 0; i < 5; ++i) future.add_done_callback([&](Future<int> done) { calls += done.result(); });
    });
    go = true;
    if (round % 2 == 0) std::this_thread::yield();
    pending.promise.set_result(1);
    adders.join();
    EXPECT_TRUE(eventually([&] { return calls == 15; }));
  }
}

// ---- then -----------------------------------------------------------------------------------

TEST(FutureTest, leads_to_another_future) {
  Promise<int> promise;
  const auto future = promise.get_future();
  const Future<std::string> text = future.then([](int n) { return std::to_string(n); });
  const Future<std::size_t> length = text.then([](const std::string& s) { return s.size(); });
  const Future<void> nothing = length.then([](std::size_t) {});
  const Future<int> back = nothing.then([] { return 7; });
  EXPECT_FALSE(text.done() || length.done() || nothing.done() || back.done());
  promise.set_result(1234);
  EXPECT_EQ(text.result(), "1234");
  EXPECT_EQ(length.result(), 4u);
  nothing.result();
  EXPECT_EQ(back.result(), 7);
  EXPECT_EQ(future.then([](int n) { return n + 1; }).result(), 1235) << "of one that is done: at once";
}

TEST(FutureTest, passes_references_and_what_cannot_be_copied_on) {
  int place = 1;
  Promise<int&> reference;
  const auto same = reference.get_future().then([](int& n) -> int& { return n; });
  reference.set_result(place);
  EXPECT_EQ(&same.result(), &place);
  Promise<std::unique_ptr<int>> owner;
  const auto looked = owner.get_future().then([](const std::unique_ptr<int>& p) { return *p; });
  const auto taken = owner.get_future().then([](std::unique_ptr<int> p) { return p; });
  owner.set_result(std::make_unique<int>(5));
  EXPECT_EQ(looked.result(), 5);
  EXPECT_EQ(*taken.result(), 5);
}

TEST(FutureTest, passes_failure_and_cancellation_on) {
  Pending failing, cancelled, throwing;
  bool called = false;
  const auto call = [&](int n) {
    called = true;
    return n;
  };
  auto token = std::make_shared<int>(0);
  const auto after_failure = failing.future.then(call).then([token](int) {});
  const auto after_cancel = cancelled.future.then(call).then(call);
  failing.promise.set_exception(std::domain_error("first"));
  cancelled.future.cancel();
  EXPECT_THROW(after_failure.result(), std::domain_error);
  EXPECT_EQ(token.use_count(), 1) << "the function is gone";
  EXPECT_THROW(after_cancel.result(), CancelledError);
  EXPECT_TRUE(after_cancel.cancelled());
  EXPECT_FALSE(called);
  const auto thrown = throwing.future.then([](int) -> int { throw std::range_error("mine"); });
  throwing.promise.set_result(1);
  EXPECT_THROW(thrown.result(), std::range_error);
}

TEST(FutureTest, cancels_what_comes_after_without_cancelling_what_is_before) {
  Pending pending;
  bool called = false;
  auto token = std::make_shared<int>(0);
  auto next = pending.future.then([&, token](int) { called = true; });
  EXPECT_TRUE(next.cancel());
  EXPECT_EQ(token.use_count(), 1) << "the function is gone";
  EXPECT_FALSE(pending.future.cancelled());
  pending.promise.set_result(1);
  EXPECT_FALSE(called);
  EXPECT_THROW(next.result(), CancelledError);
}

TEST(FutureTest, lets_nobody_set_what_its_function_will_set) {
  Pending pending;
  auto next = pending.future.then([](int n) { return n; });
  EXPECT_THROW(next.set_result(5), InvalidStateError);
  EXPECT_THROW(next.set_exception(5), InvalidStateError);
  EXPECT_THROW(next.set_running_or_notify_cancel(), RuntimeError);
  pending.promise.set_result(1);
  EXPECT_EQ(next.result(), 1);
}

// A chain far too long for a stack that would hold all of its functions.
class LongChain : public ::testing::Test {
 public:
  static constexpr int kLength = 20'000;

  Pending pending;
  std::vector<Future<int>> chain{pending.future};

 protected:
  LongChain() {
    for (int i = 0; i < kLength; ++i) chain.push_back(chain.back().then([](int n) { return n + 1; }));
  }

  template <class Function>
  static void on_a_small_stack(Function function) {
    Thread thread({.stack_size = 1 << 20}, function);
    thread.start();
    thread.join();
    EXPECT_FALSE(thread.exception());
  }
};

TEST_F(LongChain, is_gone_through) {
  on_a_small_stack([this] {
    pending.promise.set_result(0);
    EXPECT_EQ(chain.back().result(), kLength);
  });
}

TEST_F(LongChain, is_cancelled) {
  on_a_small_stack([this] {
    pending.future.cancel();
    EXPECT_TRUE(chain.back().cancelled());
  });
}

TEST_F(LongChain, is_dropped) {
  on_a_small_stack([this] {
    pending.future = {};
    chain.clear();
    pending.promise = {};
  });
}

TEST(FutureTest, can_be_waited_for_inside_what_has_to_come_first) {
  // Deep enough that the inner function is put off, and waited for nevertheless.
  Pending pending;
  Future<int> end = pending.future;
  for (int i = 0; i < 100; ++i) {
    end = end.then([](int n) {
      Promise<int> inner;
      const auto next = inner.get_future().then([](int m) { return m + 1; });
      inner.set_result(n);
      return next.result();
    });
  }
  pending.promise.set_result(0);
  EXPECT_EQ(end.result(), 100);
}

TEST(FutureTest, never_runs_what_was_cancelled_at_the_same_moment) {
  for (int round = 0; round < rounds(500); ++round) {
    Pending pending;
    std::atomic<bool> ran{false};
    std::atomic<bool> go{false};
    auto next = pending.future.then([&](int) { ran = true; });
    bool cancelled = false;
    std::thread canceller([&, mine = next]() mutable {
      while (!go) std::this_thread::yield();
      cancelled = mine.cancel();
    });
    go = true;
    pending.promise.set_result(1);
    canceller.join();
    EXPECT_NE(ran, cancelled);
    EXPECT_EQ(next.cancelled(), cancelled);
  }
}

// ---- Lifetime -------------------------------------------------------------------------------

TEST(FutureTest, may_be_dropped_by_whoever_is_last) {
  for (int round = 0; round < rounds(500); ++round) {
    auto promise = std::make_unique<Promise<std::string>>();
    auto future = promise->get_future();
    std::thread reader([mine = future]() mutable {
      EXPECT_EQ(mine.result(), std::string(50, 'r'));
      mine = Future<std::string>();
    });
    std::thread forgetful([mine = std::move(future)]() mutable { mine = Future<std::string>(); });
    promise->set_result(std::string(50, 'r'));
    promise.reset();
    reader.join();
    forgetful.join();
  }
}

TEST(FutureTest, does_not_wait_when_it_goes) {
  Promise<int> promise;
  { const auto future = promise.get_future(); }
  {
    const auto next = promise.get_future().then([](int) {});
  }
  promise.set_result(1);
}

}  // namespace
}  // namespace nogil::testing::future_test
