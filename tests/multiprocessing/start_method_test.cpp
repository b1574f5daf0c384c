// Tests of nogil/multiprocessing/start_method.hpp: what each way to start a process needs, and
// what becomes of its template.

#include "nogil/multiprocessing/start_method.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "multiprocessing/support/processes.hpp"
#include "nogil/futures/thread_pool_executor.hpp"
#include "nogil/multiprocessing/value.hpp"

namespace nogil::testing::start_method_test {
namespace {

using mp::Value;

using AnyStartMethod = UnderEveryStartMethod;
NOGIL_UNDER_EVERY_START_METHOD(AnyStartMethod);

void nothing() {}

void sleep_for_ever() {
  for (;;) ::pause();
}

// ---- Threads of the parent -----------------------------------------------------------------

TEST_P(AnyStartMethod, starts_while_other_threads_of_the_parent_are_busy) {
  if (GetParam() == StartMethod::fork) {
    Process worker = process(nothing);
    std::atomic<bool> stop{false};
    std::thread other([&] {
      while (!stop) std::this_thread::yield();
    });
    EXPECT_THROW(worker.start(), RuntimeError) << "the other thread may hold a lock";
    stop = true;
    other.join();
    worker.start();  // and it may be tried again
    worker.join();
    EXPECT_EQ(worker.exitcode(), 0);
    return;
  }
  std::atomic<bool> stop{false};
  Bunch busy(2, [&] {  // hold the locks of malloc and stdio most of the time
    while (!stop) {
      std::vector<std::unique_ptr<int>> heap;
      for (int i = 0; i < 50; ++i) heap.push_back(std::make_unique<int>(i));
      std::fflush(stdout);
    }
  });
  for (int round = 0; round < rounds(20); ++round) {
    EXPECT_EQ(exitcode([] { static_cast<void>(std::make_unique<std::string>(1000, 'x')); }), 0);
  }
  stop = true;
}

TEST_P(AnyStartMethod, starts_while_threads_of_the_library_wait_for_work) {
  ThreadPoolExecutor pool(3);
  std::vector<Future<int>> futures;
  for (int i = 0; i < 20; ++i) futures.push_back(pool.submit([i] { return i; }));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(futures[static_cast<std::size_t>(i)].result(), i);
  for (int round = 0; round < 3; ++round) EXPECT_EQ(exitcode(nothing), 0);
  pool.shutdown();
  EXPECT_EQ(mp::detail::g_own_threads.load(), 2) << "the watchdog's, and the supervisor's";
}

TEST(Fork, is_refused_to_a_thread_of_the_library) {
  ThreadPoolExecutor pool(1);
  auto refused = pool.submit([] {
    Process worker(Process::Options{.start_method = StartMethod::fork}, nothing);
    worker.start();
  });
  EXPECT_THROW(refused.result(), RuntimeError) << "the main thread may hold a lock";
}

// ---- The template ----------------------------------------------------------------------------------------

TEST(Forkserver, is_replaced_when_its_template_dies) {
  const Process::Options options{.start_method = StartMethod::forkserver};
  Value<int> template_pid(0);
  Process first(
      options,
      [](Value<int> to) {
        to.set(::getppid());
        sleep_for_ever();
      },
      template_pid);
  first.start();
  ASSERT_TRUE(eventually([&] { return template_pid.get() != 0; }));
  EXPECT_NE(template_pid.get(), ::getpid());
  ::kill(template_pid.get(), SIGKILL);
  first.join();
  EXPECT_EQ(first.exitcode(), -SIGKILL);
  for (int round = 0; round < 2; ++round) {
    Process next(options, nothing);
    next.start();
    next.join();
    EXPECT_EQ(next.exitcode(), 0);
  }
}

TEST(Forkserver, ignores_ctrl_c) {
  const Process::Options options{.start_method = StartMethod::forkserver};
  Value<int> template_pid(0);
  for (int round = 0; round < 2; ++round) {
    Process one(
        options, [](Value<int> to) { to.set(::getppid()); }, template_pid);
    one.start();
    one.join();
    EXPECT_EQ(one.exitcode(), 0);
    ::kill(template_pid.get(), SIGINT);
  }
}

// ---- The hand-shake --------------------------------------------------------------------------------------

class HandShake : public ::testing::Test {
 protected:
  ~HandShake() override { ::unsetenv(mp::detail::kWorkerVariable); }

