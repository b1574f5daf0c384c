// nogil/multiprocessing/detail/call.hpp -- a callable and its arguments, to be called elsewhere.
//
//   save_call<Result::kSent>(archive, f, 1, "two");      // here
//   run_call(input, output);                             // there: f(1, std::string("two"))
//
// What a callable may be: a function; an object with nothing in it, such as a lambda
// without captures; an object whose bytes are all there is to it, such as a lambda that
// captured numbers; an object with serialize().
//
// Arguments are decayed, as std::thread does it; texts (char arrays, const char*,
// std::string_view) become std::string. There they are passed as rvalues.

#pragma once

#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "nogil/multiprocessing/detail/identity.hpp"
#include "nogil/multiprocessing/detail/stack_guard.hpp"
#include "nogil/multiprocessing/serialize.hpp"

namespace nogil::multiprocessing::detail {

enum class Result { kSent, kDropped };

// ---- How arguments travel ---------------------------------------------------------------

template <class T>
inline constexpr bool kIsText =
    std::is_same_v<T, const char*> || std::is_same_v<T, char*> || std::is_same_v<T, std::string_view>;

template <class Argument>
using SentAs = std::conditional_t<kIsText<std::decay_t<Argument>>, std::string, std::decay_t<Argument>>;

template <class Argument>
void save_argument(OutputArchive& out, const Argument& argument) {
  if constexpr (std::is_same_v<SentAs<const Argument&>, std::string>) {
    const std::string_view text = argument;
    out.write_raw(std::uint64_t{text.size()});
    out.write(text.data(), text.size());
  } else {
    static_assert(sizeof(Refused<SentAs<const Argument&>>) != 0);
    save<SentAs<const Argument&>>(out, argument);
  }
}

// ---- How callables travel ---------------------------------------------------------------

template <class F>
inline constexpr bool kIsFunction = std::is_pointer_v<F>&& std::is_function_v<std::remove_pointer_t<F>>;

template <class F>
inline constexpr bool kIsBare = std::is_empty_v<F>&& std::is_trivially_copyable_v<F>;

template <class F>
inline constexpr bool kHasState = HasMember<F> || HasFree<F> || Adapted<F>;

template <class F>
inline constexpr bool kIsBytes = std::is_class_v<F>&& std::is_trivially_copyable_v<F>;

// Names the callable that is to blame.
template <class F>
struct RefusedCallable {
  static_assert(!std::is_member_pointer_v<F>,
                "nogil: a pointer to a member cannot be sent to another process: send a lambda that calls it");
  static_assert(kIsFunction<F> || kIsBare<F> || kHasState<F> || kIsBytes<F> || std::is_member_pointer_v<F>,
                "nogil: this callable cannot be sent to another process. A lambda may capture what is trivially "
                "copyable, by value: pass strings, vectors and the like as arguments. Instead of std::function or "
                "std::bind send a lambda, or a class with operator() and `template <class A> void serialize(A&)`");
};

template <class F>
void save_callable(OutputArchive& out, const F& callable) {
  if constexpr (kIsFunction<F>) {
    save_function(out, callable);
  } else if constexpr (kHasState<F>) {
    save(out, callable);
  } else if constexpr (!kIsBare<F>) {
    refuse_references(callable);
    out.write_raw(callable);
  }
}

template <class F>
F load_callable(InputArchive& in) {
  if constexpr (kIsFunction<F>) return load_function<std::remove_pointer_t<F>>(in);
  else if constexpr (kHasState<F>) return load<F>(in);
  else if constexpr (kIsBare<F> && std::is_default_constructible_v<F>) return F();
  else if constexpr (kIsBare<F>) {
    const std::byte nothing{};
    InputArchive empty(&nothing, sizeof nothing);
    return load_plain<F>(empty);
  } else return load_plain<F>(in);
}

// ---- The call ---------------------------------------------------------------------------

template <Result kResult, class F, class... Arguments>
struct Call {
  using Value = std::invoke_result_t<F&, Arguments...>;

  static void run(InputArchive& in, OutputArchive& out) {
    auto callable = load_callable<F>(in);
    std::tuple<Arguments...> arguments{load<Arguments>(in)...};  // braces: from left to right
    std::apply(
        [&](Arguments&... argument) {
          if constexpr (kResult == Result::kDropped || std::is_void_v<Value>) {
            static_cast<void>(callable(std::move(argument)...));
          } else {
            save<std::decay_t<Value>>(out, callable(std::move(argument)...));
          }
        },
        arguments);
  }

  static inline constinit Descriptor descriptor{Descriptor::kMagic, type_hash<Call>(), &run};
};

// Appends the call. Throws ValueError for a callable that holds addresses of this thread's
// stack; then, as after any throw, the archive's frame is of no use.
template <Result kResult, class F, class... Arguments>
void save_call(OutputArchive& out, const F& callable, const Arguments&... arguments) {
  using Callable = std::decay_t<const F&>;
  static_assert(sizeof(RefusedCallable<Callable>) != 0);
  static_assert(std::is_invocable_v<Callable&, SentAs<const Arguments&>...>,
                "nogil: the callable cannot be called with these arguments, decayed and as rvalues");
  if constexpr (std::is_invocable_v<Callable&, SentAs<const Arguments&>...>) {
    using ThisCall = Call<kResult, Callable, SentAs<const Arguments&>...>;
    if constexpr (kResult == Result::kSent && !std::is_void_v<typename ThisCall::Value>) {
      static_assert(sizeof(Refused<std::decay_t<typename ThisCall::Value>>) != 0);
    }
    save_descriptor(out, ThisCall::descriptor);
    save_callable<Callable>(out, callable);
    (save_argument(out, arguments), ...);
  }
}

// Makes the call that comes next in `in`; its result goes to `out`, if it was asked for.
inline void run_call(InputArchive& in, OutputArchive& out) {
  load_descriptor(in).run(in, out);
}

}  // namespace nogil::multiprocessing::detail
