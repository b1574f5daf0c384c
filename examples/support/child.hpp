// support/child.hpp -- runs a Part in a process of its own, under a watchdog.
//
// For what would take the whole program with it: a deadlock that nobody detects, a
// main() that returns while threads run. What the part prints appears line by line; it
// is killed if it has not ended some time after the line that the demo waits for.

#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "support/print.hpp"
#include "support/tour.hpp"

namespace tour {

struct ChildReport {
  std::vector<std::string> lines;  // what it printed
  bool killed = false;             // by the watchdog: it did not end by itself
  int exit_code = -1;              // -1: a signal ended it

  // How many of its lines contain this.
  int count(std::string_view words) const {
    int found = 0;
    for (const std::string& line : lines) found += line.find(words) != std::string::npos;
    return found;
  }
};

namespace detail {

struct ChildProcess {
  pid_t pid;
  int output;  // what it prints can be read here
};

// This program again, told to run the part. fork() and at once exec(): between the two
// nothing happens that a program with threads must not do there.
inline ChildProcess start_part(const Run& run, std::string_view part) {
  std::vector<std::string> words{"demo", "--child", std::string(part), "--scale", fixed(run.options().scale, 6)};
  if (run.options().threads > 0) words.insert(words.end(), {"--threads", std::to_string(run.options().threads)});
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);

  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe2");
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) {
    const int error = errno;
    ::close(ends[0]);
    ::close(ends[1]);
    throw std::system_error(error, std::generic_category(), "fork");
  }
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // no hanging child outlives the tour
    if (::getppid() != parent) ::_exit(127);
    ::dup2(ends[1], STDOUT_FILENO);
    ::execv("/proc/self/exe", arguments.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  return {pid, ends[0]};
}

}  // namespace detail

// Runs the part and waits for it. Once it has printed a line that contains `sign`, it
// has `patience` (scaled) left; then it is killed. Before that it has a minute, which
// only a broken part needs. An empty sign: `patience` counts from the start. The timeline
// leaves out what this takes.
inline ChildReport run_child(Run& run, std::string_view part, std::string_view sign, Seconds patience) {
  const detail::ChildProcess child = detail::start_part(run, part);
  ChildReport report;
  std::string unfinished;
  bool seen = sign.empty();
  auto deadline = Clock::now() + (seen ? run.scaled(patience) : std::chrono::minutes(1));
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd readable{child.output, POLLIN, 0};
    const int ready = ::poll(&readable, 1, left.count() > 0 ? static_cast<int>(left.count()) : 0);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) {
      report.killed = true;
      ::kill(child.pid, SIGKILL);
      break;
    }
    char buffer[4096];
    const ssize_t length = ::read(child.output, buffer, sizeof buffer);
    if (length < 0 && errno == EINTR) continue;
    if (length <= 0) break;  // it ended
    unfinished.append(buffer, static_cast<std::size_t>(length));
    for (std::size_t end; (end = unfinished.find('\n')) != std::string::npos;) {
      report.lines.push_back(unfinished.substr(0, end));
      unfinished.erase(0, end + 1);
      print("    ", report.lines.back());
      if (!seen && report.lines.back().find(sign) != std::string::npos) {
        seen = true;
        deadline = Clock::now() + run.scaled(patience);
      }
    }
  }
  ::close(child.output);
  int status = 0;
  while (::waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!report.killed && WIFEXITED(status)) report.exit_code = WEXITSTATUS(status);
  run.timeline.leave_out();
  return report;
}

}  // namespace tour
