// nogil/multiprocessing/detail/worker_link.hpp -- what a worker of a pool shares with its parent.
//
// Two rings: calls go one way, results the other, in the same order. What is too large for a
// slot lies in other shared memory: calls in the pool's (request_memory.hpp), results in the
// worker's (arena.hpp). What is too large for that too, or has files, lies in a file in
// memory of its own, which goes through a socket beside the rings.
//
// No lock is shared: whenever the worker dies, each task is in exactly one of three places,
//
//   in the request ring      it has not begun
//   running                  it has begun: `running` is stored before the slot is given up
//   in the response ring     it is done:   `running` is cleared after the slot is published
//
// and the parent, which sees the worker dead, tells them apart by looking.
//
// A call that has not begun may be taken back, for another worker: the parent marks the slot,
// or the worker does when it begins, whoever is first.
//
// A parent that wants to kill the worker for a task that takes too long marks `running`, in a
// step that fails if another task is there by now; and a worker whose task is marked begins
// no other. So it is never the next task that pays for a late one.

#pragma once

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <new>
#include <utility>
#include <vector>

#include "nogil/multiprocessing/detail/arena.hpp"
#include "nogil/multiprocessing/detail/memory_file.hpp"
#include "nogil/multiprocessing/detail/packet.hpp"
#include "nogil/multiprocessing/detail/request_memory.hpp"
#include "nogil/multiprocessing/detail/ring.hpp"
#include "nogil/multiprocessing/detail/shared_object.hpp"
#include "nogil/multiprocessing/detail/spinners.hpp"
#include "nogil/multiprocessing/detail/verbs.hpp"
#include "nogil/multiprocessing/detail/watch_bell.hpp"
#include "nogil/platform/event_count.hpp"

namespace nogil::multiprocessing::detail {

enum class SlotKind : std::uint16_t { kBytes, kShared, kFile };

struct Slot {
  static constexpr std::size_t kRoom = 224;
  static constexpr std::uint64_t kBegun = std::uint64_t{1} << 62;  // beside a call's id: by the worker
  static constexpr std::uint64_t kTakenBack = kBegun << 1;         // or, before that, by the parent

  std::atomic<std::uint64_t> id;  // of the task; 0: of no task (the initializer's error)
  std::uint32_t size;             // of the message, unless it has a file of its own
  std::uint32_t took;             // how long the task took, in ns: a result's
  SlotKind kind;
  bool failed;             // the bytes are an exception
  std::byte bytes[kRoom];  // of the message, or where in shared memory it begins
};

struct WorkerState {
  static constexpr std::uint64_t kCondemned = std::uint64_t{1} << 63;  // beside the id in `running`

