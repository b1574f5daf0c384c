// nogil/asyncio/detail/subprocess_state.hpp -- a program that runs: started, waited for, and never left a zombie.
//
// posix_spawn() starts it: no copy of this program's memory, and an exec that fails comes
// back as an error. A pidfd tells the loop of its end. The process is reaped in the
// reactor's batch: until then its number cannot be another's, so signals find the right one.
//
//   runs     pidfd_ is valid, and the loop owns the state: a Process may be dropped
//   ended    returncode_ is known, pidfd_ is closed
//
// At the end of the loop what still runs is killed, and reaped, as Python does when it
// collects the transport.

#pragma once

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "nogil/asyncio/detail/connection.hpp"
#include "nogil/asyncio/detail/loop_bound.hpp"
#include "nogil/asyncio/detail/wait_list.hpp"
#include "nogil/platform/errors.hpp"
#include "nogil/platform/fd.hpp"

extern "C" char** environ;  // NOLINT(readability-redundant-declaration): POSIX declares it nowhere

namespace nogil::asyncio::detail {

class SubprocessState final : public Pooled, private LoopBound, private Watch, private Ready {
 public:
  // Watches a child of this program, and reaps it. Throws std::system_error.
  SubprocessState(LoopCore& loop, pid_t pid)
      : LoopBound(loop),
        Watch(&told),
        Ready(&finish),
        pid_(pid),
        pidfd_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {
    if (!pidfd_) {
      const int error = errno;
      if (error != ESRCH) kill_and_reap();  // else nobody has to: SIGCHLD is ignored
      platform::throw_errno("create_subprocess_exec: pidfd_open", error);
    }
    try {
      loop.watch(pidfd_.get(), EPOLLIN, *this);
    } catch (...) {
      kill_and_reap();
      throw;
    }
  }

  ~SubprocessState() override = default;

  void add_ref() noexcept { ++owners_; }
  void drop() noexcept {
    if (--owners_ == 0) delete this;
  }

  int pid() const noexcept { return pid_; }
  const std::optional<int>& returncode() const noexcept { return returncode_; }

  // Nothing if it has ended. Throws std::system_error: no such signal, or not allowed.
  void send_signal(int signal) {
    if (returncode_) return;
    if (::syscall(SYS_pidfd_send_signal, pidfd_.get(), signal, nullptr, 0) != 0 && errno != ESRCH) {
      platform::throw_errno("Process.send_signal");
    }
  }

  WaitList& ended() noexcept { return ended_; }

 private:
  // Whether it has ended.
  bool reap(int how) noexcept {
    siginfo_t info{};
    int got;
    do {
      got = ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | how);
    } while (got != 0 && errno == EINTR);
    if (got == 0 && info.si_pid == 0) return false;
    if (got != 0) returncode_ = 255;  // somebody else has reaped it: Python's answer, too
    else returncode_ = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
    return true;
  }

  // It was not reaped yet, so the number is its own.
  void kill_and_reap() noexcept {
    ::kill(pid_, SIGKILL);
    reap(0);
  }

  static void told(Watch& watch, Events) noexcept {
    auto& self = static_cast<SubprocessState&>(watch);
    if (self.returncode_ || !self.reap(WNOHANG)) return;
    self.ended_.wake_all();
    self.loop()->push(self);
  }

  // What must not be done in the reactor's batch.
  static void finish(Ready& node) noexcept {
    auto& self = static_cast<SubprocessState&>(node);
    self.retire(*self.loop());
  }
  void retire(LoopCore& here) noexcept {
    here.unwatch(pidfd_.get());
    pidfd_.reset();
    drop();
  }

  void loop_ends(LoopCore& ending) noexcept override {
    if (!pidfd_) return;
    ending.withdraw(static_cast<Ready&>(*this));
    if (!returncode_) kill_and_reap();
    retire(ending);
  }

  const pid_t pid_;
  platform::Fd pidfd_;
  std::optional<int> returncode_;
  WaitList ended_;
  std::uint32_t owners_ = 2;  // who made it, and the loop until it has ended
};

// What posix_spawn() is to do in the child, for as long as it lives.
class SpawnActions {
 public:
  SpawnActions() {
    if (::posix_spawn_file_actions_init(&actions_) != 0) throw std::bad_alloc();
    if (::posix_spawnattr_init(&attributes_) != 0) {
      ::posix_spawn_file_actions_destroy(&actions_);
      throw std::bad_alloc();
    }
  }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;
  ~SpawnActions() {
    ::posix_spawnattr_destroy(&attributes_);
    ::posix_spawn_file_actions_destroy(&actions_);
  }

  void duplicate(int from, int to) { check(::posix_spawn_file_actions_adddup2(&actions_, from, to)); }
  void open_null(int as, int how) { check(::posix_spawn_file_actions_addopen(&actions_, as, "/dev/null", how, 0)); }
  void change_folder(const char* path) { check(::posix_spawn_file_actions_addchdir_np(&actions_, path)); }

  // As Python's close_fds and restore_signals. Descriptors of this library are closed anyway.
  void clean_up() {
#if defined(__GLIBC_PREREQ)
#if __GLIBC_PREREQ(2, 34)
    check(::posix_spawn_file_actions_addclosefrom_np(&actions_, 3));
#endif
#endif
    sigset_t defaults;
    ::sigemptyset(&defaults);
    ::sigaddset(&defaults, SIGPIPE);
    ::posix_spawnattr_setsigdefault(&attributes_, &defaults);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGDEF);
  }

  // Returns the error, or 0. The program is looked for in PATH.
  int spawn(pid_t& pid, char* const* arguments, char* const* environment) const noexcept {
    return ::posix_spawnp(&pid, arguments[0], &actions_, &attributes_, arguments, environment);
  }

 private:
  static void check(int error) {
    if (error != 0) platform::throw_errno("create_subprocess_exec", error);
  }

  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

// Both ends of a pipe: none in the place of the three that a program expects.
struct PipeEnds {
  platform::Fd read, write;

  PipeEnds() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) platform::throw_errno("create_subprocess_exec: pipe");
    read = platform::Fd(ends[0]);
    write = platform::Fd(ends[1]);
    if (read.get() <= STDERR_FILENO || write.get() <= STDERR_FILENO) {  // there is no other number left
      platform::throw_errno("create_subprocess_exec: pipe", EMFILE);
    }
  }
};

template <class = void>
Owned<Stream> pipe_stream(LoopCore& loop, platform::Fd fd, std::size_t limit) {
  ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
  return Stream::open(loop, std::move(fd), Stream::Type::kPipe, limit);
}

// For exec: the texts must outlive it.
template <class = void>
std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace nogil::asyncio::detail
