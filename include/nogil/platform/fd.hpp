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
  constexpr explicit Fd(int owned) noexcept : fd_(owned) {}
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
  int fd_ = -1;
};

}  // namespace nogil::platform
