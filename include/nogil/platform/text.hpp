// nogil/platform/text.hpp -- texts for errors and reports, put together at little cost.
//
//   throw ValueError((Text() << "stack_size must be at least " << least << " bytes").take());
//
// The cost that counts is the compiler's: every operator+ and std::to_string that an
// inline function names is instantiated in each file that includes it, whether it is ever
// called or not. This needs one append(), and is never inlined: texts are for the rare case.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

namespace nogil::platform {

class Text {
 public:
  [[gnu::noinline, gnu::cold]] Text& operator<<(const char* text) { return add(text, std::strlen(text)); }
  [[gnu::noinline, gnu::cold]] Text& operator<<(const std::string& text) { return add(text.data(), text.size()); }
  Text& operator<<(std::uint64_t number) { return add_digits(number, 10); }
  Text& operator<<(const void* address) {
    return add("0x", 2).add_digits(reinterpret_cast<std::uintptr_t>(address), 16);
  }

  bool empty() const noexcept { return text_.empty(); }

  // Once, at the end.
  std::string take() noexcept { return std::move(text_); }

 private:
  Text& add(const char* text, std::size_t size) {
    text_.append(text, size);
    return *this;
  }

  [[gnu::noinline, gnu::cold]] Text& add_digits(std::uint64_t number, unsigned base) {
    char digits[20];  // 2^64 - 1 has that many
    char* first = digits + sizeof digits;
    do {
      *--first = "0123456789abcdef"[number % base];
      number /= base;
    } while (number != 0);
    return add(first, static_cast<std::size_t>(digits + sizeof digits - first));
  }

  std::string text_;
};

}  // namespace nogil::platform
