// nogil/multiprocessing/detail/lent_memory.hpp -- files in memory that go from message to message.
//
// What a large message costs is less its copying than its pages, which the system makes and
// clears for each file anew, and maps, and takes back. So a thread that sends keeps its last
// files, and one that receives keeps its last mappings. A word in each file says whether it
// is lent: the sender claims it, the receiver gives it back when it has read the message.
//
//   Frame frame(&Lender::here());         // encoded right there, if it becomes large
//   send(Lender::here().fd_of(frame.bytes.data()));
//   Lender::here().lend(frame.bytes.data());
//   frame.bytes.let_go();                 // the receiver's now
//
//   const Borrowed bytes(file, size);     // there: as long as this lives
//
// Threads    Each thread has a Lender, and mappings, of its own; a file may be lent to any
//            thread of any process. After a fork both sides have the files: who claims one
//            does so by a step that only one can make.
// Dying      A file whose receiver has died, or whose message nobody receives, stays lent: its
//            sender makes another in its place.
// Cost       Up to kFiles * kMostKept bytes for each thread that has sent, or received, so much.

#pragma once

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include "nogil/multiprocessing/detail/frame.hpp"
#include "nogil/platform/fd.hpp"

namespace nogil::multiprocessing::detail {

// A mapping of such a file; the bytes lie behind the head.
class LentFile {
 public:
  static constexpr std::size_t kHead = 64;

