// tests/asyncio/outcome_test.cpp -- how one of several ended.

#include "nogil/asyncio/outcome.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace nogil::asyncio {
namespace {

std::exception_ptr an_error() {
  return std::make_exception_ptr(std::domain_error("broken"));
}

TEST(Outcome, has_a_value) {
  const Outcome<std::string> outcome(std::in_place, "value");
  EXPECT_TRUE(outcome.has_value());
  EXPECT_TRUE(static_cast<bool>(outcome));
  EXPECT_EQ(outcome.value(), "value");
  EXPECT_EQ(outcome.exception(), nullptr);
}

TEST(Outcome, has_an_exception_and_throws_it) {
  const Outcome<std::string> outcome(an_error());
  EXPECT_FALSE(outcome.has_value());
  EXPECT_FALSE(static_cast<bool>(outcome));
  EXPECT_NE(outcome.exception(), nullptr);
  EXPECT_THROW(static_cast<void>(outcome.value()), std::domain_error);
  EXPECT_THROW(static_cast<void>(Outcome<int>(an_error()).value()), std::domain_error);
}

TEST(Outcome, has_nothing_for_void) {
  const Outcome<void> outcome;
  EXPECT_TRUE(outcome.has_value());
  outcome.value();
  EXPECT_THROW(Outcome<void>(an_error()).value(), std::domain_error);
}

TEST(Outcome, refers_to_what_a_reference_refers_to) {
  int number = 1;
  const Outcome<int&> outcome(std::in_place, number);
  EXPECT_EQ(&outcome.value(), &number);
}

TEST(Outcome, gives_away_what_can_only_be_moved) {
  Outcome<std::unique_ptr<int>> outcome(std::in_place, std::make_unique<int>(5));
  EXPECT_EQ(*outcome.value(), 5);
  const std::unique_ptr<int> taken = std::move(outcome).value();
  EXPECT_EQ(*taken, 5);
  static_assert(!std::is_copy_constructible_v<Outcome<std::unique_ptr<int>>>);
}

}  // namespace
}  // namespace nogil::asyncio
