// tests/multiprocessing/support/processes.hpp -- helpers of the tests with processes.

#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <iterator>
#include <string>
#include <utility>

#include "nogil/multiprocessing/process.hpp"
#include "support/threads.hpp"

namespace nogil::testing {

using namespace std::chrono_literals;
using mp::Process;
using mp::StartMethod;

// A suite that runs under every start method.
class UnderEveryStartMethod : public ::testing::TestWithParam<StartMethod> {
 protected:
  template <class F, class... Arguments>
  static Process process(const F& callable, const Arguments&... arguments) {
    return Process(Process::Options{.start_method = GetParam()}, callable, arguments...);
  }

  // How a process ended that makes this call.
  template <class F, class... Arguments>
  static int exitcode(const F& callable, const Arguments&... arguments) {
    Process one = process(callable, arguments...);
    one.start();
    one.join();
    return one.exitcode().value();
  }
};

inline std::string name_of(const ::testing::TestParamInfo<StartMethod>& method) {
  return method.param == StartMethod::fork ? "fork" : method.param == StartMethod::spawn ? "spawn" : "forkserver";
}

#define NOGIL_UNDER_EVERY_START_METHOD(Suite) \
  INSTANTIATE_TEST_SUITE_P(Under, Suite,      \
                           ::testing::Values(StartMethod::fork, StartMethod::forkserver, StartMethod::spawn), name_of)

inline std::ptrdiff_t open_files() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator());
}

// How much shared memory with a name the library has left, but for what tests have named: some of
// them run beside this one. What else lies there is others'.
inline std::ptrdiff_t named_memory() {
  std::ptrdiff_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/dev/shm")) {
    const std::string name = entry.path().filename().string();
    count += name.find("nogil") != std::string::npos && !name.starts_with("nogil-test");
  }
  return count;
}

// Whether no child of this process has ended that nobody has waited for.
inline bool no_zombies() {
  ::siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0;
}

// Takes what is written to stdout meanwhile, by this process and its children.
class Stdout {
 public:
  Stdout() : file_(std::tmpfile()), before_(::dup(STDOUT_FILENO)) {
    std::fflush(stdout);
    ::dup2(::fileno(file_), STDOUT_FILENO);
  }
  Stdout(const Stdout&) = delete;
  Stdout& operator=(const Stdout&) = delete;
  ~Stdout() {
    restore();
    std::fclose(file_);
    ::close(before_);
  }

  std::string text() {
    restore();
    std::string all;
    std::rewind(file_);
    for (int c; (c = std::fgetc(file_)) != EOF;) all += static_cast<char>(c);
    return all;
  }

 private:
  void restore() {
    std::fflush(stdout);
    ::dup2(before_, STDOUT_FILENO);
  }

  std::FILE* file_;
  int before_;
};

// The same for stderr.
template <class F>
std::string stderr_of(F f) {
  ::testing::internal::CaptureStderr();
  f();
  return ::testing::internal::GetCapturedStderr();
}

}  // namespace nogil::testing
