// nogil/multiprocessing/detail/growing_memory.hpp -- memory that grows while processes share it.
//
// A file in memory without a name: a head, and behind it segments, each twice as long as
// the one before. A process maps a segment when it first touches it; what nobody has
// touched takes no memory.
//
//   offset 0        head         kFirst bytes
//   kFirst << n     segment n    kFirst << n bytes
//
// Threads    Everything from any thread; provide() by one of all processes at a time.
// Lifetime   As shared_object.hpp: the kernel frees it with the last process that has it.
// Cost       A file descriptor; mmap() for each segment in each process that uses it.

#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "nogil/multiprocessing/serialize.hpp"
#include "nogil/platform/fd.hpp"
#include "nogil/threading/detail/ref.hpp"

namespace nogil::multiprocessing::detail {

class GrowingMemory : public nogil::detail::Counted {
 public:
  static constexpr std::uint64_t kFirst = std::uint64_t{1} << 16;  // a whole number of pages on every machine
  static constexpr unsigned kSegments = 28;                        // the last one has 8 TiB

  static constexpr std::uint64_t size_of(unsigned segment) noexcept { return kFirst << segment; }

  // With a head and segment 0, all zero. Throws std::system_error.
  static nogil::detail::Ref<GrowingMemory> make() {
    platform::Fd fd(::memfd_create("nogil", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!fd || ::ftruncate(fd.get(), static_cast<::off_t>(2 * kFirst)) != 0) {
      platform::throw_errno("make shared memory");
    }
    ::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL);  // what is mapped stays there
    return nogil::detail::Ref<GrowingMemory>(new GrowingMemory(std::move(fd)));
  }

  // What an archive brings. Throws DecodeError, std::system_error.
  static nogil::detail::Ref<GrowingMemory> receive(InputArchive& in) {
    platform::Fd fd = in.read_file();
    if (length_of(fd.get()) < 2 * kFirst) throw DecodeError("serialize: a shared object is shorter than its type");
    return nogil::detail::Ref<GrowingMemory>(new GrowingMemory(std::move(fd)));
  }

  ~GrowingMemory() override {
    for (unsigned segment = 1; segment < kSegments; ++segment) {
      if (void* const memory = segments_[segment].load(std::memory_order_relaxed)) ::munmap(memory, size_of(segment));
    }
    ::munmap(head_, 2 * kFirst);
  }

  int fd() const noexcept { return fd_.get(); }
  void* head() const noexcept { return head_; }

  // A segment that somebody has provided. Throws std::system_error.
  std::byte* segment(unsigned segment) const {
    std::byte* const memory = segments_[segment].load(std::memory_order_acquire);
    return memory != nullptr ? memory : map_segment(segment);
  }

  // Makes the file long enough for it. Throws std::system_error.
  void provide(unsigned segment) const {
    const std::uint64_t length = 2 * size_of(segment);
    if (length_of(fd_.get()) < length && ::ftruncate(fd_.get(), static_cast<::off_t>(length)) != 0) {
      platform::throw_errno("make shared memory larger");
    }
  }

  // Its memory goes back to the system: it is all zero, and takes memory when it is touched.
  void give_back(unsigned segment) const noexcept {
    const auto size = static_cast<::off_t>(size_of(segment));
    ::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, size, size);  // it lies at its size
  }

 private:
  explicit GrowingMemory(platform::Fd fd) : fd_(std::move(fd)), head_(map(0, 2 * kFirst)) {
    segments_[0].store(head_ + kFirst, std::memory_order_relaxed);
  }

  static std::uint64_t length_of(int fd) {
    struct stat status {};
    if (::fstat(fd, &status) != 0) platform::throw_errno("look at shared memory");
    return static_cast<std::uint64_t>(status.st_size);
  }

  std::byte* map(std::uint64_t offset, std::uint64_t size) const {
    void* const memory =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), static_cast<::off_t>(offset));
    if (memory == MAP_FAILED) platform::throw_errno("map shared memory");
    return static_cast<std::byte*>(memory);
  }

  [[gnu::noinline, gnu::cold]] std::byte* map_segment(unsigned segment) const {
    std::byte* const memory = map(size_of(segment), size_of(segment));
    std::byte* found = nullptr;
    if (segments_[segment].compare_exchange_strong(found, memory, std::memory_order_acq_rel)) return memory;
    ::munmap(memory, size_of(segment));  // another thread was faster
    return found;
  }

  const platform::Fd fd_;
  std::byte* const head_;
  mutable std::atomic<std::byte*> segments_[kSegments]{};  // null: not mapped yet, by this process
};

}  // namespace nogil::multiprocessing::detail
