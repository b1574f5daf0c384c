// Tests of nogil::mp::Pipe between processes, under every start method. Cases of CPython's
// _TestConnection are among them. What one Connection promises is tested in connection_test.cpp.

#include "nogil/multiprocessing/pipe.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "multiprocessing/support/processes.hpp"
#include "nogil/multiprocessing/detail/lent_memory.hpp"
#include "nogil/multiprocessing/event.hpp"
#include "nogil/multiprocessing/lock.hpp"
#include "nogil/multiprocessing/queue.hpp"
#include "nogil/multiprocessing/value.hpp"

namespace nogil::testing::pipe_test {
namespace {

using mp::Connection;
using mp::Pipe;

using AnyPipe = UnderEveryStartMethod;
NOGIL_UNDER_EVERY_START_METHOD(AnyPipe);

// Sends back what comes, to the end.
void echo(Connection<std::string> connection) {
  try {
    for (;;) connection.send(connection.recv());
  } catch (const EndOfFile&) {
  }
}

TEST_P(AnyPipe, carries_messages_of_any_size_both_ways) {
  auto [here, there] = Pipe<std::string>();
  Process worker = process(echo, there);
  there.close();
  worker.start();
  for (const std::size_t size : {0u, 1u, 100u, 4096u, 131'000u, 131'072u, 131'073u, 5'000'000u}) {
    const std::string message(size, 'x');
    here.send(message);
    EXPECT_EQ(here.recv(kPatience), message);
  }
  here.close();  // the worker's recv() sees the end, although it was forked with a copy of this
  EXPECT_TRUE(worker.join(kPatience));
  EXPECT_EQ(worker.exitcode(), 0);
}

TEST_P(AnyPipe, ends_when_the_process_with_the_other_end_has_ended) {
  auto [here, there] = Pipe<int>();
  Process worker = process(
      [](Connection<int> connection) {
        connection.send(1);
        connection.send(2);
      },
      there);
  there.close();
  worker.start();
  worker.join();
  EXPECT_EQ(here.recv(), 1) << "what was sent is still there";
  EXPECT_EQ(here.recv(), 2);
  EXPECT_THROW(here.recv(), EndOfFile);
  EXPECT_THROW(here.recv(1s), EndOfFile);
  EXPECT_THROW(static_cast<void>(here.try_recv()), EndOfFile);
  EXPECT_TRUE(here.poll());
  EXPECT_THROW(here.send(1), EndOfFile);
}

TEST_P(AnyPipe, ends_when_the_process_with_the_other_end_was_killed) {
  auto [here, there] = Pipe<int>();
  Process worker = process(
      [](Connection<int> connection) {
        connection.send(7);
        for (;;) ::pause();
      },
      there);
  there.close();
  worker.start();
  EXPECT_EQ(here.recv(kPatience), 7);
  here.send(1);  // which nobody will receive
  worker.kill();
  EXPECT_THROW(here.recv(kPatience), EndOfFile);
  worker.join();
}

TEST_P(AnyPipe, is_not_kept_open_by_processes_that_were_not_given_an_end) {
  auto [here, there] = Pipe<int>();
  mp::Event stop;
  Process first = process([](Connection<int> connection) { connection.send(1); }, there);
  Process second = process([](mp::Event event) { event.wait(); }, stop);
  second.start();  // while this process has both ends, and the frame of the first one too
  first.start();
  there.close();
  first.join();
  EXPECT_EQ(here.recv(), 1);
  EXPECT_THROW(here.recv(kPatience), EndOfFile);
  stop.set();
  second.join();
}

TEST_P(AnyPipe, takes_messages_of_many_senders_as_a_whole) {
  constexpr int kEach = 200;
  auto [here, there] = Pipe<std::string>(false);
  std::vector<Process> senders;
  for (int who = 0; who < 3; ++who) {
    senders.push_back(process(
        [](Connection<std::string> to, int name) {
          for (int i = 0; i < kEach; ++i) {
            to.send(
                std::string(static_cast<std::size_t>(i % 5 == 0 ? 200'000 : 10 + i), static_cast<char>('a' + name)));
          }
        },
        there, who));
    senders.back().start();
  }
  there.close();
  int counts[3] = {};
  try {
    for (;;) {
      const std::string message = here.recv(kPatience);
      const auto who = static_cast<std::size_t>(message.at(0) - 'a');
      ASSERT_EQ(message.find_first_not_of(message[0]), std::string::npos);
      const auto i = static_cast<std::size_t>(counts[who]++);
      ASSERT_EQ(message.size(), i % 5 == 0 ? 200'000 : 10 + i);
    }
  } catch (const EndOfFile&) {
  }
  for (const int count : counts) EXPECT_EQ(count, kEach);
}

TEST_P(AnyPipe, makes_a_sender_wait_that_nobody_receives_from) {
  auto [here, there] = Pipe<std::string>(false);
  mp::Value<int> sent(0);
  Process sender = process(
      [](Connection<std::string> to, mp::Value<int> count) {
        for (int i = 0; i < 1000; ++i) {
          to.send(std::string(10'000, 'x'));
          count.set(i + 1);
        }
      },
      there, sent);
  there.close();
  sender.start();
  ASSERT_TRUE(
      eventually([&, last = -1]() mutable { return std::exchange(last, sent.get()) > 0 && last == sent.get(); }));
  EXPECT_LT(sent.get(), 1000);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(here.recv(kPatience).size(), 10'000u);
  EXPECT_THROW(here.recv(kPatience), EndOfFile);
}

TEST_P(AnyPipe, carries_shared_objects_and_other_connections) {
  auto pipe = Pipe<std::pair<Connection<int>, mp::Queue<int>>>();
  auto numbers = Pipe<int>();
  mp::Queue<int> queue;
  Process worker = process(
      [](Connection<std::pair<Connection<int>, mp::Queue<int>>> from) {
        auto [connection, shared] = from.recv();
        connection.send(shared.get());
      },
      pipe.second);
  worker.start();
  pipe.first.send({numbers.second, queue});
  queue.put(42);
  EXPECT_EQ(numbers.first.recv(kPatience), 42);
  worker.join();
}

TEST_P(AnyPipe, goes_one_way_only_in_other_processes_too) {
  auto [receiver, sender] = Pipe<int>(false);
  auto line = Pipe<Connection<int>>();
  const auto use = [](Connection<int> connection) {
    try {
      if (connection.readable()) connection.send(1);
      else static_cast<void>(connection.recv());
      return 2;
    } catch (const RuntimeError&) {
    }
    if (connection.readable() == connection.writable()) return 3;
    if (connection.writable()) connection.send(5);
    else if (connection.recv() != 5) return 4;
    return 0;
  };
  EXPECT_EQ(exitcode([](auto call, Connection<int> end) { std::_Exit(call(end)); }, use, sender), 0);
  line.first.send(receiver);
  EXPECT_EQ(
      exitcode([](auto call, Connection<Connection<int>> from) { std::_Exit(call(from.recv())); }, use, line.second),
      0);
}

TEST_P(AnyPipe, refuses_to_be_used_in_a_forked_child_that_was_not_given_it) {
  static Connection<int>* global = nullptr;
  auto [here, there] = Pipe<int>();
  global = &here;
  const int expected = GetParam() == StartMethod::fork ? 3 : 4;
  EXPECT_EQ(exitcode([] {
              if (global == nullptr) std::_Exit(4);
              try {
                global->send(1);
              } catch (const RuntimeError&) {
                std::_Exit(3);
              }
            }),
            expected);
  EXPECT_FALSE(there.poll());
}

TEST_P(AnyPipe, leaves_no_file_open) {
  const auto lose_a_message = [] {
    auto [here, there] = Pipe<std::string>();
    here.send(std::string(500'000, 'x'));  // on its way for ever
    Process worker = process([](Connection<std::string> from) { from.recv(); }, there);
    worker.start();
    worker.join();
  };
  // The supervisor, the template and the files that this thread keeps to send with are there then.
  for (int round = 0; round < mp::detail::Lender::kFiles; ++round) lose_a_message();
  const auto before = open_files();
  for (int round = 0; round < 3; ++round) lose_a_message();
  EXPECT_TRUE(eventually([&] { return open_files() <= before; }));
}

}  // namespace
}  // namespace nogil::testing::pipe_test
