// nogil/multiprocessing/detail/shared_object.hpp -- one object that several processes have.
//
//   class Lock : private Handle<State> { … };      // copies are handles to the same State
//
// It lies in memory without a name (memfd), which the kernel frees when the last process
// that has it is gone, however that ends. A handle keeps the memory mapped, and a file
// descriptor of it, to send it on: an archive sends the descriptor, and whoever reads it
// maps the same memory.
//
// Lifetime   The object is never destroyed, only its memory freed: another process may be
//            using it. So it must be trivially destructible.
// Cost       A file descriptor and at least a page for each object, and mmap() for each
//            handle that is received; a copy of a handle in the same process costs a count.

#pragma once

#include <sys/mman.h>
#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

#include "nogil/multiprocessing/detail/identity.hpp"
#include "nogil/multiprocessing/serialize.hpp"
#include "nogil/platform/fd.hpp"
#include "nogil/threading/detail/ref.hpp"

namespace nogil::multiprocessing::detail {

// Memory that can be mapped by several processes.
class SharedMapping : public nogil::detail::Counted {
 public:
  // Of `size` bytes, all zero; the size cannot be changed later, by anybody.
  // Throws std::system_error.
  static nogil::detail::Ref<SharedMapping> make(std::size_t size) {
    platform::Fd fd(::memfd_create("nogil", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!fd || ::ftruncate(fd.get(), static_cast<::off_t>(size)) != 0) platform::throw_errno("make shared memory");
    ::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    return map(std::move(fd), size);
  }

  // All of the file, which has `size` bytes.
  static nogil::detail::Ref<SharedMapping> map(platform::Fd fd, std::size_t size) {
    void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    if (memory == MAP_FAILED) platform::throw_errno("map shared memory");
    return nogil::detail::Ref<SharedMapping>(new SharedMapping(std::move(fd), memory, size));
  }

  // What an archive brings. Throws DecodeError if it is shorter than `least` bytes.
  static nogil::detail::Ref<SharedMapping> receive(InputArchive& in, std::size_t least) {
    platform::Fd fd = in.read_file();
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) platform::throw_errno("look at shared memory");
    const auto size = static_cast<std::size_t>(status.st_size);
    if (size < least) throw DecodeError("serialize: a shared object is shorter than its type");
    return map(std::move(fd), size);
  }

  ~SharedMapping() override { ::munmap(memory_, size_); }

  void* memory() const noexcept { return memory_; }
  std::size_t size() const noexcept { return size_; }
  int fd() const noexcept { return fd_.get(); }

 private:
  SharedMapping(platform::Fd fd, void* memory, std::size_t size) noexcept
      : fd_(std::move(fd)), memory_(memory), size_(size) {}

  const platform::Fd fd_;
  void* const memory_;
  const std::size_t size_;
};

// What a handle class is made from when it arrives.
struct Received {
  InputArchive& archive;
};

// The base of all handles. A handle is never without its object: so there is no move, only
// copy.
template <class T>
class Handle {
  static_assert(std::is_trivially_destructible_v<T>);

 public:
  using SharedObject = T;

  Handle(const Handle&) = default;
  Handle& operator=(const Handle&) = default;

 protected:
  // Makes the object, with `extra` bytes behind it.
  template <class... Arguments>
  explicit Handle(std::size_t extra, const Arguments&... arguments)
      : memory_(SharedMapping::make(sizeof(Room) + extra)) {
    new (memory_->memory()) Room{kType, T(arguments...)};
  }
  explicit Handle(Received received) : memory_(SharedMapping::receive(received.archive, sizeof(Room))) {
    if (room().type != kType) throw DecodeError("serialize: a shared object is of another type");
  }
  ~Handle() = default;

  T& object() const noexcept { return room().object; }
  std::byte* extra() const noexcept { return static_cast<std::byte*>(memory_->memory()) + sizeof(Room); }
  std::size_t extra_size() const noexcept { return memory_->size() - sizeof(Room); }

  // Whether both are handles to the same object, received by the same way.
  bool same_as(const Handle& other) const noexcept { return memory_.get() == other.memory_.get(); }

 private:
  friend struct HandleAccess;

  struct alignas(64) Room {
    std::uint64_t type;
    T object;
  };
  static constexpr std::uint64_t kType = type_hash<T>();

  Room& room() const noexcept { return *static_cast<Room*>(memory_->memory()); }

  nogil::detail::Ref<SharedMapping> memory_;
};

struct HandleAccess {
  template <class T>
  static int fd(const Handle<T>& handle) noexcept {
    return handle.memory_->fd();
  }
  template <class T>
  static const nogil::detail::Ref<SharedMapping>& memory(const Handle<T>& handle) noexcept {
    return handle.memory_;
  }
};

template <class H>
concept IsHandle = requires {
  typename H::SharedObject;
}
&&std::is_base_of_v<Handle<typename H::SharedObject>, H>;

template <IsHandle H>
struct Adapter<H> {
  static void save(OutputArchive& out, const H& handle) { out.write_file(HandleAccess::fd(handle)); }
  static H load(InputArchive& in) { return H(Received{in}); }
};

}  // namespace nogil::multiprocessing::detail
