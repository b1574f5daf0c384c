// Tests of nogil::mp::ProcessPoolExecutor, under every start method. Cases of CPython's
// ProcessPoolExecutorTest and ExecutorDeadlockTest are among them.

#include "nogil/multiprocessing/process_pool_executor.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "multiprocessing/support/processes.hpp"
#include "nogil/futures/as_completed.hpp"
#include "nogil/futures/wait.hpp"
#include "nogil/multiprocessing/event.hpp"
#include "nogil/multiprocessing/semaphore.hpp"
#include "nogil/multiprocessing/value.hpp"

namespace nogil::testing::process_pool_executor_test {
namespace {

using mp::OnWorkerDeath;
using mp::ProcessPoolExecutor;
using mp::TaskOptions;
using mp::Value;

class AnyPool : public UnderEveryStartMethod {
 protected:
  static ProcessPoolExecutor::Options options(std::size_t workers) {
    return {.max_workers = workers, .start_method = GetParam()};
  }
};
NOGIL_UNDER_EVERY_START_METHOD(AnyPool);

int twice(int x) {
  return 2 * x;
}

int die(int signal) {
  if (signal == SIGSEGV || signal == SIGABRT) ::signal(signal, SIG_DFL);  // a sanitizer's handler would exit
  ::raise(signal);
  return signal;
}

constexpr std::size_t kLarge = 100'000;

void sleep_for_ever() {
  for (;;) ::pause();
}

// ---- Results ---------------------------------------------------------------------------

TEST_P(AnyPool, gives_each_call_its_result) {
  ProcessPoolExecutor pool(options(2));
  std::vector<Future<int>> futures;
  for (int i = 0; i < 500; ++i) futures.push_back(pool.submit(twice, i));
  for (int i = 0; i < 500; ++i) EXPECT_EQ(futures[static_cast<std::size_t>(i)].result(), 2 * i);
  EXPECT_EQ(pool.submit([](const std::string& a, const std::vector<int>& b) { return a + std::to_string(b.size()); },
                        "n=", std::vector<int>{1, 2})
                .result(),
            "n=2");
  auto nothing = pool.submit([] {});
  nothing.result();
  const auto table = pool.submit([] { return std::map<std::string, int>{{"a", 1}}; }).result();
  EXPECT_EQ(table.at("a"), 1);
  EXPECT_EQ(*pool.submit([](std::unique_ptr<int> x) { return x; }, std::make_unique<int>(5)).result(), 5);
}

TEST_P(AnyPool, carries_what_is_larger_than_a_slot) {
  ProcessPoolExecutor pool(options(2));
  for (const std::size_t size : {200u, 239u, 240u, 241u, 5000u, 3'000'000u}) {
    const std::string text(size, 'x');
    auto there = pool.submit([](const std::string& all) { return all.size(); }, text);
    auto back = pool.submit([](std::size_t n) { return std::string(n, 'y'); }, size);
    auto both = pool.submit([](std::string all) { return all + "!"; }, text);
    EXPECT_EQ(there.result(), size);
    EXPECT_EQ(back.result(), std::string(size, 'y'));
    EXPECT_EQ(both.result(), text + "!");
  }
}

TEST_P(AnyPool, shares_objects_with_tasks_that_are_given_them) {
  ProcessPoolExecutor pool(options(2));
  Value<int> sum(0);
  std::vector<Future<void>> futures;
  for (int i = 0; i < 20; ++i) {
    futures.push_back(pool.submit([](Value<int> to, int n) { to.with_lock([n](int& all) { all += n; }); }, sum, i));
  }
  for (auto& future : futures) future.result();
  EXPECT_EQ(sum.get(), 190);
  Value<int> made = pool.submit([](int n) { return Value<int>(n); }, 7).result();
  EXPECT_EQ(made.get(), 7);
}

struct Unheard : std::runtime_error {
  using std::runtime_error::runtime_error;
};

TEST_P(AnyPool, throws_in_the_caller_what_the_task_threw) {
  ProcessPoolExecutor pool(options(1));
  EXPECT_THROW(pool.submit([]() -> int { throw std::out_of_range("far"); }).result(), std::out_of_range);
  EXPECT_THROW(pool.submit([] { throw ValueError("bad"); }).result(), ValueError);
  const auto future = pool.submit([] { throw Unheard("of"); });  // it keeps what is caught
  try {
    future.result();
    ADD_FAILURE();
  } catch (const RemoteError& error) {
    EXPECT_STREQ(error.what(), "of");
    EXPECT_NE(error.type_name().find("Unheard"), std::string::npos);
    EXPECT_EQ(error.pid(), pool.worker_pids().at(0));
  }
  EXPECT_EQ(pool.submit(twice, 4).result(), 8);
}

TEST_P(AnyPool, throws_what_is_nested_in_an_exception_too) {
  ProcessPoolExecutor pool(options(1));
  const auto future = pool.submit([] {
    try {
      throw Unheard("inner");
    } catch (...) {
      std::throw_with_nested(std::out_of_range("outer"));
    }
  });
  try {
    future.result();
    ADD_FAILURE();
  } catch (const std::out_of_range& error) {
    EXPECT_STREQ(error.what(), "outer");
    EXPECT_THROW(std::rethrow_if_nested(error), RemoteError);
  }
}

struct Unreadable {
  template <class Archive>
  void serialize(Archive& archive) {
    int nothing = 0;
    archive(nothing);
    if (Archive::is_loading::value) throw nothing;
  }
};

TEST_P(AnyPool, throws_what_is_no_exception_class_and_is_thrown_here) {
  ProcessPoolExecutor pool(options(1));
  EXPECT_THROW(pool.submit([] { return Unreadable(); }).result(), int);
  EXPECT_EQ(pool.submit(twice, 4).result(), 8);
}

TEST_P(AnyPool, has_written_what_a_task_printed_when_its_future_is_done) {
  Stdout out;
  {
    ProcessPoolExecutor pool(options(1));
    pool.submit([] { std::printf("a line without end"); }).result();
    EXPECT_EQ(out.text(), "a line without end");
  }
}

TEST_P(AnyPool, is_used_by_many_threads) {
  ProcessPoolExecutor pool(options(2));
  Bunch users(3, [&](int user) {
    for (int i = 0; i < rounds(200); ++i)
      EXPECT_EQ(pool.submit(twice, user * 1000 + i).result(), 2 * (user * 1000 + i));
  });
  users.join();
}

TEST_P(AnyPool, replaces_workers_while_other_threads_run) {
  ProcessPoolExecutor pool(options(1));
  std::atomic<bool> stop{false};
  std::thread other([&] {
    while (!stop) std::this_thread::yield();
  });
  for (int round = 0; round < 3; ++round) EXPECT_THROW(pool.submit(die, SIGKILL).result(), WorkerDied);
  EXPECT_EQ(pool.submit(twice, 1).result(), 2);
  stop = true;
  other.join();
}

TEST(ForkedPool, copies_the_parent_as_it_was_when_it_was_made) {
  static int global = 0;
  global = 1;
  ProcessPoolExecutor pool({.max_workers = 1, .start_method = StartMethod::fork});
  global = 2;
  EXPECT_EQ(pool.submit([] { return global; }).result(), 1);
  EXPECT_THROW(pool.submit(die, SIGKILL).result(), WorkerDied);
  EXPECT_EQ(pool.submit([] { return global; }).result(), 1);
}

TEST(ForkedPool, is_refused_while_other_threads_run) {
  std::atomic<bool> stop{false};
  std::thread other([&] {
    while (!stop) std::this_thread::yield();
  });
  EXPECT_THROW(ProcessPoolExecutor({.max_workers = 1, .start_method = StartMethod::fork}), RuntimeError);
  stop = true;
  other.join();
}

TEST_P(AnyPool, runs_callbacks_without_a_lock_of_its_own) {
  ProcessPoolExecutor pool(options(1));
  std::atomic<int> seen{0};
  mp::Event go;
  auto first = pool.submit(
      [](mp::Event event) {
        event.wait();
        return 1;
      },
      go);
  first.add_done_callback([&](Future<int> done) {
    pool.submit(twice, done.result()).add_done_callback([&](Future<int> next) { seen = next.result(); });
  });
  go.set();
  EXPECT_TRUE(eventually([&] { return seen == 2; }));
}

// ---- Waiting -------------------------------------------------------------------------------

TEST_P(AnyPool, runs_no_callback_in_a_thread_that_waits) {
  ProcessPoolExecutor pool(options(1));
  const auto main = std::this_thread::get_id();
  std::atomic<int> called{0};
  mp::Event go;
  for (int i = 0; i < 50; ++i) {
    go.clear();
    auto future = pool.submit(
        [](mp::Event event, int n) {
          event.wait();
          return n;
        },
        go, i);
    future.add_done_callback([&](const Future<int>&) {
      EXPECT_NE(std::this_thread::get_id(), main);
      ++called;
    });
    auto next = future.then([&](int) { return std::this_thread::get_id() != main; });
    go.set();
    EXPECT_EQ(future.result(), i);
    EXPECT_TRUE(next.result());
  }
  EXPECT_TRUE(eventually([&] { return called == 50; }));
}

TEST_P(AnyPool, lets_no_task_wait_behind_another_while_a_worker_is_free) {
  ProcessPoolExecutor pool(options(2));
  std::vector<Future<int>> quick;
  for (int i = 0; i < 500; ++i) quick.push_back(pool.submit(twice, i));  // so it is given many at a time
  for (auto& future : quick) future.result();
  const std::string large(kLarge, 'x');
  for (int round = 0; round < rounds(50); ++round) {
    mp::Event go;
    const auto first = pool.submit([](mp::Event event) { event.wait(); }, go);
    std::vector<Future<std::size_t>> behind;
    for (int i = 0; i < 60; ++i) {
      if (i % 3 == 0) behind.push_back(pool.submit([](const std::string& text) { return text.size(); }, large));
      else if (i % 3 == 1) behind.push_back(pool.submit([](mp::Event) { return kLarge; }, go));
      else behind.push_back(pool.submit([] { return kLarge; }));
    }
    for (auto& future : behind) EXPECT_EQ(future.result(), large.size());
    EXPECT_FALSE(first.done());
    go.set();
    first.result();
  }
}

TEST_P(AnyPool, wakes_every_thread_that_waits) {
  ProcessPoolExecutor pool(options(2));
  mp::Event go;
  const auto late = pool.submit(
      [](mp::Event event) {
        event.wait();
        return 5;
      },
      go);
  Bunch patient(2, [&] { EXPECT_EQ(late.result(), 5); });
  Bunch busy(2, [&](int user) {
    for (int i = 0; i < rounds(300); ++i) EXPECT_EQ(pool.submit(twice, user + i).result(), 2 * (user + i));
  });
  busy.join();
  std::vector<Future<int>> left;  // with something to come, and nobody who waits for it
  for (int i = 0; i < 10; ++i) left.push_back(pool.submit(twice, i));
  left.front().result();
  EXPECT_TRUE(eventually([&] { return left.back().done(); }));
  EXPECT_FALSE(late.wait(5ms));
  go.set();
  patient.join();
}

TEST_P(AnyPool, waits_no_longer_than_told) {
  ProcessPoolExecutor pool(options(1));
  mp::Event go;
  const auto future = pool.submit([](mp::Event event) { event.wait(); }, go);
  EXPECT_FALSE(future.wait(0ms));
  EXPECT_FALSE(future.wait(10ms));
  EXPECT_THROW(future.result(1ms), TimeoutError);
  EXPECT_FALSE(future.wait(stopped_token()));
  go.set();
  EXPECT_TRUE(future.wait(kPatience));
}

// A pool with one call that waits, and what has happened before and beside it.
class Row {
 public:
  explicit Row(ProcessPoolExecutor& pool) : pool_(pool) {}
  ~Row() { go_.set(); }

