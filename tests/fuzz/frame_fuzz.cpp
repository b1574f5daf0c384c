// frame_fuzz -- libFuzzer on what a process reads from another.
//
//   frame_fuzz -max_total_time=60
//
// The first byte of each input says what the others are to be read as.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "multiprocessing/support/frames.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size != 0)
    nogil::testing::read_frame(data[0] % nogil::testing::kFrameKinds, reinterpret_cast<const std::byte*>(data + 1),
                               size - 1);
  return 0;
}

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

// Now and then a frame that is right: no mutation finds the identity of this program.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
  if (seed % 64 == 0) {
    const unsigned kind = seed / 64 % nogil::testing::kFrameKinds;
    const nogil::multiprocessing::detail::Frame frame = nogil::testing::good_frame(kind);
    if (frame.bytes.size() < most) {
      data[0] = static_cast<std::uint8_t>(kind);
      std::memcpy(data + 1, frame.bytes.data(), frame.bytes.size());
      size = frame.bytes.size() + 1;
    }
  }
  return LLVMFuzzerMutate(data, size, most);
}
