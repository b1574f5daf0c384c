// nogil/multiprocessing/detail/worker.hpp -- a process of a pool, and what it shares with its parent.
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
// A parent that wants to kill the worker for a task that takes too long marks `running`, in a
// step that fails if another task is there by now; and a worker whose task is marked begins
// no other. So it is never the next task that pays for a late one.

#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <utility>
#include <vector>

#include "nogil/multiprocessing/detail/arena.hpp"
#include "nogil/multiprocessing/detail/call.hpp"
#include "nogil/multiprocessing/detail/child_main.hpp"
#include "nogil/multiprocessing/detail/exception_codec.hpp"
#include "nogil/multiprocessing/detail/memory_file.hpp"
#include "nogil/multiprocessing/detail/packet.hpp"
#include "nogil/multiprocessing/detail/request_memory.hpp"
#include "nogil/multiprocessing/detail/ring.hpp"
#include "nogil/multiprocessing/detail/shared_object.hpp"
#include "nogil/multiprocessing/detail/spinners.hpp"
#include "nogil/multiprocessing/detail/verbs.hpp"
#include "nogil/multiprocessing/detail/watch_bell.hpp"

namespace nogil::multiprocessing::detail {

enum class SlotKind : std::uint16_t { kBytes, kShared, kFile };

struct Slot {
  static constexpr std::size_t kRoom = 232;

  std::uint64_t id;  // of the task; 0: of no task (the initializer's error)
  std::uint64_t size;
  SlotKind kind;
  std::uint16_t failed;    // the bytes are an exception
  std::uint32_t took;      // how long the task took, in ns: a result's
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
  Bell<Platform> requested;
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
      : Handle(other), bell_(other.bell_), calls_(other.calls_), owned_(std::move(other.owned_)), socket_(other.socket_) {}

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
inline bool fill_slot(Slot& slot, int socket, std::uint64_t id, const Frame& frame, bool failed,
                      std::uint64_t shared) {
  const std::size_t size = frame.bytes.size();
  slot.id = id;
  slot.size = size;
  slot.failed = failed ? 1 : 0;
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
    arrived.failed_ = slot.failed != 0;
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
      file_ = MappedFile(files_.front(), static_cast<std::size_t>(size));
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

// ---- In the worker -------------------------------------------------------------------------

class Worker {
 public:
  // `number`: which one of its pool.
  Worker(WorkerLink link, std::uint32_t number) noexcept
      : link_(std::move(link)), number_(number % Spinners::kWorkers), arena_(link_.arena(), kArenaSize) {}

  // Says that it is there, and works until it is told to stop.
  void serve() {
    ::signal(SIGINT, SIG_IGN);  // the parent decides
    link_->ready.store(true, std::memory_order_release);
    link_.bell()->ring();
    while (await_request()) serve_one();
  }

  // Instead of serve(): the initializer threw.
  void give_up(const std::exception_ptr& error) {
    Frame frame;
    OutputArchive out(frame);
    save_exception(out, error);
    respond(0, frame, true);
  }

 private:
  bool await_request() noexcept {
    for (;;) {
      const std::uint32_t seen = link_->requested.look();
      if (!link_->requests.empty()) return true;
      if (stopped()) return false;
      if (link_.bell().spinners().spin(number_, [&] { return !link_->requests.empty() || stopped(); })) continue;
      Wait forever;
      link_->requested.sleep(seen, forever);
    }
  }

  bool stopped() const noexcept { return link_->stop.load(std::memory_order_acquire); }

  void serve_one() {
    const std::uint64_t id = link_->requests.first().id;
    const std::int64_t began = monotonic_ns();
    link_->began.store(began, std::memory_order_relaxed);
    link_->running.store(id, std::memory_order_release);
    Frame result(&arena_);
    bool failed = false;
    try {
      const SlotOwner slot(link_);
      Arrived request = Arrived::call(link_->requests.first(), link_);
      slot.give_back();
      InputArchive in = request.archive();
      OutputArchive out(result);
      const platform::TraceSpan span(platform::TraceKind::kTask, "task", id);
      run_call(in, out);
    } catch (...) {
      failed = true;
      result = Frame();
      OutputArchive out(result);
      save_exception(out, std::current_exception());
    }
    flush_output();
    const std::int64_t took = monotonic_ns() - began;
    took_ = took < kLongest ? static_cast<std::uint32_t>(took) : kLongest;
    respond(id, result, failed);
    std::uint64_t mine = id;
    if (!link_->running.compare_exchange_strong(mine, 0, std::memory_order_release, std::memory_order_relaxed)) {
      for (;;) ::pause();  // condemned: the signal is on its way
    }
  }

  // Gives a slot of the request ring up once, as soon as it can.
  class SlotOwner {
   public:
    explicit SlotOwner(WorkerLink& link) noexcept : link_(link) {}
    SlotOwner(const SlotOwner&) = delete;
    SlotOwner& operator=(const SlotOwner&) = delete;
    ~SlotOwner() { give_back(); }
    void give_back() const noexcept {
      if (!std::exchange(done_, true)) link_->requests.pop();
    }

   private:
    WorkerLink& link_;
    mutable bool done_ = false;
  };

  // There is room: the parent has no more tasks out than there are slots.
  void respond(std::uint64_t id, Frame& frame, bool failed) {
    try {
      fill(id, frame, failed);
    } catch (...) {
      Frame error;
      OutputArchive out(error);
      save_exception(out, std::current_exception());
      fill(id, error, true);
    }
    link_->responses.push();
    link_.bell()->ring();
    link_->responses.prepare_next();
  }

  void fill(std::uint64_t id, Frame& frame, bool failed) {
    const std::uint64_t shared = frame.bytes.shared() ? arena_.begin_of(frame.bytes.data()) : 0;
    Slot& slot = link_->responses.next();
    slot.took = took_;
    while (!fill_slot(slot, link_.socket(), id, frame, failed, shared)) ::usleep(100);
    if (slot.kind == SlotKind::kShared) frame.bytes.let_go();  // the parent gives it back
  }

  static constexpr std::uint32_t kLongest = 0xffff'ffff;

  WorkerLink link_;
  const std::uint32_t number_;
  ArenaWriter arena_;
  std::uint32_t took_ = 0;  // the last task, in ns
};

// A call with what belongs to it, to be made in each worker; or none.
struct InitialCall {
  Frame frame{};
};

template <>
struct Adapter<InitialCall> {
  static void save(OutputArchive& out, const InitialCall& call) {
    out.write_raw(std::uint64_t{call.frame.bytes.size()});
    out.write(call.frame.bytes.data(), call.frame.bytes.size());
    out.write_raw(std::uint64_t{call.frame.files.size()});
    for (const platform::Fd& file : call.frame.files) out.write_file(file.get());
  }
  static InitialCall load(InputArchive& in) {
    InitialCall call;
    const std::size_t size = in.read_count();
    if (size != 0) std::memcpy(call.frame.bytes.extend(size), in.read(size), size);
    for (auto left = in.read_raw<std::uint64_t>(); left != 0; --left) call.frame.files.push_back(in.read_file());
    return call;
  }
};

// What a worker's process runs.
inline void worker_main(WorkerLink link, std::uint32_t number, InitialCall initializer) {
  Worker worker(std::move(link), number);
  if (initializer.frame.bytes.size() != 0) {
    try {
      InputArchive in(initializer.frame);
      Frame nothing;
      OutputArchive dropped(nothing);
      run_call(in, dropped);
    } catch (...) {
      worker.give_up(std::current_exception());
      leave(1);
    }
  }
  worker.serve();
}

}  // namespace nogil::multiprocessing::detail
