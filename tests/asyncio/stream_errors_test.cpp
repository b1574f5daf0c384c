// tests/asyncio/stream_errors_test.cpp -- when they are thrown: stream_reader_test.cpp.

#include "nogil/asyncio/stream_errors.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <type_traits>

namespace nogil::asyncio {
namespace {

TEST(IncompleteReadError, says_what_came_and_what_was_asked_for) {
  const IncompleteReadError error("abc", 10);
  EXPECT_EQ(error.partial(), "abc");
  EXPECT_EQ(error.expected(), std::optional<std::size_t>(10));
  EXPECT_EQ(std::string(error.what()), "3 bytes read on a total of 10 expected bytes");  // as CPython says it
  static_assert(std::is_base_of_v<EndOfFile, IncompleteReadError>);
}

TEST(IncompleteReadError, knows_no_number_for_a_separator) {
  const IncompleteReadError error("", std::nullopt);
  EXPECT_EQ(error.partial(), "");
  EXPECT_FALSE(error.expected().has_value());
  EXPECT_EQ(std::string(error.what()), "0 bytes read on a total of an unknown number of expected bytes");
}

TEST(LimitOverrunError, says_how_many_bytes_lie_there) {
  const LimitOverrunError error("Separator is not found, and chunk exceed the limit", 70000);
  EXPECT_EQ(error.consumed(), 70000u);
  static_assert(std::is_base_of_v<ValueError, LimitOverrunError>);
}

}  // namespace
}  // namespace nogil::asyncio
