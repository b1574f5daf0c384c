// nogil/queue/detail/put_result.hpp -- what the engines of all queues have in common.

#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <type_traits>

namespace nogil::detail {

// What became of a try_put.
enum class PutResult { kDone, kFull, kShutDown };

// More than any queue holds.
inline constexpr std::uint64_t kUnbounded = std::uint64_t{1} << 62;

// Python's maxsize: zero or less is no bound.
constexpr std::uint64_t limit_of(std::ptrdiff_t maxsize) noexcept {
  return maxsize <= 0 ? kUnbounded : static_cast<std::uint64_t>(maxsize);
}

// Whether the scope that this was made in is being left by an exception. Costs nothing
// where kMayThrow is false.
template <bool kMayThrow>
class Unwinding {
 public:
  operator bool() const noexcept { return std::uncaught_exceptions() > before_; }

 private:
  const int before_ = std::uncaught_exceptions();
};
template <>
class Unwinding<false> {
 public:
  constexpr operator bool() const noexcept { return false; }
};

}  // namespace nogil::detail
