// tests/multiprocessing/support/stepper.hpp -- a process that goes on instruction by instruction.

#pragma once

#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstddef>

namespace nogil::testing {

// Stops a process, and lets it take one step after the other, then none. It must be a
// descendant, and not a child that this process itself waits for.
class Stepper {
 public:
  explicit Stepper(int pid) : pid_(pid) {
    share_a_core();
    attached_ = ::ptrace(PTRACE_SEIZE, pid, 0L, 0L) == 0;
    if (attached_ && ::ptrace(PTRACE_INTERRUPT, pid, 0L, 0L) == 0) alive_ = stopped();
  }
  Stepper(const Stepper&) = delete;
  Stepper& operator=(const Stepper&) = delete;
  ~Stepper() {
    kill();
    ::sched_setaffinity(0, sizeof before_, &before_);
  }

  // False: this machine does not allow it.
  bool attached() const { return attached_; }

  // One instruction, or system call. False: the process has ended.
  bool step() {
    alive_ = alive_ && ::ptrace(PTRACE_SINGLESTEP, pid_, 0L, 0L) == 0 && stopped();
    return alive_;
  }

  void kill() {
    if (!attached_) return;
    ::kill(pid_, SIGKILL);
    while (alive_ && stopped()) {  // its end is told to who traces it, before it is to its parent
    }
    alive_ = false;
  }

 private:
  // Each step is two switches from one to the other: on one core that takes a tenth of the time.
  void share_a_core() {
    ::sched_getaffinity(0, sizeof before_, &before_);
    ::cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<std::size_t>(::sched_getcpu()), &one);
    ::sched_setaffinity(0, sizeof one, &one);
    ::sched_setaffinity(pid_, sizeof one, &one);
  }

  bool stopped() const {
    int status = 0;
    ::pid_t seen;
    while ((seen = ::waitpid(pid_, &status, __WALL)) < 0 && errno == EINTR) {
    }
    return seen == pid_ && WIFSTOPPED(status);
  }

  const int pid_;
  ::cpu_set_t before_{};
  bool attached_ = false;
  bool alive_ = false;
};

}  // namespace nogil::testing
