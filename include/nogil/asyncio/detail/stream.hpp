// nogil/asyncio/detail/stream.hpp -- the connection behind a StreamReader and a StreamWriter.
//
// Reading is lazy: the descriptor is read when somebody wants bytes that have not come yet.
// A system call is tried first; who has to wait leaves his StreamRead here, and when the
// reactor tells of more bytes they are read in its batch, and he is woken when he has
// enough. So each wake-up finds what it was for, and bytes lie here, not with who waits: to
// cancel him loses none.
//
// Writing is eager: what does not fit into the descriptor is kept, and goes out when the
// reactor says so, whether or not anybody waits. After close() too: the connection is its
// own owner until all is out.
//
//   open      fd_ is valid. closing_: no more reads and writes, it ends when out_ is empty
//   ended     fd_ is closed; the reader finds the end, the writer an error
//
// The descriptor is registered once, for changes only: `readable_` and `writable_` say
// whether a system call is worth trying. A read that gives less than it could has emptied
// the descriptor, unless the peer has hung up: then the end came in the same notice.

#pragma once

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>
#include <utility>

#include "nogil/asyncio/detail/byte_queue.hpp"
#include "nogil/asyncio/detail/completion.hpp"
#include "nogil/asyncio/detail/loop_bound.hpp"
#include "nogil/asyncio/detail/wait_list.hpp"
#include "nogil/platform/errors.hpp"
#include "nogil/platform/fd.hpp"

namespace nogil::asyncio::detail {

class Stream;

// Where each read of a loop puts its bytes, before the connection knows how many they are.
class ReadSpace final : public LoopService {
 public:
  static constexpr std::size_t kSize = std::size_t{64} * 1024;

  explicit ReadSpace(LoopCore&) noexcept {}

  char bytes[kSize];
};

// A server, to the connections that it has accepted and that are open.
class StreamGroup : public Pooled {
 public:
  StreamGroup() = default;
  StreamGroup(const StreamGroup&) = delete;
  StreamGroup& operator=(const StreamGroup&) = delete;
  virtual ~StreamGroup() = default;

  void add_ref() noexcept { ++owners_; }
  void drop() noexcept {
    if (--owners_ == 0) delete this;
  }

  std::size_t size() const noexcept { return size_; }

  // Close, or abort, all of them.
  inline void close_all() noexcept;
  inline void abort_all() noexcept;

 protected:
  // None is left.
  virtual void emptied() noexcept = 0;

 private:
  friend class Stream;

  Stream* first_ = nullptr;
  std::size_t size_ = 0;
  std::uint32_t owners_ = 1;
};

// Waits until enough has come: who derives from this knows how much that is.
class StreamRead : public Waiter {
 public:
  bool await_ready();
  void await_suspend(std::coroutine_handle<> awaiting);

 protected:
  using Enough = bool (*)(StreamRead& self, const Stream& stream) noexcept;

  StreamRead(Owned<Stream> stream, Enough test) noexcept : Waiter(kKind), stream_(std::move(stream)), enough_(test) {}
  StreamRead(const StreamRead&) = default;
  ~StreamRead();

  Stream& stream() const noexcept { return *stream_; }

 private:
  friend class Stream;

  bool satisfied() noexcept { return enough_(*this, *stream_); }

  static bool cancel(Waiter& waiter) noexcept;
  static constexpr Kind kKind = {&cancel, "StreamReader.read"};

  Owned<Stream> stream_;
  Enough enough_;
};

class Stream final : public Watch, private Ready, private LoopBound, public Pooled {
 public:
  enum class Type : std::uint8_t { kSocket, kPipe };

  // Python's: drain() waits from more than kHighWater bytes until there are kLowWater.
  static constexpr std::size_t kHighWater = std::size_t{64} * 1024;
  static constexpr std::size_t kLowWater = kHighWater / 4;

  // Takes over a descriptor that does not block. Throws std::system_error.
  static Owned<Stream> open(LoopCore& loop, platform::Fd fd, Type type, std::size_t limit) {
    return Owned<Stream>(new Stream(loop, std::move(fd), type, limit));
  }

  ~Stream() override {
    if (loop() != nullptr) loop()->withdraw(static_cast<Ready&>(*this));
  }

  void add_ref() noexcept { ++owners_; }
  void drop() noexcept {
    if (--owners_ != 0) return;
    close();
    if (ended()) delete this;
  }

  // One of these from now on, until it has ended.
  void join(StreamGroup& group) noexcept {
    group_ = Owned<StreamGroup>::share(group);
    next_ = group.first_;
    if (next_ != nullptr) next_->previous_ = this;
    group.first_ = this;
    ++group.size_;
  }

  int fd() const noexcept { return fd_.get(); }
  bool ended() const noexcept { return !fd_; }

  // ---- Read -------------------------------------------------------------------------------

  ByteQueue& unread() noexcept { return in_; }
  const ByteQueue& unread() const noexcept { return in_; }
  std::size_t limit() const noexcept { return limit_; }

