// nogil/futures/detail/shared_callback.hpp -- any callable without arguments, or none; copies share it.
//
// What an Options field needs of std::function, without <functional>.

#pragma once

#include <type_traits>
#include <utility>

#include "nogil/threading/detail/callback.hpp"
#include "nogil/threading/detail/ref.hpp"

namespace nogil::detail {

class SharedCallback {
 public:
  SharedCallback() noexcept = default;
  SharedCallback(std::nullptr_t) noexcept {}

  template <class F>
  requires(!std::is_same_v<std::decay_t<F>, SharedCallback> && std::is_invocable_v<std::decay_t<F>&>)
      SharedCallback(F&& function)
      : target_(new Target(std::forward<F>(function))) {}

  explicit operator bool() const noexcept { return static_cast<bool>(target_); }
  void operator()() const { target_->callback(); }

 private:
  struct Target final : Counted {
    template <class F>
    explicit Target(F&& function) : callback(std::forward<F>(function)) {}
    const Callback callback;
  };

  Ref<Target> target_;
};

}  // namespace nogil::detail
