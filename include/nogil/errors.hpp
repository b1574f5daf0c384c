// nogil/errors.hpp -- the exceptions of the library, under Python's names.
//
// Each derives from the standard exception that a C++ reader would expect:
//
//   std::invalid_argument
//     ValueError              a bad number: Semaphore(-1), Barrier(0)
//   std::runtime_error
//     Error                   whatever else the library throws
//       RuntimeError          the wrong state or the wrong owner: release() of a free lock
//       TimeoutError          the time given is over
//       CancelledError        the task was cancelled before it had a result
//       InvalidStateError     a future was set twice
//       BrokenBarrierError    a barrier was aborted, reset, or timed out
//       BrokenExecutor        an executor cannot run anything any more
//         BrokenThreadPool    its initializer threw
//         BrokenProcessPool   its initializer failed, or its workers die again and again
//           WorkerDied        the process that ran this task died; the pool goes on
//       DeadlockError         waiting would never end: the text names the cycle
//       Full                  a queue had no room in time
//       Empty                 a queue had no element in time
//       ShutDown              a queue was shut down: put() at once, get() when nothing is left
//       RemoteError           an exception of another process, of a type that is neither
//                             std's nor nogil's: its text, and the name of its type
//       OwnerDied             who held a lock between processes died; it is free again
//       EndOfFile             the other end of a connection or a stream is gone
//       FileExistsError       there is a shared memory of that name already
//       FileNotFoundError     there is no shared memory of that name
//       DecodeError           bytes from another process that are not what they should be
//       ExceptionGroup        several exceptions at once: of the tasks of a group
//
// A call that throws one of these has changed nothing, unless it says otherwise.
//
// Python   Builtin ValueError, RuntimeError, TimeoutError, EOFError, FileExistsError,
//          FileNotFoundError and ExceptionGroup, threading's BrokenBarrierError,
//          concurrent.futures' CancelledError, InvalidStateError, BrokenExecutor,
//          BrokenThreadPool and BrokenProcessPool, queue's Full, Empty and ShutDown.
//          RemoteError stands where Python pickles the exception and chains a
//          _RemoteTraceback to it. The others are ours.

#pragma once

#include <cstddef>
#include <exception>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "nogil/platform/errors.hpp"

namespace nogil {

class WorkerDied : public BrokenProcessPool {
 public:
  // `exitcode` as Process::exitcode() tells it: -N by signal N.
  WorkerDied(const std::string& what, int pid, int exitcode)
      : BrokenProcessPool(what), pid_(pid), exitcode_(exitcode) {}

  [[nodiscard]] int pid() const noexcept { return pid_; }

  // The signal that killed it; or else the code that it ended with.
  [[nodiscard]] std::optional<int> signal() const noexcept {
    return exitcode_ < 0 ? std::optional<int>(-exitcode_) : std::nullopt;
  }
  [[nodiscard]] std::optional<int> exit_code() const noexcept {
    return exitcode_ >= 0 ? std::optional<int>(exitcode_) : std::nullopt;
  }

 private:
  int pid_;
  int exitcode_;
};

// Several exceptions at once, in the order in which they came. There is at least one, and
// each may be a group again.
//
//   catch (const nogil::ExceptionGroup& group) {         // except* ValueError as group:
//     if (auto bad = group.subgroup<nogil::ValueError>()) …
//   }
class ExceptionGroup : public Error {
 public:
  // what() is "message (2 sub-exceptions)". Throws ValueError if there are none, or one of
  // them is null.
  ExceptionGroup(std::string message, std::vector<std::exception_ptr> exceptions)
      : Error(text_of(message, exceptions)), message_(std::move(message)), exceptions_(std::move(exceptions)) {}

  [[nodiscard]] const std::string& message() const noexcept { return message_; }
  [[nodiscard]] const std::vector<std::exception_ptr>& exceptions() const noexcept { return exceptions_; }

  struct Split;

  // Those that a `catch (const E&)` would catch, and the rest, each as a group with the same
  // message and nested in the same way. A group that is an E itself stays whole.
  template <class E>
  [[nodiscard]] Split split() const;

  // Only those; empty: there are none.
  template <class E>
  [[nodiscard]] std::optional<ExceptionGroup> subgroup() const;

 private:
  static std::string text_of(const std::string& message, const std::vector<std::exception_ptr>& exceptions) {
    if (exceptions.empty()) throw ValueError("ExceptionGroup: there must be at least one exception");
    for (const std::exception_ptr& one : exceptions) {
      if (one == nullptr) throw ValueError("ExceptionGroup: a null exception_ptr is no exception");
    }
    const std::size_t count = exceptions.size();
    return message + " (" + std::to_string(count) + (count == 1 ? " sub-exception)" : " sub-exceptions)");
  }

  template <class E>
  static bool is_a(const std::exception_ptr& one) noexcept {
    try {
      std::rethrow_exception(one);
    } catch (const E&) {
      return true;
    } catch (...) {
      return false;
    }
  }

  // Null: it is no group. The group is the one that the exception_ptr holds.
  static const ExceptionGroup* group_in(const std::exception_ptr& one) noexcept {
    try {
      std::rethrow_exception(one);
    } catch (const ExceptionGroup& group) {
      return &group;
    } catch (...) {
      return nullptr;
    }
  }

  std::string message_;
  std::vector<std::exception_ptr> exceptions_;
};

struct ExceptionGroup::Split {
  std::optional<ExceptionGroup> match, rest;
};

template <class E>
ExceptionGroup::Split ExceptionGroup::split() const {
  if constexpr (std::is_base_of_v<E, ExceptionGroup>) return {*this, std::nullopt};
  std::vector<std::exception_ptr> match;
  std::vector<std::exception_ptr> rest;
  for (const std::exception_ptr& one : exceptions_) {
    if (is_a<E>(one)) {
      match.push_back(one);
    } else if (const ExceptionGroup* const inner = group_in(one)) {
      Split sides = inner->split<E>();
      if (sides.match) match.push_back(std::make_exception_ptr(*std::move(sides.match)));
      if (sides.rest) rest.push_back(std::make_exception_ptr(*std::move(sides.rest)));
    } else {
      rest.push_back(one);
    }
  }
  Split sides;
  if (!match.empty()) sides.match.emplace(message_, std::move(match));
  if (!rest.empty()) sides.rest.emplace(message_, std::move(rest));
  return sides;
}

template <class E>
std::optional<ExceptionGroup> ExceptionGroup::subgroup() const {
  return split<E>().match;
}

}  // namespace nogil
