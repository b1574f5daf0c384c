// Tests of nogil::ThreadPoolExecutor: what it takes, in which order it runs that, how it
// ends. (Waiting inside a task: waiting_in_a_pool_test.cpp.)
//
// With the scenarios of CPython's test_concurrent_futures: executor.py, test_thread_pool.py,
// test_shutdown.py, test_init.py.

#include "nogil/futures/thread_pool_executor.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <memory>
#include <set>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "nogil/threading/current_thread.hpp"
#include "nogil/threading/event.hpp"
#include "nogil/threading/excepthook.hpp"
#include "support/threads.hpp"

namespace nogil::testing::thread_pool_executor_test {
namespace {

using namespace std::chrono_literals;
using Pool = ThreadPoolExecutor;

// Keeps the workers of a pool busy, from the moment that all of them are.
class Occupied {
 public:
  explicit Occupied(Pool& pool, std::size_t workers = 1) {
    for (std::size_t i = 0; i < workers; ++i) {
      futures_.push_back(pool.submit([this] {
        begun_.fetch_add(1);
        go_.wait();
      }));
    }
    EXPECT_TRUE(eventually([&] { return begun_ == workers; }));
  }
  ~Occupied() { free(); }

  void free() {
    go_.set();
    for (auto& future : futures_) future.wait();
    futures_.clear();
  }

