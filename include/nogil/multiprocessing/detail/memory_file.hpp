// nogil/multiprocessing/detail/memory_file.hpp -- bytes in memory that can be sent as a file.

#pragma once

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <utility>

#include "nogil/platform/fd.hpp"

namespace nogil::multiprocessing::detail {

// A file without a name that holds these bytes. Throws std::system_error.
inline platform::Fd make_memory_file(const std::byte* bytes, std::size_t size) {
  platform::Fd file(::memfd_create("nogil-bytes", MFD_CLOEXEC));
  if (!file) platform::throw_errno("make memory for a message");
  while (size > 0) {
    const ::ssize_t written = ::write(file.get(), bytes, size);
    if (written < 0 && errno != EINTR) platform::throw_errno("write a message");
    if (written > 0) {
      bytes += written;
      size -= static_cast<std::size_t>(written);
    }
  }
  return file;
}

// The bytes of such a file, as long as this lives; none, if it has not exactly that size.
class MappedFile {
 public:
  MappedFile() noexcept = default;
  MappedFile(const platform::Fd& file, std::size_t size) noexcept {
    struct stat status {};
    if (size == 0 || ::fstat(file.get(), &status) != 0 || static_cast<std::size_t>(status.st_size) != size) return;
    void* const memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
    if (memory == MAP_FAILED) return;
    bytes_ = static_cast<const std::byte*>(memory);
    size_ = size;
  }
  MappedFile(MappedFile&& other) noexcept
      : bytes_(std::exchange(other.bytes_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  MappedFile& operator=(MappedFile&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~MappedFile() {
    if (bytes_ != nullptr) ::munmap(const_cast<std::byte*>(bytes_), size_);
  }

  explicit operator bool() const noexcept { return bytes_ != nullptr; }
  const std::byte* bytes() const noexcept { return bytes_; }
  std::size_t size() const noexcept { return size_; }

 private:
  const std::byte* bytes_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace nogil::multiprocessing::detail
