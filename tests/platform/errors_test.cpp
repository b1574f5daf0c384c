// Tests of nogil/errors.hpp.

#include "nogil/errors.hpp"

#include <gtest/gtest.h>

#include <exception>
#include <stdexcept>
#include <type_traits>
#include <vector>

namespace nogil::testing::errors_test {
namespace {

template <class Derived, class Base>
constexpr bool kBelow = std::is_base_of_v<Base, Derived>;

static_assert(kBelow<ValueError, std::invalid_argument> && !kBelow<ValueError, Error>);
static_assert(kBelow<Error, std::runtime_error>);
static_assert(kBelow<BrokenThreadPool, BrokenExecutor> && kBelow<BrokenExecutor, Error>);
static_assert(kBelow<WorkerDied, BrokenProcessPool> && kBelow<BrokenProcessPool, BrokenExecutor>);
static_assert(kBelow<RemoteError, Error> && kBelow<OwnerDied, Error> && kBelow<EndOfFile, Error>);
static_assert(kBelow<FileExistsError, Error> && kBelow<FileNotFoundError, Error> && kBelow<ExceptionGroup, Error>);

std::exception_ptr value_error(const char* what) {
  return std::make_exception_ptr(ValueError(what));
}
std::exception_ptr timeout() {
  return std::make_exception_ptr(TimeoutError("late"));
}

TEST(Errors, of_a_dead_worker_tell_its_signal_or_its_exit_code) {
  const WorkerDied killed("died", 7, -9);
  EXPECT_EQ(killed.pid(), 7);
  EXPECT_EQ(killed.signal(), 9);
  EXPECT_EQ(killed.exit_code(), std::nullopt);
  const WorkerDied ended("died", 7, 3);
  EXPECT_EQ(ended.signal(), std::nullopt);
  EXPECT_EQ(ended.exit_code(), 3);
}

TEST(Errors, of_a_broken_executor_keep_the_cause) {
  const BrokenProcessPool broken("broken", value_error("cause"));
  EXPECT_THROW(std::rethrow_exception(broken.cause()), ValueError);
  EXPECT_EQ(BrokenThreadPool("broken").cause(), nullptr);
}

TEST(Errors, in_a_group_are_counted_in_its_text) {
  const ExceptionGroup two("unhandled errors", {value_error("a"), timeout()});
  EXPECT_STREQ(two.what(), "unhandled errors (2 sub-exceptions)");
  EXPECT_EQ(two.message(), "unhandled errors");
  ASSERT_EQ(two.exceptions().size(), 2u);
  EXPECT_THROW(std::rethrow_exception(two.exceptions()[0]), ValueError);
  EXPECT_THROW(std::rethrow_exception(two.exceptions()[1]), TimeoutError);
  EXPECT_STREQ(ExceptionGroup("one", {timeout()}).what(), "one (1 sub-exception)");
}

TEST(Errors, in_a_group_are_at_least_one_and_not_null) {
  EXPECT_THROW(ExceptionGroup("none", {}), ValueError);
  EXPECT_THROW(ExceptionGroup("null", {timeout(), nullptr}), ValueError);
}

TEST(Errors, in_a_group_are_told_apart_by_their_type) {
  const ExceptionGroup group("all", {value_error("a"), timeout(), std::make_exception_ptr(42)});
  const auto [match, rest] = group.split<ValueError>();
  ASSERT_TRUE(match && rest);
  EXPECT_EQ(match->exceptions(), std::vector{group.exceptions()[0]});
  EXPECT_EQ(match->message(), "all");
  EXPECT_EQ(rest->exceptions(), (std::vector{group.exceptions()[1], group.exceptions()[2]}));
  EXPECT_EQ(group.subgroup<std::exception>()->exceptions().size(), 3u) << "the group is one itself, so it stays whole";
  EXPECT_EQ(group.subgroup<std::invalid_argument>()->exceptions().size(), 1u);
  EXPECT_FALSE(group.subgroup<Full>());
  EXPECT_EQ(group.subgroup<int>()->exceptions().size(), 1u);
}

TEST(Errors, in_a_group_within_a_group_are_told_apart_too) {
  const ExceptionGroup inner("inner", {value_error("a"), timeout()});
  const ExceptionGroup outer("outer", {std::make_exception_ptr(inner), value_error("b")});
  const auto [match, rest] = outer.split<ValueError>();
  ASSERT_TRUE(match && rest);
  ASSERT_EQ(match->exceptions().size(), 2u);
  ASSERT_EQ(rest->exceptions().size(), 1u);
  try {
    std::rethrow_exception(rest->exceptions()[0]);
  } catch (const ExceptionGroup& left) {
    EXPECT_STREQ(left.what(), "inner (1 sub-exception)");
    EXPECT_THROW(std::rethrow_exception(left.exceptions()[0]), TimeoutError);
  }
}

}  // namespace
}  // namespace nogil::testing::errors_test