  // Nothing more will come.
  bool at_end() const noexcept { return eof_ || read_error_ != 0; }
  int read_error() const noexcept { return read_error_; }

  // Looks whether something has come, if nothing had.
  void look() noexcept {
    if (in_.empty() && readable_ && !at_end()) fill();
  }

  // From now on reads whatever comes, also when nobody waits for it.
  void read_ahead() noexcept {
    ahead_ = true;
    feed();
  }

  // ---- Write ------------------------------------------------------------------------------

  void write(std::string_view bytes) {
    if (write_eof_) throw RuntimeError("StreamWriter.write(): after write_eof()");
    if (closing()) return;
    if (out_.empty()) bytes.remove_prefix(send(bytes));
    if (bytes.empty() || closing()) return;
    out_.append(bytes);
    if (out_.size() > kHighWater) paused_ = true;
  }

  void write_eof() noexcept {
    if (std::exchange(write_eof_, true) || closing()) return;
    if (type_ == Type::kPipe) close();
    else if (out_.empty()) ::shutdown(fd_.get(), SHUT_WR);
  }

  // Lets what was written go out, and ends. Reading is over.
  void close() noexcept {
    if (closing_ || ended()) return;
    closing_ = eof_ = true;
    if (out_.empty()) return end();
    wake_reader();
  }

  // Ends at once.
  void abort() noexcept {
    closing_ = true;
    if (!ended()) end();
    if (owners_ == 0) delete this;
  }

  bool closing() const noexcept { return closing_ || write_error_ != 0 || ended(); }
  bool paused() const noexcept { return paused_; }
  int write_error() const noexcept { return write_error_; }
  std::size_t unsent() const noexcept { return out_.size(); }
  WaitList& drained() noexcept { return drained_; }
  WaitList& closed() noexcept { return closed_; }

 private:
  friend class StreamRead;
  friend class StreamGroup;

  // Reads in a row, before others have their turn.
  static constexpr int kTurns = 8;

  Stream(LoopCore& loop, platform::Fd fd, Type type, std::size_t limit)
      : Watch(&told),
        Ready(&work),
        LoopBound(loop),
        fd_(std::move(fd)),
        space_(loop.service<ReadSpace>().bytes),
        limit_(limit),
        type_(type) {
    loop.watch(fd_.get(), kBothEdges, *this);
  }

  // ---- Read -------------------------------------------------------------------------------

  // Whether there is enough for it, or will not be more.
  bool satisfies(StreamRead& read) {
    if (read.satisfied()) return true;
    if (reader_ != nullptr) throw RuntimeError("another coroutine is already waiting for incoming data");
    while (readable_ && turns_ > 0) {
      --turns_;
      fill();
      if (read.satisfied()) return true;
    }
    return false;
  }

  void wait(StreamRead& read) {
    if (loop() != t_here.loop) throw RuntimeError("the stream belongs to another event loop");
    reader_ = &read;
    turns_ = kTurns;
    if (readable_) schedule();
  }

  void fill() noexcept {
    const ssize_t got = ::read(fd_.get(), space_, ReadSpace::kSize);
    if (got > 0) {
      in_.append({space_, static_cast<std::size_t>(got)});
      if (static_cast<std::size_t>(got) < ReadSpace::kSize && !hung_up_) readable_ = false;
    } else if (got == 0) {
      eof_ = true;
      readable_ = false;
    } else if (errno != EINTR) {
      if (errno != EAGAIN) read_error_ = errno;
      readable_ = false;
    }
  }

  // Reads as long as somebody wants more, but not longer than its turn.
  void feed() noexcept {
    for (int turn = 0; readable_ && !at_end() && (reader_ != nullptr ? !reader_->satisfied() : ahead_); ++turn) {
      if (turn == kTurns) return schedule();
      fill();
    }
    if (reader_ != nullptr && reader_->satisfied()) wake_reader();
  }

  void wake_reader() noexcept {
    if (StreamRead* const reader = std::exchange(reader_, nullptr)) reader->wake();
  }

  // ---- Write ------------------------------------------------------------------------------

  // Gives as many of the bytes to the system as it takes, and says how many.
  std::size_t send(std::string_view bytes) noexcept {
    std::size_t done = 0;
    while (writable_ && done < bytes.size()) {
      const std::string_view rest = bytes.substr(done);
      const ssize_t sent = type_ == Type::kSocket ? ::send(fd_.get(), rest.data(), rest.size(), MSG_NOSIGNAL)
                                                  : write_to_pipe(fd_.get(), rest);
      if (sent >= 0) done += static_cast<std::size_t>(sent);
      else if (errno == EAGAIN) writable_ = false;
      else if (errno != EINTR) lose(errno);
    }
    return done;
  }