  static bool is_worker(const std::string& variable) {
    ::setenv(mp::detail::kWorkerVariable, variable.c_str(), 1);
    mp::detail::Greeting greeting;
    return mp::detail::receive_greeting(greeting);
  }
};

TEST_F(HandShake, is_not_done_with_a_strangers_environment) {
  EXPECT_FALSE(is_worker(""));
  EXPECT_FALSE(is_worker("0"));
  EXPECT_FALSE(is_worker("0:1:2"));
  EXPECT_FALSE(is_worker("999:1:2"));
  EXPECT_FALSE(is_worker("-1:1:2"));
  EXPECT_FALSE(is_worker("99999999999999999999:1:2"));
  EXPECT_FALSE(is_worker("3:1:2:3"));
  EXPECT_FALSE(is_worker("yes"));
}

TEST_F(HandShake, needs_the_right_number_and_the_right_program) {
  using mp::detail::Hello;
  const auto greeted = [](Hello hello, const std::string& numbers) {
    mp::detail::SocketPair sockets;
    mp::detail::send_packet(sockets.mine.get(), hello);
    const int fd = sockets.theirs.get();
    const bool taken = is_worker(std::to_string(fd) + numbers);
    if (taken) static_cast<void>(sockets.theirs.release());  // the greeting had it
    return taken;
  };
  Hello right{};
  right.magic = Hello::kMagic;
  right.nonce[0] = 5;
  right.nonce[1] = 6;
  right.program = mp::detail::program_module().id;
  EXPECT_TRUE(greeted(right, ":5:6"));
  EXPECT_EQ(::getenv(mp::detail::kWorkerVariable), nullptr) << "it is for one process only";
  EXPECT_FALSE(greeted(right, ":5:7"));
  Hello wrong = right;
  wrong.program.low ^= 1;
  EXPECT_FALSE(greeted(wrong, ":5:6"));
  wrong = right;
  wrong.magic ^= 1;
  EXPECT_FALSE(greeted(wrong, ":5:6"));
}

// In a copy of this process that has forgotten that it called freeze_support().
TEST(StartMethods, need_a_program_that_calls_freeze_support_unless_they_fork) {
  Process program(Process::Options{.start_method = StartMethod::fork}, [] {
    mp::detail::g_can_start_anew.store(false);
    if (mp::get_start_method() != StartMethod::fork) std::_Exit(2);
    for (const StartMethod method : {StartMethod::forkserver, StartMethod::spawn}) {
      for (const bool chosen : {false, true}) {
        try {
          Process refused(Process::Options{.start_method = method}, nothing);
          if (chosen) mp::set_start_method(method);
          else refused.start();
          std::_Exit(3);
        } catch (const RuntimeError& error) {
          if (std::string(error.what()).find("freeze_support()") == std::string::npos) std::_Exit(4);
        }
      }
    }
    Process inner(nothing);
    inner.start();
    inner.join();
    std::_Exit(inner.exitcode().value());
  });
  program.start();
  program.join();
  EXPECT_EQ(program.exitcode(), 0);
}

TEST(StartMethods, can_be_chosen_once_or_by_force) {
  EXPECT_EQ(mp::get_start_method(), StartMethod::forkserver) << "freeze_support() was called";
  mp::set_start_method(StartMethod::spawn);
  EXPECT_EQ(mp::get_start_method(), StartMethod::spawn);
  EXPECT_THROW(mp::set_start_method(StartMethod::fork), RuntimeError);
  EXPECT_EQ(mp::get_start_method(), StartMethod::spawn);
  mp::set_start_method(StartMethod::forkserver, true);
  EXPECT_EQ(mp::get_start_method(), StartMethod::forkserver);
}

}  // namespace
}  // namespace nogil::testing::start_method_test
