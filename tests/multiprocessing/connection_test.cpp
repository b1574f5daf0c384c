// Tests of nogil::mp::Connection in one process; between processes: pipe_test.cpp.

#include "nogil/multiprocessing/connection.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <system_error>
#include <tuple>
#include <vector>

#include "multiprocessing/support/processes.hpp"
#include "nogil/multiprocessing/pipe.hpp"
#include "nogil/multiprocessing/value.hpp"

namespace nogil::testing::connection_test {
namespace {

using mp::Connection;
using mp::Pipe;

TEST(MpConnection, receives_in_the_order_of_sending) {
  auto [one, other] = Pipe<int>();
  for (int i = 0; i < 5; ++i) one.send(i);
  other.send(-1);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(other.recv(), i);
  EXPECT_EQ(one.recv(), -1);
}

TEST(MpConnection, says_when_nothing_has_come) {
  auto [one, other] = Pipe<int>();
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_THROW(one.recv(20ms), TimeoutError);
  EXPECT_GE(std::chrono::steady_clock::now() - begun, 20ms);
  EXPECT_THROW(one.recv(std::chrono::system_clock::now() + 1ms), TimeoutError);
  EXPECT_THROW(one.recv(0s), TimeoutError);
  EXPECT_EQ(one.try_recv(), std::nullopt);
  EXPECT_EQ(one.try_recv(1ms), std::nullopt);
  EXPECT_FALSE(one.poll());
  EXPECT_FALSE(one.poll(1ms));
  other.send(3);
  EXPECT_TRUE(one.poll());
  EXPECT_TRUE(one.poll(-1s));
  EXPECT_EQ(one.recv(-1s), 3) << "what is there is taken whatever the limit";
}

TEST(MpConnection, wakes_who_waits) {
  auto [one, other] = Pipe<int>();
  const Connection<int> from = one;  // a binding cannot be captured
  Call receiver([from] { return from.recv() == 5; });
  EXPECT_TRUE(stays([&] { return !receiver.returned(); }));
  other.send(5);
  EXPECT_TRUE(receiver.result());
  Call poller([from] { return from.poll(std::chrono::hours::max()); });
  EXPECT_TRUE(stays([&] { return !poller.returned(); }));
  other.close();
  EXPECT_TRUE(poller.result());
}

TEST(MpConnection, ends_with_the_last_copy_of_the_other_end) {
  auto [one, other] = Pipe<int>();
  {
    const Connection<int> copy = other;
    other.close();
    EXPECT_TRUE(other.closed());
    EXPECT_FALSE(one.poll());
    copy.send(1);
  }
  EXPECT_EQ(one.recv(), 1);
  EXPECT_THROW(one.recv(), EndOfFile);
  EXPECT_THROW(one.send(1), EndOfFile);
}

TEST(MpConnection, still_gives_what_was_sent_by_one_that_did_not_receive_all) {
  auto [one, other] = Pipe<int>();
  one.send(1);
  other.send(2);
  other.close();  // with a message that nobody has received
  EXPECT_EQ(one.recv(), 2);
  EXPECT_THROW(one.recv(), EndOfFile);
}

TEST(MpConnection, goes_one_way_only_when_it_is_asked_to) {
  auto [receiver, sender] = Pipe<int>(false);
  EXPECT_TRUE(receiver.readable() && !receiver.writable());
  EXPECT_TRUE(sender.writable() && !sender.readable());
  sender.send(1);
  EXPECT_EQ(receiver.recv(), 1);
  EXPECT_THROW(receiver.send(1), RuntimeError);
  EXPECT_THROW(sender.recv(), RuntimeError);
  EXPECT_THROW(static_cast<void>(sender.poll()), RuntimeError);
}

TEST(MpConnection, refuses_everything_when_it_was_closed) {
  auto [one, other] = Pipe<int>();
  one.close();
  one.close();
  EXPECT_THROW(one.send(1), RuntimeError);
  EXPECT_THROW(one.recv(), RuntimeError);
  EXPECT_THROW(static_cast<void>(one.fileno()), RuntimeError);
  mp::detail::Frame frame;
  mp::OutputArchive out(frame);
  EXPECT_THROW(out(one), RuntimeError);
}

struct Nothing {
  template <class Archive>
  void serialize(Archive&) {}
};

TEST(MpConnection, carries_messages_without_content) {
  auto [one, other] = Pipe<Nothing>();
  EXPECT_FALSE(other.poll());
  one.send({});
  one.send({});
  EXPECT_TRUE(other.poll());
  static_cast<void>(other.recv());
  EXPECT_TRUE(other.poll());
  static_cast<void>(other.recv());
  EXPECT_FALSE(other.poll());
  EXPECT_EQ(other.try_recv().has_value(), false);
  auto [from, to] = Pipe<std::vector<Nothing>>();
  from.send(std::vector<Nothing>(3));
  EXPECT_EQ(to.recv().size(), 3u);
  auto [tuples, others] = Pipe<std::tuple<>>();
  tuples.send({});
  EXPECT_EQ(others.recv(), std::tuple<>());
  one.close();
  EXPECT_THROW(static_cast<void>(other.recv()), EndOfFile);
}

TEST(MpConnection, keeps_messages_apart_however_often_they_are_asked_for) {
  auto [one, other] = Pipe<std::string>();
  for (const char* text : {"", "a", "", "two", "three"}) one.send(text);
  for (const char* text : {"", "a", "", "two", "three"}) {
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(other.poll(1ms));
    EXPECT_EQ(other.recv(), text);
  }
  EXPECT_FALSE(other.poll());
}

TEST(MpConnection, has_a_file_that_is_readable_when_a_message_is_there) {
  auto [one, other] = Pipe<int>();
  ::pollfd question{one.fileno(), POLLIN, 0};
  EXPECT_EQ(::poll(&question, 1, 0), 0);
  other.send(1);
  EXPECT_EQ(::poll(&question, 1, 0), 1);
}

TEST(MpConnection, carries_what_can_only_be_moved) {
  auto [one, other] = Pipe<std::unique_ptr<std::string>>();
  one.send(std::make_unique<std::string>("moved"));
  EXPECT_EQ(*other.recv(), "moved");
  one.send(nullptr);
  EXPECT_EQ(other.recv(), nullptr);
}

TEST(MpConnection, keeps_large_messages_apart_that_are_on_their_way_together) {
  auto [one, other] = Pipe<std::string>();
  const std::string letters = "abcdef";
  const auto message = [&](std::size_t i) { return std::string(1'000'000 + 10'000 * i, letters[i]); };
  for (int round = 0; round < 3; ++round) {
    for (std::size_t i = 0; i < letters.size(); ++i) one.send(message(i));
    other.send(std::string(300'000, '.'));  // of the same thread
    for (std::size_t i = 0; i < letters.size(); ++i) EXPECT_EQ(other.recv(kPatience), message(i));
    EXPECT_EQ(one.recv(kPatience), std::string(300'000, '.'));
  }
  const std::string huge(std::size_t{40} << 20, 'x');
  one.send(huge);
  EXPECT_EQ(other.recv(kPatience), huge);
}

// Sends something large over another connection while it is encoded.
struct Nested {
  static inline const Connection<std::string>* s_line = nullptr;
  std::string text{};
  template <class Archive>
  void serialize(Archive& archive) {
    archive(text);
    if (!Archive::is_loading::value) s_line->send(text + text);
    archive(text);
  }
};

TEST(MpConnection, may_send_large_messages_while_one_is_encoded) {
  auto [one, other] = Pipe<Nested>();
  auto [from, to] = Pipe<std::string>();
  Nested::s_line = &from;
  one.send({std::string(200'000, 'n')});
  EXPECT_EQ(to.recv(kPatience), std::string(400'000, 'n'));
  EXPECT_EQ(other.recv(kPatience).text, std::string(200'000, 'n'));
}

TEST(MpConnection, carries_more_shared_objects_than_the_system_takes_in_one_message) {
  auto [one, other] = Pipe<std::vector<mp::Value<int>>>();
  for (const int count : {250, 251, 252, 600}) {
    std::vector<mp::Value<int>> sent;
    for (int i = 0; i < count; ++i) sent.emplace_back(i);
    try {
      one.send(sent);
    } catch (const std::system_error&) {
      GTEST_SKIP() << "a process may have too few files here";
    }
    auto received = other.recv(kPatience);
    ASSERT_EQ(received.size(), sent.size());
    for (int i = 0; i < count; ++i) EXPECT_EQ(received[static_cast<std::size_t>(i)].get(), i);
    received.back().set(-1);
    EXPECT_EQ(sent.back().get(), -1);
  }
}

TEST(MpConnection, gives_each_message_to_one_of_those_who_receive) {
  auto [one, other] = Pipe<int>();
  const Connection<int> from = one;
  std::atomic<int> sum{0};
  Bunch receivers(3, [&sum, from] {
    for (int i = 0; i < 50; ++i) sum += from.recv();
  });
  for (int i = 0; i < 150; ++i) other.send(i);
  receivers.join();
  EXPECT_EQ(sum, 150 * 149 / 2);
  EXPECT_EQ(one.try_recv(), std::nullopt);
}

TEST(MpConnection, is_not_taken_for_another) {
  auto [one, other] = Pipe<int>();
  mp::detail::Frame frame;
  mp::OutputArchive out(frame);
  out(one, one);
  mp::InputArchive in(frame);
  EXPECT_THROW(in.get<Connection<long>>(), DecodeError);
}

}  // namespace
}  // namespace nogil::testing::connection_test
