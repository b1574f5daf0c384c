// tests/futures/support/kinds.hpp -- the kinds of result that a future can have.
//
// Each kind says what Future<T> it is of, and how to set and compare a result of it.

#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <memory>

#include "nogil/futures/future.hpp"
#include "nogil/futures/promise.hpp"

namespace nogil::testing {

struct OfNothing {
  using T = void;
  template <class Target>
  static void set(Target& target, int) {
    target.set_result();
  }
  static bool is(const Future<T>& future, int) {
    future.result();
    return true;
  }
};

struct OfNumber {
  using T = int;
  template <class Target>
  static void set(Target& target, int n) {
    target.set_result(n);
  }
  static bool is(const Future<T>& future, int n) { return future.result() == n; }
};

struct OfMoveOnly {
  using T = std::unique_ptr<int>;
  template <class Target>
  static void set(Target& target, int n) {
    target.set_result(std::make_unique<int>(n));
  }
  static bool is(const Future<T>& future, int n) { return *future.result() == n; }
};

struct OfReference {
  using T = int&;
  static int& place(int n) {
    static std::array<int, 8> places{};
    return places.at(static_cast<std::size_t>(n));
  }
  template <class Target>
  static void set(Target& target, int n) {
    target.set_result(place(n));
  }
  static bool is(const Future<T>& future, int n) { return &future.result() == &place(n); }
};

using Kinds = ::testing::Types<OfNothing, OfNumber, OfMoveOnly, OfReference>;

}  // namespace nogil::testing
