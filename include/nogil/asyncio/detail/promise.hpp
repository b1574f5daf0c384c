// nogil/asyncio/detail/promise.hpp -- the inside of a coroutine, and how one goes on in another.
//
// A coroutine starts when it is awaited, in the stack of who awaits it. If it comes to its
// end without waiting, its parent just goes on. If it waits, control returns to the task's
// step(); and when it ends later, its parent has to be resumed from there. That must not
// use up the stack: a loop may await a million children that never wait.
//
//   clang   symmetric transfer: every resume is a jump
//   g++     makes such a jump a call unless it optimizes, and under the sanitizers always:
//           a loop would overflow the stack. So the start is a plain call, from which a
//           child that has not waited returns; and a child that has leaves its parent to
//           step(), which resumes it when the stack is unwound (a trampoline)
//
// Chosen by the compiler, as no macro tells -O1 from -O2, and all files of a program must
// agree.

#pragma once

#include <cxxabi.h>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <version>

#if defined(__cpp_lib_source_location)
#include <source_location>
#endif

#include "nogil/asyncio/cancelled_error.hpp"
#include "nogil/asyncio/detail/frame_pool.hpp"
#include "nogil/asyncio/detail/loop_core.hpp"
#include "nogil/asyncio/detail/result.hpp"
#include "nogil/platform/errors.hpp"
#include "nogil/platform/text.hpp"
#include "nogil/threading/excepthook.hpp"

#if defined(__clang__)
#define NOGIL_SYMMETRIC_TRANSFER 1
#else
#define NOGIL_SYMMETRIC_TRANSFER 0
#endif

namespace nogil::asyncio::detail {

// Where a coroutine is written, for people. (clang 14 has no std::source_location.)
class Origin {
 public:
#if defined(__cpp_lib_source_location)
  using Place = std::source_location;
#define NOGIL_HERE std::source_location where = std::source_location::current()
  const char* file() const noexcept {
    return place_.file_name();
  }
  unsigned line() const noexcept {
    return place_.line();
  }
#else
  struct Place {
    const char* file = "";
    const char* function = "";
    unsigned line = 0;
  };
#define NOGIL_HERE Origin::Place where = {__builtin_FILE(), __builtin_FUNCTION(), __builtin_LINE()}
  const char* file() const noexcept {
    return place_.file;
  }
  unsigned line() const noexcept {
    return place_.line;
  }
#endif

  Origin() noexcept = default;
  explicit Origin(const Place& place) noexcept : place_(place) {}

  // Its name alone: compilers put its type around it, and g++ that of its frame.
  [[gnu::noinline, gnu::cold]] std::string function() const {
    const char* const text = declaration();
    const char* end = text;
    while (*end != '\0' && (*end != '(' || std::strncmp(end, "(anon", 5) == 0)) ++end;
    const char* begin = end;
    for (int depth = 0; begin != text && (depth != 0 || begin[-1] != ' '); --begin) {
      const char letter = begin[-1];
      depth += (letter == '>' || letter == ')') - (letter == '<' || letter == '(');
    }
    return std::string(begin, static_cast<std::size_t>(end - begin));
  }

 private:
#if defined(__cpp_lib_source_location)
  const char* declaration() const noexcept {
    return place_.function_name();
  }
#else
  const char* declaration() const noexcept {
    return place_.function;
  }
#endif

  Place place_{};
};

// Whether the exception that is being handled is a CancelledError. Without throwing it
// again, which would double the cost of a cancellation.
inline bool handles_cancellation() noexcept {
#if defined(__cpp_rtti)
  const std::type_info* const type = abi::__cxa_current_exception_type();
  return type != nullptr && *type == typeid(CancelledError);
#else
  try {
    throw;
  } catch (const CancelledError&) {
    return true;
  } catch (...) {
    return false;
  }
#endif
}

[[noreturn, gnu::noinline, gnu::cold]] inline void throw_awaited() {
  throw RuntimeError("cannot reuse already awaited coroutine");
}

// Python: RuntimeWarning: coroutine 'fetch' was never awaited
[[gnu::noinline, gnu::cold]] inline void report_never_awaited(const Origin& origin) noexcept {
  nogil::detail::write_stderr((platform::Text() << "asyncio: " << origin.file() << ":" << std::uint64_t{origin.line()}
                                                << ": the coroutine '" << origin.function() << "' was never awaited\n")
                                  .take());
}

class PromiseBase : public Pooled {
 public:
  PromiseBase() noexcept = default;
  PromiseBase(const PromiseBase&) = delete;
  PromiseBase& operator=(const PromiseBase&) = delete;

  std::suspend_always initial_suspend(NOGIL_HERE) noexcept {
    origin_ = Origin(where);
    return {};
  }

