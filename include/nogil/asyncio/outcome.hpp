// nogil/asyncio/outcome.hpp -- Outcome: how a task ended, in gather_settled()'s results.
//
//   for (const auto& outcome : co_await asyncio::gather_settled(tasks)) {
//     if (outcome.has_value()) use(outcome.value());
//     else log(outcome.exception());
//   }
//
// Python   An element of gather(..., return_exceptions=True).

#pragma once

#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "nogil/asyncio/detail/result.hpp"

namespace nogil::asyncio {

template <class T>
class Outcome {
  using Kept = typename detail::KeptAs<T>::Type;

 public:
  using value_type = T;

  // Of one that gave a value, or threw.
  Outcome() requires std::is_void_v<T> : value_(std::in_place) {}
  template <class Value>
  Outcome(std::in_place_t, Value&& value) : value_(keep(std::forward<Value>(value))) {}
  explicit Outcome(std::exception_ptr error) noexcept : error_(std::move(error)) {}

  [[nodiscard]] bool has_value() const noexcept { return value_.has_value(); }
  explicit operator bool() const noexcept { return has_value(); }

  // The value, or throws the exception.
  std::add_lvalue_reference_t<const T> value() const& {
    check();
    if constexpr (std::is_reference_v<T>) return **value_;
    else if constexpr (!std::is_void_v<T>) return *value_;
  }
  T value() && {
    check();
    if constexpr (std::is_reference_v<T>) return **value_;
    else if constexpr (!std::is_void_v<T>) return *std::move(value_);
  }

  // What it threw, an asyncio::CancelledError if it was cancelled; null if it has a value.
  [[nodiscard]] const std::exception_ptr& exception() const noexcept { return error_; }

 private:
  template <class Value>
  static decltype(auto) keep(Value&& value) {
    if constexpr (std::is_reference_v<T>) return std::addressof(value);
    else return std::forward<Value>(value);
  }

  void check() const {
    if (error_ != nullptr) std::rethrow_exception(error_);
  }

  std::optional<Kept> value_;
  std::exception_ptr error_;
};

}  // namespace nogil::asyncio
