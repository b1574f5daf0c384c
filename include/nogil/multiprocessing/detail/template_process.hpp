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

namespace nogil::multiprocessing::detail {

struct Report {
  enum Kind : std::uint32_t { kStarted, kNotStarted, kEnded };

  std::uint64_t id;  // the job's, for kStarted and kNotStarted
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
    TemplateProcess(std::move(socket)).loop();
  }

 private:
  explicit TemplateProcess(platform::Fd socket) noexcept : socket_(std::move(socket)) {
    ::sigset_t mask;
    ::sigemptyset(&mask);
    settle_signals_and_input(mask);
    ::signal(SIGINT, SIG_IGN);  // Ctrl-C goes to the whole group; the parent decides
    ::sigaddset(&mask, SIGCHLD);
    ::pthread_sigmask(SIG_BLOCK, &mask, nullptr);
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
    const int me = ::getpid();
    const ::pid_t pid = ::fork();
    if (pid == 0) {
      die_with(me);
      socket_.reset();
      ended_.reset();
      run_received_job(job, std::move(files));
    }
    Report report{job.id, pid > 0 ? Report::kStarted : Report::kNotStarted, pid, pid > 0 ? 0 : errno, 0};
    std::vector<int> sent;
    platform::Fd pidfd;
    if (pid > 0) {
      // It cannot have been waited for yet: that is done here, by this thread.
      pidfd = platform::Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
      if (pidfd) sent.push_back(pidfd.get());
    }
    if (!send_packet(socket_.get(), report, sent)) ::_exit(0);
  }

  void report_the_ended() noexcept {
    ::signalfd_siginfo told;
    while (::read(ended_.get(), &told, sizeof told) == sizeof told) {
    }
    int status = 0;
    for (::pid_t pid; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
      if (!send_packet(socket_.get(), Report{0, Report::kEnded, pid, status, 0})) ::_exit(0);
    }
  }

  platform::Fd socket_;
  platform::Fd ended_;
};

}  // namespace nogil::multiprocessing::detail
