// nogil/asyncio/coro.hpp -- Coro: what a coroutine function returns.
//
//   asyncio::Coro<int> answer() {                 // Python: async def answer():
//     co_await asyncio::sleep(100ms);             //             await asyncio.sleep(0.1)
//     co_return 42;                               //             return 42
//   }
//   int n = co_await answer();                    //         n = await answer()
//
// A call runs nothing: the body starts when the Coro is awaited, or when the task begins
// that it was given to (create_task, gather, run).
//
// Awaiting   Once: co_await takes a temporary or std::move(coro), and throws RuntimeError if
//            it was awaited or moved from. Gives T, or throws what the body threw.
// Lifetime   Parameters live in the coroutine, as they were declared: a reference must
//            outlive it, and an rvalue reference does not compile. A Coro that is destroyed
//            without being awaited destroys them; in debug mode that is reported, with the
//            place where it is written.
// Lambdas    A lambda's captures are in the lambda, not in the coroutine. So one that has
//            captures and is a coroutine does not compile; give it parameters.
// Threads    Runs in the thread of its loop. The object is as any other.
// Cost       One allocation from the loop's pool. No other to await it.
// Python     A coroutine object. No send(), throw() and close().

#pragma once

#include <coroutine>
#include <initializer_list>
#include <type_traits>
#include <utility>

#include "nogil/asyncio/detail/promise.hpp"

namespace nogil::asyncio {

template <class T = void>
class [[nodiscard]] Coro {
 public:
  using value_type = T;

  Coro(Coro&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Coro& operator=(Coro&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Coro() {
    if (handle_) detail::drop_unawaited(handle_);
  }

  // Whether it is still to be awaited.
  [[nodiscard]] bool valid() const noexcept { return static_cast<bool>(handle_); }

  detail::CoroAwaiter<T> operator co_await() & = delete;  // only once: co_await std::move(coro)
  detail::CoroAwaiter<T> operator co_await() && noexcept { return detail::CoroAwaiter<T>(std::exchange(handle_, {})); }

 private:
  template <class, class, class>
  friend class detail::Promise;
  friend struct detail::CoroAccess;

  explicit Coro(detail::CoroHandle<T> owned) noexcept : handle_(owned) {}

  detail::CoroHandle<T> handle_;
};

namespace detail {

// For tasks and the like.
struct CoroAccess {
  // The coroutine, with its ownership. Throws RuntimeError if it was awaited.
  template <class T>
  static CoroHandle<T> release(Coro<T>& coro) {
    if (!coro.handle_) throw_awaited();
    return std::exchange(coro.handle_, {});
  }
};

template <class... Parameters>
inline constexpr bool kHasRvalueReference = (std::is_rvalue_reference_v<Parameters> || ...);

// By its name: the language has no question for it.
template <class Class>
constexpr bool is_lambda() noexcept {
  const char* const name = __PRETTY_FUNCTION__;
  for (const char* at = name; *at != '\0'; ++at) {
    for (const char* sign : {"<lambda", "(lambda at"}) {
      const char* seen = at;
      while (*sign != '\0' && *seen == *sign) ++seen, ++sign;
      if (*sign == '\0') return true;
    }
  }
  return false;
}

// The lambda whose call operator has such parameters, the object among them; else void. Where
// its own body is compiled a lambda is not complete, but as the argument of another function
// it is. (A generic lambda's body is compiled later, so it is not found out.)
template <class... Parameters>
struct OwnClosure {
  using Type = void;
};
template <class Object, class... Parameters>
requires(is_lambda<std::remove_cv_t<Object>>() &&
         !requires { sizeof(Object); }) struct OwnClosure<Object&, Parameters...> {
  using Type = std::remove_cv_t<Object>;
};

}  // namespace detail

}  // namespace nogil::asyncio

template <class T, class... Parameters>
struct std::coroutine_traits<nogil::asyncio::Coro<T>, Parameters...> {
  static_assert(
      !nogil::asyncio::detail::kHasRvalueReference<Parameters...>,
      "a coroutine must not take an rvalue reference: what it refers to is gone when the body runs. Take it by value");
  using promise_type =
      nogil::asyncio::detail::Promise<T, nogil::asyncio::Coro<T>,
                                      typename nogil::asyncio::detail::OwnClosure<Parameters...>::Type>;
};
