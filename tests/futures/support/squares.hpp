// tests/futures/support/squares.hpp -- what tests of map() map, and what comes of it.

#pragma once

#include <type_traits>
#include <utility>
#include <vector>

namespace nogil::testing {

inline int square(int x) {
  return x * x;
}

// 0, 1, …, n - 1, and their squares.
inline std::vector<int> numbers(int n) {
  std::vector<int> values;
  for (int i = 0; i < n; ++i) values.push_back(i);
  return values;
}

inline std::vector<int> squares(int n) {
  std::vector<int> values;
  for (int i = 0; i < n; ++i) values.push_back(i * i);
  return values;
}

// All that a range has, in a vector.
template <class Range>
auto collect(Range&& range) {
  std::vector<std::decay_t<decltype(*range.begin())>> values;
  for (auto&& value : range) values.push_back(std::forward<decltype(value)>(value));
  return values;
}

}  // namespace nogil::testing