  // The signal that a pipe without a reader raises is taken back.
  static ssize_t write_to_pipe(int fd, std::string_view bytes) noexcept {
    sigset_t sigpipe;
    sigset_t before;
    sigset_t pending;
    ::sigemptyset(&sigpipe);
    ::sigaddset(&sigpipe, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &sigpipe, &before);
    ::sigpending(&pending);
    const ssize_t sent = ::write(fd, bytes.data(), bytes.size());
    const int error = errno;
    if (sent < 0 && error == EPIPE && ::sigismember(&pending, SIGPIPE) == 0) {
      const std::timespec now{};
      while (::sigtimedwait(&sigpipe, nullptr, &now) < 0 && errno == EINTR) {
      }
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    errno = error;
    return sent;
  }

  // Nobody will get what is written. Who drains waits for flush(), which finds that out.
  void lose(int error) noexcept {
    write_error_ = error;
    writable_ = false;
    out_.clear();
  }

  void resume_writers() noexcept {
    paused_ = false;
    drained_.wake_all();
  }

  void flush() noexcept {
    out_.drop(send(out_.view()));
    if (paused_ && out_.size() <= kLowWater) resume_writers();
    if (!out_.empty()) return;
    if (closing_) schedule();
    else if (write_eof_) ::shutdown(fd_.get(), SHUT_WR);
  }

  // ---- Both -------------------------------------------------------------------------------

  static void told(Watch& watch, Events ready) noexcept {
    auto& self = static_cast<Stream&>(watch);
    if ((ready & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) self.hung_up_ = true;
    if ((ready & kReadable) != 0) {
      self.readable_ = true;
      self.feed();
    }
    if ((ready & kWritable) != 0 && self.write_error_ == 0) {
      self.writable_ = true;
      if (!self.out_.empty()) self.flush();
    }
    // The reader of a pipe is gone: as Python, do not wait for a write to find out.
    if ((ready & EPOLLERR) != 0 && self.type_ == Type::kPipe) self.lose(EPIPE);
    if (self.closing_ && self.out_.empty()) self.schedule();
  }

  // What cannot be done in the reactor's batch, and what had its turn there.
  void schedule() noexcept {
    if (place == Place::kNowhere) loop()->push(*this);
  }
  static void work(Ready& node) noexcept {
    auto& self = static_cast<Stream&>(node);
    if (!self.closing_) return self.feed();
    if (!self.ended() && self.out_.empty()) self.end();
    if (self.ended() && self.owners_ == 0) delete &self;
  }

  void end() noexcept { end_in(*loop()); }
  void end_in(LoopCore& here) noexcept {
    here.withdraw(static_cast<Ready&>(*this));
    here.unwatch(fd_.get());
    fd_.reset();
    eof_ = true;
    readable_ = writable_ = false;
    out_.clear();
    wake_reader();
    resume_writers();
    closed_.wake_all();
    leave_group();
  }

  void leave_group() noexcept {
    const Owned<StreamGroup> group = std::move(group_);
    if (!group) return;
    if (next_ != nullptr) next_->previous_ = previous_;
    (previous_ == nullptr ? group->first_ : previous_->next_) = next_;
    if (--group->size_ == 0) group->emptied();
  }

  void loop_ends(LoopCore& ending) noexcept override {
    if (!ended()) end_in(ending);
    else ending.withdraw(static_cast<Ready&>(*this));
    if (owners_ == 0) delete this;
  }

  platform::Fd fd_;
  char* const space_;
  ByteQueue in_;
  ByteQueue out_;
  StreamRead* reader_ = nullptr;
  WaitList drained_;
  WaitList closed_;
  Owned<StreamGroup> group_;
  Stream* next_ = nullptr;  // of the group
  Stream* previous_ = nullptr;
  const std::size_t limit_;
  std::uint32_t owners_ = 1;
  int read_error_ = 0;
  int write_error_ = 0;
  int turns_ = kTurns;  // reads without waiting, until others have their turn
  const Type type_;
  bool readable_ = true;
  bool writable_ = true;
  bool hung_up_ = false;
  bool ahead_ = false;
  bool eof_ = false;
  bool paused_ = false;
  bool write_eof_ = false;
  bool closing_ = false;
};

inline void StreamGroup::close_all() noexcept {
  for (Stream* stream = first_; stream != nullptr;) {
    Stream* const next = stream->next_;
    stream->close();
    stream = next;
  }
}

inline void StreamGroup::abort_all() noexcept {
  while (first_ != nullptr) first_->abort();
}

inline StreamRead::~StreamRead() {
  if (pending()) stream_->reader_ = nullptr;
}

inline bool StreamRead::await_ready() {
  return stream_->satisfies(*this);
}

inline void StreamRead::await_suspend(std::coroutine_handle<> awaiting) {
  stream_->wait(*this);
  suspend(awaiting);
}

inline bool StreamRead::cancel(Waiter& waiter) noexcept {
  auto& self = static_cast<StreamRead&>(waiter);
  self.stream_->reader_ = nullptr;
  self.wake_cancelled();
  return true;
}

}  // namespace nogil::asyncio::detail