  Ring<Platform, Slot, 64> requests;
  Ring<Platform, Slot, 64> responses;
  alignas(64) std::atomic<std::uint64_t> running{0};  // the id of the task that has begun; 0: none
  std::atomic<std::int64_t> began{0};                 // when, on the monotonic clock, in ns
  std::atomic<bool> ready{false};                     // the initializer has returned
  alignas(64) std::atomic<bool> stop{false};          // end when there is nothing to do
  platform::BasicEventCount<Platform> requested;      // the worker waits for a call, or `stop`
};

// For responses, behind the state.
inline constexpr std::size_t kArenaSize = std::size_t{16} << 20;

inline std::int64_t monotonic_ns() noexcept {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// What all workers of a pool share with their parent.
struct PoolSignals {
  WatchBell<Platform> bell;  // a response is there
  Spinners spinners;
};

class PoolBell : public Handle<PoolSignals> {
 public:
  PoolBell() : Handle(0) {}
  explicit PoolBell(Received received) : Handle(received) {}
  WatchBell<Platform>* operator->() const noexcept { return &object().bell; }
  Spinners& spinners() const noexcept { return object().spinners; }
};

// Both ends of a worker's lines: the parent has one, and sends the other to the worker.
class WorkerLink : public Handle<WorkerState> {
 public:
  WorkerLink(PoolBell bell, RequestMemory calls, int socket)
      : Handle(kArenaSize), bell_(std::move(bell)), calls_(std::move(calls)), socket_(socket) {}
  explicit WorkerLink(Received received)
      : Handle(received),
        bell_(received),
        calls_(received),
        owned_(received.archive.read_file()),
        socket_(owned_.get()) {
    if (extra_size() < kArenaSize) throw DecodeError("multiprocessing: a worker's memory is too short");
  }
  WorkerLink(const WorkerLink&) = delete;
  WorkerLink& operator=(const WorkerLink&) = delete;
  WorkerLink(WorkerLink&& other) noexcept
      : Handle(other),
        bell_(other.bell_),
        calls_(other.calls_),
        owned_(std::move(other.owned_)),
        socket_(other.socket_) {}

  // The same lines, with the other end of the socket.
  WorkerLink with_socket(int socket) const { return WorkerLink(*this, socket); }

  WorkerState* operator->() const noexcept { return &object(); }
  const PoolBell& bell() const noexcept { return bell_; }
  const RequestMemory& calls() const noexcept { return calls_; }
  std::byte* arena() const noexcept { return extra(); }
  int socket() const noexcept { return socket_; }

 private:
  friend struct Adapter<WorkerLink>;

  WorkerLink(const WorkerLink& other, int socket) noexcept
      : Handle(other), bell_(other.bell_), calls_(other.calls_), socket_(socket) {}

  PoolBell bell_;
  RequestMemory calls_;
  platform::Fd owned_;  // the worker's end, in the worker
  int socket_;
};

template <>
struct Adapter<WorkerLink> {
  static void save(OutputArchive& out, const WorkerLink& link) {
    out.write_file(HandleAccess::fd(static_cast<const Handle<WorkerState>&>(link)));
    Adapter<PoolBell>::save(out, link.bell_);
    Adapter<RequestMemory>::save(out, link.calls_);
    out.write_file(link.socket_);
  }
  static WorkerLink load(InputArchive& in) { return WorkerLink(Received{in}); }
};

// ---- A frame in a slot, or beside it -----------------------------------------------------

// Puts it there; the slot's push() is the caller's. `shared`: where the frame's bytes lie in
// memory that the other side has, if they do. False: the socket takes nothing now.
inline bool fill_slot(Slot& slot, int socket, std::uint64_t id, const Frame& frame, bool failed, std::uint64_t shared) {
  const std::size_t size = frame.bytes.size();
  slot.id.store(id, std::memory_order_relaxed);
  slot.size = static_cast<std::uint32_t>(size);
  slot.failed = failed;
  if (frame.files.empty() && size <= Slot::kRoom) {
    slot.kind = SlotKind::kBytes;
    std::memcpy(slot.bytes, frame.bytes.data(), size);
    return true;
  }
  if (frame.files.empty() && frame.bytes.shared()) {
    slot.kind = SlotKind::kShared;
    std::memcpy(slot.bytes, &shared, sizeof shared);
    return true;
  }
  slot.kind = SlotKind::kFile;
  const platform::Fd memory = make_memory_file(frame.bytes.data(), size);
  std::vector<int> files{memory.get()};
  for (const platform::Fd& file : frame.files) files.push_back(file.get());
  return send_packet(socket, std::uint64_t{size}, files, MSG_DONTWAIT);
}

// What came in a slot, apart from it.
class Arrived {
 public:
  Arrived() noexcept {}
  Arrived(Arrived&&) noexcept = default;
  Arrived& operator=(Arrived&&) noexcept = default;

  // Takes a call, or a result, out of the ring's slot. Throws DecodeError if what lies
  // beside it is missing.
  static Arrived call(const Slot& slot, const WorkerLink& link) {
    Arrived arrived;
    if (slot.kind != SlotKind::kShared) {
      arrived.take(slot, link.socket());
      return arrived;
    }
    arrived.bytes_ = link.calls().at(begin_of(slot), slot.size);
    arrived.size_ = slot.size;
    if (arrived.bytes_ == nullptr) throw_malformed("multiprocessing: a call lies in no memory");
    return arrived;
  }
  static Arrived result(const Slot& slot, const WorkerLink& link) {
    Arrived arrived;
    arrived.failed_ = slot.failed;
    if (slot.kind != SlotKind::kShared) {
      arrived.take(slot, link.socket());
      return arrived;
    }
    arrived.piece_ = ArenaPiece(HandleAccess::memory(static_cast<const Handle<WorkerState>&>(link)), link.arena(),
                                kArenaSize, begin_of(slot), slot.size);
    arrived.bytes_ = arrived.piece_.bytes();
    arrived.size_ = slot.size;
    return arrived;
  }

  // It is an exception.
  bool failed() const noexcept { return failed_; }

  InputArchive archive() noexcept { return InputArchive(bytes_ != nullptr ? bytes_ : near_, size_, &files_); }

 private:
  static std::uint64_t begin_of(const Slot& slot) noexcept {
    std::uint64_t begin;
    std::memcpy(&begin, slot.bytes, sizeof begin);
    return begin;
  }

  void take(const Slot& slot, int socket) {
    if (slot.kind == SlotKind::kBytes) {
      size_ = slot.size <= Slot::kRoom ? slot.size : Slot::kRoom;
      std::memcpy(near_, slot.bytes, size_);
      return;
    }
    std::uint64_t size = 0;
    if (receive_packet(socket, size, &files_, MSG_DONTWAIT) && !files_.empty()) {
      errno = 0;
      file_ = MappedFile(files_.front(), static_cast<std::size_t>(size));
      if (!file_ && errno == ENOMEM) throw std::bad_alloc();
      files_.erase(files_.begin());
    }
    if (!file_) throw_malformed("multiprocessing: the bytes of a message did not come");
    bytes_ = file_.bytes();
    size_ = file_.size();
  }

  bool failed_ = false;
  const std::byte* bytes_ = nullptr;  // null: near_
  std::size_t size_ = 0;
  ArenaPiece piece_;
  MappedFile file_;
  std::vector<platform::Fd> files_;
  std::byte near_[Slot::kRoom];
};

}  // namespace nogil::multiprocessing::detail
