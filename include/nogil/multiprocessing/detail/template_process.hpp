// nogil/multiprocessing/detail/template_process.hpp -- the process that others are forked from.
//
// It is this program, started anew, that went no further than freeze_support(); or, for a
// pool that wants fork, a copy of the parent as it was when the pool was made. It has one
// thread, so a fork of it is safe whatever the parent has become; and the first kind has
// little memory, so that takes some 200 us. It is its children's parent: it waits for them,
// and reports how they ended. When the real parent dies, it dies, and its children with it.
//
// Python   multiprocessing.forkserver.

#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <utility>
#include <vector>

#include "nogil/multiprocessing/detail/handshake.hpp"
#include "nogil/multiprocessing/detail/packet.hpp"
#include "nogil/multiprocessing/detail/pipe_end.hpp"

namespace nogil::multiprocessing::detail {

// kStarted is sent by the child itself, with a pidfd, before it looks at its job; the rest by
// the template. So a template that dies leaves no doubt: either the parent hears that the job
// has begun, or the socket, which the child has too until then, ends without it, and the job
// has not begun and never will. A kEnded without a kStarted before it says the same.
struct Report {
  enum Kind : std::uint32_t { kStarted, kNotStarted, kEnded };

  std::uint64_t id;  // the job's
  Kind kind;
  std::int32_t pid;
  std::int32_t status;  // as waitpid() tells, or errno for kNotStarted
  std::int32_t unused;
};

class TemplateProcess {
 public:
  // Serves to the end of the parent, or of the socket, then ends this process.
  [[noreturn]] static void serve(platform::Fd socket, int parent) noexcept {
    die_with(parent);
    let_go_of_ends(nullptr);
    TemplateProcess(std::move(socket)).loop();
  }

 private:
  explicit TemplateProcess(platform::Fd socket) noexcept : socket_(std::move(socket)) {
    // Ctrl-C goes to the whole group; the parent decides. Blocked, not ignored: a child that is
    // interrupted before it is settled is to end.
    ::sigset_t mask = only_sigint();
    ::sigaddset(&mask, SIGCHLD);
    settle_signals_and_input(mask);
    ::sigdelset(&mask, SIGINT);
    ended_ = platform::Fd(::signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!ended_) ::_exit(kOrphaned);
  }

  [[noreturn]] void loop() noexcept {
    for (;;) {
      ::pollfd questions[2] = {{socket_.get(), POLLIN, 0}, {ended_.get(), POLLIN, 0}};
      if (::poll(questions, 2, -1) < 0) continue;
      if (questions[1].revents != 0) report_the_ended();
      if (questions[0].revents != 0) start_one();
    }
  }

  void start_one() noexcept {
    JobPacket job;
    std::vector<platform::Fd> files;
    if (!receive_packet(socket_.get(), job, &files)) ::_exit(0);
    jobs_.reserve(jobs_.size() + 1);
    const int me = ::getpid();
    const ::pid_t pid = ::fork();
    if (pid == 0) {
      die_with(me);
      report_this_one(job.id);
      socket_.reset();
      ended_.reset();
      run_received_job(job, std::move(files));
    }
    if (pid > 0) jobs_.push_back({pid, job.id});
    else if (!send_packet(socket_.get(), Report{job.id, Report::kNotStarted, pid, errno, 0})) ::_exit(0);
  }

  // In the child.
  void report_this_one(std::uint64_t job) const noexcept {
    const int pid = ::getpid();
    const platform::Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!pidfd || !send_packet(socket_.get(), Report{job, Report::kStarted, pid, 0, 0}, {pidfd.get()})) {
      ::_exit(kOrphaned);
    }
  }

  void report_the_ended() noexcept {
    ::signalfd_siginfo told;
    while (::read(ended_.get(), &told, sizeof told) == sizeof told) {
    }
    int status = 0;
    for (::pid_t pid; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
      if (!send_packet(socket_.get(), Report{take_job_of(pid), Report::kEnded, pid, status, 0})) ::_exit(0);
    }
  }

  std::uint64_t take_job_of(::pid_t pid) noexcept {
    for (auto& one : jobs_) {
      if (one.pid != pid) continue;
      const std::uint64_t id = one.id;
      one = jobs_.back();
      jobs_.pop_back();
      return id;
    }
    return 0;
  }

  struct Job {
    ::pid_t pid;
    std::uint64_t id;
  };

  platform::Fd socket_;
  platform::Fd ended_;
  std::vector<Job> jobs_;  // of the children that live
};

}  // namespace nogil::multiprocessing::detail