  Future<int> done() {
    Future<int> future = pool_.submit(twice, 21);
    future.result();
    return future;
  }
  Future<int> failed() {
    Future<int> future = pool_.submit([]() -> int { throw std::out_of_range("far"); });
    future.wait();
    return future;
  }
  Future<int> waits() {
    return pool_.submit(
        [](mp::Event go) {
          go.wait();
          return 7;
        },
        go_);
  }
  void let_go() { go_.set(); }

 private:
  ProcessPoolExecutor& pool_;
  mp::Event go_;
};

TEST_P(AnyPool, has_futures_that_are_waited_for_together) {
  ProcessPoolExecutor pool(options(2));
  Row row(pool);
  const auto late = row.waits();
  // Nobody waits for any of them but wait() itself.
  const auto quick = pool.submit(twice, 4);
  auto first = nogil::wait(std::vector{late, quick}, FIRST_COMPLETED);
  EXPECT_EQ(first.done, std::vector{quick});
  EXPECT_EQ(first.not_done, std::vector{late});
  EXPECT_EQ(nogil::wait(std::vector{late, quick, quick}, FIRST_COMPLETED).done.size(), 1u);

  const auto throws = pool.submit([]() -> int { throw std::out_of_range("far"); });
  auto failed = nogil::wait(std::vector{late, quick, throws}, FIRST_EXCEPTION);
  EXPECT_EQ(failed.done, (std::vector{quick, throws}));
  EXPECT_EQ(nogil::wait(std::vector{row.failed(), late}, FIRST_EXCEPTION).not_done, std::vector{late});

  auto in_time = nogil::wait(std::vector{late, quick}, 5ms);
  EXPECT_EQ(in_time.done, std::vector{quick});
  EXPECT_EQ(in_time.not_done, std::vector{late});
  EXPECT_EQ(nogil::wait(std::vector{late, quick}, 5ms, FIRST_EXCEPTION).done, std::vector{quick});

  std::thread other([&row] { row.let_go(); });
  auto all = nogil::wait(std::vector{late, quick, throws, row.done()}, ReturnWhen::ALL_COMPLETED);
  EXPECT_EQ(all.done.size(), 4u);
  EXPECT_TRUE(all.not_done.empty());
  other.join();
}

TEST_P(AnyPool, has_futures_that_are_given_as_they_are_completed) {
  ProcessPoolExecutor pool(options(2));
  Row row(pool);
  const auto late = row.waits();
  const auto early = row.done();
  const auto quick = pool.submit(twice, 1);
  std::vector<Future<int>> given;
  try {
    for (const Future<int>& future : as_completed(std::vector{late, quick, early, quick}, 30ms))
      given.push_back(future);
    ADD_FAILURE();
  } catch (const TimeoutError& error) {
    EXPECT_STREQ(error.what(), "1 (of 3) futures unfinished");
  }
  EXPECT_EQ(given.size(), 2u);
  given.clear();
  std::vector<Future<int>> futures{late};
  for (int i = 0; i < 20; ++i) futures.push_back(pool.submit(twice, i));
  for (const Future<int>& future : as_completed(futures)) {
    given.push_back(future);
    if (given.size() == 20) row.let_go();
  }
  EXPECT_EQ(given.size(), 21u);
  EXPECT_EQ(given.back(), late);
}

TEST_P(AnyPool, has_futures_that_are_waited_for_together_when_a_worker_dies) {
  ProcessPoolExecutor pool(options(2));
  Row row(pool);
  const auto late = row.waits();
  const auto dies = pool.submit(die, SIGKILL);
  EXPECT_EQ(nogil::wait(std::vector{late, dies}, FIRST_EXCEPTION).done, std::vector{dies});
  const auto again = pool.submit(die, SIGKILL);
  for (const Future<int>& future : as_completed(std::vector{late, again})) {
    if (future == again) row.let_go();
  }
  EXPECT_EQ(late.result(), 7);
}

// ---- Workers ---------------------------------------------------------------------------------

TEST_P(AnyPool, has_no_more_workers_than_it_was_told) {
  ProcessPoolExecutor pool(options(3));
  mp::Semaphore permits(0);
  std::vector<Future<bool>> futures;
  for (int i = 0; i < 45; ++i)
    futures.push_back(pool.submit([](mp::Semaphore some) { return some.acquire(); }, permits));
  EXPECT_TRUE(eventually([&] { return pool.worker_pids().size() == 3; }));
  EXPECT_TRUE(stays([&] { return pool.worker_pids().size() == 3; }));
  permits.release(45);
  for (const auto& future : futures) EXPECT_TRUE(future.result());
}

TEST_P(AnyPool, asks_no_second_worker_while_one_is_idle) {
  ProcessPoolExecutor pool(options(4));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(pool.submit(twice, i).result(), 2 * i);
  EXPECT_EQ(pool.worker_pids().size(), 1u);
}

// Requests that its ring and its arena have no room for.
TEST_P(AnyPool, takes_tasks_while_its_worker_is_stopped) {
  ProcessPoolExecutor pool(options(1));
  const int worker = pool.submit(::getpid).result();
  ::kill(worker, SIGSTOP);
  const std::string large(kLarge, 'x');
  std::vector<Future<int>> small;
  std::vector<Future<std::size_t>> texts;
  for (int i = 0; i < 3000; ++i) {
    small.push_back(pool.submit(twice, i));
    if (i % 30 == 0) texts.push_back(pool.submit([](const std::string& text) { return text.size(); }, large));
  }
  EXPECT_FALSE(small.front().wait(5ms));
  ::kill(worker, SIGCONT);
  for (int i = 0; i < 3000; ++i) EXPECT_EQ(small[static_cast<std::size_t>(i)].result(), 2 * i);
  for (const auto& future : texts) EXPECT_EQ(future.result(), kLarge);
}

// How often the threads of a process, other than this one, have gone to sleep.
long sleeps_of(int pid) {
  long all = 0;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
    if (thread.path().filename() == std::to_string(native_id())) continue;
    std::ifstream status(thread.path() / "status");
    for (std::string line; std::getline(status, line);) {
      if (line.rfind("voluntary_ctxt_switches:", 0) == 0) all += std::stol(line.substr(24));
    }
  }
  return all;
}

TEST_P(AnyPool, sleeps_when_there_is_nothing_to_do) {
  ProcessPoolExecutor pool(options(2));
  std::vector<Future<int>> futures;
  for (int i = 0; i < 200; ++i) futures.push_back(pool.submit(twice, i));
  for (auto& future : futures) future.result();
  mp::Event never;
  const auto waits = pool.submit([](mp::Event event) { event.wait(); }, never);
  const auto all = [&] {
    long sum = sleeps_of(::getpid());
    for (const int pid : pool.worker_pids()) sum += sleeps_of(pid);
    return sum;
  };
  EXPECT_TRUE(eventually([&] {
    const long before = all();
    std::this_thread::sleep_for(20ms);
    // The watchdog of the tests wakes now and then; so does who waits for an event, to see
    // whether others live.
    return all() <= before + 3;
  }));
  never.set();
}

// ---- Workers that die --------------------------------------------------------------------

TEST_P(AnyPool, fails_the_task_whose_worker_died_and_no_other) {
  ProcessPoolExecutor pool(options(1));
  pool.submit(twice, 0).result();
  for (const int signal : {SIGKILL, SIGSEGV, SIGABRT}) {
    mp::Event go;
    auto doomed = pool.submit(
        [](int how, mp::Event event) {
          event.wait();
          return die(how);
        },
        signal, go);
    std::vector<Future<int>> behind;
    for (int i = 0; i < 30; ++i) behind.push_back(pool.submit(twice, i));
    go.set();
    try {
      doomed.result();
      ADD_FAILURE();
    } catch (const WorkerDied& error) {
      EXPECT_EQ(error.signal(), signal);
      EXPECT_EQ(error.exit_code(), std::nullopt);
      EXPECT_GT(error.pid(), 0);
    }
    for (int i = 0; i < 30; ++i) EXPECT_EQ(behind[static_cast<std::size_t>(i)].result(), 2 * i);
  }
}

TEST_P(AnyPool, fails_a_task_that_ends_its_process) {
  ProcessPoolExecutor pool(options(1));
  for (const int code : {0, 3, 4}) {
    const auto future = pool.submit(  // it keeps what is caught
        [](StartMethod method, int with) {
          if (with == 4 && method != StartMethod::fork) std::exit(with);
          ::_exit(with);
        },
        GetParam(), code);
    try {
      future.result();
      ADD_FAILURE();
    } catch (const WorkerDied& error) {
      EXPECT_EQ(error.exit_code(), code);
      EXPECT_EQ(error.signal(), std::nullopt);
    }
  }
  EXPECT_EQ(pool.submit(twice, 1).result(), 2);
}

int without_end(int depth) {
  volatile char room[4096] = {};
  room[depth % 4096] = 1;
  return depth < 0 ? 0 : without_end(depth + 1) + room[0];
}

TEST_P(AnyPool, survives_a_task_without_stack_and_one_without_memory) {
  if (kSanitized) GTEST_SKIP() << "a sanitizer needs more memory than that";
  ProcessPoolExecutor pool(options(1));
  EXPECT_THROW(pool.submit(without_end, 0).result(), WorkerDied);
  EXPECT_THROW(pool.submit([] {
                     const ::rlimit limit{std::size_t{1} << 30, std::size_t{1} << 30};
                     ::setrlimit(RLIMIT_AS, &limit);
                     return std::string(std::size_t{1} << 31, 'x').size();
                   })
                   .result(),
               std::bad_alloc);
  EXPECT_EQ(pool.submit(twice, 1).result(), 2);
}

TEST_P(AnyPool, goes_on_when_an_idle_worker_is_killed) {
  ProcessPoolExecutor pool(options(1));
  for (int round = 0; round < 5; ++round) {
    EXPECT_EQ(pool.submit(twice, round).result(), 2 * round);
    for (const int pid : pool.worker_pids()) ::kill(pid, SIGKILL);
  }
  EXPECT_EQ(pool.submit(twice, 9).result(), 18);
}

TEST_P(AnyPool, tries_again_as_often_as_it_was_told) {
  auto chosen = options(1);
  chosen.on_worker_death = OnWorkerDeath::retry;
  chosen.max_retries = 2;
  ProcessPoolExecutor pool(chosen);
  Value<int> tries(0);
  const auto dies_until = [](Value<int> count, int enough) {
    int mine = 0;
    count.with_lock([&mine](int& n) { mine = ++n; });
    if (mine < enough) ::raise(SIGKILL);
    return mine;
  };
  EXPECT_EQ(pool.submit(dies_until, tries, 3).result(), 3);
  tries.set(0);
  EXPECT_THROW(pool.submit(dies_until, tries, 100).result(), WorkerDied);
  EXPECT_EQ(tries.get(), 3);
}

TEST_P(AnyPool, breaks_as_python_does_when_it_was_told_to) {
  auto chosen = options(2);
  chosen.on_worker_death = OnWorkerDeath::break_pool;
  ProcessPoolExecutor pool(chosen);
  auto other = pool.submit(sleep_for_ever);
  EXPECT_THROW(pool.submit(die, SIGKILL).result(), WorkerDied);
  EXPECT_THROW(other.result(), BrokenProcessPool);
  EXPECT_TRUE(eventually([&] {
    try {
      pool.submit(twice, 1);
      return false;
    } catch (const BrokenProcessPool&) {
      return true;
    } catch (const RuntimeError&) {
      return false;
    }
  }));
}

// ---- Initializers --------------------------------------------------------------------------

int g_prepared = 0;

TEST_P(AnyPool, prepares_each_worker) {
  ProcessPoolExecutor pool(
      options(2), [](int n) { g_prepared = n; }, 5);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(pool.submit([] { return g_prepared; }).result(), 5);
  EXPECT_EQ(g_prepared, 0);
}

TEST_P(AnyPool, gives_shared_objects_to_an_initializer) {
  Value<int> prepared(0);
  {
    ProcessPoolExecutor pool(
        options(2), [](Value<int> count) { count.with_lock([](int& n) { ++n; }); }, prepared);
    pool.submit(twice, 1).result();
    EXPECT_THROW(pool.submit(die, SIGKILL).result(), WorkerDied);
    pool.submit(twice, 1).result();
  }
  EXPECT_GE(prepared.get(), 2);
}

TEST_P(AnyPool, is_broken_when_an_initializer_throws) {
  ProcessPoolExecutor pool(options(1), [] { throw std::domain_error("not prepared"); });
  const auto future = pool.submit(twice, 1);  // it keeps what is caught
  try {
    future.result();
    ADD_FAILURE();
  } catch (const BrokenProcessPool& error) {
    EXPECT_NE(std::string(error.what()).find("not prepared"), std::string::npos) << error.what();
    EXPECT_THROW(std::rethrow_exception(error.cause()), std::domain_error);
  }
  EXPECT_THROW(pool.submit(twice, 1), BrokenProcessPool);
}

TEST_P(AnyPool, is_broken_when_workers_die_before_they_are_ready) {
  ProcessPoolExecutor pool(options(1), [] { ::raise(SIGKILL); });
  EXPECT_THROW(pool.submit(twice, 1).result(), BrokenProcessPool);
}

// ---- Limits --------------------------------------------------------------------------------

TEST_P(AnyPool, kills_a_task_that_takes_too_long) {
  ProcessPoolExecutor pool(options(1));
  auto late = pool.submit(TaskOptions{.timeout = 30ms}, sleep_for_ever);
  auto behind = pool.submit(twice, 2);
  EXPECT_THROW(late.result(), TimeoutError);
  EXPECT_EQ(behind.result(), 4);
  auto stopped = pool.submit(TaskOptions{.timeout = 30ms}, [] { ::raise(SIGSTOP); });
  EXPECT_THROW(stopped.result(), TimeoutError) << "a process that is stopped is late, too";
  EXPECT_EQ(pool.submit(TaskOptions{.timeout = kPatience}, twice, 3).result(), 6);
}

TEST_P(AnyPool, counts_the_time_from_when_the_task_begins) {
  ProcessPoolExecutor pool(options(1));
  mp::Event go;
  auto first = pool.submit([](mp::Event event) { event.wait(); }, go);
  auto second = pool.submit(TaskOptions{.timeout = 200ms}, twice, 1);
  EXPECT_FALSE(second.wait(300ms));
  go.set();
  EXPECT_EQ(second.result(), 2);
  first.result();
}

TEST_P(AnyPool, replaces_a_worker_after_so_many_tasks) {
  auto chosen = options(1);
  chosen.max_tasks_per_child = 3;
  ProcessPoolExecutor pool(chosen);
  std::vector<Future<int>> futures;
  for (int i = 0; i < 12; ++i) futures.push_back(pool.submit([] { return ::getpid(); }));
  std::map<int, int> tasks;
  for (auto& future : futures) ++tasks[future.result()];
  EXPECT_EQ(tasks.size(), 4u);
  for (const auto& [pid, count] : tasks) EXPECT_EQ(count, 3);
}

TEST_P(AnyPool, comes_to_its_end_with_workers_of_one_task_each) {
  auto chosen = options(3);
  chosen.max_tasks_per_child = 1;
  std::vector<Future<int>> futures;
  {
    ProcessPoolExecutor pool(chosen);
    for (int i = 0; i < 6; ++i) futures.push_back(pool.submit(twice, i));
    pool.shutdown();
  }
  for (int i = 0; i < 6; ++i) EXPECT_EQ(futures[static_cast<std::size_t>(i)].result(0s), 2 * i);
}

TEST_P(AnyPool, ignores_ctrl_c_from_the_first_step_of_a_worker) {
  const auto before = ::signal(SIGINT, SIG_IGN);
  std::atomic<bool> stop{false};
  {
    ProcessPoolExecutor pool(
        options(2), [](int signal) { ::raise(signal); }, SIGINT);
    auto first = pool.submit(twice, 0);
    std::thread pressing([&] {
      while (!stop) {
        for (const auto& child : mp::active_children()) ::kill(child.pid, SIGINT);
        std::this_thread::sleep_for(100us);
      }
    });
    for (int i = 0; i < 5; ++i) {
      const auto dies = pool.submit(die, SIGKILL);  // it keeps what is caught
      try {
        dies.result();
        ADD_FAILURE();
      } catch (const WorkerDied& error) {
        EXPECT_EQ(error.signal(), SIGKILL);
      }
      const auto sleeps = pool.submit(::usleep, 3000u);
      EXPECT_EQ(sleeps.exception(), nullptr);
    }
    EXPECT_EQ(first.result(), 0);
    stop = true;
    pressing.join();
  }
  ::signal(SIGINT, before);
}

TEST_P(AnyPool, ignores_ctrl_c_in_its_workers) {
  ProcessPoolExecutor pool(options(1));
  EXPECT_EQ(pool.submit([] { return ::raise(SIGINT); }).result(), 0);
}

// ---- Cancel and shut down --------------------------------------------------------------------

TEST_P(AnyPool, cancels_what_lies_in_no_ring_yet) {
  ProcessPoolExecutor pool(options(1));
  mp::Event go;
  auto first = pool.submit([](mp::Event event) { event.wait(); }, go);
  std::vector<Future<int>> queued;
  for (int i = 0; i < 10; ++i) queued.push_back(pool.submit(twice, i));
  EXPECT_TRUE(queued.back().cancel());
  go.set();
  first.result();
  EXPECT_EQ(queued.front().result(), 0);
  EXPECT_THROW(queued.back().result(), CancelledError);
  EXPECT_EQ(pool.submit(twice, 1).result(), 2);
}

TEST_P(AnyPool, comes_to_its_end_when_the_last_task_was_cancelled) {
  for (int round = 0; round < rounds(30); ++round) {
    ProcessPoolExecutor pool(options(1));
    if (round % 2 == 0) pool.submit(twice, 1).result();
    auto last = pool.submit(twice, 2);
    const bool cancelled = last.cancel();
    EXPECT_TRUE(pool.shutdown(kPatience));
    EXPECT_EQ(last.cancelled(), cancelled);
    EXPECT_TRUE(cancelled || last.result(0s) == 4);
  }
}

TEST_P(AnyPool, gives_its_results_when_it_was_shut_down_without_waiting) {
  std::vector<Future<int>> futures;
  ProcessPoolExecutor pool(options(2));
  for (int i = 0; i < 20; ++i) futures.push_back(pool.submit(twice, i));
  pool.shutdown(false);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(futures[static_cast<std::size_t>(i)].result(), 2 * i);
}

TEST_P(AnyPool, finishes_everything_before_it_is_gone) {
  std::vector<Future<int>> futures;
  {
    ProcessPoolExecutor pool(options(2));
    for (int i = 0; i < 100; ++i) futures.push_back(pool.submit(twice, i));
  }
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(futures[static_cast<std::size_t>(i)].done());
    EXPECT_EQ(futures[static_cast<std::size_t>(i)].result(), 2 * i);
  }
  EXPECT_TRUE(mp::active_children().empty());
}

