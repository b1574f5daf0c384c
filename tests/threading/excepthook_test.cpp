// Tests of nogil::set_excepthook, after CPython's test_threading.ExceptHookTests.
// A test's name completes the sentence "the excepthook ...".

#include "nogil/threading/excepthook.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "nogil/threading/event.hpp"
#include "nogil/threading/lock.hpp"
#include "nogil/threading/thread.hpp"
#include "support/threads.hpp"

namespace app {

struct LostConnection : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace app

namespace excepthook_test {
namespace {

using nogil::Event;
using nogil::ExceptHookArgs;
using nogil::Thread;
using nogil::testing::Bunch;
using nogil::testing::rounds;

class ExceptHookTest : public testing::Test {
 protected:
  ~ExceptHookTest() override { nogil::set_excepthook(nullptr); }

  // What goes to stderr meanwhile.
  template <class Act>
  static std::string printed(Act act) {
    testing::internal::CaptureStderr();
    act();
    return testing::internal::GetCapturedStderr();
  }

  template <class E>
  static void throw_in_a_thread(std::string name, E error) {
    Thread thread({.name = std::move(name)}, [error] { throw error; });
    thread.start();
    thread.join();
  }
};

TEST_F(ExceptHookTest, prints_one_line_by_default) {
  EXPECT_EQ(printed([] { throw_in_a_thread("fetcher", app::LostConnection("no route")); }),
            "Exception in thread fetcher: app::LostConnection: no route\n");
  EXPECT_EQ(printed([] { throw_in_a_thread("fetcher", std::out_of_range("")); }),
            "Exception in thread fetcher: std::out_of_range\n");
}

TEST_F(ExceptHookTest, names_the_type_of_what_is_no_exception) {
  EXPECT_EQ(printed([] { throw_in_a_thread("odd", 42); }), "Exception in thread odd: int\n");
}

TEST_F(ExceptHookTest, is_given_the_exception_and_the_name) {
  std::string name, what;
  nogil::set_excepthook([&](const ExceptHookArgs& args) {
    name = args.thread_name;
    try {
      std::rethrow_exception(args.exception);
    } catch (const std::runtime_error& error) {
      what = error.what();
    }
  });
  EXPECT_EQ(printed([] { throw_in_a_thread("mine", std::runtime_error("boom")); }), "");
  EXPECT_EQ(name, "mine");
  EXPECT_EQ(what, "boom");
}

TEST_F(ExceptHookTest, is_called_in_the_thread_that_failed) {
  std::uint64_t here = 0;
  nogil::set_excepthook([&](const ExceptHookArgs&) { here = nogil::platform::thread_id(); });
  Thread thread([] { throw 1; });
  thread.start();
  thread.join();
  EXPECT_EQ(here, thread.ident());
}

TEST_F(ExceptHookTest, sees_what_the_thread_will_tell) {
  Thread* failing = nullptr;
  bool same = false;
  nogil::set_excepthook([&](const ExceptHookArgs& args) { same = args.exception == failing->exception(); });
  Thread thread([] { throw 1; });
  failing = &thread;
  thread.start();
  thread.join();
  EXPECT_TRUE(same);
}

std::atomic<int> g_calls = 0;
void count_call(const ExceptHookArgs&) {
  ++g_calls;
}

TEST_F(ExceptHookTest, may_be_a_function_or_move_only) {
  g_calls = 0;
  nogil::set_excepthook(count_call);
  throw_in_a_thread("a", 1);
  EXPECT_EQ(g_calls, 1);
  nogil::set_excepthook(
      [calls = std::make_unique<std::atomic<int>*>(&g_calls)](const ExceptHookArgs&) mutable { ++**calls; });
  throw_in_a_thread("b", 1);
  EXPECT_EQ(g_calls, 2);
}

TEST_F(ExceptHookTest, is_restored_by_null) {
  nogil::set_excepthook(count_call);
  nogil::set_excepthook(nullptr);
  EXPECT_EQ(printed([] { throw_in_a_thread("a", 1); }), "Exception in thread a: int\n");
  nogil::set_excepthook(count_call);
  void (*none)(const ExceptHookArgs&) = nullptr;
  nogil::set_excepthook(none);
  EXPECT_EQ(printed([] { throw_in_a_thread("a", 1); }), "Exception in thread a: int\n");
}

TEST_F(ExceptHookTest, may_throw_itself) {
  nogil::set_excepthook([](const ExceptHookArgs&) { throw std::logic_error("hook"); });
  const std::string text = printed([] { throw_in_a_thread("a", std::runtime_error("first")); });
  EXPECT_NE(text.find("Exception in excepthook: std::logic_error: hook"), text.npos) << text;
  EXPECT_NE(text.find("Exception in thread a: std::runtime_error: first"), text.npos) << text;
}

TEST_F(ExceptHookTest, may_replace_itself) {
  nogil::set_excepthook([alive = std::make_shared<int>(7)](const ExceptHookArgs&) {
    nogil::set_excepthook(nullptr);
    EXPECT_EQ(*alive, 7) << "it lives until it returns";
  });
  EXPECT_EQ(printed([] { throw_in_a_thread("a", 1); }), "");
}

TEST_F(ExceptHookTest, may_have_threads_that_fail_too) {
  std::atomic<int> depth = 0;
  nogil::set_excepthook([&](const ExceptHookArgs&) {
    if (++depth < 3) throw_in_a_thread("inner", 1);
  });
  throw_in_a_thread("outer", 1);
  EXPECT_EQ(depth, 3);
}

TEST_F(ExceptHookTest, is_run_by_several_threads_at_once) {
  Event all_there;
  std::atomic<int> inside = 0;
  nogil::set_excepthook([&](const ExceptHookArgs&) {
    if (++inside == 3) all_there.set();
    all_there.wait();
  });
  Bunch bunch(3, [] { throw_in_a_thread("a", 1); });
  bunch.join();
  EXPECT_EQ(inside, 3);
}

TEST_F(ExceptHookTest, stays_alive_while_it_runs_and_no_longer) {
  const auto token = std::make_shared<int>(0);
  Event inside, go;
  nogil::set_excepthook([token, &inside, &go](const ExceptHookArgs&) {
    inside.set();
    go.wait();
  });
  Bunch failing(1, [] { throw_in_a_thread("a", 1); });
  inside.wait();
  nogil::set_excepthook(nullptr);
  EXPECT_EQ(token.use_count(), 2);
  go.set();
  failing.join();
  EXPECT_EQ(token.use_count(), 1);
}

TEST_F(ExceptHookTest, may_be_replaced_while_threads_fail) {
  g_calls = 0;
  std::atomic<bool> over = false;
  nogil::set_excepthook(count_call);
  Bunch replacing(1, [&] {
    while (!over) {
      nogil::set_excepthook([kept = std::make_unique<int>(1)](const ExceptHookArgs&) { g_calls += *kept; });
      nogil::set_excepthook(count_call);
    }
  });
  for (int round = 0; round < rounds(200); ++round) throw_in_a_thread("a", round);
  over = true;
  replacing.join();
  EXPECT_EQ(g_calls, rounds(200));
}

}  // namespace
}  // namespace excepthook_test
