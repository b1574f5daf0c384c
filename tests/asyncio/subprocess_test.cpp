// tests/asyncio/subprocess_test.cpp -- after CPython's test_subprocess.

#include "nogil/asyncio/subprocess.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "nogil/asyncio/run.hpp"
#include "nogil/asyncio/sleep.hpp"
#include "support/watchdog.hpp"

namespace nogil::asyncio {
namespace {

using namespace std::chrono_literals;

constexpr SubprocessOptions kAllPipes{.in = PIPE, .out = PIPE, .err = PIPE};
constexpr SubprocessOptions kOut{.out = PIPE};

// This program has no child any more, neither a running one nor a zombie.
bool has_no_child() {
  return ::waitid(P_ALL, 0, nullptr, WEXITED | WNOHANG | WNOWAIT) != 0 && errno == ECHILD;
}

TEST(Subprocess, tells_what_it_ended_with) {
  const auto amain = []() -> Coro<> {
    auto process = co_await create_subprocess_shell("exit 7");
    EXPECT_GT(process.pid(), 0);
    EXPECT_EQ(co_await process.wait(), 7);
    EXPECT_EQ(process.returncode(), 7);
    EXPECT_EQ(co_await process.wait(), 7);
    EXPECT_TRUE(has_no_child());
  };
  run(amain());
}

TEST(Subprocess, gives_its_arguments_as_they_are) {
  const auto amain = []() -> Coro<> {
    const std::string text = "two  words";
    auto process = co_await create_subprocess_exec(kOut, "printf", "%s|%s|%s", text, "$HOME", std::string_view("*"));
    auto output = co_await process.communicate();
    EXPECT_EQ(output.out, "two  words|$HOME|*");
    std::vector<std::string> arguments{"printf", "%s", "x"};
    auto again = co_await create_subprocess_exec(kOut, arguments);
    auto second = co_await again.communicate();
    EXPECT_EQ(second.out, "x");
  };
  run(amain());
}

TEST(Subprocess, talks_through_its_pipes) {
  const auto amain = []() -> Coro<> {
    auto process = co_await create_subprocess_exec(SubprocessOptions{.in = PIPE, .out = PIPE}, "cat");
    process.in().write("one\n");
    EXPECT_EQ(co_await process.out().readline(), "one\n");
    process.in().write("two\n");
    EXPECT_EQ(co_await process.out().readline(), "two\n");
    EXPECT_FALSE(process.returncode().has_value());
    process.in().close();
    EXPECT_EQ(co_await process.out().read(), "");
    EXPECT_EQ(co_await process.wait(), 0);
    EXPECT_THROW(static_cast<void>(process.err()), RuntimeError);
  };
  run(amain());
}

TEST(Subprocess, communicates) {
  const auto amain = []() -> Coro<> {
    auto process = co_await create_subprocess_shell(kAllPipes, "cat; echo problem >&2; exit 3");
    auto output = co_await process.communicate("some data");
    EXPECT_EQ(output.out, "some data");
    EXPECT_EQ(output.err, "problem\n");
    EXPECT_EQ(process.returncode(), 3);
  };
  run(amain());
}

// More than the pipes keep, in each direction, and in an order of which no one may rely.
TEST(Subprocess, communicates_without_a_deadlock) {
  const auto amain = []() -> Coro<> {
    constexpr std::size_t kSize = 1'000'000;
    auto process = co_await create_subprocess_shell(
        kAllPipes, "head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2; cat; head -c 500000 /dev/zero >&2");
    auto output = co_await process.communicate(std::string(kSize, 'x'));
    EXPECT_EQ(output.out.size(), 2 * kSize);
    EXPECT_EQ(output.err.size(), kSize + kSize / 2);
    EXPECT_EQ(output.out.back(), 'x');
    EXPECT_EQ(process.returncode(), 0);
  };
  run(amain());
}

TEST(Subprocess, need_not_read_what_it_is_given) {
  const auto amain = []() -> Coro<> {
    auto process = co_await create_subprocess_exec(kAllPipes, "true");
    auto output = co_await process.communicate(std::string(1'000'000, 'x'));
    EXPECT_EQ(output.out, "");
    EXPECT_EQ(process.returncode(), 0);
  };
  run(amain());
}

TEST(Subprocess, loses_nothing_when_communicate_is_cancelled) {
  const auto amain = []() -> Coro<> {
    const std::string flag = ::testing::TempDir() + "nogil-subprocess-" + std::to_string(::getpid());
    const std::string line = "echo first; while [ ! -e " + flag + " ]; do sleep 0.01; done; rm " + flag + "; cat";
    auto process = co_await create_subprocess_shell(kAllPipes, line);
    for (int i = 0; i < 2; ++i) {
      const auto task = create_task(process.communicate("input"));
      co_await sleep(1ms);
      task.cancel();
      co_await sleep(1ms);
      EXPECT_TRUE(task.cancelled());
    }
    auto make = co_await create_subprocess_exec("touch", flag);
    EXPECT_EQ(co_await make.wait(), 0);
    auto output = co_await process.communicate();
    EXPECT_EQ(output.out, "first\ninput");
  };
  run(amain());
}

TEST(Subprocess, is_sent_signals) {
  const auto amain = []() -> Coro<> {
    auto process = co_await create_subprocess_exec("sleep", "3600");
    process.terminate();
    EXPECT_EQ(co_await process.wait(), -SIGTERM);
    auto second = co_await create_subprocess_exec("sleep", "3600");
    second.kill();
    EXPECT_EQ(co_await second.wait(), -SIGKILL);
    auto third = co_await create_subprocess_shell(kOut, "trap 'exit 5' USR1; echo ready; while :; do sleep 0.01; done");
    EXPECT_EQ(co_await third.out().readline(), "ready\n");
    third.send_signal(SIGUSR1);
    EXPECT_EQ(co_await third.wait(), 5);
    third.kill();
    third.send_signal(SIGUSR1);
  };
  run(amain());
}

TEST(Subprocess, refuses_a_signal_that_there_is_not) {
  const auto amain = []() -> Coro<> {
    auto process = co_await create_subprocess_exec("sleep", "3600");
    EXPECT_THROW(process.send_signal(1000), std::system_error);
    process.kill();
    co_await process.wait();
  };
  run(amain());
}

template <class... Args>
Coro<std::string> failure(const Args&... args) {
  std::string what;
  auto process = create_subprocess_exec(args...);
  try {
    co_await std::move(process);
  } catch (const FileNotFoundError& error) {
    what = error.what();
  } catch (const std::system_error& error) {
    what = "system error " + std::to_string(error.code().value());
  }
  co_return what;
}

TEST(Subprocess, says_that_there_is_no_such_program) {
  const auto amain = []() -> Coro<> {
    const std::string what = co_await failure(kAllPipes, "/no/such/program");
    EXPECT_NE(what.find("/no/such/program"), std::string::npos);
    EXPECT_NE(co_await failure("no-such-program"), "");
    EXPECT_EQ(co_await failure("/etc/passwd"), "system error " + std::to_string(EACCES));
    const SubprocessOptions nowhere{.cwd = "/no/such/folder"};
    const std::string folder = co_await failure(nowhere, "true");
    EXPECT_NE(folder.find("/no/such/folder"), std::string::npos);
    EXPECT_TRUE(has_no_child());
  };
  run(amain());
}

TEST(Subprocess, wants_a_program) {
  const auto exec = [] { static_cast<void>(create_subprocess_exec({}, std::vector<std::string>())); };
  EXPECT_THROW(exec(), ValueError);
  const auto wrong = [] { static_cast<void>(create_subprocess_exec(SubprocessOptions{.out = STDOUT}, "true")); };
  EXPECT_THROW(wrong(), ValueError);
}

TEST(Subprocess, is_connected_as_the_options_say) {
  const auto amain = []() -> Coro<> {
    const SubprocessOptions nothing{.in = DEVNULL, .out = PIPE, .err = DEVNULL};
    auto process = co_await create_subprocess_shell(nothing, "cat; echo out; echo err >&2");
    auto output = co_await process.communicate();
    EXPECT_EQ(output.out, "out\n");
    EXPECT_EQ(output.err, "");
    const SubprocessOptions together{.out = PIPE, .err = STDOUT};
    auto second = co_await create_subprocess_shell(together, "echo out; echo err >&2");
    auto both = co_await second.communicate();
    EXPECT_EQ(both.out, "out\nerr\n");
  };
  run(amain());
}

TEST(Subprocess, starts_where_and_with_what_the_options_say) {
  const auto amain = []() -> Coro<> {
    const std::vector<std::string> environment{"ANSWER=42", "PATH=/usr/bin:/bin"};
    const SubprocessOptions options{.out = PIPE, .cwd = "/", .env = &environment};
    auto process = co_await create_subprocess_shell(options, "pwd; echo $ANSWER; echo [$HOME]");
    auto output = co_await process.communicate();
    EXPECT_EQ(output.out, "/\n42\n[]\n");
  };
  run(amain());
}

TEST(Subprocess, has_no_descriptors_of_ours) {
  const auto amain = []() -> Coro<> {
    auto other = co_await create_subprocess_exec(kAllPipes, "cat");
    auto process = co_await create_subprocess_exec(kOut, "ls", "/proc/self/fd");
    auto output = co_await process.communicate();
    EXPECT_EQ(output.out, "0\n1\n2\n3\n") << "3 is the folder that it lists";
    auto rest = co_await other.communicate();
    EXPECT_EQ(rest.out, "");
  };
  run(amain());
}

TEST(Subprocess, may_be_dropped_and_leaves_no_zombie) {
  const auto amain = []() -> Coro<> {
    { const auto process = co_await create_subprocess_exec("true"); }
    co_await create_subprocess_shell("exit 1");
    while (!has_no_child()) co_await sleep(1ms);
  };
  run(amain());
}

TEST(Subprocess, is_killed_at_the_end_of_the_loop) {
  const auto amain = []() -> Coro<Process> {
    { const auto dropped = co_await create_subprocess_exec("sleep", "3600"); }
    co_return co_await create_subprocess_exec(kAllPipes, "sleep", "3600");
  };
  auto process = run(amain());
  EXPECT_EQ(process.returncode(), -SIGKILL);
  EXPECT_TRUE(has_no_child());
  process.kill();
}

TEST(Subprocess, runs_beside_others) {
  const auto amain = []() -> Coro<> {
    const auto one = []() -> Coro<int> {
      auto process = co_await create_subprocess_shell(kOut, "echo $$");
      auto output = co_await process.communicate();
      EXPECT_EQ(output.out, std::to_string(process.pid()) + "\n");
      co_return process.returncode().value();
    };
    std::vector<Task<int>> tasks;
    for (int i = 0; i < 20; ++i) tasks.push_back(create_task(one()));
    for (const Task<int>& task : tasks) EXPECT_EQ(co_await task, 0);
  };
  run(amain());
  EXPECT_TRUE(has_no_child());
}

TEST(Subprocess, gives_several_tasks_its_end) {
  const auto amain = []() -> Coro<> {
    auto process = co_await create_subprocess_exec(SubprocessOptions{.in = PIPE}, "cat");
    const auto first = create_task(process.wait());
    const auto second = create_task(process.wait());
    co_await sleep(0s);
    process.in().close();
    EXPECT_EQ(co_await first, 0);
    EXPECT_EQ(co_await second, 0);
  };
  run(amain());
}

}  // namespace
}  // namespace nogil::asyncio