 private:
  std::atomic<std::size_t> begun_{0};
  Event go_;
  std::vector<Future<void>> futures_;
};

// ---- Submit --------------------------------------------------------------------------------

TEST(ThreadPoolExecutor, returns_what_the_callable_returns) {
  Pool pool(2);
  EXPECT_EQ(pool.submit([](int a, int b) { return a * b; }, 21, 2).result(), 42);
  pool.submit([] {}).result();
  int x = 0;
  EXPECT_EQ(&pool.submit([&]() -> int& { return x; }).result(), &x);
}

TEST(ThreadPoolExecutor, gives_the_exception_to_the_future) {
  Pool pool(1);
  auto future = pool.submit([]() -> int { throw std::out_of_range("too far"); });
  EXPECT_THROW(future.result(), std::out_of_range);
  EXPECT_NE(future.exception(), nullptr);
  EXPECT_EQ(pool.submit([] { return 1; }).result(), 1) << "and goes on";
}

TEST(ThreadPoolExecutor, moves_what_cannot_be_copied) {
  Pool pool(1);
  auto number = std::make_unique<int>(7);
  auto future = pool.submit([mine = std::move(number)](std::unique_ptr<int> other) { return *mine + *other; },
                            std::make_unique<int>(1));
  EXPECT_EQ(future.result(), 8);
  auto made = pool.submit([] { return std::make_unique<int>(3); });
  EXPECT_EQ(*std::move(made).result(), 3);
}

TEST(ThreadPoolExecutor, copies_its_arguments) {
  Pool pool(1);
  Occupied occupied(pool);
  std::string text = "before";
  auto future = pool.submit([](const std::string& given) { return given; }, text);
  text = "after";
  occupied.free();
  EXPECT_EQ(future.result(), "before");
}

struct Account {
  int deposit(int more) { return balance += more; }
  int balance = 0;
};

TEST(ThreadPoolExecutor, calls_functions_methods_and_references) {
  Pool pool(1);
  Account account;
  EXPECT_EQ(pool.submit(&Account::deposit, &account, 5).result(), 5);
  EXPECT_EQ(pool.submit(&Account::deposit, std::ref(account), 5).result(), 10);
  EXPECT_EQ(pool.submit(static_cast<int (*)(int)>([](int x) { return -x; }), 4).result(), -4);
}

TEST(ThreadPoolExecutor, gives_a_stop_token_to_who_cannot_be_called_without) {
  Pool pool(1);
  Event begun;
  auto future = pool.submit(
      [&](std::stop_token token, int x) {
        begun.set();
        while (!token.stop_requested()) std::this_thread::yield();
        return x;
      },
      5);
  begun.wait();
  EXPECT_TRUE(future.request_stop());
  EXPECT_FALSE(future.request_stop());
  EXPECT_EQ(future.result(), 5);
  EXPECT_FALSE(pool.submit([] {}).request_stop());
}

TEST(ThreadPoolExecutor, begins_tasks_in_the_order_of_submission) {
  Pool pool(1);
  std::vector<int> order;
  std::vector<Future<void>> futures;
  {
    Occupied occupied(pool);
    for (int i = 0; i < 1000; ++i) futures.push_back(pool.submit([&order, i] { order.push_back(i); }));
  }
  for (auto& future : futures) future.result();
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(order[static_cast<std::size_t>(i)], i);
}

TEST(ThreadPoolExecutor, begins_slow_tasks_of_several_workers_in_order) {
  Pool pool(3);
  std::vector<int> order;
  Lock lock;
  std::vector<Future<void>> futures;
  {
    Occupied occupied(pool, 3);
    for (int i = 0; i < 30; ++i) {
      futures.push_back(pool.submit([&, i] {
        with(lock, [&] { order.push_back(i); });
        std::this_thread::sleep_for(200us);
      }));
    }
  }
  for (auto& future : futures) future.result();
  // A worker may be overtaken between taking a task and noting it, by two others at most.
  for (int i = 0; i < 30; ++i) EXPECT_NEAR(order[static_cast<std::size_t>(i)], i, 8);
}

TEST(ThreadPoolExecutor, lets_a_task_submit_others) {
  Pool pool(2);
  auto outer = pool.submit([&] { return pool.submit([] { return 5; }); });
  EXPECT_EQ(outer.result().result(), 5);
}

TEST(ThreadPoolExecutor, drops_callable_and_arguments_before_it_shows_the_result) {
  Pool pool(1);
  auto resource = std::make_shared<int>(1);
  auto future = pool.submit([resource] {});
  future.result();
  EXPECT_EQ(resource.use_count(), 1);
}

TEST(ThreadPoolExecutor, drops_a_cancelled_callable_at_once) {
  Pool pool(1);
  Occupied occupied(pool);
  auto resource = std::make_shared<int>(1);
  auto future = pool.submit([resource] {});
  EXPECT_EQ(resource.use_count(), 2);
  EXPECT_TRUE(future.cancel());
  EXPECT_EQ(resource.use_count(), 1);
}

// ---- Post --------------------------------------------------------------------------------

TEST(ThreadPoolExecutor, runs_what_is_posted) {
  std::atomic<int> count{0};
  {
    Pool pool(2);
    for (int i = 0; i < 100; ++i) pool.post([&](int n) { count += n; }, 1);
  }
  EXPECT_EQ(count, 100);
}

TEST(ThreadPoolExecutor, gives_what_a_posted_task_throws_to_the_excepthook) {
  std::atomic<int> calls{0};
  std::string thread;
  set_excepthook([&](const ExceptHookArgs& args) {
    thread = args.thread_name;
    ++calls;
  });
  {
    Pool pool({.max_workers = 1, .thread_name_prefix = "poster"});
    pool.post([] { throw std::runtime_error("nobody listens"); });
  }
  set_excepthook(nullptr);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(thread, "poster_0");
}

// ---- Workers -------------------------------------------------------------------------------

TEST(ThreadPoolExecutor, has_as_many_workers_as_asked_for_or_as_there_are_cores) {
  EXPECT_EQ(Pool(3).max_workers(), 3u);
  EXPECT_EQ(Pool().max_workers(), cpu_count());
  EXPECT_THROW(Pool(static_cast<std::size_t>(-1)), ValueError);
}

TEST(ThreadPoolExecutor, starts_no_thread_before_there_is_work) {
  Pool pool(4);
  EXPECT_EQ(pool.stats().workers, 0u);
}

TEST(ThreadPoolExecutor, uses_an_idle_worker_again) {
  Pool pool(8);
  for (int i = 0; i < rounds(500); ++i) {
    ASSERT_EQ(pool.submit([](int a, int b) { return a * b; }, 21, 2).result(), 42);
    ASSERT_EQ(pool.stats().workers, 1u) << "in round " << i;
  }
}

TEST(ThreadPoolExecutor, starts_as_many_workers_as_there_are_tasks_that_wait) {
  Pool pool(6);
  Occupied occupied(pool, 6);
  EXPECT_EQ(pool.stats().workers, 6u);
  auto waits = pool.submit([] {});
  EXPECT_EQ(pool.stats().queued, 1u);
  EXPECT_EQ(pool.stats().workers, 6u);
}

TEST(ThreadPoolExecutor, wakes_workers_for_all_that_wait_for_each_other) {
  constexpr int kWorkers = 4;
  Pool pool(kWorkers);
  for (int round = 0; round < rounds(200); ++round) {
    std::atomic<int> here{0};
    std::vector<Future<void>> futures;
    for (int i = 0; i < kWorkers; ++i) {
      futures.push_back(pool.submit([&] {
        ++here;
        while (here != kWorkers) std::this_thread::yield();
      }));
    }
    for (auto& future : futures) ASSERT_TRUE(future.wait(kPatience));
  }
}

TEST(ThreadPoolExecutor, takes_nobody_for_free_who_runs_a_callback) {
  Event shown, go, ran;
  Pool pool(2);
  auto first = pool.submit([&] { go.wait(); });
  first.add_done_callback([&](const Future<void>&) {
    shown.set();
    EXPECT_TRUE(ran.wait(kPatience));  // for what the other worker runs
  });
  go.set();
  shown.wait();
  pool.submit([&] { ran.set(); }).result();
}

TEST(ThreadPoolExecutor, names_its_threads) {
  Pool pool({.max_workers = 2, .thread_name_prefix = "download"});
  std::set<std::string> names;
  Lock lock;
  {
    Event go;
    std::atomic<int> begun{0};
    for (int i = 0; i < 2; ++i) {
      pool.post([&] {
        with(lock, [&] { names.insert(current_thread().name()); });
        ++begun;
        go.wait();
      });
    }
    ASSERT_TRUE(eventually([&] { return begun == 2; }));
    go.set();
    pool.shutdown();
  }
  EXPECT_EQ(names, (std::set<std::string>{"download_0", "download_1"}));

  Pool other(1);
  EXPECT_EQ(other.submit([] { return current_thread().name(); }).result().rfind("ThreadPoolExecutor-", 0), 0u);
}

TEST(ThreadPoolExecutor, uses_no_time_when_it_is_idle) {
  Pool pool(4);
  { Occupied occupied(pool, 4); }
  const auto cpu = [] {
    std::timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  };
  // Workers have their moment of looking for more; then nothing happens any more.
  EXPECT_TRUE(eventually([&] {
    const auto before = cpu();
    std::this_thread::sleep_for(20ms);
    return cpu() - before < 1ms;
  }));
}

TEST(ThreadPoolExecutor, counts_what_it_does) {
  Pool pool(1);
  for (int i = 0; i < 10; ++i) pool.submit([] {}).result();
  EXPECT_EQ(pool.stats().submitted, 10u);
  EXPECT_EQ(pool.stats().run, 10u);
  EXPECT_EQ(pool.stats().queued, 0u);
}

// ---- Initializer -----------------------------------------------------------------------------

TEST(ThreadPoolExecutor, calls_the_initializer_in_each_worker_before_its_first_task) {
  static thread_local int prepared = 0;
  std::atomic<int> calls{0};
  Pool pool({.max_workers = 3, .initializer = [&] {
               ++prepared;
               ++calls;
             }});
  { Occupied occupied(pool, 3); }
  EXPECT_EQ(calls, 3);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(pool.submit([] { return prepared; }).result(), 1);
}

TEST(ThreadPoolExecutor, is_broken_by_an_initializer_that_throws) {
  set_excepthook([](const ExceptHookArgs&) {});
  Event go;
  Pool pool({.max_workers = 1, .initializer = [&] {
               go.wait();
               throw std::runtime_error("no database");
             }});
  auto first = pool.submit([] { return 1; });
  auto second = pool.submit([] {});
  go.set();
  EXPECT_THROW(first.result(), BrokenThreadPool);
  EXPECT_THROW(second.result(), BrokenThreadPool);
  const auto refused = [](auto submit) {
    try {
      submit();
      return std::string("nothing thrown");
    } catch (const BrokenThreadPool& error) {
      if (!error.cause()) return std::string("no cause");
      try {
        std::rethrow_exception(error.cause());
      } catch (const std::exception& cause) {
        return std::string(cause.what());
      }
    }
  };
  EXPECT_EQ(refused([&] { pool.submit([] {}); }), "no database");
  EXPECT_EQ(refused([&] { pool.post([] {}); }), "no database");
  EXPECT_EQ(refused([&] { static_cast<void>(pool.try_submit([] {})); }), "no database");
  EXPECT_EQ(refused([&] { first.result(); }), "no database");
  pool.shutdown();
  set_excepthook(nullptr);
}

// ---- A bounded queue ---------------------------------------------------------------------------

TEST(ThreadPoolExecutor, waits_in_submit_when_max_queue_is_reached) {
  Pool pool({.max_workers = 1, .max_queue = 2});
  Occupied occupied(pool);
  pool.submit([] {});
  auto last = pool.submit([] {});
  EXPECT_FALSE(pool.try_submit([] {}).has_value());
  Call waiter([&] { return pool.submit([] { return 3; }).result(); });
  ASSERT_TRUE(falls_asleep(waiter));
  EXPECT_TRUE(last.cancel());
  EXPECT_TRUE(stays([&] { return !waiter.returned(); })) << "a cancelled task keeps its place until it is taken";
  occupied.free();
  EXPECT_EQ(waiter.result(), 3);
}

TEST(ThreadPoolExecutor, tries_to_submit) {
  Pool pool({.max_workers = 1, .max_queue = 1});
  auto here = pool.try_submit([](int x) { return x; }, 5);
  ASSERT_TRUE(here.has_value());
  EXPECT_EQ(here->result(), 5);
  pool.shutdown();
  EXPECT_FALSE(pool.try_submit([] {}).has_value());
}

TEST(ThreadPoolExecutor, leaves_alone_what_it_has_no_room_for) {
  Pool pool({.max_workers = 1, .max_queue = 1});
  Occupied occupied(pool);
  pool.submit([] {});
  auto number = std::make_unique<int>(1);
  EXPECT_FALSE(pool.try_submit([](std::unique_ptr<int>) {}, std::move(number)).has_value());
  EXPECT_NE(number, nullptr);
}

TEST(ThreadPoolExecutor, lets_workers_submit_past_max_queue) {
  Pool pool({.max_workers = 1, .max_queue = 1});
  auto outer = pool.submit([&] {
    std::vector<Future<int>> futures;
    for (int i = 0; i < 100; ++i) futures.push_back(pool.submit([i] { return i; }));
    int sum = 0;
    for (auto& future : futures) sum += future.result();
    return sum;
  });
  EXPECT_EQ(outer.result(), 4950);
}

TEST(ThreadPoolExecutor, ends_the_wait_for_room_when_it_is_shut_down) {
  Pool pool({.max_workers = 1, .max_queue = 1});
  Occupied occupied(pool);
  pool.submit([] {});
  Call waiter([&] { pool.submit([] {}); });
  ASSERT_TRUE(falls_asleep(waiter));
  pool.shutdown(false);
  EXPECT_THROW(waiter.result(), RuntimeError);
}

// ---- The end -----------------------------------------------------------------------------------

TEST(ThreadPoolExecutor, takes_nothing_after_shutdown) {
  Pool pool(1);
  pool.shutdown();
  auto number = std::make_unique<int>(1);
  EXPECT_THROW(pool.submit([](std::unique_ptr<int>) {}, std::move(number)), RuntimeError);
  EXPECT_NE(number, nullptr) << "a call that throws has changed nothing";
  EXPECT_THROW(pool.post([] {}), RuntimeError);
  pool.shutdown();
  pool.shutdown(true, true);
}

TEST(ThreadPoolExecutor, runs_what_is_queued_when_it_is_shut_down) {
  std::atomic<int> count{0};
  Pool pool(3);
  for (int i = 0; i < 300; ++i) pool.submit([&] { ++count; });
  pool.shutdown();
  EXPECT_EQ(count, 300);
}

TEST(ThreadPoolExecutor, has_no_threads_left_after_shutdown) {
  const auto before = active_count();
  Pool pool(4);
  { Occupied occupied(pool, 4); }
  EXPECT_EQ(active_count(), before + 4);
  pool.shutdown();
  EXPECT_EQ(active_count(), before);
}

TEST(ThreadPoolExecutor, returns_at_once_from_a_shutdown_that_does_not_wait) {
  Pool pool(1);
  std::atomic<int> count{0};
  std::vector<Future<void>> futures;
  Occupied occupied(pool);
  for (int i = 0; i < 10; ++i) futures.push_back(pool.submit([&] { ++count; }));
  pool.shutdown(false);
  EXPECT_EQ(count, 0);
  occupied.free();
  for (auto& future : futures) future.result();
  EXPECT_EQ(count, 10);
}

TEST(ThreadPoolExecutor, cancels_what_is_queued_when_asked) {
  Pool pool(1);
  std::vector<Future<int>> futures;
  Occupied occupied(pool);
  for (int i = 0; i < 100; ++i) futures.push_back(pool.submit([i] { return i; }));
  pool.shutdown(false, true);
  for (auto& future : futures) {
    EXPECT_TRUE(future.cancelled());
    EXPECT_THROW(future.result(), CancelledError);
  }
  occupied.free();
  pool.shutdown();
}

TEST(ThreadPoolExecutor, waits_for_its_end_no_longer_than_told) {
  Pool pool(1);
  Occupied occupied(pool);
  EXPECT_FALSE(pool.shutdown(1ms));
  EXPECT_FALSE(pool.shutdown(0ms));
  EXPECT_FALSE(pool.shutdown(-1h));
  EXPECT_FALSE(pool.shutdown(std::chrono::steady_clock::now()));
  EXPECT_THROW(pool.submit([] {}), RuntimeError);
  occupied.free();
  EXPECT_TRUE(pool.shutdown(std::chrono::hours::max()));
  EXPECT_TRUE(pool.shutdown(0ms));
}

TEST(ThreadPoolExecutor, refuses_to_wait_for_its_end_in_a_task_of_its_own) {
  Pool pool(2);
  EXPECT_THROW(pool.submit([&] { pool.shutdown(); }).result(), RuntimeError);
  EXPECT_THROW(pool.submit([&] { static_cast<void>(pool.shutdown(1s)); }).result(), RuntimeError);
  EXPECT_EQ(pool.submit([] { return 1; }).result(), 1) << "and it was not shut down";
  pool.submit([&] { pool.shutdown(false); }).result();
  EXPECT_THROW(pool.submit([] {}), RuntimeError);
}

TEST(ThreadPoolExecutor, may_be_destroyed_by_a_task_of_its_own) {
  const auto before = active_count();
  auto pool = std::make_shared<Pool>(2);
  std::atomic<int> count{0};
  Event go;
  for (int i = 0; i < 10; ++i) pool->post([&] { ++count; });
  pool->post([&go, mine = pool] { go.wait(); });
  pool.reset();
  go.set();
  EXPECT_TRUE(eventually([&] { return active_count() == before; }));
  EXPECT_EQ(count, 10);
}

TEST(ThreadPoolExecutor, refuses_what_a_task_submits_after_shutdown) {
  Pool pool(1);
  Event go;
  auto late = pool.submit([&] {
    go.wait();
    return pool.submit([] {});
  });
  pool.shutdown(false);
  go.set();
  EXPECT_THROW(late.result(), RuntimeError);
}

TEST(ThreadPoolExecutor, may_be_shut_down_by_several_threads_at_once) {
  for (int round = 0; round < rounds(50); ++round) {
    std::atomic<int> count{0};
    Pool pool(2);
    for (int i = 0; i < 20; ++i) pool.post([&] { ++count; });
    Bunch closers(3, [&] { pool.shutdown(); });
    closers.join();
    ASSERT_EQ(count, 20);
  }
}

TEST(ThreadPoolExecutor, runs_what_was_taken_while_it_is_shut_down) {
  for (int round = 0; round < rounds(300); ++round) {
    std::atomic<int> ran{0};
    int taken = 0;
    Pool pool(1 + static_cast<std::size_t>(round) % 2);
    std::thread submitter([&] {
      try {
        for (;;) {
          pool.post([&] { ++ran; });
          ++taken;
        }
      } catch (const RuntimeError&) {
      }
    });
    if (round % 4 < 2) std::this_thread::yield();
    pool.shutdown();
    const int when_it_returned = ran;
    submitter.join();
    ASSERT_EQ(ran, taken);
    ASSERT_EQ(when_it_returned, taken);
  }
}

TEST(ThreadPoolExecutor, leaves_futures_that_outlive_it) {
  Future<int> future;
  {
    Pool pool(1);
    future = pool.submit([] { return 4; });
  }
  EXPECT_EQ(future.result(), 4);
}

// ---- Fork ---------------------------------------------------------------------------------------

// What a child process makes of a pool of its parent's: its exit code.
template <class Child>
int in_child(Child child) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::alarm(20);
    ::_exit(child());
  }
  int status = 0;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(ThreadPoolExecutor, refuses_work_in_a_forked_child) {
  Pool pool(2);
  Occupied occupied(pool, 2);
  EXPECT_EQ(in_child([&] {
              try {
                pool.submit([] {});
              } catch (const BrokenThreadPool&) {
                return 7;
              }
              return 1;
            }),
            7);
}

TEST(ThreadPoolExecutor, ends_at_once_in_a_forked_child) {
  auto* const pool = new Pool(2);
  Occupied occupied(*pool, 2);
  auto pending = pool->submit([] {});
  EXPECT_EQ(in_child([&] {
              pool->shutdown();
              delete pool;
              return 7;
            }),
            7);
  occupied.free();
  delete pool;
}

TEST(ThreadPoolExecutor, lets_nobody_wait_in_a_forked_child_for_what_is_never_run) {
  Pool pool(1);
  Occupied occupied(pool);
  auto pending = pool.submit([] {});
  auto continued = pending.then([] {});
  const auto throws = [](auto wait) {
    try {
      wait();
      return false;
    } catch (const BrokenThreadPool&) {
      return true;
    }
  };
  EXPECT_EQ(in_child([&] {
              const bool all = throws([&] { pending.result(); }) && throws([&] { continued.result(); }) &&
                               throws([&] { pending.wait(10s); }) && !pending.done();
              return all ? 7 : 1;
            }),
            7);
  EXPECT_EQ(pool.submit([&] { return in_child([&] { return throws([&] { pending.result(); }) ? 7 : 1; }); }).done(),
            false);
  occupied.free();
  pending.result();
}

TEST(ThreadPoolExecutor, can_be_made_anew_in_a_forked_child) {
#ifdef NOGIL_TSAN
  GTEST_SKIP() << "ThreadSanitizer knows no threads in a child of a process with threads";
#endif
  Pool pool(2);
  pool.submit([] {}).result();
  EXPECT_EQ(in_child([] {
              Pool mine(2);
              return mine.submit([] { return 7; }).result();
            }),
            7);
}

TEST(ThreadPoolExecutor, goes_on_in_the_parent_after_a_fork) {
  Pool pool(2);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(in_child([] { return 7; }), 7);
    EXPECT_EQ(pool.submit([i] { return i; }).result(), i);
  }
}

}  // namespace
}  // namespace nogil::testing::thread_pool_executor_test
