// tests/asyncio/seen_test.cpp

#include "nogil/asyncio/detail/seen.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace nogil::asyncio::detail {
namespace {

TEST(Seen, knows_what_was_there_before) {
  Seen seen;
  std::vector<int> objects(1000);
  for (const int& object : objects) EXPECT_TRUE(seen.insert(&object));
  for (const int& object : objects) EXPECT_FALSE(seen.insert(&object));
  const int another = 0;
  EXPECT_TRUE(seen.insert(&another));
}

}  // namespace
}  // namespace nogil::asyncio::detail
