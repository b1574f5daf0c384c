// nogil/multiprocessing/detail/pipe_end.hpp -- one of the two ends of a Pipe.
//
// A socket that keeps messages whole (SOCK_SEQPACKET). Small ones go through it; a large one
// lies in a file in memory, which goes through it instead, and to the next one when it was read. So any number of
// processes may send and receive at once, a sender that dies has sent all of a message or nothing, and the kernel tells
// when nobody has the other end any more.
//
// Forked children have copies of all that their parent had open, also of ends that are not
// meant for them, which would keep the other end from seeing the last one close. So a child
// that this library forks closes those first; it knows them by a mark on the socket.
//
// Threads    Everything from any thread, but for the destructor.

#pragma once

#include <dirent.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <utility>
#include <vector>

#include "nogil/errors.hpp"
#include "nogil/multiprocessing/detail/crowd.hpp"
#include "nogil/multiprocessing/detail/lent_memory.hpp"
#include "nogil/multiprocessing/detail/memory_file.hpp"
#include "nogil/multiprocessing/detail/packet.hpp"
#include "nogil/multiprocessing/serialize.hpp"
#include "nogil/platform/backoff.hpp"
#include "nogil/platform/native.hpp"
#include "nogil/platform/wait.hpp"
#include "nogil/threading/detail/ref.hpp"

namespace nogil::multiprocessing::detail {

// Where the bytes of a message are: with it, in its first file, or in its first file, lent.
enum class MessageKind : std::uint64_t { kBytes, kFile, kLent };

// Goes before the bytes of each message.
struct MessageHead {
  std::uint64_t size;
  MessageKind kind;
};

// As much as goes through the socket itself: some less than a socket takes, unless the
// system was told otherwise.
inline constexpr std::size_t kSmallMessage = Lender::kLeast;

// What was received, to be read.
class Message {
 public:
  // Of the bytes and files that it came with. Throws DecodeError.
  InputArchive archive() {
    const std::size_t size = static_cast<std::size_t>(head_.size);
    if (head_.kind == MessageKind::kBytes) {
      if (size > kSmallMessage) throw_cut_off();
      return InputArchive(room_->bytes.data(), size, &files_);
    }
    if (files_.empty()) throw_cut_off();
    if (head_.kind == MessageKind::kLent) lent_ = Borrowed(files_.front(), size);
    else file_ = MappedFile(files_.front(), size);
    files_.erase(files_.begin());
    const std::byte* const bytes = head_.kind == MessageKind::kLent ? lent_.bytes() : file_.bytes();
    if (bytes == nullptr) throw_cut_off();
    return InputArchive(bytes, size, &files_);
  }

 private:
  friend class PipeEnd;

  [[noreturn, gnu::noinline, gnu::cold]] static void throw_cut_off() {
    throw DecodeError("Connection.recv: a message came without all of its bytes");
  }

  MessageHead head_;
  std::vector<platform::Fd> files_;
  MappedFile file_;
  Borrowed lent_;
  ReusedFrame room_;  // for a small one
};

// ---- What a forked child lets go of ------------------------------------------------------------

// How often it was done; and whether there is anything to do.
[[gnu::visibility("default")]] inline constinit std::atomic<std::uint32_t> g_ends_let_go{0};
[[gnu::visibility("default")]] inline constinit std::atomic<bool> g_ends_made{false};

// The least number of bytes that wake a receiver: of no meaning for messages, which come as a
// whole; so it tells our sockets from others.
inline constexpr int kEndMark = 0x6e6f'6769;

inline bool is_pipe_end(int fd) noexcept {
  int mark = 0;
  int type = 0;
  ::socklen_t size = sizeof mark;
  return ::getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &mark, &size) == 0 && mark == kEndMark &&
         ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

// In a child that has just been forked, with its only thread. Closes the ends that are not
// among what it was sent. Objects that the parent had of them refuse to be used from now on.
inline void let_go_of_ends(const InputArchive* sent) noexcept {
  if (!g_ends_made.load(std::memory_order_relaxed)) return;
  g_ends_let_go.fetch_add(1, std::memory_order_relaxed);
  ::DIR* const all = ::opendir("/proc/self/fd");
  if (all == nullptr) return;
  while (const ::dirent* const entry = ::readdir(all)) {
    const int fd = std::atoi(entry->d_name);
    if (fd > 2 && is_pipe_end(fd) && (sent == nullptr || !sent->holds_file(fd))) ::close(fd);
  }
  ::closedir(all);
}

// ---- The end -----------------------------------------------------------------------------------

class PipeEnd : public nogil::detail::Counted {
 public:
  explicit PipeEnd(platform::Fd socket) noexcept
      : socket_(std::move(socket)), born_(g_ends_let_go.load(std::memory_order_relaxed)) {
    g_ends_made.store(true, std::memory_order_relaxed);
  }
  ~PipeEnd() override {
    if (!usable()) static_cast<void>(socket_.release());  // the number may be another's by now
  }

  // Both ends of a new one. Throws std::system_error.
  static std::pair<nogil::detail::Ref<PipeEnd>, nogil::detail::Ref<PipeEnd>> make_pair() {
    SocketPair sockets;
    for (const int fd : {sockets.mine.get(), sockets.theirs.get()}) {
      ::setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &kEndMark, sizeof kEndMark);
    }
    return {nogil::detail::Ref<PipeEnd>(new PipeEnd(std::move(sockets.mine))),
            nogil::detail::Ref<PipeEnd>(new PipeEnd(std::move(sockets.theirs)))};
  }

