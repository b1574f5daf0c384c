// What a process does with wrong bytes from another: frames that were right, changed at random
// but in the same way each time. tests/fuzz/frame_fuzz.cpp looks further, with libFuzzer.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <random>
#include <vector>

#include "multiprocessing/support/frames.hpp"

namespace nogil::testing::fuzz_test {
namespace {

class AnyFrame : public ::testing::TestWithParam<unsigned> {};
INSTANTIATE_TEST_SUITE_P(OfKind, AnyFrame, ::testing::Range(0u, kFrameKinds));

std::vector<std::byte> good_bytes(unsigned kind) {
  const mp::detail::Frame frame = good_frame(kind);
  return {frame.bytes.data(), frame.bytes.data() + frame.bytes.size()};
}

TEST_P(AnyFrame, is_read_or_refused_wherever_it_is_cut_off) {
  const std::vector<std::byte> bytes = good_bytes(GetParam());
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    const std::vector<std::byte> cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    read_frame(GetParam(), cut.data(), cut.size());
  }
}

TEST_P(AnyFrame, is_read_or_refused_whatever_is_changed) {
  const std::vector<std::byte> good = good_bytes(GetParam());
  std::mt19937 random(20260101 + GetParam());
  for (int round = 0; round < 5000; ++round) {
    std::vector<std::byte> bytes = good;
    for (unsigned changes = 1 + random() % 4; changes > 0 && !bytes.empty(); --changes) {
      const auto at = static_cast<std::ptrdiff_t>(random() % bytes.size());
      switch (random() % 5) {
        case 0:
          bytes[static_cast<std::size_t>(at)] = static_cast<std::byte>(random());
          break;
        case 1:
          bytes[static_cast<std::size_t>(at)] ^= static_cast<std::byte>(1u << random() % 8);
          break;
        case 2:
          bytes.erase(bytes.begin() + at);
          break;
        case 3:
          bytes.insert(bytes.begin() + at, static_cast<std::byte>(random()));
          break;
        default:
          std::fill_n(bytes.begin() + at, std::min<std::ptrdiff_t>(8, bytes.end() - bytes.begin() - at),
                      random() % 2 == 0 ? std::byte{0} : std::byte{0xff});
      }
    }
    read_frame(GetParam(), bytes.data(), bytes.size());
  }
}

TEST_P(AnyFrame, is_read_or_refused_when_it_is_of_another_kind) {
  for (unsigned kind = 0; kind < kFrameKinds; ++kind) {
    const std::vector<std::byte> bytes = good_bytes(kind);
    if (kind != GetParam()) read_frame(GetParam(), bytes.data(), bytes.size());
  }
}

}  // namespace
}  // namespace nogil::testing::fuzz_test
