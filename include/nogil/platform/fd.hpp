// nogil/platform/fd.hpp -- a file descriptor that is closed when it is no longer wanted.

#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace nogil::platform {

// Throws what errno says, with who asked for what.
[[noreturn, gnu::noinline, gnu::cold]] inline void throw_errno(const char* asked, int error = errno) {
  throw std::system_error(error, std::generic_category(), asked);
}

class Fd {
 public:
  constexpr Fd() noexcept = default;

  // Never under a number of the standard files, which the system gives away when a program has
  // closed those: what it prints is not to go into memory that processes share.
  explicit Fd(int owned) noexcept : fd_(owned < 0 || owned > STDERR_FILENO ? owned : beyond_standard_files(owned)) {}

  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() { reset(); }

  // Another descriptor of the same file, which exec() closes. Throws std::system_error.
  static Fd duplicate(int fd) {
    const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) throw_errno("duplicate a file descriptor");
    return Fd(copy);
  }

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }

  // Gives the ownership away.
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

  void reset() noexcept {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  [[gnu::noinline, gnu::cold]] static int beyond_standard_files(int fd) noexcept {
    const int other = ::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (other < 0) return fd;
    ::close(fd);
    return other;
  }

  int fd_ = -1;
};

}  // namespace nogil::platform
