// support/bigint.hpp -- numbers as long as they need to be, as int is in Python.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace tour {

// Only what a factorial takes: it begins as 1, and is multiplied.
class BigInt {
 public:
  BigInt& operator*=(std::uint32_t factor) {
    std::uint64_t carry = 0;
    for (std::uint32_t& part : parts_) {
      carry += std::uint64_t{part} * factor;
      part = static_cast<std::uint32_t>(carry % kBase);
      carry /= kBase;
    }
    for (; carry != 0; carry /= kBase) parts_.push_back(static_cast<std::uint32_t>(carry % kBase));
    return *this;
  }

  // In decimal.
  std::string text() const {
    std::string digits = std::to_string(parts_.back());
    for (std::size_t i = parts_.size() - 1; i > 0; --i) {
      const std::string part = std::to_string(parts_[i - 1]);
      digits += std::string(kDigits - part.size(), '0') + part;
    }
    return digits;
  }

 private:
  static constexpr std::size_t kDigits = 9;
  static constexpr std::uint64_t kBase = 1'000'000'000;

  std::vector<std::uint32_t> parts_{1};  // kDigits digits each, the last ones first
};

}  // namespace tour
