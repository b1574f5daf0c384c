// nogil/multiprocessing/errors.hpp -- what can go wrong between processes.
//
//   std::runtime_error
//     Error
//       RemoteError             an exception of another process, of a type that is not
//                               std's or nogil's: its text, and the name of its type
//       OwnerDied               the holder of a Lock or an RLock died; it is free again
//       EndOfFile               the other end of a connection is gone
//       FileExistsError         a shared memory of that name exists already
//       FileNotFoundError       there is no shared memory of that name
//       DecodeError             bytes that are not what they should be
//       BrokenExecutor
//         BrokenProcessPool     a pool of processes cannot run anything any more
//           WorkerDied          the process that ran this task died; the pool goes on
//
// Python   EOFError, FileExistsError and FileNotFoundError. RemoteError stands where
//          Python pickles the exception and chains _RemoteTraceback to it.

#pragma once

#include <optional>
#include <string>
#include <utility>

#include "nogil/errors.hpp"

namespace nogil {

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

class BrokenProcessPool : public BrokenExecutor {
 public:
  using BrokenExecutor::BrokenExecutor;
};

class WorkerDied : public BrokenProcessPool {
 public:
  // `exitcode` as Process::exitcode() tells it: -N by signal N.
  WorkerDied(const std::string& what, int pid, int exitcode)
      : BrokenProcessPool(what), pid_(pid), exitcode_(exitcode) {}

  [[nodiscard]] int pid() const noexcept { return pid_; }
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

namespace multiprocessing {}
namespace mp = multiprocessing;

}  // namespace nogil
