// nogil/threading/detail/callback.hpp -- any callable without arguments, or none.
//
// A pointer wide and move-only; what std::function would be without <functional>.

#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

namespace nogil::detail {

class Callback {
 public:
  constexpr Callback() noexcept = default;
  constexpr Callback(std::nullptr_t) noexcept {}

  template <class F>
  requires(!std::is_same_v<std::decay_t<F>, Callback> && std::is_invocable_v<std::decay_t<F>&>) Callback(F&& function)
      : target_(new Holder<std::decay_t<F>>(std::forward<F>(function))) {}

  Callback(Callback&& other) noexcept : target_(std::exchange(other.target_, nullptr)) {}
  Callback& operator=(Callback&& other) noexcept {
    std::swap(target_, other.target_);
    return *this;
  }
  ~Callback() { delete target_; }

  explicit operator bool() const noexcept { return target_ != nullptr; }
  void operator()() const { target_->call(); }

 private:
  struct Target {
    virtual ~Target() = default;
    virtual void call() = 0;
  };

  template <class F>
  struct Holder final : Target {
    template <class G>
    explicit Holder(G&& given) : function(std::forward<G>(given)) {}
    void call() override { static_cast<void>(function()); }
    F function;
  };

  Target* target_ = nullptr;
};

}  // namespace nogil::detail
