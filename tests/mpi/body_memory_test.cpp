// Tests of the memory for large bodies, which a rank of the same machine reads.

#include "nogil/mpi/detail/body_memory.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>

namespace nogil::testing {
namespace {

using mpi::detail::BodyMemory;
using multiprocessing::detail::ArenaPiece;
using multiprocessing::detail::HandleAccess;
using multiprocessing::detail::RequestMemory;

constexpr std::size_t kSize = 100'000;

ArenaPiece read_at(const BodyMemory& memory, std::uint32_t page, std::size_t size) {
  return {HandleAccess::memory(memory.memory()), memory.memory().begin(), RequestMemory::kSize,
          std::size_t{page} * BodyMemory::kPage, size};
}

TEST(MPIBodyMemory, is_taken_again_when_the_reader_has_given_it_back) {
  BodyMemory& memory = *BodyMemory::here();
  std::byte* const first = memory.take(kSize);
  ASSERT_NE(first, nullptr);
  std::memset(first, 7, kSize);
  const std::uint32_t page = memory.page_of(first);
  ASSERT_NE(page, BodyMemory::kNowhere);
  memory.lend(page);
  {
    const ArenaPiece lent = read_at(memory, page, kSize);
    EXPECT_EQ(lent.bytes()[kSize - 1], std::byte{7});
    std::byte* const second = memory.take(kSize);
    EXPECT_NE(second, first);
    memory.give_back(second);
  }
  std::byte* const third = memory.take(kSize);
  EXPECT_EQ(third, first);
  memory.give_back(third);
}

TEST(MPIBodyMemory, has_no_room_for_what_is_small_or_huge) {
  BodyMemory& memory = *BodyMemory::here();
  EXPECT_EQ(memory.take(100), nullptr);
  EXPECT_EQ(memory.take(RequestMemory::kSize), nullptr);
  const std::byte elsewhere{};
  EXPECT_EQ(memory.page_of(&elsewhere), BodyMemory::kNowhere);
}

TEST(MPIBodyMemory, does_not_believe_that_a_body_lies_beyond_its_end) {
  const BodyMemory& memory = *BodyMemory::here();
  constexpr auto kPages = static_cast<std::uint32_t>(RequestMemory::kSize / BodyMemory::kPage);
  EXPECT_THROW(read_at(memory, kPages - 1, BodyMemory::kPage), DecodeError);
  EXPECT_THROW(read_at(memory, kPages, 1), DecodeError);
}

}  // namespace
}  // namespace nogil::testing
