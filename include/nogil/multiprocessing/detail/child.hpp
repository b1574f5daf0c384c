// nogil/multiprocessing/detail/child.hpp -- what a process knows of one that it started.
//
// Shared by the Process object, calls of join(), and the supervisor, which writes it.

#pragma once

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <utility>

#include "nogil/multiprocessing/detail/child_main.hpp"
#include "nogil/platform/fd.hpp"
#include "nogil/platform/native.hpp"
#include "nogil/threading/detail/event_core.hpp"
#include "nogil/threading/detail/ref.hpp"

namespace nogil::multiprocessing::detail {

// What the supervisor's epoll tells of.
class Watched : public nogil::detail::Counted {
 public:
  explicit Watched(bool template_process) noexcept : template_process_(template_process) {}
  bool template_process() const noexcept { return template_process_; }

 private:
  const bool template_process_;
};

// A process that others are forked from (template_process.hpp). The supervisor's own.
class Template : public Watched {
 public:
  Template(platform::Fd socket, int pid) noexcept : Watched(true), socket_(std::move(socket)), pid_(pid) {}

  int socket() const noexcept { return socket_.get(); }
  int pid() const noexcept { return pid_; }
  bool ended() const noexcept { return !socket_; }
  void end() noexcept { socket_.reset(); }

 private:
  platform::Fd socket_;
  const int pid_;
};

class Child : public Watched {
 public:
  static constexpr int kUnknown = 255;  // somebody else has waited for it

  // Who wants to know of the beginning and the end. told() runs in the supervisor's thread, and
  // must be short.
  class Listener : public nogil::detail::Counted {
   public:
    virtual void told() noexcept = 0;
  };

  Child(ProcessInfo info, platform::Fd pidfd, int template_pid, nogil::detail::Ref<Listener> listener)
      : Watched(false),
        info_(std::move(info)),
        pidfd_(std::move(pidfd)),
        template_pid_(template_pid),
        listener_(std::move(listener)) {}

  const ProcessInfo& info() const noexcept { return info_; }

  // Readable when the process has ended.
  int pidfd() const noexcept { return pidfd_.get(); }

  // The template process that is its parent; 0: this process is.
  int template_pid() const noexcept { return template_pid_; }

  bool ended() const noexcept { return ended_.is_set(); }

  // -N: by signal N. After the end.
  int exitcode() const noexcept { return exitcode_.load(std::memory_order_relaxed); }

  // Waits for the end within the limit.
  bool wait(platform::Wait& wait) { return ended_.is_set() || ended_.wait_slow(wait); }

  // To a process that has ended: nothing happens. The number cannot be another's meanwhile.
  void signal(int number) const noexcept { ::syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0); }

  // By the supervisor, once.
  void finish(int exitcode) noexcept {
    exitcode_.store(exitcode, std::memory_order_relaxed);
    ended_.set();
    if (listener_) listener_->told();
  }

  static int code_of(int status) noexcept {
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WIFEXITED(status) ? WEXITSTATUS(status) : kUnknown;
  }

 private:
  const ProcessInfo info_;
  const platform::Fd pidfd_;
  const int template_pid_;
  const nogil::detail::Ref<Listener> listener_;
  std::atomic<int> exitcode_{kUnknown};
  nogil::detail::EventCore<platform::Native> ended_;
};

}  // namespace nogil::multiprocessing::detail