  // False: this process was forked, and has let go of it.
  bool usable() const noexcept { return born_ == g_ends_let_go.load(std::memory_order_relaxed); }
  int fd() const noexcept { return socket_.get(); }

  // Waits for room, for as long as it takes. Throws EndOfFile. The frame's source, if it has
  // one, is this thread's Lender.
  void send(Frame& frame) const {
    if (frame.bytes.shared()) {
      send_as(frame, MessageKind::kLent);
      Lender::here().lend(frame.bytes.data());
      return frame.bytes.let_go();
    }
    if (frame.bytes.size() <= kSmallMessage && send_as(frame, MessageKind::kBytes)) return;
    send_as(frame, MessageKind::kFile);
  }

  enum class Heard { kMessage, kNothing, kEnd };

  // Does not wait. Throws std::system_error.
  Heard try_receive(Message& message) const {
    message.room_->bytes.clear();
    std::byte* const room = message.room_->bytes.extend(kSmallMessage);
    ::iovec parts[2] = {{&message.head_, sizeof message.head_}, {room, kSmallMessage}};
    bool whole = false;
    const ::ssize_t got = receive_parts(socket_.get(), parts, 2, &message.files_, MSG_DONTWAIT, whole);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return Heard::kNothing;
    if (got < 0) platform::throw_errno("Connection.recv");
    if (got == 0) return Heard::kEnd;
    const std::uint64_t bytes = static_cast<std::uint64_t>(got) - sizeof message.head_;
    if (!whole || got < static_cast<::ssize_t>(sizeof message.head_) ||
        bytes != (message.head_.kind == MessageKind::kBytes ? message.head_.size : 0)) {
      Message::throw_cut_off();
    }
    return Heard::kMessage;
  }

  // Waits for a message, or the end, within the limit.
  template <class... Limit>
  Heard receive(Message& message, const Limit&... limit) const {
    platform::Wait wait = platform::Wait(limit...);
    Heard heard = try_receive(message);
    for (CrowdBackoff<platform::Native> backoff(wait); heard == Heard::kNothing && backoff.again();) {
      heard = try_receive(message);
    }
    while (heard == Heard::kNothing && !wait.over()) {
      sleep(deadline_of(limit...));
      heard = try_receive(message);
    }
    return heard;
  }

  // Whether there is something to receive, or the end.
  template <class... Limit>
  bool poll(const Limit&... limit) const {
    for (platform::Wait wait = platform::Wait(limit...);;) {
      if (sleep(platform::Deadline::immediate())) return true;
      if (wait.over()) return false;
      sleep(deadline_of(limit...));
    }
  }

 private:
  // False: the system takes no message of this size.
  bool send_as(const Frame& frame, MessageKind kind) const {
    MessageHead head{frame.bytes.size(), kind};
    std::vector<int> files;
    platform::Fd memory;
    if (kind == MessageKind::kLent) files.push_back(Lender::here().fd_of(frame.bytes.data()));
    if (kind == MessageKind::kFile) {
      memory = make_memory_file(frame.bytes.data(), frame.bytes.size());
      files.push_back(memory.get());
    }
    for (const platform::Fd& file : frame.files) files.push_back(file.get());
    ::iovec parts[2] = {{&head, sizeof head}, {const_cast<std::byte*>(frame.bytes.data()), frame.bytes.size()}};
    while (send_parts(socket_.get(), parts, kind == MessageKind::kBytes ? 2 : 1, files, 0) < 0) {
      if (errno == EMSGSIZE && kind == MessageKind::kBytes) return false;
      if (errno == EPIPE || errno == ECONNRESET) throw EndOfFile("Connection.send: nobody has the other end any more");
      if (errno != ETOOMANYREFS) platform::throw_errno("Connection.send");
      ::usleep(1000);  // too many files are on their way at once: they will be received
    }
    return true;
  }

  static platform::Deadline deadline_of() noexcept { return platform::Deadline::never(); }
  template <class Rep, class Period>
  static platform::Deadline deadline_of(const std::chrono::duration<Rep, Period>& timeout) {
    return platform::Deadline::after(timeout);
  }
  template <class Clock, class Duration>
  static platform::Deadline deadline_of(const std::chrono::time_point<Clock, Duration>& when) {
    return platform::Deadline::at(when);
  }

  static std::timespec left_of(platform::Deadline until) noexcept {
    if (until.is_immediate() || until.is_never()) return {};
    std::timespec left = until.to_timespec();
    std::timespec now;
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    left.tv_sec -= now.tv_sec;
    left.tv_nsec -= now.tv_nsec;
    if (left.tv_nsec < 0) left.tv_nsec += 1'000'000'000, --left.tv_sec;
    return left.tv_sec < 0 ? std::timespec{} : left;
  }

  // Until then, or something is there (true), or a signal comes.
  bool sleep(platform::Deadline until) const {
    ::pollfd question{socket_.get(), POLLIN, 0};
    const std::timespec left = left_of(until);
    return ::ppoll(&question, 1, until.is_never() ? nullptr : &left, nullptr) > 0;
  }

  platform::Fd socket_;
  const std::uint32_t born_;
};

}  // namespace nogil::multiprocessing::detail
