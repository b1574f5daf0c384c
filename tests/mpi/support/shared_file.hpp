// tests/mpi/support/shared_file.hpp -- numbers that the ranks of one machine share, for tests to see what they do.
//
// A task is given the path, and opens the file for itself.

#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <stdexcept>
#include <string>

namespace nogil::testing {

class SharedFile {
 public:
  static constexpr std::size_t kCount = 1 << 16;

  // A new one, which goes with this object.
  SharedFile() : path_(make()), mine_(true), numbers_(map(path_)) {}

  // One that is there.
  explicit SharedFile(const std::string& path) : path_(path), numbers_(map(path)) {}

  SharedFile(const SharedFile&) = delete;
  SharedFile& operator=(const SharedFile&) = delete;
  ~SharedFile() {
    ::munmap(numbers_, kCount * sizeof(std::atomic<int>));
    if (mine_) ::unlink(path_.c_str());
  }

  const std::string& path() const noexcept { return path_; }
  std::atomic<int>& operator[](std::size_t index) const noexcept { return numbers_[index]; }

 private:
  static std::string make() {
    std::string path = "/dev/shm/nogil-mpi-test-XXXXXX";
    const int fd = ::mkstemp(path.data());
    if (fd < 0 || ::ftruncate(fd, kCount * sizeof(std::atomic<int>)) != 0) throw std::runtime_error("no shared file");
    ::close(fd);
    return path;
  }

  static std::atomic<int>* map(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    void* const memory = ::mmap(nullptr, kCount * sizeof(std::atomic<int>), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ::close(fd);
    if (memory == MAP_FAILED) throw std::runtime_error("the shared file cannot be mapped");
    return static_cast<std::atomic<int>*>(memory);
  }

  const std::string path_;
  const bool mine_ = false;
  std::atomic<int>* const numbers_;
};

}  // namespace nogil::testing
