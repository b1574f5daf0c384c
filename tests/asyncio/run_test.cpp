// tests/asyncio/run_test.cpp -- after CPython's test_runners.py.

#include "nogil/asyncio/run.hpp"

#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "asyncio/support/excepthook.hpp"
#include "asyncio/support/virtual_time.hpp"
#include "nogil/asyncio/future.hpp"
#include "nogil/asyncio/sleep.hpp"

namespace nogil::asyncio {
namespace {

using namespace std::chrono_literals;
using testing::Log;
using testing::Reported;

Coro<int> number(int n) {
  co_await yield();
  co_return n;
}

TEST(Run, gives_what_the_coroutine_returns_and_throws_what_it_throws) {
  EXPECT_EQ(run(number(3)), 3);
  const auto fail = []() -> Coro<> {
    co_await yield();
    throw std::runtime_error("main");
  };
  EXPECT_THROW(run(fail()), std::runtime_error);
  const auto cancelled = []() -> Coro<> {
    current_task().cancel();
    co_await yield();
  };
  EXPECT_THROW(run(cancelled()), CancelledError);
}

TEST(Run, cancels_the_other_tasks_at_the_end_and_awaits_them) {
  Log log;
  const auto other = [](Log& to) -> Coro<> {
    try {
      co_await sleep(1h);
    } catch (const CancelledError&) {
      to.push_back("cancelled");
    }
    co_await sleep(1ms);
    to.push_back("clean");
  };
  const auto amain = [](auto make, Log& to) -> Coro<int> {
    create_task(make(to));
    co_await yield();
    to.push_back("main");
    co_return 1;
  };
  EXPECT_EQ(run(amain(other, log)), 1);
  EXPECT_EQ(log, (Log{"main", "cancelled", "clean"}));
}

TEST(Run, reports_what_the_other_tasks_throw_then) {
  Reported reported;
  const auto other = []() -> Coro<> {
    try {
      co_await sleep(1h);
    } catch (const CancelledError&) {
    }
    throw std::runtime_error("cleanup");
  };
  const auto amain = [](auto make) -> Coro<> {
    create_task(make());
    co_await yield();
  };
  run(amain(other));
  EXPECT_EQ(reported.texts, Log{"std::runtime_error: cleanup"});
}

TEST(Run, refuses_inside_a_running_loop) {
  const auto amain = []() -> Coro<> {
    EXPECT_THROW(run(number(1)), RuntimeError);
    Runner runner;
    EXPECT_THROW(runner.run(number(1)), RuntimeError);
    co_return;
  };
  run(amain());
}

TEST(Run, returns_what_cannot_be_copied) {
  const auto amain = []() -> Coro<std::unique_ptr<int>> { co_return std::make_unique<int>(6); };
  EXPECT_EQ(*run(amain()), 6);
}

TEST(Run, takes_whatever_can_be_awaited) {
  EXPECT_EQ(run(sleep(1ms, 7)), 7);
  Runner runner;
  runner.run(yield());
}

TEST(Runner, runs_several_coroutines_in_one_loop) {
  Log log;
  const auto worker = [](Log& to) -> Coro<> {
    for (;;) {
      to.push_back("step");
      co_await yield();
    }
  };
  const auto start = [](auto make, Log& to) -> Coro<Task<>> {
    const Task<> task = create_task(make(to));
    co_await yield();
    co_return task;
  };
  Runner runner;
  EventLoop* const loop = &runner.get_loop();
  const Task<> task = runner.run(start(worker, log));
  const auto steps = log.size();
  EXPECT_EQ(runner.run(number(2)), 2);
  EXPECT_GT(log.size(), steps);
  EXPECT_EQ(&runner.get_loop(), loop);
  EXPECT_FALSE(task.done());
  runner.close();
  EXPECT_TRUE(task.cancelled());
  runner.close();
  EXPECT_THROW(static_cast<void>(runner.get_loop()), RuntimeError);
  EXPECT_THROW(runner.run(number(1)), RuntimeError);
}

// ---- SIGINT -------------------------------------------------------------------------------

// A process of its own, since it is about the main thread and how a program ends. The exit
// status, or minus the signal that ended it.
template <class Body>
int in_a_process(Body body) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGINT, SIG_DFL);
    int status = 99;
    try {
      status = body();
    } catch (...) {
    }
    ::_exit(status);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

Coro<> interrupted(bool* clean) {
  ::raise(SIGINT);
  try {
    co_await sleep(1h);
  } catch (const CancelledError&) {
  }
  co_await sleep(1ms);
  *clean = true;
  throw CancelledError();
}

TEST(RunInterrupted, lets_the_coroutine_clean_up_and_throws_keyboard_interrupt) {
  EXPECT_EQ(in_a_process([] {
              bool clean = false;
              try {
                run(interrupted(&clean));
              } catch (const KeyboardInterrupt&) {
                struct sigaction now {};
                ::sigaction(SIGINT, nullptr, &now);
                return clean && now.sa_handler == SIG_DFL ? 42 : 1;
              }
              return 2;
            }),
            42);
}

TEST(RunInterrupted, returns_if_the_coroutine_goes_on) {
  EXPECT_EQ(in_a_process([] {
              const auto amain = []() -> Coro<int> {
                ::raise(SIGINT);
                try {
                  co_await sleep(1h);
                } catch (const CancelledError&) {
                }
                co_return 43;
              };
              return run(amain());
            }),
            43);
}

TEST(RunInterrupted, twice_ends_the_program) {
  EXPECT_EQ(in_a_process([] {
              const auto amain = []() -> Coro<int> {
                ::raise(SIGINT);
                try {
                  co_await sleep(1h);
                } catch (const CancelledError&) {
                }
                ::raise(SIGINT);
                co_await sleep(1h);
                co_return 1;
              };
              return run(amain());
            }),
            -SIGINT);
}

TEST(RunInterrupted, leaves_a_handler_of_the_programs_own_alone) {
  EXPECT_EQ(in_a_process([] {
              static volatile sig_atomic_t seen = 0;
              ::signal(SIGINT, [](int) { seen = 1; });
              const auto amain = []() -> Coro<int> {
                ::raise(SIGINT);
                co_await sleep(1ms);
                co_return seen != 0 ? 44 : 1;
              };
              return run(amain());
            }),
            44);
}

TEST(RunInterrupted, reaches_a_coroutine_that_only_lets_others_run) {
  EXPECT_EQ(in_a_process([] {
              const auto amain = []() -> Coro<> {
                get_running_loop().call_later(1ms, [] { ::raise(SIGINT); });
                for (;;) co_await yield();
              };
              try {
                run(amain());
              } catch (const KeyboardInterrupt&) {
                return 45;
              }
              return 1;
            }),
            45);
}

// Has another process send SIGINT to this one, as soon as it sleeps.
void interrupt_when_asleep() {
  const pid_t self = ::getpid();
  if (::fork() != 0) return;
  const std::string stat = "/proc/" + std::to_string(self) + "/stat";
  for (std::string text; text.find(") S ") == std::string::npos; std::getline(std::ifstream(stat), text)) {
    if (::kill(self, 0) != 0) ::_exit(1);
    ::sched_yield();
  }
  ::kill(self, SIGINT);
  ::_exit(0);
}

TEST(RunInterrupted, wakes_a_loop_that_sleeps) {
  EXPECT_EQ(in_a_process([] {
              const auto waits = [](Future<> never) -> Coro<> {
                interrupt_when_asleep();
                co_await never;
              };
              Runner runner;
              const auto future = runner.get_loop().create_future<>();
              try {
                runner.run(waits(future));
              } catch (const KeyboardInterrupt&) {
                return future.cancelled() ? 46 : 2;
              }
              return 1;
            }),
            46);
}

TEST(RunInterrupted, is_no_keyboard_interrupt_if_another_cancels_the_coroutine_as_well) {
  EXPECT_EQ(in_a_process([] {
              const auto cancels = [](TaskHandle main) -> Coro<> {
                co_await yield();
                main.cancel();
                ::raise(SIGINT);
              };
              const auto amain = [](auto make) -> Coro<> {
                create_task(make(current_task()));
                co_await sleep(1h);
              };
              try {
                run(amain(cancels));
              } catch (const CancelledError&) {
                return 47;
              } catch (const KeyboardInterrupt&) {
                return 1;
              }
              return 2;
            }),
            47);
}

}  // namespace
}  // namespace nogil::asyncio
