// nogil/platform/errors.hpp -- the exceptions that need nothing but a text.
//
// That is all of nogil/errors.hpp, which says when each is thrown, but WorkerDied and
// ExceptionGroup: those two need <optional> and <vector>, which who only takes a lock
// shall not pay for. Headers of floors 0 to 3 include this one.

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

class BrokenProcessPool : public BrokenExecutor {
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

class RemoteError : public Error {
 public:
  RemoteError(const std::string& what, std::string type_name, int pid)
      : Error(what), type_name_(std::move(type_name)), pid_(pid) {}

  // What the exception's type is called where it was thrown.
  [[nodiscard]] const std::string& type_name() const noexcept { return type_name_; }

  // The process that it was thrown in.
  [[nodiscard]] int pid() const noexcept { return pid_; }

 private:
  std::string type_name_;
  int pid_;
};

class OwnerDied : public Error {
 public:
  using Error::Error;
};

class EndOfFile : public Error {
 public:
  using Error::Error;
};

class FileExistsError : public Error {
 public:
  using Error::Error;
};

class FileNotFoundError : public Error {
 public:
  using Error::Error;
};

class DecodeError : public Error {
 public:
  using Error::Error;
};

}  // namespace nogil
