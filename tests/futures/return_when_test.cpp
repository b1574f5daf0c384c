// Tests of nogil::ReturnWhen: Python's names, as they are and in their enumeration.

#include "nogil/futures/return_when.hpp"

#include <gtest/gtest.h>

#include <type_traits>

namespace nogil::testing::return_when_test {
namespace {

static_assert(FIRST_COMPLETED == ReturnWhen::FIRST_COMPLETED && FIRST_EXCEPTION == ReturnWhen::FIRST_EXCEPTION &&
              ALL_COMPLETED == ReturnWhen::ALL_COMPLETED);

TEST(ReturnWhenTest, is_a_type_of_its_own_with_three_different_values) {
  EXPECT_TRUE((std::is_same_v<decltype(FIRST_COMPLETED), const ReturnWhen>));
  EXPECT_FALSE((std::is_convertible_v<int, ReturnWhen>));
  EXPECT_NE(FIRST_COMPLETED, FIRST_EXCEPTION);
  EXPECT_NE(FIRST_EXCEPTION, ALL_COMPLETED);
  EXPECT_NE(ALL_COMPLETED, FIRST_COMPLETED);
}

}  // namespace
}  // namespace nogil::testing::return_when_test
