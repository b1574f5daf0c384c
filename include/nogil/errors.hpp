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
//       DeadlockError         waiting would never end: the text names the cycle
//       Full                  a queue had no room in time
//       Empty                 a queue had no element in time
//       ShutDown              a queue was shut down: put() at once, get() when nothing is left
//
// A call that throws one of these has changed nothing, unless it says otherwise.
//
// Python   Builtin ValueError, RuntimeError and TimeoutError, threading's
//          BrokenBarrierError, concurrent.futures' CancelledError, InvalidStateError,
//          BrokenExecutor and BrokenThreadPool, queue's Full, Empty and ShutDown.
//          DeadlockError is ours.

#pragma once

#include <exception>
#include <stdexcept>
#include <string>
#include <utility>

namespace nogil {

class ValueError : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class RuntimeError : public Error {
 public:
  using Error::Error;
};

class TimeoutError : public Error {
 public:
  using Error::Error;
};

class CancelledError : public Error {
 public:
  using Error::Error;
};

class InvalidStateError : public Error {
 public:
  using Error::Error;
};

class BrokenBarrierError : public Error {
 public:
  using Error::Error;
};

class BrokenExecutor : public Error {
 public:
  using Error::Error;
  BrokenExecutor(const std::string& what, std::exception_ptr cause) : Error(what), cause_(std::move(cause)) {}

  // What broke it; null if that was no exception.
  [[nodiscard]] const std::exception_ptr& cause() const noexcept { return cause_; }

 private:
  std::exception_ptr cause_;
};

class BrokenThreadPool : public BrokenExecutor {
 public:
  using BrokenExecutor::BrokenExecutor;
};

class DeadlockError : public Error {
 public:
  using Error::Error;
};

class Full : public Error {
 public:
  using Error::Error;
};

class Empty : public Error {
 public:
  using Error::Error;
};

class ShutDown : public Error {
 public:
  using Error::Error;
};

}  // namespace nogil
