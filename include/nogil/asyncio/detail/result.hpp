// nogil/asyncio/detail/result.hpp -- a value, nothing for void, a pointer for a reference; or an exception.

#pragma once

#include <exception>
#include <new>
#include <type_traits>
#include <utility>

namespace nogil::asyncio::detail {

struct Nothing {};

template <class T>
struct KeptAs {
  using Type = T;
};
template <>
struct KeptAs<void> {
  using Type = Nothing;
};
template <class T>
struct KeptAs<T&> {
  using Type = T*;
};

template <class T>
class Result {
  static_assert(!std::is_rvalue_reference_v<T> && !std::is_const_v<T> && !std::is_array_v<T>,
                "the result of a coroutine is void, a reference, or an object that is not const");
  using Kept = typename KeptAs<T>::Type;

 public:
  Result() noexcept {}
  Result(const Result&) = delete;
  Result& operator=(const Result&) = delete;
  ~Result() { clear(); }

  // Into one that is empty.
  template <class... Value>
  void set(Value&&... value) {
    if constexpr (std::is_reference_v<T>) ::new (&value_) Kept(std::addressof(value)...);
    else ::new (&value_) Kept(std::forward<Value>(value)...);
    holds_ = Holds::kValue;
  }
  void set_error(std::exception_ptr error) noexcept {
    clear();
    ::new (&error_) std::exception_ptr(std::move(error));
    holds_ = Holds::kError;
  }

  // What another one holds; an exception instead if moving it throws.
  void take_over(Result& other) noexcept {
    if (other.failed()) return set_error(std::move(other.error_));
    if constexpr (std::is_nothrow_move_constructible_v<Kept>) {
      set(other);
    } else {
      try {
        set(other);
      } catch (...) {
        set_error(std::current_exception());
      }
    }
  }

  bool failed() const noexcept { return holds_ == Holds::kError; }
  const std::exception_ptr& error() const noexcept { return error_; }  // only if failed()

  // The value, or throws the exception.
  std::add_lvalue_reference_t<const T> see() const& {
    if (failed()) [[unlikely]]
      std::rethrow_exception(error_);
    if constexpr (std::is_reference_v<T>) return *value_;
    else if constexpr (!std::is_void_v<T>) return value_;
  }
  T take() {
    if (failed()) [[unlikely]]
      std::rethrow_exception(error_);
    if constexpr (std::is_reference_v<T>) return *value_;
    else if constexpr (!std::is_void_v<T>) return std::move(value_);
  }

 private:
  enum class Holds : unsigned char { kNothing, kValue, kError };

  void set(Result& other) {
    ::new (&value_) Kept(std::move(other.value_));
    holds_ = Holds::kValue;
  }

  void clear() noexcept {
    if (holds_ == Holds::kValue) value_.~Kept();
    else if (holds_ == Holds::kError) error_.~exception_ptr();
    holds_ = Holds::kNothing;
  }

  union {
    Kept value_;
    std::exception_ptr error_;
  };
  Holds holds_ = Holds::kNothing;
};

}  // namespace nogil::asyncio::detail
