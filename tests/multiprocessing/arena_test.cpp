// Tests of the memory that calls and results lie in which are too large for a slot:
// ArenaWriter, ArenaPiece, RequestHeap, Bytes with a source.

#include "nogil/multiprocessing/detail/arena.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <deque>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "nogil/multiprocessing/detail/frame.hpp"
#include "nogil/multiprocessing/detail/request_memory.hpp"
#include "nogil/multiprocessing/detail/shared_object.hpp"

namespace nogil::testing::arena_test {
namespace {

using mp::detail::ArenaPiece;
using mp::detail::ArenaWriter;
using mp::detail::Bytes;
using mp::detail::RequestHeap;
using mp::detail::RequestMemory;
using mp::detail::SharedMapping;

constexpr std::size_t kSize = 64 * 1024;

class Arena : public ::testing::Test {
 protected:
  nogil::detail::Ref<SharedMapping> mapping = SharedMapping::make(kSize);
  std::byte* const memory = static_cast<std::byte*>(mapping->memory());
  ArenaWriter writer{memory, kSize};

  ArenaPiece read(const std::byte* at, std::size_t size) {
    return ArenaPiece(mapping, memory, kSize, writer.begin_of(at), size);
  }
};

TEST_F(Arena, gives_room_until_it_is_full_and_again_when_it_was_given_back) {
  std::vector<std::byte*> pieces;
  while (std::byte* const piece = writer.take(1000)) pieces.push_back(piece);
  EXPECT_EQ(pieces.size(), kSize / (64 + 1024));
  { const ArenaPiece second = read(pieces[1], 1000); }
  EXPECT_EQ(writer.take(1000), nullptr) << "the first is still out";
  { const ArenaPiece first = read(pieces[0], 1000); }
  EXPECT_EQ(writer.take(1000), pieces[0]);
  EXPECT_EQ(writer.take(1000), pieces[1]);
  EXPECT_EQ(writer.take(1000), nullptr);
}

TEST_F(Arena, begins_at_the_start_when_it_is_empty) {
  std::byte* const first = writer.take(100);
  writer.give_back(first);
  EXPECT_EQ(writer.take(kSize - 64), first);
  writer.give_back(first);
  EXPECT_EQ(writer.take(kSize - 63), nullptr);
  EXPECT_EQ(writer.take(static_cast<std::size_t>(-1)), nullptr);
  EXPECT_EQ(writer.take(static_cast<std::size_t>(-100)), nullptr);
  EXPECT_EQ(writer.take(0), first);
}

TEST_F(Arena, keeps_what_lies_in_it_whatever_the_order) {
  std::mt19937 random(3);
  struct Out {
    ArenaPiece piece;
    char filling;
  };
  std::vector<Out> out;
  const auto whole = [](const Out& one) {
    for (std::size_t i = 0; i < one.piece.size(); ++i) {
      if (one.piece.bytes()[i] != std::byte(one.filling)) return false;
    }
    return true;
  };
  int refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    const std::size_t size = random() % 5000;
    if (std::byte* const at = writer.take(size)) {
      const char filling = static_cast<char>(random());
      std::memset(at, filling, size);
      if (random() % 8 == 0) writer.give_back(at);
      else out.push_back({read(at, size), filling});
    } else {
      ++refused;
    }
    while (out.size() > random() % 16) {
      const std::size_t which = random() % out.size();
      ASSERT_TRUE(whole(out[which]));
      out.erase(out.begin() + static_cast<std::ptrdiff_t>(which));
    }
  }
  EXPECT_GT(refused, 0);
  EXPECT_LT(refused, 10'000);
}

TEST_F(Arena, refuses_pieces_that_do_not_lie_in_it) {
  for (const auto& [begin, size] : std::vector<std::pair<std::size_t, std::size_t>>{
           {1, 10}, {kSize, 0}, {kSize - 64, 1}, {0, kSize}, {0, kSize - 63}, {kSize + 64, 1}, {64, std::size_t(-1)}}) {
    EXPECT_THROW(ArenaPiece(mapping, memory, kSize, begin, size), DecodeError) << begin << ", " << size;
  }
  EXPECT_EQ(ArenaPiece(mapping, memory, kSize, kSize - 64, 0).size(), 0u);
}

// ---- Calls ---------------------------------------------------------------------------------

TEST(RequestHeap, gives_the_first_piece_that_is_large_enough) {
  const RequestMemory memory;
  RequestHeap heap(memory);
  std::byte* const a = heap.take(10'000);
  std::byte* const b = heap.take(1);
  std::byte* const c = heap.take(5000);
  EXPECT_EQ(heap.offset(a), 0u);
  EXPECT_GE(b, a + 10'000);
  heap.give_back(a);
  EXPECT_EQ(heap.take(20'000), c + 8192);
  EXPECT_EQ(heap.take(4000), a);
  EXPECT_EQ(heap.take(8000), a + 4096);
  EXPECT_EQ(heap.take(RequestMemory::kSize), nullptr);
  EXPECT_EQ(heap.take(static_cast<std::size_t>(-1)), nullptr);
  EXPECT_EQ(memory.at(RequestMemory::kSize + 4096, 1), nullptr);
  EXPECT_EQ(memory.at(4096, std::size_t(-1)), nullptr);
  EXPECT_EQ(memory.at(4096, 10), a + 4096);
}

TEST(RequestHeap, gives_no_byte_twice) {
  const RequestMemory memory;
  RequestHeap heap(memory);
  std::mt19937 random(5);
  struct Out {
    std::byte* at;
    std::size_t size;
    char filling;
  };
  std::deque<Out> out;
  for (int round = 0; round < 3000; ++round) {
    const std::size_t size = 1 + random() % 20'000;
    std::byte* const at = heap.take(size);
    ASSERT_NE(at, nullptr);
    const char filling = static_cast<char>(random());
    std::memset(at, filling, size);
    out.push_back({at, size, filling});
    while (out.size() > random() % 40) {
      std::swap(out.front(), out[random() % out.size()]);
      const Out one = out.front();
      out.pop_front();
      ASSERT_EQ(one.at[0], std::byte(one.filling));
      ASSERT_EQ(one.at[one.size - 1], std::byte(one.filling));
      heap.give_back(one.at);
    }
  }
}

// ---- Bytes -----------------------------------------------------------------------------------

// Counts what is out, and has none for more than `most` bytes.
class Source final : public mp::detail::ByteSource {
 public:
  std::byte* take(std::size_t size) noexcept override {
    if (size > 5000) return nullptr;
    ++out;
    return new std::byte[size];
  }
  void give_back(std::byte* memory) noexcept override {
    --out;
    delete[] memory;
  }
  int out = 0;
};

std::string text_of(const Bytes& bytes) {
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

TEST(Bytes, lie_in_the_memory_of_a_source_as_far_as_it_goes) {
  Source source;
  {
    Bytes bytes(&source);
    std::string expected;
    for (int i = 0; i < 300; ++i) {
      const std::string part(static_cast<std::size_t>(i % 97), static_cast<char>('a' + i % 26));
      std::memcpy(bytes.extend(part.size()), part.data(), part.size());
      expected += part;
      ASSERT_EQ(text_of(bytes), expected);
      ASSERT_EQ(source.out, bytes.shared() ? 1 : 0);
      if (expected.size() < 100) {
        ASSERT_FALSE(bytes.shared());
      } else if (expected.size() > 1024 && expected.size() < 2500) {
        ASSERT_TRUE(bytes.shared());
      }
    }
    EXPECT_FALSE(bytes.shared());
    Bytes other(&source);
    other.extend(3000);
    EXPECT_TRUE(other.shared());
    Bytes moved = std::move(other);
    EXPECT_TRUE(moved.shared());
    EXPECT_FALSE(other.shared());
    EXPECT_EQ(source.out, 1);
    bytes = std::move(moved);
    EXPECT_EQ(source.out, 1);
    EXPECT_EQ(bytes.size(), 3000u);
  }
  EXPECT_EQ(source.out, 0);
  Bytes sent(&source);
  sent.extend(2000);
  std::byte* const memory = sent.data();
  sent.let_go();
  EXPECT_EQ(source.out, 1);
  source.give_back(memory);
}

}  // namespace
}  // namespace nogil::testing::arena_test
