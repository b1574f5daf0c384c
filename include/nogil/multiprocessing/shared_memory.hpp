// nogil/multiprocessing/shared_memory.hpp -- SharedMemory: bytes that processes share.
//
//   auto memory = nogil::mp::SharedMemory::anonymous(1 << 20);
//   nogil::mp::Process worker(fill, memory);                   // the same bytes there
//
//   auto named = nogil::mp::SharedMemory::create("frames", 1 << 20);   // Python: SharedMemory("frames", True, 1 << 20)
//   auto again = nogil::mp::SharedMemory::open("frames");              // by any process of the machine
//
// A handle: copies, and what other processes receive, are the same bytes, all zero at first.
//
// Names      What has a name stays until unlink(), which the process that created it also
//            does when its last handle goes. If that process is killed, the name stays.
//            Memory of somebody else's that has the name meanwhile keeps it (but for one who
//            takes the name over in the very moment of an unlink()).
//            Prefer memory without a name: it goes with the last process that has it.
// Threads    Handles as any object; for the bytes, order is the users' business.
// Errors     FileExistsError, FileNotFoundError, ValueError; std::system_error for the rest.
// Cost       Pages when they are first touched, and a file descriptor.
// Python     multiprocessing.shared_memory.SharedMemory. Who only opens it never unlinks it,
//            and nothing is "tracked".

#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "nogil/errors.hpp"
#include "nogil/multiprocessing/detail/life.hpp"
#include "nogil/multiprocessing/detail/shared_object.hpp"

namespace nogil::multiprocessing {

class SharedMemory {
 public:
  // New memory of `size` bytes under this name. Throws FileExistsError if there is one of
  // that name, ValueError unless size > 0 and the name is not empty and has neither '/' nor a
  // null character.
  static SharedMemory create(const std::string& name, std::ptrdiff_t size) {
    const std::size_t bytes = checked(size);
    const std::string path = path_of(name);
    platform::Fd fd(::shm_open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!fd && errno == EEXIST) throw FileExistsError("SharedMemory.create: there is one named " + name);
    if (!fd) platform::throw_errno("create shared memory");
    if (::ftruncate(fd.get(), static_cast<::off_t>(bytes)) != 0) {
      const int error = errno;
      ::shm_unlink(path.c_str());
      platform::throw_errno("create shared memory", error);
    }
    SharedMemory memory(detail::SharedMapping::map(std::move(fd), bytes), name);
    memory.owner_ = nogil::detail::Ref<Owner>(new Owner(path, memory.which_));
    return memory;
  }

  // The memory of this name, whoever created it. Throws FileNotFoundError if there is none.
  static SharedMemory open(const std::string& name) {
    platform::Fd fd(::shm_open(path_of(name).c_str(), O_RDWR | O_CLOEXEC, 0));
    if (!fd && errno == ENOENT) throw FileNotFoundError("SharedMemory.open: there is none named " + name);
    if (!fd) platform::throw_errno("open shared memory");
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) platform::throw_errno("look at shared memory");
    if (status.st_size == 0) throw FileNotFoundError("SharedMemory.open: it is being created: " + name);
    return SharedMemory(detail::SharedMapping::map(std::move(fd), static_cast<std::size_t>(status.st_size)), name);
  }

  // New memory without a name. Throws ValueError unless size > 0.
  static SharedMemory anonymous(std::ptrdiff_t size) {
    return SharedMemory(detail::SharedMapping::make(checked(size)), {});
  }

  // The bytes; none after close().
  [[nodiscard]] std::span<std::byte> buf() const noexcept {
    if (!mapping_) return {};
    return {static_cast<std::byte*>(mapping_->memory()), mapping_->size()};
  }

  // Empty: it has none.
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] std::size_t size() const noexcept { return buf().size(); }

  // Lets go of the bytes, in this handle. Others, also copies of it, keep them.
  void close() noexcept { mapping_ = {}; }

  // Takes the name away, now; who has the bytes keeps them. No name, or gone already, or
  // other memory's now: nothing happens. Also after close().
  void unlink() noexcept {
    if (!name_.empty()) which_.unlink(path_of(name_));
    if (owner_) owner_->give_up();
  }

 private:
  friend struct detail::Adapter<SharedMemory>;

  // Which memory it is, whatever its name.
  struct Which {
    ::dev_t device = 0;
    ::ino_t number = 0;

    static Which of(int fd) noexcept {
      struct stat status {};
      return ::fstat(fd, &status) == 0 ? Which{status.st_dev, status.st_ino} : Which{};
    }
    friend bool operator==(const Which&, const Which&) = default;

    // Takes the name away if it is this one's.
    void unlink(const std::string& path) const noexcept {
      const platform::Fd named(::shm_open(path.c_str(), O_RDONLY | O_CLOEXEC, 0));
      if (named ? of(named.get()) == *this : errno != ENOENT) ::shm_unlink(path.c_str());
    }
  };

  // Takes the name away when the last handle of the creating process goes.
  class Owner : public nogil::detail::Counted {
   public:
    Owner(std::string path, const Which& which)
        : path_(std::move(path)), which_(which), creator_(detail::this_process()) {}
    ~Owner() override {
      if (owns_.load(std::memory_order_relaxed) && detail::this_process() == creator_) which_.unlink(path_);
    }
    void give_up() noexcept { owns_.store(false, std::memory_order_relaxed); }

   private:
    const std::string path_;
    const Which which_;
    const detail::Who creator_;  // a child that was forked has handles, too
    std::atomic<bool> owns_{true};
  };

  SharedMemory(nogil::detail::Ref<detail::SharedMapping> mapping, std::string name)
      : mapping_(std::move(mapping)), name_(std::move(name)) {
    if (!name_.empty()) which_ = Which::of(mapping_->fd());
  }

  static std::size_t checked(std::ptrdiff_t size) {
    if (size <= 0) throw ValueError("SharedMemory: size must be more than zero");
    return static_cast<std::size_t>(size);
  }

  static std::string path_of(const std::string& name) {
    if (name.empty() || name.find_first_of(std::string_view("/\0", 2)) != std::string::npos) {
      throw ValueError("SharedMemory: a name is not empty, and has neither '/' nor a null character");
    }
    return "/" + name;
  }

  nogil::detail::Ref<detail::SharedMapping> mapping_;  // null after close()
  nogil::detail::Ref<Owner> owner_;
  std::string name_;
  Which which_{};  // with a name
};

template <>
struct detail::Adapter<SharedMemory> {
  static void save(OutputArchive& out, const SharedMemory& memory) {
    if (!memory.mapping_) throw ValueError("SharedMemory: it is closed, and cannot be sent");
    out(memory.name_);
    out.write_file(memory.mapping_->fd());
  }
  static SharedMemory load(InputArchive& in) {
    auto name = in.get<std::string>();
    return SharedMemory(SharedMapping::receive(in, 1), std::move(name));
  }
};

}  // namespace nogil::multiprocessing
