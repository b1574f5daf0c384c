// support/compare.hpp -- a demo and its Python version, one after the other.
//
// Both print lines that say what they found, and how long it took:
//
//   result: peak = 2
//   time: 6.002134 s wall, 0.012800 s CPU
//
// In C++ these come from Run::expect(), in Python from tour.result(). What both name must
// be equal, and there must be something that both name.

#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "support/print.hpp"
#include "support/tour.hpp"

namespace tour {

// What a program printed that says how it went.
struct Outcome {
  bool ok = false;
  bool missing = false;  // there is no such program
  std::string trouble;   // why not ok, and the last thing that it printed
  Seconds wall{0}, cpu{0};
  double less_work = 1;  // it did at most one n-th of the work
  std::map<std::string, std::string> results;
};

namespace detail {

inline constexpr int kNoProgram = 127;

// Runs it, and returns what it prints on both streams. False: it has not ended in time.
inline bool capture(std::vector<std::string> words, std::chrono::seconds patience, std::string& printed, int& status) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe2");
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(kNoProgram);
    ::dup2(ends[1], STDOUT_FILENO);
    ::dup2(ends[1], STDERR_FILENO);
    ::execvp(arguments[0], arguments.data());
    ::_exit(kNoProgram);
  }
  ::close(ends[1]);
  const auto deadline = Clock::now() + patience;
  bool in_time = pid > 0;
  while (in_time) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd readable{ends[0], POLLIN, 0};
    const int ready = ::poll(&readable, 1, left.count() > 0 ? static_cast<int>(left.count()) : 0);
    if (ready < 0 && errno == EINTR) continue;
    in_time = ready > 0;
    char buffer[4096];
    const ssize_t length = in_time ? ::read(ends[0], buffer, sizeof buffer) : 0;
    if (length < 0 && errno == EINTR) continue;
    if (length <= 0) break;
    printed.append(buffer, static_cast<std::size_t>(length));
  }
  ::close(ends[0]);
  if (pid > 0 && !in_time) ::kill(pid, SIGKILL);
  while (pid > 0 && ::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return in_time;
}

inline void read_line(std::string_view line, Outcome& outcome) {
  constexpr std::string_view kResult = "result: ", kTime = "time: ", kLess = "less work: ", kEquals = " = ";
  if (line.starts_with(kResult)) {
    line.remove_prefix(kResult.size());
    const std::size_t equals = line.find(kEquals);
    if (equals == std::string_view::npos) return;
    outcome.results[std::string(line.substr(0, equals))] = line.substr(equals + kEquals.size());
  } else if (line.starts_with(kTime)) {
    char* rest = nullptr;
    const std::string times(line.substr(kTime.size()));
    outcome.wall = Seconds(std::strtod(times.c_str(), &rest));
    const std::size_t comma = times.find(", ");
    if (comma != std::string::npos) outcome.cpu = Seconds(std::strtod(times.c_str() + comma + 2, nullptr));
  } else if (line.starts_with(kLess)) {
    outcome.less_work = std::strtod(std::string(line.substr(kLess.size())).c_str(), nullptr);
  }
}

}  // namespace detail

inline Outcome run_program(const std::vector<std::string>& words, std::chrono::seconds patience) {
  Outcome outcome;
  std::string printed;
  int status = 0;
  const bool in_time = detail::capture(words, patience, printed, status);
  std::string_view rest = printed, last;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    detail::read_line(line, outcome);
    if (!line.empty()) last = line;
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  outcome.ok = in_time && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  outcome.missing = WIFEXITED(status) && WEXITSTATUS(status) == detail::kNoProgram;
  if (!in_time) outcome.trouble = text("still running after ", patience.count(), " s");
  else if (!outcome.ok) outcome.trouble = std::string(last);
  return outcome;
}

// What both found: "equal: peak = 2", or what is not.
struct Agreement {
  bool equal = false;
  std::string words;
};

inline Agreement agreement(const Outcome& python, const Outcome& cpp) {
  std::string same, different;
  std::size_t count = 0;
  for (const auto& [what, value] : python.results) {
    const auto found = cpp.results.find(what);
    if (found == cpp.results.end()) continue;
    ++count;
    if (found->second != value) different += text(' ', what, ": ", value, " in Python, ", found->second, " in C++;");
    else if (same.empty()) same = text(what, " = ", value);
  }
  if (!different.empty()) return {false, "DIFFERENT:" + different};
  if (count == 0) return {false, "NOTHING in common to compare"};
  return {true, text("equal: ", same, count > 1 ? text(" and ", count - 1, " more") : std::string())};
}

}  // namespace tour