TEST_P(AnyPool, shuts_down_as_it_is_told) {
  ProcessPoolExecutor pool(options(1));
  mp::Event go;
  auto first = pool.submit([](mp::Event event) { event.wait(); }, go);
  std::vector<Future<int>> queued;
  for (int i = 0; i < 10; ++i) queued.push_back(pool.submit(twice, i));
  ASSERT_TRUE(eventually([&] { return first.running(); }));
  pool.shutdown(false, true);
  EXPECT_THROW(pool.submit(twice, 1), RuntimeError);
  EXPECT_FALSE(pool.shutdown(5ms));
  go.set();
  EXPECT_TRUE(pool.shutdown(kPatience));
  first.result();
  EXPECT_TRUE(queued.back().cancelled());
  pool.shutdown();
  EXPECT_TRUE(pool.worker_pids().empty());
}

TEST_P(AnyPool, ends_at_once_when_it_was_never_used) {
  ProcessPoolExecutor pool(options(2));
  EXPECT_TRUE(pool.worker_pids().empty());
}

TEST_P(AnyPool, fails_what_is_pending_when_its_workers_are_killed) {
  for (const bool kill : {false, true}) {
    ProcessPoolExecutor pool(options(1));
    auto running = pool.submit(sleep_for_ever);
    std::vector<Future<int>> pending;
    for (int i = 0; i < 10; ++i) pending.push_back(pool.submit(twice, i));
    ASSERT_TRUE(eventually([&] { return running.running(); }));
    if (kill) pool.kill_workers();
    else pool.terminate_workers();
    EXPECT_THROW(running.result(), BrokenProcessPool);
    for (auto& future : pending) EXPECT_THROW(future.result(), BrokenProcessPool);
    EXPECT_THROW(pool.submit(twice, 1), BrokenProcessPool);
  }
}

