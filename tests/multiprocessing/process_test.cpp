// Tests of nogil::mp::Process, under every start method. Cases of CPython's _TestProcess are
// among them.

#include "nogil/multiprocessing/process.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "multiprocessing/support/processes.hpp"
#include "nogil/multiprocessing/event.hpp"
#include "nogil/multiprocessing/lock.hpp"
#include "nogil/multiprocessing/value.hpp"

namespace nogil::testing::process_test {
namespace {

using mp::Value;

using AnyProcess = UnderEveryStartMethod;
NOGIL_UNDER_EVERY_START_METHOD(AnyProcess);

void nothing() {}

void sleep_for_ever() {
  for (;;) ::pause();
}

// ---- The call --------------------------------------------------------------------------

TEST_P(AnyProcess, calls_with_the_arguments_that_it_was_made_with) {
  Value<int> sum(0);
  Process worker = process(
      [](const std::vector<int>& numbers, const std::string& text, double factor, Value<int> to) {
        int all = static_cast<int>(static_cast<double>(text.size()) * factor);
        for (const int number : numbers) all += number;
        to.set(all);
      },
      std::vector<int>{1, 2, 3}, "four", 2.5, sum);
  EXPECT_FALSE(worker.is_alive());
  worker.start();
  worker.join();
  EXPECT_EQ(worker.exitcode(), 0);
  EXPECT_EQ(sum.get(), 16);
}

double half(double x) {
  return x / 2;
}

TEST_P(AnyProcess, calls_functions_of_the_program_and_of_libraries) {
  EXPECT_EQ(exitcode(half, 3.0), 0);
  EXPECT_EQ(exitcode(static_cast<double (*)(double)>(std::sqrt), 3.0), 0);
  EXPECT_EQ(exitcode(::usleep, 1u), 0);
}

TEST_P(AnyProcess, takes_a_callable_object_with_its_state) {
  struct Adder {
    std::vector<int> numbers;
    Value<int> to;
    Adder() = default;
    Adder(std::vector<int> n, Value<int> v) : numbers(std::move(n)), to(v) {}
    void serialize(mp::OutputArchive& archive) { archive(numbers, to); }
    void serialize(mp::InputArchive& archive) { archive(numbers, to); }
    void operator()(int extra) {
      for (const int number : numbers) extra += number;
      to.set(extra);
    }
  };
  Value<int> sum(0);
  EXPECT_EQ(exitcode(Adder({1, 2}, sum), 10), 0);
  EXPECT_EQ(sum.get(), 13);
}

TEST_P(AnyProcess, takes_large_arguments) {
  Value<double> sum(0);
  std::vector<double> numbers(1'000'000, 0.5);
  EXPECT_EQ(exitcode(
                [](const std::vector<double>& all, Value<double> to) {
                  double total = 0;
                  for (const double one : all) total += one;
                  to.set(total);
                },
                numbers, sum),
            0);
  EXPECT_EQ(sum.get(), 500'000);
}

TEST_P(AnyProcess, is_refused_when_it_captures_by_reference) {
  int local = 1;
  EXPECT_THROW(process([&local] { ++local; }), ValueError);
}

TEST_P(AnyProcess, has_its_own_memory) {
  static int global = 1;
  EXPECT_EQ(exitcode([] { global = 2; }), 0);
  EXPECT_EQ(global, 1);
}

// ---- How it ends -------------------------------------------------------------------------

TEST_P(AnyProcess, tells_how_it_ended) {
  EXPECT_EQ(exitcode(nothing), 0);
  EXPECT_EQ(exitcode([] { ::_exit(3); }), 3);
  EXPECT_EQ(exitcode([](int code) { std::_Exit(code); }, 250), 250);
  EXPECT_EQ(exitcode([] { ::raise(SIGKILL); }), -SIGKILL);
  EXPECT_EQ(exitcode([] { ::signal(SIGSEGV, SIG_DFL), ::raise(SIGSEGV); }), -SIGSEGV);
  EXPECT_EQ(exitcode([] { ::signal(SIGABRT, SIG_DFL), std::abort(); }), -SIGABRT);
}

TEST_P(AnyProcess, ends_with_1_and_a_line_on_stderr_when_an_exception_leaves_it) {
  const std::string said = stderr_of([] {
    Process worker(Process::Options{.name = "thrower", .start_method = GetParam()},
                   [] { throw std::out_of_range("too far"); });
    worker.start();
    worker.join();
    EXPECT_EQ(worker.exitcode(), 1);
  });
  EXPECT_EQ(said, "Exception in process thrower: std::out_of_range: too far\n");
}

TEST_P(AnyProcess, has_written_everything_when_it_has_ended) {
  Stdout out;
  EXPECT_EQ(exitcode([] {
              std::printf("by printf ");
              std::cout << "by cout";
            }),
            0);
  EXPECT_EQ(out.text(), "by printf by cout");
}

TEST_P(AnyProcess, reads_nothing_from_standard_input) {
  EXPECT_EQ(exitcode([] { std::_Exit(std::getchar() == EOF ? 0 : 1); }), 0);
}

TEST_P(AnyProcess, ends_when_it_is_asked_to) {
  for (const auto& [ask, expected] : {std::pair{&Process::terminate, -SIGTERM}, std::pair{&Process::kill, -SIGKILL},
                                      std::pair{&Process::interrupt, -SIGINT}}) {
    mp::Event started;
    Process worker = process(
        [](mp::Event event) {
          event.set();
          sleep_for_ever();
        },
        started);
    worker.start();
    started.wait();
    EXPECT_TRUE(worker.is_alive());
    EXPECT_EQ(worker.exitcode(), std::nullopt);
    (worker.*ask)();
    worker.join();
    EXPECT_EQ(worker.exitcode(), expected);
    EXPECT_FALSE(worker.is_alive());
    (worker.*ask)();  // nothing happens
  }
}

TEST_P(AnyProcess, is_ended_by_sigint_even_when_the_parent_ignores_it) {
  const auto before = ::signal(SIGINT, SIG_IGN);
  mp::Event started;
  Process worker = process(
      [](mp::Event event) {
        event.set();
        sleep_for_ever();
      },
      started);
  worker.start();
  started.wait();
  worker.interrupt();
  worker.join();
  EXPECT_EQ(worker.exitcode(), -SIGINT);
  ::signal(SIGINT, before);
}

// ---- Waiting for it --------------------------------------------------------------------------

TEST_P(AnyProcess, is_waited_for_no_longer_than_the_limit) {
  Process worker = process(sleep_for_ever);
  worker.start();
  EXPECT_FALSE(worker.join(0ms));
  EXPECT_FALSE(worker.join(5ms));
  EXPECT_FALSE(worker.join(stopped_token()));
  worker.kill();
  EXPECT_TRUE(worker.join(kPatience));
  EXPECT_TRUE(worker.join(0ms));
  EXPECT_TRUE(worker.join());
}

TEST_P(AnyProcess, is_waited_for_by_many_threads) {
  Process worker = process(sleep_for_ever);
  worker.start();
  Bunch waiters(4, [&] {
    EXPECT_TRUE(worker.join());
    EXPECT_EQ(worker.exitcode(), -SIGKILL);
  });
  worker.kill();
  waiters.join();
}

TEST_P(AnyProcess, has_a_file_that_is_readable_when_it_has_ended) {
  Process worker = process(sleep_for_ever);
  worker.start();
  ::pollfd question{worker.sentinel(), POLLIN, 0};
  EXPECT_EQ(::poll(&question, 1, 0), 0);
  worker.kill();
  EXPECT_EQ(::poll(&question, 1, 30'000), 1);
}

TEST_P(AnyProcess, is_joined_by_its_destructor) {
  Value<int> done(0);
  {
    Process worker = process([](Value<int> to) { ::usleep(20'000), to.set(1); }, done);
    worker.start();
  }
  EXPECT_EQ(done.get(), 1);
}

TEST_P(AnyProcess, is_terminated_by_its_destructor_when_it_is_a_daemon) {
  Process worker(Process::Options{.daemon = true, .start_method = GetParam()}, sleep_for_ever);
  EXPECT_TRUE(worker.daemon());
  worker.start();
}

TEST_P(AnyProcess, can_be_moved_while_it_runs) {
  Process worker = process(sleep_for_ever);
  worker.start();
  std::vector<Process> all;
  all.push_back(std::move(worker));
  all.push_back(process(sleep_for_ever));
  all.back().start();
  for (Process& one : all) one.kill();
  for (Process& one : all) EXPECT_TRUE(one.join());
  all[0] = std::move(all[1]);
  EXPECT_EQ(all[0].exitcode(), -SIGKILL);
}

// ---- Misuse ----------------------------------------------------------------------------------

TEST_P(AnyProcess, refuses_what_comes_too_early_or_too_late) {
  Process worker = process(sleep_for_ever);
  EXPECT_THROW(worker.join(), RuntimeError);
  EXPECT_THROW(worker.terminate(), RuntimeError);
  EXPECT_THROW(static_cast<void>(worker.sentinel()), RuntimeError);
  EXPECT_EQ(worker.pid(), 0);
  EXPECT_EQ(worker.exitcode(), std::nullopt);
  worker.start();
  EXPECT_THROW(worker.start(), RuntimeError);
  EXPECT_THROW(worker.close(), ValueError);
  worker.kill();
  worker.join();
  EXPECT_THROW(worker.start(), RuntimeError);
  worker.close();
  EXPECT_THROW(worker.join(), ValueError);
  EXPECT_THROW(worker.start(), RuntimeError);
  EXPECT_FALSE(worker.is_alive());
}

// ---- Who is who ----------------------------------------------------------------------------------

TEST_P(AnyProcess, knows_itself_and_its_parent) {
  EXPECT_EQ(mp::current_process().name, "MainProcess");
  EXPECT_EQ(mp::current_process().pid, ::getpid());
  EXPECT_EQ(mp::parent_process(), std::nullopt);
  Process worker(
      Process::Options{.name = "inner", .daemon = true, .start_method = GetParam()},
      [](int parent) {
        const mp::ProcessInfo self = mp::current_process();
        const auto above = mp::parent_process();
        const bool right = self.name == "inner" && self.daemon && self.pid == ::getpid() && above &&
                           above->name == "MainProcess" && above->pid == parent && mp::active_children().empty();
        std::_Exit(right ? 0 : 1);
      },
      ::getpid());
  worker.start();
  worker.join();
  EXPECT_EQ(worker.exitcode(), 0);
  EXPECT_EQ(process(nothing).name().substr(0, 8), "Process-");
}

TEST_P(AnyProcess, is_among_the_active_children_until_it_ends) {
  EXPECT_TRUE(mp::active_children().empty());
  Process worker = process(sleep_for_ever);
  worker.start();
  ASSERT_EQ(mp::active_children().size(), 1u);
  EXPECT_EQ(mp::active_children()[0].pid, worker.pid());
  worker.kill();
  worker.join();
  EXPECT_TRUE(mp::active_children().empty());
}

TEST_P(AnyProcess, may_have_processes_of_its_own) {
  Value<int> sum(0);
  EXPECT_EQ(exitcode(
                [](StartMethod method, Value<int> to) {
                  std::vector<Process> inner;
                  for (int i = 0; i < 2; ++i) {
                    inner.emplace_back(
                        Process::Options{.start_method = method},
                        [](Value<int> shared) { shared.with_lock([](int& n) { ++n; }); }, to);
                    inner.back().start();
                  }
                  for (Process& one : inner) one.join();
                },
                GetParam(), sum),
            0);
  EXPECT_EQ(sum.get(), 2);
}

// ---- Nothing is left --------------------------------------------------------------------------------

TEST_P(AnyProcess, leaves_neither_files_nor_zombies) {
  EXPECT_EQ(exitcode(nothing), 0);  // the supervisor and the template are there now
  const auto before = open_files();
  for (int round = 0; round < 5; ++round) {
    mp::Lock lock;
    EXPECT_EQ(exitcode([](mp::Lock own) { own.acquire(), own.release(); }, lock), 0);
  }
  // The supervisor closes what belonged to a child a moment after its end.
  EXPECT_TRUE(eventually([&] { return open_files() <= before; }));
  int pid = 0;
  {
    Process worker = process(nothing);
    worker.start();
    pid = worker.pid();
    worker.join();
  }
  EXPECT_TRUE(eventually([pid] { return ::kill(pid, 0) != 0; })) << "a zombie has its number still";
}

TEST_P(AnyProcess, dies_with_its_parent_however_that_dies) {
  Value<mp::detail::Who> grandchild(0);
  Process parent = process(
      [](StartMethod method, Value<mp::detail::Who> told) {
        Process child(
            Process::Options{.start_method = method},
            [](Value<mp::detail::Who> to) {
              to.set(mp::detail::this_process());
              sleep_for_ever();
            },
            told);
        child.start();
        sleep_for_ever();
      },
      GetParam(), grandchild);
  parent.start();
  ASSERT_TRUE(eventually([&] { return grandchild.get() != 0; }));
  const mp::detail::Who who = grandchild.get();
  EXPECT_TRUE(mp::detail::process_lives(who));
  parent.kill();
  parent.join();
  EXPECT_TRUE(eventually([&] { return !mp::detail::process_lives(who); }));
}

TEST_P(AnyProcess, may_be_started_by_a_thread_that_ends_soon) {
  std::vector<Process> workers;
  mp::Event release;
  const auto start = [&] {
    workers.push_back(process([](mp::Event event) { event.wait(); }, release));
    workers.back().start();
  };
  if (GetParam() == StartMethod::fork) start();  // no other thread may be there
  else std::thread(start).join();
  EXPECT_FALSE(workers[0].join(20ms)) << "the kernel ends a child with the thread that created it";
  release.set();
  workers[0].join();
  EXPECT_EQ(workers[0].exitcode(), 0);
}

}  // namespace
}  // namespace nogil::testing::process_test
