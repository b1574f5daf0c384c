// Tests of nogil::current_thread, main_thread, enumerate, active_count, get_ident and
// get_native_id. A test's name completes the sentence "current_thread and its family ...".

#include "nogil/threading/current_thread.hpp"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "nogil/threading/event.hpp"
#include "nogil/threading/lock.hpp"
#include "nogil/threading/thread.hpp"
#include "support/threads.hpp"

namespace current_thread_test {
namespace {

using nogil::Event;
using nogil::Thread;
using nogil::ThreadInfo;
using nogil::testing::Bunch;
using nogil::testing::rounds;

bool lists(const std::vector<ThreadInfo>& threads, const std::string& name) {
  return std::any_of(threads.begin(), threads.end(), [&](const ThreadInfo& info) { return info.name() == name; });
}

TEST(CurrentThreadTest, know_the_main_thread) {
  const ThreadInfo here = nogil::current_thread();
  EXPECT_EQ(here.name(), "MainThread");
  EXPECT_FALSE(here.daemon());
  EXPECT_EQ(here.native_id(), getpid());
  EXPECT_EQ(here.ident(), nogil::get_ident());
  EXPECT_EQ(here, nogil::main_thread());
}

TEST(CurrentThreadTest, know_the_main_thread_from_elsewhere) {
  std::optional<ThreadInfo> main;
  Thread thread([&] { main = nogil::main_thread(); });
  thread.start();
  thread.join();
  ASSERT_TRUE(main);
  EXPECT_EQ(main->name(), "MainThread");
  EXPECT_EQ(main->ident(), nogil::get_ident());
}

TEST(CurrentThreadTest, know_the_thread_they_are_asked_in) {
  std::optional<ThreadInfo> inside;
  int native_id = 0;
  Thread thread({.name = "worker", .daemon = true}, [&] {
    inside = nogil::current_thread();
    native_id = nogil::get_native_id();
  });
  thread.start();
  thread.join();
  ASSERT_TRUE(inside);
  EXPECT_EQ(inside->name(), "worker");
  EXPECT_TRUE(inside->daemon());
  EXPECT_EQ(inside->ident(), thread.ident());
  EXPECT_EQ(inside->native_id(), thread.native_id());
  EXPECT_EQ(inside->native_id(), native_id);
  EXPECT_NE(*inside, nogil::current_thread());
}

TEST(CurrentThreadTest, see_a_new_name) {
  std::string name;
  Thread thread([&] { name = nogil::current_thread().name(); });
  thread.set_name("renamed");
  thread.start();
  thread.join();
  EXPECT_EQ(name, "renamed");
}

TEST(CurrentThreadTest, call_a_foreign_thread_a_dummy) {
  std::optional<ThreadInfo> first, second;
  long native_id = 0;
  std::thread([&] {
    native_id = syscall(SYS_gettid);
    first = nogil::current_thread();
    second = nogil::current_thread();
  }).join();
  EXPECT_EQ(first->name().rfind("Dummy-", 0), 0u) << first->name();
  EXPECT_EQ(first->name(), second->name());
  EXPECT_EQ(first->native_id(), native_id);
  EXPECT_TRUE(first->daemon()) << "as in Python";
}

TEST(CurrentThreadTest, list_the_threads_that_live) {
  Event go;
  std::atomic<int> ready = 0;
  const std::size_t before = nogil::active_count();
  Thread thread({.name = "listed"}, [&] { go.wait(); });
  EXPECT_FALSE(lists(nogil::enumerate(), "listed")) << "it was not started";
  thread.start();
  Bunch foreign(1, [&] {
    static_cast<void>(nogil::get_ident());
    ++ready;
    go.wait();
  });
  ASSERT_TRUE(nogil::testing::eventually([&] { return ready == 1; }));
  const std::vector<ThreadInfo> threads = nogil::enumerate();
  EXPECT_TRUE(lists(threads, "listed"));
  EXPECT_TRUE(lists(threads, "MainThread"));
  EXPECT_EQ(threads.size(), before + 2);
  EXPECT_EQ(nogil::active_count(), before + 2);
  go.set();
  thread.join();
  foreign.join();
  EXPECT_FALSE(lists(nogil::enumerate(), "listed"));
  EXPECT_EQ(nogil::active_count(), before);
}

TEST(CurrentThreadTest, list_foreign_threads_that_have_used_a_lock) {
  Event go;
  nogil::Lock lock;
  std::atomic<long> native_id = 0;
  Bunch foreign(1, [&] {
    lock.acquire();
    lock.release();
    native_id = syscall(SYS_gettid);
    go.wait();
  });
  ASSERT_TRUE(nogil::testing::eventually([&] { return native_id != 0; }));
  const std::vector<ThreadInfo> threads = nogil::enumerate();
  go.set();
  EXPECT_TRUE(std::any_of(threads.begin(), threads.end(),
                          [&](const ThreadInfo& info) { return info.native_id() == native_id; }));
}

TEST(CurrentThreadTest, give_each_living_thread_its_own_number) {
  constexpr int kThreads = 20;
  Event go;
  std::vector<Thread> threads;
  std::set<std::uint64_t> idents{nogil::get_ident()};
  std::set<int> native_ids{nogil::get_native_id()};
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] { go.wait(); });
    threads.back().start();
    idents.insert(threads.back().ident());
    native_ids.insert(threads.back().native_id());
  }
  go.set();
  EXPECT_EQ(idents.size(), kThreads + 1u);
  EXPECT_EQ(native_ids.size(), kThreads + 1u);
  EXPECT_EQ(idents.count(0), 0u);
}

TEST(CurrentThreadTest, may_be_asked_while_threads_come_and_go) {
  static_cast<void>(nogil::get_ident());  // so that the main thread is known, too
  std::atomic<bool> over = false;
  Bunch askers(2, [&] {
    while (!over) {
      ASSERT_GE(nogil::enumerate().size(), 2u);
      ASSERT_EQ(nogil::main_thread().name(), "MainThread");
    }
  });
  for (int round = 0; round < rounds(100); ++round) {
    Thread thread({.name = "a name that is long enough to need memory of its own"}, [] {});
    thread.start();
    thread.set_name("and another that is long enough to need memory of its own");
  }
  over = true;
  askers.join();
}

TEST(CurrentThreadTest, take_the_thread_that_forked_for_the_main_one) {
  int status = -1;
  Thread thread([&status] {
    const pid_t child = fork();
    if (child == 0) {
      const bool right = nogil::main_thread() == nogil::current_thread() && nogil::active_count() == 1 &&
                         nogil::get_native_id() == getpid();
      _exit(right ? 0 : 1);
    }
    waitpid(child, &status, 0);
  });
  thread.start();
  thread.join();
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace current_thread_test
