// tests/asyncio/cancelled_error_test.cpp -- who catches it. When it is thrown: task_test.cpp.

#include "nogil/asyncio/cancelled_error.hpp"

#include <gtest/gtest.h>

#include <exception>
#include <string>
#include <type_traits>

#include "nogil/errors.hpp"

namespace nogil::asyncio {
namespace {

TEST(CancelledError, is_no_error) {
  static_assert(!std::is_base_of_v<std::exception, CancelledError>);
  static_assert(!std::is_convertible_v<CancelledError*, nogil::CancelledError*>);
  std::string caught;
  try {
    try {
      throw CancelledError();
    } catch (const std::exception&) {  // Python: except Exception
      caught = "as an error";
    }
  } catch (const CancelledError& error) {
    caught = error.what();
  }
  EXPECT_EQ(caught, "cancelled");
}

}  // namespace
}  // namespace nogil::asyncio