  LentFile() noexcept = default;
  LentFile(int fd, std::size_t size) noexcept {
    void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) return;
    memory_ = static_cast<std::byte*>(memory);
    size_ = size;
  }
  LentFile(LentFile&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  LentFile& operator=(LentFile&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~LentFile() {
    if (memory_ != nullptr) ::munmap(memory_, size_);
  }

  explicit operator bool() const noexcept { return memory_ != nullptr; }
  std::byte* bytes() const noexcept { return memory_ + kHead; }
  std::size_t room() const noexcept { return size_ - kHead; }

  // False: it is lent, or somebody else has claimed it.
  bool claim() const noexcept {
    std::uint32_t free = 0;
    return word().compare_exchange_strong(free, 1, std::memory_order_acquire, std::memory_order_relaxed);
  }
  void give_back() const noexcept { word().store(0, std::memory_order_release); }

 private:
  std::atomic<std::uint32_t>& word() const noexcept {
    return *std::launder(reinterpret_cast<std::atomic<std::uint32_t>*>(memory_));
  }

  std::byte* memory_ = nullptr;
  std::size_t size_ = 0;
};

class Lender final : public ByteSource {
 public:
  static constexpr std::size_t kLeast = std::size_t{128} << 10;  // more than that
  static constexpr std::size_t kMost = std::size_t{1} << 30;
  static constexpr std::size_t kMostKept = std::size_t{32} << 20;
  static constexpr int kFiles = 2;

  // The calling thread's.
  static Lender& here() noexcept {
    static thread_local Lender lender;
    return lender;
  }

  std::byte* take(std::size_t size) noexcept override {
    if (size <= kLeast || size > kMost) return nullptr;
    for (File& file : files_) {
      if (file.memory && !file.mine && file.memory.room() >= size && file.memory.claim()) return give(file);
    }
    File& file = files_[oldest_];
    oldest_ = (oldest_ + 1) % kFiles;
    if (file.mine || !make(file, size)) return nullptr;
    return give(file);
  }
  void give_back(std::byte* memory) noexcept override {
    File& file = file_of(memory);
    file.mine = false;
    file.memory.give_back();
    if (file.memory.room() > kMostKept) file = {};
  }

  // Of memory that take() gave.
  int fd_of(const std::byte* memory) noexcept { return file_of(memory).fd.get(); }

  // It was sent, and is the receiver's to give back.
  void lend(const std::byte* memory) noexcept {
    File& file = file_of(memory);
    file.mine = false;
    if (file.memory.room() > kMostKept) file = {};
  }

 private:
  struct File {
    platform::Fd fd{};
    LentFile memory{};
    bool mine = false;  // this thread writes it
  };

  Lender() noexcept = default;

  static std::byte* give(File& file) noexcept {
    file.mine = true;
    return file.memory.bytes();
  }

  static bool make(File& file, std::size_t size) noexcept {
    std::size_t length = 2 * kLeast;
    while (length < size + LentFile::kHead && length < kMostKept) length *= 2;
    if (length < size + LentFile::kHead) length = size + LentFile::kHead;
    file = {};
    platform::Fd fd(::memfd_create("nogil-bytes", MFD_CLOEXEC));
    if (!fd || ::ftruncate(fd.get(), static_cast<::off_t>(length)) != 0) return false;
    LentFile memory(fd.get(), length);
    if (!memory || !memory.claim()) return false;
    file.fd = std::move(fd);
    file.memory = std::move(memory);
    return true;
  }

  File& file_of(const std::byte* memory) noexcept {
    File* file = files_;
    while (!file->memory || file->memory.bytes() != memory) ++file;
    return *file;
  }

  File files_[kFiles];
  int oldest_ = 0;
};

// The bytes of a message that lie in a lent file.
class Borrowed {
 public:
  Borrowed() noexcept = default;

  // Null bytes: the file has not so many.
  Borrowed(const platform::Fd& file, std::size_t size) noexcept {
    struct stat status {};
    if (::fstat(file.get(), &status) != 0 || status.st_size < static_cast<::off_t>(LentFile::kHead)) return;
    const std::size_t length = static_cast<std::size_t>(status.st_size);
    if (size > length - LentFile::kHead) return;
    known_ = find(status);
    if (known_ == nullptr) {
      own_ = LentFile(file.get(), length);
      if (!own_) return;
    } else if (!known_->memory) {
      known_->memory = LentFile(file.get(), length);
      if (!known_->memory) return;
    }
    if (known_ != nullptr) known_->used = true;
    bytes_ = (known_ != nullptr ? known_->memory : own_).bytes();
  }
  Borrowed(Borrowed&& other) noexcept
      : bytes_(std::exchange(other.bytes_, nullptr)),
        known_(std::exchange(other.known_, nullptr)),
        own_(std::move(other.own_)) {}
  Borrowed& operator=(Borrowed&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    std::swap(known_, other.known_);
    std::swap(own_, other.own_);
    return *this;
  }
  ~Borrowed() {
    if (bytes_ == nullptr) return;
    (known_ != nullptr ? known_->memory : own_).give_back();
    if (known_ != nullptr) known_->used = false;
  }

  const std::byte* bytes() const noexcept { return bytes_; }

 private:
  // A file stays what it is as long as it is mapped: its number is not another's.
  struct Known {
    ::dev_t device = 0;
    ::ino_t number = 0;
    LentFile memory{};
    bool used = false;  // by a message that this thread reads
  };

  // The mapping of the file, or a place for it; null: all are used, so it needs one of its own.
  static Known* find(const struct stat& status) noexcept {
    static thread_local Known all[Lender::kFiles];
    static thread_local int oldest = 0;
    Known* free = nullptr;
    for (Known& one : all) {
      if (one.memory && one.number == status.st_ino && one.device == status.st_dev) return one.used ? nullptr : &one;
    }
    for (int i = 0; i < Lender::kFiles && free == nullptr; ++i) {
      Known& one = all[oldest];
      oldest = (oldest + 1) % Lender::kFiles;
      if (!one.used) free = &one;
    }
    if (free != nullptr && status.st_size <= static_cast<::off_t>(Lender::kMostKept)) {
      *free = {status.st_dev, status.st_ino, {}, false};
      return free;
    }
    return nullptr;
  }

  const std::byte* bytes_ = nullptr;
  Known* known_ = nullptr;  // null: own_
  LentFile own_;
};

}  // namespace nogil::multiprocessing::detail
