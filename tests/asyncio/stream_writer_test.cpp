// tests/asyncio/stream_writer_test.cpp -- after CPython's test_streams.

#include "nogil/asyncio/stream_writer.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include <optional>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "asyncio/support/streams.hpp"

namespace nogil::asyncio {
namespace {

using namespace std::chrono_literals;
using testing::Line;
using testing::rounds_of_the_loop;

constexpr std::size_t kMuch = 5'000'000;  // more than the system and the water mark take

template <class Wait>
Coro<int> error_of(Wait wait) {
  try {
    co_await std::move(wait);
  } catch (const std::system_error& error) {
    co_return error.code().value();
  }
  co_return 0;
}

// The other end takes all there is, for so many bytes.
Coro<std::string> take(const Line& line, std::size_t size) {
  std::string all;
  while (all.size() < size) {
    all += line.receive();
    co_await rounds_of_the_loop(1);
  }
  co_return all;
}

TEST(StreamWriter, is_moved_and_not_copied) {
  static_assert(std::is_nothrow_move_constructible_v<StreamWriter> && !std::is_copy_constructible_v<StreamWriter>);
  const auto amain = []() -> Coro<> {
    Line line;
    StreamWriter moved = std::move(line.writer);
    moved.write("x");
    EXPECT_EQ(line.receive(), "x");
    EXPECT_THROW(line.writer.write("y"), RuntimeError);
    EXPECT_THROW(static_cast<void>(line.writer.drain()), RuntimeError);
    EXPECT_THROW(line.writer.close(), RuntimeError);
    co_return;
  };
  run(amain());
}

TEST(StreamWriter, sends_at_once_what_the_system_takes) {
  const auto amain = []() -> Coro<> {
    Line line;
    line.writer.write("hello ");
    line.writer.write(std::string_view("wor\0ld", 6));
    EXPECT_EQ(line.receive(), std::string("hello wor\0ld", 12));
    line.writer.write("");
    const std::vector<std::string> lines{"one\n", "two\n", "three\n"};
    line.writer.writelines(lines);
    EXPECT_EQ(line.receive(), "one\ntwo\nthree\n");
    EXPECT_EQ(line.writer.write_buffer_size(), 0u);
    co_await line.writer.drain();
  };
  run(amain());
}

TEST(StreamWriter, sends_the_rest_while_others_run) {
  const auto amain = []() -> Coro<> {
    Line line;
    std::string bytes(kMuch, ' ');
    for (std::size_t i = 0; i < kMuch; ++i) bytes[i] = static_cast<char>('a' + i % 26);
    line.writer.write(bytes);
    line.writer.write("end");
    EXPECT_GT(line.writer.write_buffer_size(), 0u);
    const std::string got = co_await take(line, kMuch + 3);
    EXPECT_TRUE(got == bytes + "end");
    EXPECT_EQ(line.writer.write_buffer_size(), 0u);
  };
  run(amain());
}

TEST(StreamWriter, drains_until_little_enough_is_kept) {
  const auto amain = []() -> Coro<> {
    Line line;
    const int little = 4096;  // for the system to keep
    ::setsockopt(detail::StreamAccess::stream(line.reader).fd(), SOL_SOCKET, SO_SNDBUF, &little, sizeof little);
    while (line.writer.write_buffer_size() == 0) line.writer.write(std::string(1000, 'x'));
    co_await line.writer.drain();  // below the high-water mark: it does not wait
    line.writer.write(std::string(64 * 1024, 'x'));
    const auto first = create_task(line.writer.drain());
    const auto second = create_task(line.writer.drain());
    co_await rounds_of_the_loop(3);
    EXPECT_FALSE(first.done() || second.done());
    std::size_t before = line.writer.write_buffer_size();
    while (!first.done()) {
      before = line.writer.write_buffer_size();
      line.receive();
      co_await rounds_of_the_loop(1);
    }
    EXPECT_GT(before, 16u * 1024);
    EXPECT_LE(line.writer.write_buffer_size(), 16u * 1024);
    co_await second;
  };
  run(amain());
}

TEST(StreamWriter, frees_at_once_who_is_cancelled_in_drain) {
  const auto amain = []() -> Coro<> {
    Line line;
    line.writer.write(std::string(kMuch, 'x'));
    const auto first = create_task(line.writer.drain());
    const auto second = create_task(line.writer.drain());
    co_await rounds_of_the_loop(1);
    first.cancel();
    co_await rounds_of_the_loop(1);
    EXPECT_TRUE(first.cancelled());
    EXPECT_FALSE(second.done());
    EXPECT_EQ((co_await take(line, kMuch)).size(), kMuch);
    co_await second;
  };
  run(amain());
}

// bpo-25441: who never waits for anything else must be told, too.
TEST(StreamWriter, tells_one_who_only_writes_and_drains_that_nobody_reads) {
  const auto amain = []() -> Coro<> {
    Line line;
    line.end();
    const auto writes_for_ever = [](StreamWriter& writer) -> Coro<> {
      for (;;) {
        writer.write("foo\n");
        co_await writer.drain();
      }
    };
    EXPECT_NE(co_await error_of(writes_for_ever(line.writer)), 0);
  };
  run(amain());
}

TEST(StreamWriter, closes_with_bytes_that_nobody_has_read) {
  const auto amain = []() -> Coro<> {
    Line line;
    line.send("one\ntwo\n");
    EXPECT_EQ(co_await line.reader.readline(), "one\n");
    line.writer.close();
    co_await line.writer.wait_closed();
    EXPECT_EQ(co_await line.reader.readline(), "two\n") << "it had come";
    EXPECT_TRUE(line.reader.at_eof());
    EXPECT_EQ(co_await line.reader.read(), "");
    Line quiet;
    quiet.writer.close();
    EXPECT_TRUE(quiet.reader.at_eof());
    co_await quiet.writer.wait_closed();
    EXPECT_EQ(co_await quiet.reader.read(), "");
  };
  run(amain());
}

TEST(StreamWriter, lets_many_drain_at_once) {
  const auto amain = []() -> Coro<> {
    Line line;
    line.writer.write(std::string(kMuch, 'x'));
    std::vector<Task<>> draining;
    for (int i = 0; i < 10; ++i) draining.push_back(create_task(line.writer.drain()));
    co_await rounds_of_the_loop(1);
    for (const Task<>& one : draining) EXPECT_FALSE(one.done());
    EXPECT_EQ((co_await take(line, kMuch)).size(), kMuch);
    for (const Task<>& one : draining) co_await one;
  };
  run(amain());
}

TEST(StreamWriter, may_be_written_while_another_task_reads) {
  const auto amain = []() -> Coro<> {
    Line line;
    const auto reading = create_task(line.reader.readline());
    co_await rounds_of_the_loop(1);
    line.writer.write("question");
    co_await line.writer.drain();
    EXPECT_EQ(line.receive(), "question");
    EXPECT_FALSE(reading.done());
    line.send("answer\n");
    EXPECT_EQ(co_await reading, "answer\n");
  };
  run(amain());
}

TEST(StreamWriter, tells_the_end_and_reads_on) {
  const auto amain = []() -> Coro<> {
    Line line;
    EXPECT_TRUE(line.writer.can_write_eof());
    line.writer.write("all");
    line.writer.write_eof();
    line.writer.write_eof();
    EXPECT_EQ(line.receive(), "all");
    EXPECT_TRUE(line.at_eof());
    EXPECT_THROW(line.writer.write("more"), RuntimeError);
    EXPECT_FALSE(line.writer.is_closing());
    line.send("answer");
    EXPECT_EQ(co_await line.reader.read(100), "answer");
  };
  run(amain());
}

TEST(StreamWriter, tells_the_end_after_what_it_has_kept) {
  const auto amain = []() -> Coro<> {
    Line line;
    line.writer.write(std::string(kMuch, 'x'));
    line.writer.write_eof();
    EXPECT_EQ((co_await take(line, kMuch)).size(), kMuch);
    while (!line.at_eof()) co_await rounds_of_the_loop(1);
  };
  run(amain());
}

TEST(StreamWriter, closes_both_ways) {
  const auto amain = []() -> Coro<> {
    Line line;
    const auto reading = create_task(line.reader.read());
    co_await rounds_of_the_loop(1);
    EXPECT_FALSE(line.writer.is_closing());
    line.writer.write("bye");
    line.writer.close();
    line.writer.close();
    EXPECT_TRUE(line.writer.is_closing());
    co_await line.writer.wait_closed();
    EXPECT_EQ(line.receive(), "bye");
    EXPECT_TRUE(line.at_eof());
    EXPECT_EQ(co_await reading, "") << "who reads finds the end";
    line.writer.write("nobody gets this, and nobody is told, as in Python");
    EXPECT_EQ(co_await error_of(line.writer.drain()), ECONNRESET);
    co_await line.writer.wait_closed();
  };
  run(amain());
}

TEST(StreamWriter, closes_after_what_it_has_kept) {
  const auto amain = []() -> Coro<> {
    Line line;
    line.writer.write(std::string(kMuch, 'x'));
    line.writer.close();
    const auto closed = create_task(line.writer.wait_closed());
    const auto closed_too = create_task(line.writer.wait_closed());
    co_await rounds_of_the_loop(2);
    EXPECT_FALSE(closed.done());
    EXPECT_TRUE(line.writer.is_closing());
    EXPECT_EQ((co_await take(line, kMuch)).size(), kMuch);
    co_await closed;
    co_await closed_too;
    EXPECT_TRUE(line.at_eof());
  };
  run(amain());
}

TEST(StreamWriter, sends_what_it_has_kept_when_both_ends_are_destroyed) {
  const auto amain = []() -> Coro<> {
    Line line;
    line.writer.write(std::string(kMuch, 'x'));
    {
      const StreamReader reader = std::move(line.reader);
      const StreamWriter writer = std::move(line.writer);
    }
    EXPECT_EQ((co_await take(line, kMuch)).size(), kMuch);
    while (!line.at_eof()) co_await rounds_of_the_loop(1);
  };
  run(amain());
}

TEST(StreamWriter, ends_at_the_end_of_the_loop_even_if_something_is_kept) {
  std::optional<platform::Fd> other;
  const auto amain = [](std::optional<platform::Fd>& end) -> Coro<> {
    Line line;
    line.writer.write(std::string(kMuch, 'x'));
    end = std::move(line.other);
    co_return;
  };
  run(amain(other));
  char some[4096];
  while (::recv(other->get(), some, sizeof some, MSG_DONTWAIT) > 0) {
  }
  EXPECT_EQ(::recv(other->get(), some, sizeof some, MSG_DONTWAIT), 0);
}

TEST(StreamWriter, goes_on_when_only_the_reader_is_destroyed) {
  const auto amain = []() -> Coro<> {
    Line line;
    { const StreamReader reader = std::move(line.reader); }
    line.writer.write("x");
    EXPECT_EQ(line.receive(), "x");
    EXPECT_FALSE(line.at_eof());
    co_return;
  };
  run(amain());
}

TEST(StreamWriter, ends_at_once_when_it_is_aborted) {
  const auto amain = []() -> Coro<> {
    Line line;
    line.writer.write(std::string(kMuch, 'x'));
    const auto draining = create_task(error_of(line.writer.drain()));
    co_await rounds_of_the_loop(1);
    line.writer.abort();
    co_await line.writer.wait_closed();
    EXPECT_EQ(co_await draining, ECONNRESET);
    EXPECT_LT(line.receive().size(), kMuch);
    EXPECT_TRUE(line.at_eof());
  };
  run(amain());
}

// Without SIGPIPE, or the test would be over.
TEST(StreamWriter, tells_in_drain_that_nobody_reads) {
  const auto amain = []() -> Coro<> {
    Line line;
    line.end();
    line.writer.write("x");
    EXPECT_TRUE(line.writer.is_closing());
    line.writer.write("y");
    EXPECT_EQ(co_await error_of(line.writer.drain()), EPIPE);
    line.writer.close();
    EXPECT_EQ(co_await error_of(line.writer.wait_closed()), EPIPE);
  };
  run(amain());
}

TEST(StreamWriter, frees_who_drains_when_the_connection_is_lost) {
  const auto amain = []() -> Coro<> {
    Line line;
    line.writer.write(std::string(kMuch, 'x'));
    const auto draining = create_task(error_of(line.writer.drain()));
    const auto other = create_task(error_of(line.writer.drain()));
    co_await rounds_of_the_loop(1);
    EXPECT_FALSE(draining.done());
    line.end();
    EXPECT_NE(co_await draining, 0);
    EXPECT_NE(co_await other, 0);
  };
  run(amain());
}

TEST(StreamWriter, writes_to_a_pipe_without_being_killed) {
  const auto amain = []() -> Coro<> {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    platform::Fd in(ends[0]);
    auto stream = detail::Stream::open(detail::running_loop(), platform::Fd(ends[1]), detail::Stream::Type::kPipe, 1);
    StreamWriter writer = detail::StreamAccess::writer(std::move(stream));
    EXPECT_EQ(writer.peername(), "");
    writer.write("hello");
    char got[5];
    EXPECT_EQ(::read(in.get(), got, sizeof got), 5);
    in.reset();
    writer.write("nobody");
    EXPECT_EQ(co_await error_of(writer.drain()), EPIPE);
    sigset_t pending;
    ::sigpending(&pending);
    EXPECT_EQ(::sigismember(&pending, SIGPIPE), 0);
  };
  run(amain());
}

TEST(StreamWriter, notices_that_the_reader_of_a_pipe_is_gone) {
  const auto amain = []() -> Coro<> {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    platform::Fd in(ends[0]);
    auto stream = detail::Stream::open(detail::running_loop(), platform::Fd(ends[1]), detail::Stream::Type::kPipe, 1);
    const StreamWriter writer = detail::StreamAccess::writer(std::move(stream));
    co_await rounds_of_the_loop(2);
    EXPECT_FALSE(writer.is_closing());
    in.reset();
    while (!writer.is_closing()) co_await rounds_of_the_loop(1);
  };
  run(amain());
}

}  // namespace
}  // namespace nogil::asyncio