  class FinalAwaiter {
   public:
    bool await_ready() const noexcept { return false; }
    void await_resume() const noexcept {}
#if NOGIL_SYMMETRIC_TRANSFER
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> ended) const noexcept {
      const std::coroutine_handle<> parent = ended.promise().parent_;
      if (parent) return parent;
      t_here.finished = true;
      return std::noop_coroutine();
    }
#else
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> ended) const noexcept {
      PromiseBase& promise = ended.promise();
      if (promise.start_ == Start::kGoingOn) promise.start_ = Start::kEnded;
      else if (promise.parent_) t_here.next = promise.parent_;
      else t_here.finished = true;
    }
#endif
  };
  FinalAwaiter final_suspend() const noexcept {
    return {};
  }

  bool cancelled() const noexcept {
    return cancelled_;
  }
  const Origin& origin() const noexcept {
    return origin_;
  }

 protected:
  ~PromiseBase() = default;

  void note_cancellation() noexcept {
    cancelled_ = handles_cancellation();
  }

 private:
  template <class>
  friend class CoroAwaiter;

  enum class Start : std::uint8_t { kOver, kGoingOn, kEnded };

  std::coroutine_handle<> parent_{};  // who awaits it; null: a task does
  Origin origin_;
  Start start_ = Start::kOver;  // of the call that starts it
  bool cancelled_ = false;      // it has ended by a CancelledError
};

template <class T>
class ResultPromise : public PromiseBase {
 public:
  void unhandled_exception() noexcept {
    note_cancellation();
    result_.set_error(std::current_exception());
  }

  Result<T>& result() noexcept { return result_; }

 protected:
  ~ResultPromise() = default;
  Result<T> result_;
};

template <class T>
class ReturnPromise : public ResultPromise<T> {
 public:
  template <class Value = T>
  requires std::is_constructible_v<T, Value>
  void return_value(Value&& value) { this->result_.set(std::forward<Value>(value)); }
};
template <>
class ReturnPromise<void> : public ResultPromise<void> {
 public:
  void return_void() noexcept { result_.set(); }
};

// A coroutine whose result is T, whatever its object is.
template <class T>
using CoroHandle = std::coroutine_handle<ResultPromise<T>>;

// That of a coroutine that returns an Object: Coro<T>, or another class that is made from a
// CoroHandle<T> and owns it.
//
// Closure: the lambda whose body it is, or void. Looked at here, since a lambda's own body is
// the place where its type is not complete yet; the body of this function is compiled later.
template <class T, class Object, class Closure = void>
class Promise final : public ReturnPromise<T> {
 public:
  Object get_return_object() noexcept {
    if constexpr (!std::is_void_v<Closure>) {
      static_assert(std::is_empty_v<Closure>,
                    "a lambda that is a coroutine must not have captures: they are gone when its body runs. Give it "
                    "parameters instead");
    }
    // A promise is found at a fixed distance from its frame, which must be the same for the base.
    static_assert(alignof(Promise) == alignof(ResultPromise<T>) && sizeof(Promise) == sizeof(ResultPromise<T>));
    return Object(CoroHandle<T>::from_promise(*this));
  }
};

// For Coro.
struct CoroAccess;

// A coroutine whose body never ran, and never will.
template <class T>
void drop_unawaited(CoroHandle<T> owned) noexcept {
  if (t_here.loop != nullptr && t_here.loop->debug()) [[unlikely]]
    report_never_awaited(owned.promise().origin());
  owned.destroy();
}

// Awaits a coroutine: runs it, and is its owner from now on.
template <class T>
class CoroAwaiter {
 public:
  explicit CoroAwaiter(CoroHandle<T> owned) noexcept : child_(owned) {}
  CoroAwaiter(const CoroAwaiter&) = delete;
  CoroAwaiter& operator=(const CoroAwaiter&) = delete;
  ~CoroAwaiter() {
    if (child_) child_.destroy();
  }

  bool await_ready() const {
    if (!child_) [[unlikely]]
      throw_awaited();
    return false;
  }

#if NOGIL_SYMMETRIC_TRANSFER
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> parent) noexcept {
    child_.promise().parent_ = parent;
    return child_;
  }
#else
  bool await_suspend(std::coroutine_handle<> parent) {
    PromiseBase& promise = child_.promise();
    promise.parent_ = parent;
    promise.start_ = PromiseBase::Start::kGoingOn;
    child_.resume();
    return std::exchange(promise.start_, PromiseBase::Start::kOver) == PromiseBase::Start::kGoingOn;
  }
#endif

  T await_resume() {
    return child_.promise().result().take();
  }

 private:
  CoroHandle<T> child_;
};

}  // namespace nogil::asyncio::detail