TEST_P(AnyPool, comes_to_its_end_when_a_worker_dies_while_it_is_shut_down) {
  std::vector<Future<int>> futures;
  {
    ProcessPoolExecutor pool(options(2));
    for (int i = 0; i < 20; ++i) futures.push_back(pool.submit(die, SIGKILL));
    pool.shutdown(false);
  }
  for (auto& future : futures) EXPECT_THROW(future.result(), WorkerDied);
  std::string large(3'000'000, 'x');
  auto pool = std::make_unique<ProcessPoolExecutor>(options(2));
  std::vector<Future<std::size_t>> sizes;
  for (int i = 0; i < 10; ++i) {
    sizes.push_back(pool->submit(
        [](const std::string& text, int number) {
          if (number == 4) ::raise(SIGKILL);
          return text.size();
        },
        large, i));
  }
  pool.reset();
  for (std::size_t i = 0; i < 10; ++i) {
    if (i == 4) EXPECT_THROW(sizes[i].result(), WorkerDied);
    else EXPECT_EQ(sizes[i].result(), large.size());
  }
}

// ---- Nothing is left -----------------------------------------------------------------------------

TEST_P(AnyPool, leaves_neither_files_nor_processes) {
  { ProcessPoolExecutor(options(1)).submit(twice, 1).result(); }
  const auto before = open_files();
  for (int round = 0; round < 3; ++round) {
    ProcessPoolExecutor pool(options(2));
    for (int i = 0; i < 10; ++i) pool.submit(twice, i);
    pool.submit([](const std::string& text) { return text; }, std::string(100'000, 'x')).result();
    EXPECT_THROW(pool.submit(die, SIGKILL).result(), WorkerDied);
  }
  EXPECT_TRUE(eventually([&] { return open_files() <= before; })) << open_files() << " were " << before;
  EXPECT_TRUE(mp::active_children().empty());
}

TEST_P(AnyPool, dies_with_its_parent) {
  Value<mp::detail::Who> told(0);
  Process parent = process(
      [](StartMethod method, Value<mp::detail::Who> to) {
        ProcessPoolExecutor pool({.max_workers = 1, .start_method = method});
        pool.submit(
                [](Value<mp::detail::Who> me) {
                  me.set(mp::detail::this_process());
                  sleep_for_ever();
                },
                to)
            .result();
      },
      GetParam(), told);
  parent.start();
  ASSERT_TRUE(eventually([&] { return told.get() != 0; }));
  parent.kill();
  parent.join();
  EXPECT_TRUE(eventually([&] { return !mp::detail::process_lives(told.get()); }));
}

// By exit() of a process, which destroys it.
TEST_P(AnyPool, may_be_static) {
  if (GetParam() == StartMethod::fork) GTEST_SKIP() << "exit() would destroy what these tests have";
  Value<int> done(0);
  EXPECT_EQ(exitcode(
                [](StartMethod method, Value<int> to) {
                  static ProcessPoolExecutor pool({.max_workers = 2, .start_method = method});
                  for (int i = 0; i < 10; ++i) {
                    pool.submit([](Value<int> all) { all.with_lock([](int& n) { ++n; }); }, to);
                  }
                  std::exit(5);
                },
                GetParam(), done),
            5);
  EXPECT_EQ(done.get(), 10);
}

TEST_P(AnyPool, may_be_used_inside_a_worker) {
  ProcessPoolExecutor pool(options(1));
  EXPECT_EQ(pool.submit(
                    [](StartMethod method) {
                      ProcessPoolExecutor inner({.max_workers = 2, .start_method = method});
                      int sum = 0;
                      for (int i = 0; i < 5; ++i) sum += inner.submit(twice, i).result();
                      return sum;
                    },
                    GetParam())
                .result(),
            20);
}

// Kills workers at random while they work. Each task has the right result, or WorkerDied.
TEST_P(AnyPool, gives_no_wrong_result_under_random_kills) {
  ProcessPoolExecutor pool(options(2));
  std::mt19937 random(17);
  int right = 0;
  const auto end = std::chrono::steady_clock::now() + 1500ms;
  while (std::chrono::steady_clock::now() < end) {
    std::vector<Future<int>> futures;
    for (int i = 0; i < 100; ++i) {
      futures.push_back(pool.submit(
          [](int n) {
            std::atomic<int> spun{0};
            while (spun.fetch_add(1) < 2000) {
            }
            return 2 * n;
          },
          i));
      if (i % 25 == 0) {
        const auto pids = pool.worker_pids();
        if (!pids.empty()) ::kill(pids[random() % pids.size()], SIGKILL);
      }
    }
    for (int i = 0; i < 100; ++i) {
      try {
        EXPECT_EQ(futures[static_cast<std::size_t>(i)].result(), 2 * i);
        ++right;
      } catch (const WorkerDied&) {
        // it ran on a worker that was killed
      }
    }
  }
  EXPECT_GT(right, 0);
  EXPECT_EQ(pool.submit(twice, 1).result(), 2);
}

}  // namespace
}  // namespace nogil::testing::process_pool_executor_test
