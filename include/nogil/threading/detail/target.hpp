// nogil/threading/detail/target.hpp -- a callable and its arguments, kept for one call.
//
//   Target<std::decay_t<F>, std::decay_t<Args>...> target(std::forward<F>(f), std::forward<Args>(args)...);
//   target(token);      // f(args...), or f(token, args...) if it can be called so
//
// Copies or moves everything in, and moves everything out into the call, as std::jthread
// does: callable and arguments may be move-only.

#pragma once

#include <stop_token>
#include <tuple>
#include <type_traits>
#include <utility>

namespace nogil::detail {

// As std::jthread: whoever can be called with a stop_token first is.
template <class F, class... Args>
inline constexpr bool kTakesStopToken = std::is_invocable_v<std::decay_t<F>, std::stop_token, std::decay_t<Args>...> &&
                                        !std::is_member_pointer_v<std::decay_t<F>>;

template <class F, class... Args>
concept ThreadTarget = kTakesStopToken<F, Args...> || std::is_invocable_v<std::decay_t<F>, std::decay_t<Args>...>;

// A callable and its arguments, copied or moved in, to be called once.
template <class F, class... Args>
class Target {
 public:
  template <class Function, class... Arguments>
  explicit Target(Function&& function, Arguments&&... arguments)
      : function_(std::forward<Function>(function)), arguments_(std::forward<Arguments>(arguments)...) {}

  void operator()(std::stop_token token) {
    if constexpr (kTakesStopToken<F, Args...>) {
      std::apply([&](Args&&... args) { std::move(function_)(std::move(token), std::move(args)...); },
                 std::move(arguments_));
    } else {
      std::apply(std::move(function_), std::move(arguments_));
    }
  }

 private:
  F function_;
  std::tuple<Args...> arguments_;
};

}  // namespace nogil::detail
