// nogil/trace/detail/segment.hpp -- the memory of a trace, which all its processes share.
//
// A file without a name (memfd) that every process of the trace maps: forked children
// inherit it, workers that are not forked are sent a descriptor. It holds a head and chunks;
// a thread takes a chunk by one atomic step, and fills it alone. So nobody waits for anybody,
// and what a process has recorded is there when it dies, whichever way.
//
//   [ head | chunk | chunk | … ]     a chunk: who fills it, and kRecords records
//
// Bounds     Its size is fixed. When all chunks are taken, records are counted and dropped.
// Lifetime   A Segment is this process's mapping. The recorder has it, and each thread that
//            writes to it, and each span that is open: the last one to let go unmaps it.

#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

#include "nogil/platform/fd.hpp"
#include "nogil/platform/trace_point.hpp"

namespace nogil::trace::detail {

using platform::TraceKind;

// What other threads and processes read while it is written goes through these.
template <class T>
T read(T& field, std::memory_order order = std::memory_order_relaxed) noexcept {
  return std::atomic_ref<T>(field).load(order);
}
template <class T>
void write(T& field, T value, std::memory_order order = std::memory_order_relaxed) noexcept {
  std::atomic_ref<T>(field).store(value, order);
}

// One span, moment or name. Times are CLOCK_MONOTONIC, in ns.
struct Record {
  static constexpr std::int64_t kOpen = -1;
  static constexpr std::size_t kRoom = 92;

  alignas(8) std::int64_t begin;
  alignas(8) std::int64_t end;  // kOpen, until the span ends
  std::uint64_t number;
  std::uint64_t track;  // 0: that of the thread
  TraceKind kind;
  std::uint8_t name_size;
  std::uint8_t category_size;
  std::uint8_t unused;
  char text[kRoom];  // the name, and behind it the category

  std::string_view name() const noexcept { return {text, name_size <= kRoom ? name_size : kRoom}; }
  std::string_view category() const noexcept {
    const std::size_t at = name().size();
    return {text + at, category_size <= kRoom - at ? category_size : kRoom - at};
  }

  // Cut to the room that there is, between two characters of UTF-8.
  void set_text(std::string_view name, std::string_view category) noexcept {
    name = cut(name, category.size() < kRoom / 2 ? kRoom - category.size() : kRoom / 2);
    category = cut(category, kRoom - name.size());
    name_size = static_cast<std::uint8_t>(name.size());
    category_size = static_cast<std::uint8_t>(category.size());
    name.copy(text, name.size());
    category.copy(text + name.size(), category.size());
  }

  static std::string_view cut(std::string_view words, std::size_t most) noexcept {
    if (words.size() <= most) return words;
    while (most > 0 && (static_cast<unsigned char>(words[most]) & 0xC0) == 0x80) --most;
    return words.substr(0, most);
  }
};
static_assert(sizeof(Record) == 128);

// What one thread of one process recorded, one piece of it.
struct Chunk {
  static constexpr std::uint32_t kRecords = 63;

  std::uint64_t lane;  // the same for all chunks of a thread
  std::int32_t pid;
  std::int32_t tid;
  std::uint32_t used;  // records that are whole; 0: the rest of this is not set yet
  std::uint32_t name_size;
  char name[104];  // of the thread, when it took the chunk
  Record records[kRecords];
};
static_assert(sizeof(Chunk) == 8192);

struct Head {
  static constexpr std::uint64_t kMagic = 0x6e6f'6769'6c2f'7472;

  std::uint64_t magic;
  std::uint64_t chunks;
  std::int64_t started;
  alignas(8) std::int64_t stopped;  // 0: it runs
  alignas(8) std::uint64_t next_chunk;
  alignas(8) std::uint64_t next_number;  // of lanes and tracks
  alignas(8) std::uint64_t dropped;      // records for which there was no room
  std::int32_t owner;                    // the process that started it
};
static_assert(sizeof(Head) <= sizeof(Chunk));

class Segment {
 public:
  // Of about `bytes`, but at least a chunk for each of a few threads. Throws
  // std::system_error.
  static Segment* make(std::size_t bytes) {
    const std::size_t chunks = bytes / sizeof(Chunk) < kLeastChunks ? kLeastChunks : bytes / sizeof(Chunk);
    platform::Fd fd(::memfd_create("nogil-trace", MFD_CLOEXEC));
    const std::size_t size = (chunks + 1) * sizeof(Chunk);
    if (!fd || ::ftruncate(fd.get(), static_cast<::off_t>(size)) != 0) platform::throw_errno("make a trace");
    Segment* const segment = map(std::move(fd), size);
    if (segment == nullptr) platform::throw_errno("map a trace");
    Head& head = segment->head();
    head.magic = Head::kMagic;
    head.chunks = chunks;
    return segment;
  }

  // Another process's. Null: it is none, or there is no memory.
  static Segment* open(platform::Fd fd) noexcept {
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0 || static_cast<std::size_t>(status.st_size) < 2 * sizeof(Chunk)) return nullptr;
    Segment* const segment = map(std::move(fd), static_cast<std::size_t>(status.st_size));
    if (segment == nullptr || segment->head().magic == Head::kMagic) return segment;
    segment->drop();
    return nullptr;
  }

  Head& head() const noexcept { return *static_cast<Head*>(memory_); }
  int fd() const noexcept { return fd_.get(); }
  bool running() const noexcept { return read(head().stopped) == 0; }

  // Chunks that there are, whatever another process wrote there.
  std::uint64_t chunks() const noexcept { return size_ / sizeof(Chunk) - 1; }
  Chunk& chunk(std::uint64_t index) const noexcept { return static_cast<Chunk*>(memory_)[index + 1]; }

  // A chunk for one thread to fill, or null.
  Chunk* take_chunk() noexcept {
    std::atomic_ref<std::uint64_t> next(head().next_chunk);
    if (next.load(std::memory_order_relaxed) >= chunks()) return nullptr;
    const std::uint64_t index = next.fetch_add(1, std::memory_order_relaxed);
    return index < chunks() ? &chunk(index) : nullptr;
  }

  // For a lane or a track: never 0, and not given twice.
  std::uint64_t new_number() noexcept {
    return std::atomic_ref<std::uint64_t>(head().next_number).fetch_add(1, std::memory_order_relaxed) + 1;
  }

  void count_dropped() noexcept {
    std::atomic_ref<std::uint64_t>(head().dropped).fetch_add(1, std::memory_order_relaxed);
  }

  void add_owner() noexcept { owners_.fetch_add(1, std::memory_order_relaxed); }
  void drop() noexcept {
    if (owners_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

 private:
  static constexpr std::size_t kLeastChunks = 4;

  Segment(platform::Fd fd, void* memory, std::size_t size) noexcept
      : fd_(std::move(fd)), memory_(memory), size_(size) {}
  ~Segment() { ::munmap(memory_, size_); }

  static Segment* map(platform::Fd fd, std::size_t size) noexcept {
    void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd.get(), 0);
    if (memory == MAP_FAILED) return nullptr;
    Segment* const segment = new (std::nothrow) Segment(std::move(fd), memory, size);
    if (segment == nullptr) ::munmap(memory, size);
    return segment;
  }

  std::atomic<std::uint32_t> owners_{1};
  const platform::Fd fd_;
  void* const memory_;
  const std::size_t size_;
};

}  // namespace nogil::trace::detail
