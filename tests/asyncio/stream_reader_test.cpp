// tests/asyncio/stream_reader_test.cpp -- after CPython's test_streams.

#include "nogil/asyncio/stream_reader.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <random>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>

#include "asyncio/support/streams.hpp"

namespace nogil::asyncio {
namespace {

using namespace std::chrono_literals;
using testing::Line;
using testing::rounds_of_the_loop;

// What readexactly() or readuntil() throws, or nothing.
template <class Read>
Coro<std::optional<IncompleteReadError>> incomplete(Read read) {
  try {
    co_await std::move(read);
  } catch (const IncompleteReadError& error) {
    co_return error;
  }
  co_return std::nullopt;
}

template <class Read>
Coro<std::optional<LimitOverrunError>> overrun(Read read) {
  try {
    co_await std::move(read);
  } catch (const LimitOverrunError& error) {
    co_return error;
  }
  co_return std::nullopt;
}

template <class Read>
Coro<int> error_of(Read read) {
  try {
    co_await std::move(read);
  } catch (const std::system_error& error) {
    co_return error.code().value();
  }
  co_return 0;
}

TEST(StreamReader, is_moved_and_not_copied) {
  static_assert(std::is_nothrow_move_constructible_v<StreamReader> && !std::is_copy_constructible_v<StreamReader>);
  const auto amain = []() -> Coro<> {
    Line line;
    const StreamReader moved = std::move(line.reader);
    line.send("x");
    EXPECT_EQ(co_await moved.read(1), "x");
    EXPECT_THROW(static_cast<void>(line.reader.read(1)), RuntimeError);
    EXPECT_THROW(static_cast<void>(line.reader.at_eof()), RuntimeError);
  };
  run(amain());
}

TEST(StreamReader, reads_what_there_is_but_not_more_than_asked_for) {
  const auto amain = []() -> Coro<> {
    Line line;
    line.send("line1\nline2\n");
    EXPECT_EQ(co_await line.reader.read(0), "");
    EXPECT_EQ(co_await line.reader.read(30), "line1\nline2\n");
    line.send("abcdef");
    EXPECT_EQ(co_await line.reader.read(4), "abcd");
    EXPECT_EQ(co_await line.reader.read(4), "ef");
  };
  run(amain());
}

TEST(StreamReader, waits_until_something_has_come) {
  const auto amain = []() -> Coro<> {
    Line line;
    const auto task = create_task(line.reader.read(10));
    co_await rounds_of_the_loop(3);
    EXPECT_FALSE(task.done());
    line.send("hey");
    EXPECT_EQ(co_await task, "hey");
  };
  run(amain());
}

TEST(StreamReader, reads_nothing_at_the_end_again_and_again) {
  const auto amain = []() -> Coro<> {
    Line line;
    line.send("last");
    line.end();
    EXPECT_EQ(co_await line.reader.read(100), "last");
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(co_await line.reader.read(100), "");
      EXPECT_EQ(co_await line.reader.read(), "");
      EXPECT_EQ(co_await line.reader.readline(), "");
    }
  };
  run(amain());
}

TEST(StreamReader, reads_all_up_to_the_end) {
  const auto amain = []() -> Coro<> {
    Line line;
    line.send("chunk1\n");
    const auto task = create_task(line.reader.read());
    co_await rounds_of_the_loop(2);
    line.send("chunk2");
    co_await rounds_of_the_loop(2);
    EXPECT_FALSE(task.done());
    line.end_sending();
    EXPECT_EQ(co_await task, "chunk1\nchunk2");
  };
  run(amain());
}

TEST(StreamReader, finds_an_end_that_came_together_with_the_last_bytes) {
  const auto amain = []() -> Coro<> {
    for (int i = 0; i < 50; ++i) {
      Line line;
      const auto first = create_task(line.reader.readexactly(3));
      co_await rounds_of_the_loop(1);
      line.send("abc");
      line.end();
      EXPECT_EQ(co_await first, "abc");
      EXPECT_EQ(co_await line.reader.read(), "");
    }
  };
  run(amain());
}

TEST(StreamReader, knows_whether_it_is_at_the_end) {
  const auto amain = []() -> Coro<> {
    Line line;
    EXPECT_FALSE(line.reader.at_eof());
    line.send("some\n");
    line.end_sending();
    EXPECT_FALSE(line.reader.at_eof()) << "there is something to read";
    EXPECT_EQ(co_await line.reader.readline(), "some\n");
    co_await rounds_of_the_loop(1);
    EXPECT_TRUE(line.reader.at_eof());
  };
  run(amain());
}

TEST(StreamReader, gives_lines_one_by_one) {
  const auto amain = []() -> Coro<> {
    Line line;
    line.send("one\ntwo\n\nthr");
    EXPECT_EQ(co_await line.reader.readline(), "one\n");
    EXPECT_EQ(co_await line.reader.readline(), "two\n");
    EXPECT_EQ(co_await line.reader.readline(), "\n");
    const auto task = create_task(line.reader.readline());
    co_await rounds_of_the_loop(2);
    EXPECT_FALSE(task.done());
    line.send("ee\nrest");
    EXPECT_EQ(co_await task, "three\n");
    line.end();
    EXPECT_EQ(co_await line.reader.readline(), "rest") << "the end ends the last line";
  };
  run(amain());
}

TEST(StreamReader, drops_a_line_that_is_too_long_and_goes_on_after_it) {
  const auto amain = []() -> Coro<> {
    Line line(3);
    line.send("li\nlong line\nend\n");
    EXPECT_EQ(co_await line.reader.readline(), "li\n");
    EXPECT_TRUE((co_await overrun(line.reader.readline())).has_value());
    EXPECT_EQ(co_await line.reader.readline(), "end\n");
    line.send("no end of it");
    bool is_value_error = false;
    try {
      co_await line.reader.readline();
    } catch (const ValueError&) {  // as in Python
      is_value_error = true;
    }
    EXPECT_TRUE(is_value_error);
    line.send("ok\n");
    EXPECT_EQ(co_await line.reader.readline(), "ok\n");
  };
  run(amain());
}

TEST(StreamReader, takes_a_line_of_exactly_the_limit) {
  const auto amain = []() -> Coro<> {
    Line line(3);
    line.send("abc\nabcd\n");
    EXPECT_EQ(co_await line.reader.readline(), "abc\n");
    const auto error = co_await overrun(line.reader.readuntil());
    EXPECT_EQ(error.value().consumed(), 4u);
  };
  run(amain());
}

TEST(StreamReader, reads_up_to_a_separator_of_several_bytes) {
  const auto amain = []() -> Coro<> {
    Line line;
    line.send("head\r\n\r\nbody\r\n\r");
    EXPECT_EQ(co_await line.reader.readuntil("\r\n\r\n"), "head\r\n\r\n");
    const auto task = create_task(line.reader.readuntil(std::string("\r\n\r\n")));
    co_await rounds_of_the_loop(2);
    EXPECT_FALSE(task.done());
    line.send("\nx");
    EXPECT_EQ(co_await task, "body\r\n\r\n");
    EXPECT_EQ(co_await line.reader.read(9), "x");
  };
  run(amain());
}

TEST(StreamReader, finds_a_separator_that_comes_byte_by_byte) {
  const auto amain = []() -> Coro<> {
    Line line;
    const auto task = create_task(line.reader.readuntil("$$$"));
    for (const char c : std::string("a$$b$$")) {
      line.send(std::string(1, c));
      co_await rounds_of_the_loop(2);
    }
    EXPECT_FALSE(task.done());
    line.send("$");
    EXPECT_EQ(co_await task, "a$$b$$$");
  };
  run(amain());
}

TEST(StreamReader, leaves_the_bytes_when_there_is_no_separator_within_the_limit) {
  const auto amain = []() -> Coro<> {
    Line line(4);
    line.send("some dataAA");
    const auto without = co_await overrun(line.reader.readuntil("AA"));
    EXPECT_EQ(without.value().consumed(), 9u);
    EXPECT_EQ(co_await line.reader.read(9), "some data");
    EXPECT_EQ(co_await line.reader.readuntil("AA"), "AA");
  };
  run(amain());
}

TEST(StreamReader, leaves_the_bytes_when_the_separator_comes_too_late) {
  const auto amain = []() -> Coro<> {
    Line line(3);
    line.send("some dataAA");
    const auto without = co_await overrun(line.reader.readuntil("AAA"));
    EXPECT_EQ(without.value().consumed(), 9u);
    EXPECT_NE(std::string(without.value().what()).find("not found"), std::string::npos);
    line.send("A");
    co_await rounds_of_the_loop(1);
    EXPECT_EQ(co_await line.reader.readexactly(1), "s");
    const auto late = co_await overrun(line.reader.readuntil("AAA"));
    EXPECT_EQ(late.value().consumed(), 8u);
    EXPECT_EQ(co_await line.reader.readexactly(11), "ome dataAAA");
  };
  run(amain());
}

TEST(StreamReader, drops_a_line_that_is_too_long_while_it_comes) {
  const auto amain = []() -> Coro<> {
    Line line(7);
    const auto task = create_task(overrun(line.reader.readline()));
    co_await rounds_of_the_loop(1);
    for (const char* chunk : {"chu", "nk1", "chunk2"}) {
      EXPECT_FALSE(task.done());
      line.send(chunk);
      co_await rounds_of_the_loop(2);
    }
    EXPECT_TRUE((co_await task).has_value()) << "before it has an end";
    line.send("\nchunk3\n");
    EXPECT_EQ(co_await line.reader.readline(), "\n");
    EXPECT_EQ(co_await line.reader.readline(), "chunk3\n");
  };
  run(amain());
}

TEST(StreamReader, wants_a_separator) {
  const auto amain = []() -> Coro<> {
    Line line;
    EXPECT_THROW(static_cast<void>(line.reader.readuntil("")), ValueError);
    co_return;
  };
  run(amain());
}

TEST(StreamReader, tells_what_came_when_the_end_comes_before_the_separator) {
  const auto amain = []() -> Coro<> {
    Line line;
    line.send("some data");
    line.end();
    const auto error = co_await incomplete(line.reader.readuntil("AAA"));
    EXPECT_EQ(error.value().partial(), "some data");
    EXPECT_FALSE(error.value().expected().has_value());
    EXPECT_EQ(co_await line.reader.read(), "");
  };
  run(amain());
}

TEST(StreamReader, reads_exactly_so_many_bytes) {
  const auto amain = []() -> Coro<> {
    Line line;
    EXPECT_EQ(co_await line.reader.readexactly(0), "");
    EXPECT_THROW(static_cast<void>(line.reader.readexactly(-2)), ValueError);
    line.send("abc");
    const auto task = create_task(line.reader.readexactly(7));
    co_await rounds_of_the_loop(2);
    EXPECT_FALSE(task.done());
    line.send("defghi");
    EXPECT_EQ(co_await task, "abcdefg");
    EXPECT_EQ(co_await line.reader.read(100), "hi");
  };
  run(amain());
}

TEST(StreamReader, tells_what_came_when_the_end_comes_too_early) {
  const auto amain = []() -> Coro<> {
    Line line;
    line.send("abc");
    line.end();
    const auto error = co_await incomplete(line.reader.readexactly(4));
    EXPECT_EQ(error.value().partial(), "abc");
    EXPECT_EQ(error.value().expected(), 4u);
    EXPECT_STREQ(error.value().what(), "3 bytes read on a total of 4 expected bytes");
    bool is_end_of_file = false;
    try {
      co_await line.reader.readexactly(1);
    } catch (const EndOfFile&) {
      is_end_of_file = true;
    }
    EXPECT_TRUE(is_end_of_file);
  };
  run(amain());
}

TEST(StreamReader, reads_more_than_the_system_keeps) {
  const auto amain = []() -> Coro<> {
    Line line;
    constexpr std::size_t kSize = 5'000'000;
    std::string bytes(kSize, ' ');
    for (std::size_t i = 0; i < kSize; ++i) bytes[i] = static_cast<char>('a' + i % 26);
    const auto task = create_task(line.reader.readexactly(kSize));
    for (std::size_t sent = 0; sent < kSize;) {
      sent += line.send(std::string_view(bytes).substr(sent));
      co_await rounds_of_the_loop(1);
    }
    EXPECT_TRUE(co_await task == bytes);
  };
  run(amain());
}

TEST(StreamReader, is_for_one_task_at_a_time) {
  const auto amain = []() -> Coro<> {
    Line line;
    const auto first = create_task(line.reader.read(1));
    co_await rounds_of_the_loop(1);
    bool refused = false;
    try {
      co_await line.reader.readline();
    } catch (const RuntimeError&) {
      refused = true;
    }
    EXPECT_TRUE(refused);
    line.send("x");
    EXPECT_EQ(co_await first, "x");
  };
  run(amain());
}

template <class Read>
Coro<> cancel(Read read) {
  const auto task = create_task(std::move(read));
  co_await rounds_of_the_loop(2);
  EXPECT_FALSE(task.done());
  task.cancel();
  try {
    co_await task;
    ADD_FAILURE() << "not cancelled";
  } catch (const CancelledError&) {
  }
}

TEST(StreamReader, loses_no_bytes_when_a_read_is_cancelled) {
  const auto amain = []() -> Coro<> {
    Line line;
    line.send("abc");
    co_await cancel(line.reader.readexactly(6));
    co_await cancel(line.reader.readline());
    co_await cancel(line.reader.readuntil("xyz"));
    co_await cancel(line.reader.read());
    line.send("def\n");
    EXPECT_EQ(co_await line.reader.readline(), "abcdef\n");
  };
  run(amain());
}

TEST(StreamReader, loses_no_bytes_when_a_read_is_cancelled_that_was_woken) {
  const auto amain = []() -> Coro<> {
    for (int delay = 0; delay < 6; ++delay) {
      Line line;
      const auto task = create_task(line.reader.readline());
      co_await rounds_of_the_loop(1);
      line.send("all of it\n");
      for (int i = 0; i < delay; ++i) co_await sleep(0s);
      std::string got;
      task.cancel();
      try {
        got = co_await task;
      } catch (const CancelledError&) {
      }
      if (got.empty()) got = co_await line.reader.readline();
      EXPECT_EQ(got, "all of it\n");
    }
  };
  run(amain());
}

// One of all verbs, at random, with what the peer sends coming at random.
Coro<std::string> read_somehow(const StreamReader& reader, unsigned how) {
  std::string got;
  try {
    switch (how % 4) {
      case 0:
        got = co_await reader.read(static_cast<std::ptrdiff_t>(how / 4 % 50));
        break;
      case 1:
        got = co_await reader.readline();
        break;
      case 2:
        got = co_await reader.readexactly(static_cast<std::ptrdiff_t>(how / 4 % 50));
        break;
      default:
        got = co_await reader.readuntil("ab");
        break;
    }
  } catch (const IncompleteReadError& error) {
    got = error.partial();
  }
  co_return got;
}

TEST(StreamReader, gives_each_byte_once_and_in_order_whatever_is_read_and_cancelled) {
  const auto amain = []() -> Coro<> {
    Line line;
    std::minstd_rand random(1);
    std::string sent;
    std::string got;
    int cancelled = 0;
    for (int round = 0; round < 1500; ++round) {
      const auto task = create_task(read_somehow(line.reader, static_cast<unsigned>(random())));
      const auto patience = random() % 4;
      for (unsigned long i = 0; i < patience; ++i) {
        std::string bytes;
        for (auto left = random() % 40; left > 0; --left) bytes += "abc\n"[random() % 4];
        if (random() % 2 == 0) bytes.clear();
        sent += bytes.substr(0, line.send(bytes));
        co_await sleep(0s);
        if (random() % 2 == 0) co_await rounds_of_the_loop(1);
      }
      const std::string enough = "ab\n" + std::string(50, 'x');
      if (round % 3 != 0) task.cancel();
      else sent += enough.substr(0, line.send(enough));
      try {
        got += co_await task;
      } catch (const CancelledError&) {
        ++cancelled;
      }
    }
    line.end();
    got += co_await line.reader.read();
    EXPECT_TRUE(got == sent);
    EXPECT_GT(cancelled, 100);
  };
  run(amain());
}

TEST(StreamReader, gives_what_came_before_the_connection_broke) {
  const auto amain = []() -> Coro<> {
    Line line;
    line.writer.write("unread: so the other end resets");
    line.send("last words");
    line.end();
    EXPECT_EQ(co_await line.reader.read(4), "last");
    EXPECT_EQ(co_await line.reader.readexactly(6), " words");
    EXPECT_EQ(co_await error_of(line.reader.read(10)), ECONNRESET);
    EXPECT_EQ(co_await error_of(line.reader.readline()), ECONNRESET);
    EXPECT_EQ(co_await error_of(line.reader.read()), ECONNRESET);
    EXPECT_FALSE(line.reader.at_eof());
  };
  run(amain());
}

TEST(StreamReader, lets_others_run_while_there_is_always_something_to_read) {
  const auto amain = []() -> Coro<> {
    Line line;
    const auto feed = [](Line& to, bool& stop) -> Coro<> {
      while (!stop) {
        to.send(std::string(200'000, 'x'));
        co_await sleep(0s);
      }
    };
    bool stop = false;
    const auto feeder = create_task(feed(line, stop));
    std::size_t got = 0;
    while (got < 20'000'000) got += (co_await line.reader.read(1 << 20)).size();
    stop = true;
    co_await feeder;
  };
  run(amain());
}

TEST(StreamReader, finds_the_end_when_its_loop_has_ended) {
  std::unique_ptr<Line> kept;
  const auto amain = [](std::unique_ptr<Line>& line) -> Coro<> {
    line = std::make_unique<Line>();
    co_return;
  };
  run(amain(kept));
  EXPECT_TRUE(kept->at_eof());
  EXPECT_TRUE(kept->reader.at_eof());
  EXPECT_TRUE(kept->writer.is_closing());
  kept->writer.write("nowhere");
  const auto again = [](Line& line) -> Coro<> {
    EXPECT_EQ(co_await line.reader.read(), "");
    bool lost = false;
    try {
      co_await line.writer.drain();
    } catch (const std::system_error&) {
      lost = true;
    }
    EXPECT_TRUE(lost);
  };
  run(again(*kept));
}

TEST(StreamReader, belongs_to_one_loop) {
  Runner mine;
  Runner other;
  std::unique_ptr<Line> kept;
  const auto open = [](std::unique_ptr<Line>& line) -> Coro<> {
    line = std::make_unique<Line>();
    co_return;
  };
  mine.run(open(kept));
  const auto read = [](Line& line) -> Coro<> { co_await line.reader.read(); };
  EXPECT_THROW(other.run(read(*kept)), RuntimeError);
  kept->end();
  mine.run(read(*kept));
  kept.reset();
}

}  // namespace
}  // namespace nogil::asyncio
