// nogil/futures/detail/future_result.hpp -- what a future keeps when it is done.
//
// A value, nothing for void, a pointer for a reference, or the exception in its place.

#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <new>
#include <type_traits>
#include <utility>

#include "nogil/futures/detail/block_cache.hpp"
#include "nogil/futures/detail/task_block.hpp"

namespace nogil::detail {

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

// What the payload of a finished Future<T> is.
template <class T>
using Kept = typename KeptAs<T>::Type;

// What a future of a callable's result is a Future of.
template <class R>
using FutureValue = std::conditional_t<std::is_lvalue_reference_v<R>, R, std::remove_cv_t<std::remove_reference_t<R>>>;

inline constexpr std::size_t max_of(std::size_t a, std::size_t b) noexcept {
  return a < b ? b : a;
}
inline constexpr std::size_t round_up(std::size_t size, std::size_t align) noexcept {
  return (size + align - 1) / align * align;
}

// The end of a T that lies in the payload.
template <class T>
inline constexpr std::size_t kPayloadEnd = kPayloadOffset<T> + sizeof(T);

// Where what follows the result of a Future<T> may begin.
template <class T>
inline constexpr std::size_t kResultEnd = max_of(kPayloadEnd<Kept<T>>, kPayloadEnd<std::exception_ptr>);

// Leaves an exception in a payload that holds nothing.
inline FutureState keep_exception(TaskBlock& block, std::exception_ptr error) noexcept {
  ::new (payload_place<std::exception_ptr>(block)) std::exception_ptr(std::move(error));
  return FutureState::kFailed;
}

// Leaves what make() returns, or throws, in a payload. done() is called in between, when
// make() has returned or thrown, and destroys what it used of the payload.
template <class T, class Make, class Done>
FutureState keep_result_of(TaskBlock& block, Make make, Done done) noexcept {
  bool made = false;
  std::exception_ptr error;
  try {
    if constexpr (std::is_void_v<T>) {
      make();
      made = true;
      done();
    } else if constexpr (std::is_reference_v<T>) {
      std::remove_reference_t<T>* const result = &make();
      made = true;
      done();
      ::new (payload_place<Kept<T>>(block)) Kept<T>(result);
    } else if constexpr (std::is_move_constructible_v<T>) {
      T result = make();
      made = true;
      done();
      ::new (payload_place<T>(block)) T(std::move(result));
    } else {
      ::new (payload_place<T>(block)) T(make());
      made = true;
      done();
    }
    return FutureState::kFinished;
  } catch (...) {
    error = std::current_exception();
  }
  if (!made) done();
  return keep_exception(block, std::move(error));
}

// Destroys what a done payload holds.
template <class T>
void destroy_result(TaskBlock& block) noexcept {
  const FutureState state = block.state();
  if (state == FutureState::kFailed) {
    payload<std::exception_ptr>(block).~exception_ptr();
  } else if (state == FutureState::kFinished) {
    using Result = Kept<T>;
    if constexpr (!std::is_trivially_destructible_v<Result>) payload<Result>(block).~Result();
  }
}

}  // namespace nogil::detail
