// tests/support/files.hpp -- a process that has no number left for another file.

#pragma once

#include <fcntl.h>
#include <sys/resource.h>

#include <cstddef>
#include <vector>

#include "nogil/platform/fd.hpp"

namespace nogil::testing {

// As long as it lives this process cannot open a file.
class NoFilesLeft {
 public:
  NoFilesLeft() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const ::rlimit few{256, before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &few);
    for (int fd; (fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) files_.emplace_back(fd);
  }
  NoFilesLeft(const NoFilesLeft&) = delete;
  NoFilesLeft& operator=(const NoFilesLeft&) = delete;
  ~NoFilesLeft() { ::setrlimit(RLIMIT_NOFILE, &before_); }

  // Lets so many be opened.
  void leave(std::size_t count) {
    while (count-- != 0) files_.pop_back();
  }

 private:
  ::rlimit before_{};
  std::vector<platform::Fd> files_;
};

}  // namespace nogil::testing
