// nogil/asyncio/detail/server_state.hpp -- a server: sockets that listen, and the connections they gave.

#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "nogil/asyncio/detail/connection.hpp"
#include "nogil/asyncio/detail/moment.hpp"
#include "nogil/asyncio/task.hpp"

namespace nogil::asyncio::detail {

// A socket that listens; a Unix socket's file is removed with it.
class Listener {
 public:
  explicit Listener(int family) : fd_(make_socket(family)), family_(family) {
    const int on = 1;
    if (family != AF_UNIX) ::setsockopt(fd_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  }
  Listener(Listener&& other) noexcept
      : fd_(std::move(other.fd_)),
        family_(other.family_),
        path_(std::exchange(other.path_, {})),
        inode_(other.inode_) {}
  Listener& operator=(Listener&&) = delete;
  ~Listener() {
    if (!path_.empty() && inode_of(path_) == inode_) ::unlink(path_.c_str());
  }

  int fd() const noexcept { return fd_.get(); }
  int family() const noexcept { return family_; }

  void set(int level, int option, int value) noexcept { ::setsockopt(fd_.get(), level, option, &value, sizeof value); }

  // False, and errno: it did not work.
  bool listen(const SocketAddress& address, int backlog) noexcept {
    return ::bind(fd_.get(), address.get(), address.size) == 0 && ::listen(fd_.get(), backlog) == 0;
  }

  // Removes the file at the end, unless it is another by then.
  void remove_at_end(std::string path) {
    inode_ = inode_of(path);
    path_ = std::move(path);
  }

  std::uint16_t port() const noexcept {
    SocketAddress address;
    ::getsockname(fd_.get(), address.get(), &address.size);
    return address.port();
  }

 private:
  static ino_t inode_of(const std::string& path) noexcept {
    struct stat found {};
    return ::stat(path.c_str(), &found) == 0 ? found.st_ino : 0;
  }

  platform::Fd fd_;
  int family_;
  std::string path_;
  ino_t inode_ = 0;
};

class ServerState : public StreamGroup, private LoopBound, private Watch, private Timer {
 public:
  // Watches them from now on. Throws std::system_error.
  ServerState(LoopCore& loop, std::vector<Listener> listeners, std::size_t limit)
      : LoopBound(loop), Watch(&told), Timer(&go_on), listeners_(std::move(listeners)), limit_(limit) {
    if (listeners_.front().family() != AF_UNIX) port_ = listeners_.front().port();
    watch();
  }
  ~ServerState() override {
    if (listening() && loop() != nullptr) stop(*loop());
  }

  std::uint16_t port() const noexcept { return port_; }
  bool listening() const noexcept { return !listeners_.empty(); }
  std::string sockname() const {
    return listening() ? socket_name(listeners_.front().fd(), &::getsockname) : std::string();
  }

  // Accepts no more.
  void close() noexcept {
    if (!listening()) return;
    stop(*loop());
    stopped_.wake_all();
    if (size() == 0) over_.wake_all();
  }

  // Woken by close(), and when besides that no connection is left.
  WaitList& stopped() noexcept { return stopped_; }
  WaitList& over() noexcept { return over_; }

  bool being_served = false;  // by serve_forever()

  // Runs a task for it.
  virtual void serve(StreamReader reader, StreamWriter writer) = 0;

 private:
  // As many in a round, before others have their turn.
  static constexpr int kTurns = 128;

  // So long nobody is accepted when there are no descriptors left, as in Python.
  static constexpr std::int64_t kPause = 1'000'000'000;

  void watch() {
    for (const Listener& listener : listeners_) loop()->watch(listener.fd(), EPOLLIN, *this);
    watched_ = true;
  }
  void unwatch(LoopCore& here) noexcept {
    if (!std::exchange(watched_, false)) return;
    for (const Listener& listener : listeners_) here.unwatch(listener.fd());
  }

  void stop(LoopCore& here) noexcept {
    unwatch(here);
    here.withdraw(static_cast<Timer&>(*this));
    listeners_.clear();
  }

  static void told(Watch& watch, Events) noexcept {
    auto& self = static_cast<ServerState&>(watch);
    if (self.place == Place::kNowhere) self.loop()->push(self);
  }

  // After a pause; or somebody waits to be accepted, of which the loop tells again and again.
  static void go_on(Ready& node) noexcept {
    auto& self = static_cast<ServerState&>(node);
    const Owned<StreamGroup> alive = Owned<StreamGroup>::share(self);
    if (!self.watched_) return self.accept_again();
    for (std::size_t i = 0; i < self.listeners_.size(); ++i) self.accept_from(i);
  }

  void accept_from(std::size_t at) noexcept {
    for (int turn = 0; turn < kTurns && at < listeners_.size(); ++turn) {
      platform::Fd fd(::accept4(listeners_[at].fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (fd) {
        begin(std::move(fd), listeners_[at].family());
      } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        return pause(errno);
      } else if (errno == EAGAIN) {
        return;
      }  // else that one has gone, before he was accepted
    }
  }

  void begin(platform::Fd fd, int family) noexcept {
    try {
      set_no_delay(fd.get(), family);
      Owned<Stream> stream = Stream::open(*loop(), std::move(fd), Stream::Type::kSocket, limit_);
      stream->join(*this);
      Owned<Stream> same = stream;
      serve(StreamAccess::reader(std::move(stream)), StreamAccess::writer(std::move(same)));
    } catch (...) {
      report_unhandled(std::current_exception());
    }
  }

  void pause(int error) noexcept {
    unwatch(*loop());
    try {
      loop()->start_timer(*this, after(loop()->now(), kPause));
      platform::throw_errno("Server: accept", error);
    } catch (...) {
      report_unhandled(std::current_exception());
    }
  }
  void accept_again() noexcept {
    try {
      watch();
    } catch (...) {
      report_unhandled(std::current_exception());
    }
  }

  void emptied() noexcept override {
    if (!listening()) over_.wake_all();
  }

  void loop_ends(LoopCore& ending) noexcept override { stop(ending); }

  std::vector<Listener> listeners_;  // none: it is closed
  WaitList stopped_;
  WaitList over_;
  const std::size_t limit_;
  std::uint16_t port_ = 0;
  bool watched_ = false;
};

template <class Handler>
class HandlingServer final : public ServerState {
 public:
  HandlingServer(LoopCore& loop, std::vector<Listener> listeners, std::size_t limit, Handler handler)
      : ServerState(loop, std::move(listeners), limit), handler_(std::move(handler)) {}
  ~HandlingServer() override = default;

 private:
  void serve(StreamReader reader, StreamWriter writer) override {
    create_task(run(Owned<StreamGroup>::share(*this), handler_, std::move(reader), std::move(writer)));
  }

  // Keeps the handler for as long as its coroutine runs.
  static Coro<> run([[maybe_unused]] Owned<StreamGroup> alive, Handler& handler, StreamReader reader,
                    StreamWriter writer) {
    co_await handler(std::move(reader), std::move(writer));
  }

  Handler handler_;
};

}  // namespace nogil::asyncio::detail
