// nogil/threading/excepthook.hpp -- what happens to an exception that nobody catches.
//
//   nogil::set_excepthook([](const nogil::ExceptHookArgs& args) {   // Python: threading.excepthook = …
//     log("failed: " + args.thread_name, args.exception);
//   });
//
// An exception that leaves a Thread's callable, a callback, or a task without a future
// ends nothing but that callable. It is given to the hook. Until one is set, and after
// set_excepthook(nullptr), that is a line on stderr, in one write:
//
//   Exception in thread Thread-1: std::runtime_error: connection lost
//
// Threads    Both functions may be called from any thread at any time. A hook may be
//            called by several threads at once, in the thread where the exception was,
//            and never under a lock of the library.
// Lifetime   A hook that was replaced lives until its last running call has returned.
// Errors     What the hook itself throws is printed on stderr, with the exception that
//            it was given, and goes no further.
// Python     threading.excepthook and threading.ExceptHookArgs.

#pragma once

#include <cxxabi.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include "nogil/platform/text.hpp"
#include "nogil/platform/thread_id.hpp"
#include "nogil/threading/detail/ref.hpp"

namespace nogil {

struct ExceptHookArgs {
  std::exception_ptr exception;
  std::string thread_name;
};

namespace detail {

// ---- The text ----------------------------------------------------------------------

// "std::runtime_error: connection lost", or the type alone of what has no what().
inline std::string describe_exception(const std::exception_ptr& exception) {
  std::string type;
  std::string what;
  const auto note_type = [&type] {
    const std::type_info* const info = abi::__cxa_current_exception_type();
    if (info == nullptr) return;
    char* const readable = abi::__cxa_demangle(info->name(), nullptr, nullptr, nullptr);
    type = readable != nullptr ? readable : info->name();
    std::free(readable);
  };
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& error) {
    note_type();
    what = error.what();
  } catch (...) {
    note_type();
  }
  if (type.empty()) return what.empty() ? "unknown exception" : what;
  return what.empty() ? type : (platform::Text() << type << ": " << what).take();
}

// Writes all of `text`, so that lines of several threads do not mix.
inline void write_stderr(const std::string& text) noexcept {
  for (std::size_t done = 0; done < text.size();) {
    const ::ssize_t written = ::write(STDERR_FILENO, text.data() + done, text.size() - done);
    if (written < 0 && errno != EINTR) return;
    if (written > 0) done += static_cast<std::size_t>(written);
  }
}

inline std::string describe(const ExceptHookArgs& args) {
  return (platform::Text() << "Exception in thread " << args.thread_name << ": " << describe_exception(args.exception)
                           << "\n")
      .take();
}

// ---- The hook ----------------------------------------------------------------------

class ExceptHook : public CountedAs<ExceptHook> {
 public:
  virtual ~ExceptHook() = default;
  virtual void call(const ExceptHookArgs& args) = 0;
};

template <class Function>
class ExceptHookOf final : public ExceptHook {
 public:
  template <class F>
  explicit ExceptHookOf(F&& function) : function_(std::forward<F>(function)) {}
  void call(const ExceptHookArgs& args) override { function_(args); }

 private:
  Function function_;
};

// Null: the default. An owner of the hook; guarded by platform::g_threads.lock(), which
// is whole again after fork(). Never destroyed: threads may outlive main().
[[gnu::visibility("default")]] inline constinit ExceptHook* g_excepthook = nullptr;

inline Ref<ExceptHook> current_excepthook() noexcept {
  const platform::RawGuard guard(platform::g_threads.lock());
  if (g_excepthook != nullptr) g_excepthook->add_owner();
  return Ref<ExceptHook>(g_excepthook);
}

inline void replace_excepthook(Ref<ExceptHook> hook) {
  platform::thread_id();  // the lock's fork handlers are there from the first thread on
  Ref<ExceptHook> old;    // destroyed when the lock is free again
  const platform::RawGuard guard(platform::g_threads.lock());
  old = Ref<ExceptHook>(std::exchange(g_excepthook, hook.release()));
}

// Gives an exception that nobody catches to the hook. Runs user code: call it without
// any lock. Throws nothing, whatever the hook does.
inline void report_exception(std::exception_ptr exception, std::string thread_name) noexcept {
  const ExceptHookArgs args{std::move(exception), std::move(thread_name)};
  try {
    const Ref<ExceptHook> hook = current_excepthook();
    if (!hook) return write_stderr(describe(args));
    try {
      hook->call(args);
    } catch (...) {
      write_stderr((platform::Text() << "Exception in excepthook: " << describe_exception(std::current_exception())
                                     << "\nwhich was called for: " << describe(args))
                       .take());
    }
  } catch (...) {
    static constexpr char kNoMemory[] = "Exception in thread; no memory to describe it\n";
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, kNoMemory, sizeof kNoMemory - 1);
  }
}

}  // namespace detail

// From now on calls hook(const ExceptHookArgs&) for each exception that nobody catches.
// The hook may be move-only. A null function pointer means the default.
template <class F>
requires std::is_invocable_v < std::decay_t<F>
&, const ExceptHookArgs& > void set_excepthook(F&& hook) {
  using Hook = std::decay_t<F>;
  if constexpr (std::is_pointer_v<Hook>) {
    const Hook function = hook;  // a function's own address is never null, and compilers know
    if (function == nullptr) return detail::replace_excepthook({});
  }
  detail::replace_excepthook(detail::Ref<detail::ExceptHook>(new detail::ExceptHookOf<Hook>(std::forward<F>(hook))));
}

// Back to the default: a line on stderr.
inline void set_excepthook(std::nullptr_t) {
  detail::replace_excepthook({});
}

}  // namespace nogil
