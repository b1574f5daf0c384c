// tests/asyncio/event_loop_test.cpp -- after CPython's test_base_events.py and test_events.py.

#include "nogil/asyncio/event_loop.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "asyncio/support/excepthook.hpp"
#include "asyncio/support/virtual_time.hpp"
#include "nogil/asyncio/sleep.hpp"
#include "support/threads.hpp"

namespace nogil::asyncio {
namespace {

using namespace std::chrono_literals;
using testing::Log;
using testing::Reported;
using testing::VirtualLoop;

// ---- call_soon, call_later, call_at -------------------------------------------------------

TEST(EventLoop, calls_in_the_order_in_which_it_was_asked_to) {
  VirtualLoop loop;
  Log log;
  loop.call_soon([&] { log.push_back("a"); });
  loop.call_soon([&](const std::string& text) { log.push_back(text); }, "b");
  loop.call_soon([&] {
    log.push_back("c");
    loop.call_soon([&] { log.push_back("of c"); });
  });
  loop.call_soon([&] { log.push_back("d"); });
  loop.call_later(1s, [&] { loop.stop(); });
  loop.run_forever();
  EXPECT_EQ(log, (Log{"a", "b", "c", "d", "of c"}));
}

TEST(EventLoop, calls_later_in_the_order_of_the_moments) {
  VirtualLoop loop;
  Log log;
  const auto note = [&](std::string text) { log.push_back(std::move(text)); };
  loop.call_later(3s, note, "3");
  loop.call_later(1s, note, "1");
  loop.call_at(loop.time() + 2s, note, "2");
  loop.call_later(1s, note, "1 again");
  loop.call_later(0s, note, "0");
  loop.call_later(-1h, note, "past");
  loop.call_soon(note, "soon");
  loop.call_later(4s, [&] { loop.stop(); });
  loop.run_forever();
  EXPECT_EQ(log, (Log{"soon", "0", "past", "1", "1 again", "2", "3"}));
  EXPECT_EQ(loop.elapsed(), 4s);
}

TEST(EventLoop, moves_arguments_into_the_call) {
  VirtualLoop loop;
  int sum = 0;
  loop.call_soon([&](std::unique_ptr<int> value) { sum += *value; }, std::make_unique<int>(1));
  loop.call_later(1s, [&, owned = std::make_unique<int>(2)] { sum += *owned; });
  loop.call_later(2s, [&] { loop.stop(); });
  loop.run_forever();
  EXPECT_EQ(sum, 3);
}

TEST(EventLoop, does_not_call_what_was_cancelled) {
  VirtualLoop loop;
  Log log;
  auto token = std::make_shared<int>();
  Handle soon = loop.call_soon([&, token] { log.push_back("soon"); });
  Handle later = loop.call_later(1h, [&, token] { log.push_back("later"); });
  Handle by_other;
  loop.call_soon([&] { by_other.cancel(); });
  by_other = loop.call_soon([&, token] { log.push_back("by other"); });
  EXPECT_FALSE(soon.cancelled());
  soon.cancel();
  later.cancel();
  later.cancel();
  EXPECT_TRUE(soon.cancelled());
  EXPECT_EQ(token.use_count(), 2);
  loop.call_later(1s, [&] { loop.stop(); });
  loop.run_forever();
  EXPECT_TRUE(log.empty());
  EXPECT_EQ(token.use_count(), 1);
  EXPECT_EQ(loop.elapsed(), 1s);
  Handle().cancel();
}

TEST(EventLoop, handles_may_outlive_it_and_cancel_in_their_own_call) {
  Handle handle;
  Handle pending;
  {
    VirtualLoop loop;
    handle = loop.call_soon([&] { handle.cancel(); });
    loop.call_soon([&] { loop.stop(); });
    loop.run_forever();
    pending = loop.call_later(1s, [] { ADD_FAILURE() << "the loop is gone"; });
  }
  EXPECT_TRUE(handle.cancelled());
  EXPECT_FALSE(pending.cancelled());
}

TEST(EventLoop, reports_what_a_callback_throws_and_goes_on) {
  Reported reported;
  VirtualLoop loop;
  bool called = false;
  loop.call_soon([] { throw std::runtime_error("callback"); });
  loop.call_soon([&] { called = true; });
  loop.call_later(1s, [&] { loop.stop(); });
  loop.run_forever();
  EXPECT_TRUE(called);
  EXPECT_EQ(reported.texts, Log{"std::runtime_error: callback"});
}

// ---- Run and stop ---------------------------------------------------------------------------

TEST(EventLoop, runs_once_if_it_was_stopped_before) {
  VirtualLoop loop;
  Log log;
  loop.call_soon([&] {
    log.push_back("ready");
    loop.call_soon([&] { log.push_back("next round"); });
  });
  loop.call_later(1s, [&] { log.push_back("timer"); });
  loop.stop();
  loop.run_forever();
  EXPECT_EQ(log, Log{"ready"});
  loop.stop();
  loop.run_forever();
  EXPECT_EQ(log, (Log{"ready", "next round"}));
}

TEST(EventLoop, runs_a_coroutine_to_its_end_again_and_again) {
  VirtualLoop loop;
  const auto twice = [](int n) -> Coro<int> {
    co_await sleep(1s);
    co_return 2 * n;
  };
  EXPECT_EQ(loop.run_until_complete(twice(1)), 2);
  const Task<int> task = loop.create_task(twice(2));
  EXPECT_EQ(loop.run_until_complete(task), 4);
  EXPECT_EQ(loop.run_until_complete(task), 4);
  EXPECT_EQ(loop.elapsed(), 2s);
  EXPECT_FALSE(loop.is_running());

  const auto fail = []() -> Coro<> {
    throw std::runtime_error("main");
    co_return;
  };
  EXPECT_THROW(loop.run_until_complete(fail()), std::runtime_error);
}

TEST(EventLoop, says_so_when_it_was_stopped_before_the_end) {
  VirtualLoop loop;
  const auto amain = [](EventLoop& running) -> Coro<> {
    EXPECT_TRUE(running.is_running());
    running.stop();
    co_await sleep(1h);
  };
  EXPECT_THROW(loop.run_until_complete(amain(loop)), RuntimeError);
}

TEST(EventLoop, goes_on_with_what_it_was_stopped_in) {
  const auto counts = [](EventLoop& loop, int& count) -> Coro<> {
    while (count < 10) {
      co_await sleep(1s);
      if (++count == 2) loop.stop();
    }
  };
  VirtualLoop loop;
  int count = 0;
  const Task<> task = loop.create_task(counts(loop, count));
  EXPECT_THROW(loop.run_until_complete(task), RuntimeError);
  EXPECT_FALSE(task.done());
  EXPECT_EQ(count, 2);
  EXPECT_EQ(loop.elapsed(), 2s);
  task.cancel();
  EXPECT_THROW(loop.run_until_complete(task), CancelledError);
  EXPECT_EQ(count, 2);
}

TEST(EventLoop, is_one_to_a_thread) {
  EXPECT_THROW(static_cast<void>(get_running_loop()), RuntimeError);
  VirtualLoop loop;
  const auto amain = [](EventLoop& expected) -> Coro<> {
    EXPECT_EQ(&get_running_loop(), &expected);
    const auto nothing = []() -> Coro<> { co_return; };
    EXPECT_THROW(expected.run_forever(), RuntimeError);
    VirtualLoop other;
    EXPECT_THROW(other.run_until_complete(nothing()), RuntimeError);
    co_return;
  };
  loop.run_until_complete(amain(loop));
  EXPECT_THROW(static_cast<void>(get_running_loop()), RuntimeError);
}

TEST(EventLoop, ends_its_tasks_when_it_is_destroyed) {
  Log log;
  {
    VirtualLoop loop;
    const auto worker = [](Log& to) -> Coro<> {
      try {
        co_await sleep(1h);
      } catch (const CancelledError&) {
        to.push_back("cancelled");
      }
      co_await sleep(1s);
      to.push_back("clean");
    };
    loop.create_task(worker(log));
    loop.create_task(worker(log));
    loop.call_soon([&] { loop.stop(); });
    loop.run_forever();
    loop.create_task(worker(log));  // never begins
  }
  EXPECT_EQ(log, (Log{"cancelled", "cancelled", "clean", "clean"}));
}

TEST(EventLoop, ends_even_if_tasks_answer_with_new_tasks) {
  struct Weed {
    static Coro<> grow(int generations) {
      try {
        co_await sleep(1h);
      } catch (const CancelledError&) {
      }
      if (generations > 0) create_task(grow(generations - 1));
    }
  };
  VirtualLoop loop;
  loop.create_task(Weed::grow(1'000'000));
  loop.call_soon([&] { loop.stop(); });
  loop.run_forever();
}

// ---- Other threads ------------------------------------------------------------------------

TEST(EventLoop, is_woken_from_another_thread) {
  EventLoop loop;
  std::vector<int> got;
  std::thread other([&] {
    for (int i = 0; i < 100; ++i) loop.call_soon_threadsafe([&got](int n) { got.push_back(n); }, i);
    std::this_thread::sleep_for(2ms);  // now and then it sleeps by then
    loop.call_soon_threadsafe([&loop, token = std::make_unique<int>()] { loop.stop(); });
  });
  loop.run_forever();
  other.join();
  ASSERT_EQ(got.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(got[static_cast<std::size_t>(i)], i);
}

TEST(EventLoop, loses_no_wake_up) {
  EventLoop loop;
  int left = testing::rounds(20000);
  const int each = left / 2;
  testing::Bunch others(2, [&] {
    for (int i = 0; i < each; ++i) {
      loop.call_soon_threadsafe([&] {
        if (--left == 0) loop.stop();
      });
      if (i % 64 == 0) std::this_thread::yield();
    }
  });
  loop.run_forever();
  EXPECT_EQ(left, 0);
}

TEST(EventLoop, is_stopped_from_another_thread) {
  for (int i = 0; i < 50; ++i) {
    EventLoop loop;
    std::thread other([&] { loop.stop(); });
    loop.run_forever();
    other.join();
  }
}

TEST(EventLoop, drops_what_was_posted_too_late) {
  auto token = std::make_shared<int>();
  {
    EventLoop loop;
    loop.call_soon_threadsafe([token] { ADD_FAILURE() << "it does not run any more"; });
  }
  EXPECT_EQ(token.use_count(), 1);
}

// ---- Descriptors and signals ----------------------------------------------------------------

struct Pipe {
  Pipe() {
    if (::pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) std::abort();
  }
  ~Pipe() {
    ::close(ends[0]);
    ::close(ends[1]);
  }
  void write(const std::string& text) { EXPECT_EQ(::write(ends[1], text.data(), text.size()), ssize_t(text.size())); }
  char read() {
    char letter = '-';
    return ::read(ends[0], &letter, 1) == 1 ? letter : '-';
  }
  int ends[2];
};

TEST(EventLoop, calls_a_reader_as_long_as_there_is_something) {
  EventLoop loop;
  Pipe pipe;
  std::string got;
  loop.add_reader(
      pipe.ends[0],
      [&](std::size_t most) {
        got += pipe.read();
        if (got.size() == most) loop.stop();
      },
      3u);
  loop.call_later(1ms, [&] { pipe.write("abc"); });
  loop.run_forever();
  EXPECT_EQ(got, "abc");
  EXPECT_TRUE(loop.remove_reader(pipe.ends[0]));
  EXPECT_FALSE(loop.remove_reader(pipe.ends[0]));
  EXPECT_FALSE(loop.remove_writer(pipe.ends[0]));
}

TEST(EventLoop, calls_reader_and_writer_of_one_descriptor) {
  EventLoop loop;
  Pipe pipe;
  Log log;
  loop.add_writer(pipe.ends[1], [&] {
    log.push_back("write");
    pipe.write("x");
    loop.remove_writer(pipe.ends[1]);
  });
  loop.add_reader(pipe.ends[0], [&] { ADD_FAILURE() << "it was replaced"; });
  loop.add_reader(pipe.ends[0], [&] {
    log.push_back(std::string("read ") + pipe.read());
    loop.stop();
  });
  loop.run_forever();
  EXPECT_EQ(log, (Log{"write", "read x"}));
  loop.remove_reader(pipe.ends[0]);
}

TEST(EventLoop, refuses_what_cannot_be_watched) {
  EventLoop loop;
  char name[] = "/tmp/nogil-event-loop-XXXXXX";
  const int file = ::mkstemp(name);
  ::unlink(name);
  EXPECT_THROW(loop.add_reader(file, [] {}), std::system_error);
  EXPECT_FALSE(loop.remove_reader(file));
  ::close(file);
  EXPECT_THROW(loop.add_reader(-1, [] {}), ValueError);
}

TEST(EventLoop, looks_at_descriptors_while_callbacks_keep_it_busy) {
  EventLoop loop;
  Pipe pipe;
  pipe.write("x");
  bool read = false;
  loop.add_reader(pipe.ends[0], [&] { read = pipe.read() == 'x'; });
  const auto spin = [&](auto self) -> void {
    if (read) loop.stop();
    else loop.call_soon([=] { self(self); });
  };
  loop.call_soon([&] { spin(spin); });
  loop.run_forever();
  loop.remove_reader(pipe.ends[0]);
}

TEST(EventLoop, handles_signals_between_two_callbacks) {
  EventLoop loop;
  Log log;
  loop.add_signal_handler(
      SIGUSR1,
      [&](const std::string& text) {
        log.push_back(text);
        if (log.size() == 2) loop.stop();
      },
      "usr1");
  loop.call_soon([] { ::raise(SIGUSR1); });
  loop.call_later(1ms, [&log] {
    EXPECT_EQ(log.size(), 1u);
    ::kill(::getpid(), SIGUSR1);
  });
  loop.run_forever();
  EXPECT_EQ(log, (Log{"usr1", "usr1"}));
  EXPECT_THROW(loop.add_signal_handler(SIGKILL, [] {}), std::system_error);
  EXPECT_THROW(loop.add_signal_handler(0, [] {}), ValueError);
  EventLoop other;
  EXPECT_THROW(other.add_signal_handler(SIGUSR1, [] {}), RuntimeError);
  EXPECT_TRUE(loop.remove_signal_handler(SIGUSR1));
  EXPECT_FALSE(loop.remove_signal_handler(SIGUSR1));
  struct sigaction now {};
  ::sigaction(SIGUSR1, nullptr, &now);
  EXPECT_EQ(now.sa_handler, SIG_DFL);
}

// ---- Services -------------------------------------------------------------------------------

struct First : detail::LoopService {
  explicit First(detail::LoopCore&) {}
  ~First() { ended.push_back("first"); }
  static inline Log ended;
};
struct Second : detail::LoopService {
  explicit Second(detail::LoopCore&) {}
  ~Second() { First::ended.push_back("second"); }
};

TEST(EventLoop, keeps_one_of_each_service_until_its_end) {
  {
    EventLoop loop;
    detail::LoopCore& core = detail::LoopAccess::core(loop);
    First& first = core.service<First>();
    core.service<Second>();
    EXPECT_EQ(&core.service<First>(), &first);
    EXPECT_TRUE(First::ended.empty());
  }
  EXPECT_EQ(First::ended, (Log{"second", "first"}));
}

}  // namespace
}  // namespace nogil::asyncio
