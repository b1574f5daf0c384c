// tests/support/scenario.hpp -- what needs a process of its own.
//
//   const Scenario kEnvironment("environment", [] { … std::puts("raised"); });
//
//   TEST(…) {
//     const Outcome outcome = kEnvironment.run({"NOGIL_DEADLOCK=off"});
//     EXPECT_EQ(outcome.output, "raised\n");
//   }
//
// run() starts this same test program again with some more environment; there the
// function runs in place of the tests. What it prints (also to stderr) comes back.
// A scenario may leave threads behind that wait for ever; one that hangs itself is killed.

#pragma once

#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

namespace nogil::testing {

struct Outcome {
  int status = -1;  // the exit code, or -1 when it did not exit
  std::string output;
};

class Scenario {
 public:
  Scenario(std::string name, void (*function)()) : name_(std::move(name)) {
    const char* const wanted = std::getenv(kVariable);
    if (wanted != nullptr && name_ == wanted)
      ::testing::UnitTest::GetInstance()->listeners().Append(new Player(function));
  }

  Outcome run(std::vector<std::string> environment = {}) const {
    environment.push_back(kVariable + ("=" + name_));
    std::vector<char*> variables;
    for (std::string& variable : environment) variables.push_back(variable.data());
    for (char** variable = environ; *variable != nullptr; ++variable) variables.push_back(*variable);
    variables.push_back(nullptr);

    std::string program = "/proc/self/exe";
    char* const arguments[] = {program.data(), nullptr};
    int ends[2];
    if (::pipe(ends) != 0) return {};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    pid_t child = 0;
    const int error = ::posix_spawn(&child, program.c_str(), &actions, nullptr, arguments, variables.data());
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);

    Outcome outcome;
    char buffer[4096];
    for (ssize_t n = 0; error == 0 && (n = ::read(ends[0], buffer, sizeof buffer)) > 0;) {
      outcome.output.append(buffer, static_cast<std::size_t>(n));
    }
    ::close(ends[0]);
    int status = 0;
    if (error == 0 && ::waitpid(child, &status, 0) == child && WIFEXITED(status)) outcome.status = WEXITSTATUS(status);
    const auto begin = outcome.output.find(kBegin);
    if (begin != std::string::npos) outcome.output.erase(0, begin + std::string(kBegin).size());
    return outcome;
  }

 private:
  static constexpr const char* kVariable = "NOGIL_TEST_SCENARIO";
  static constexpr const char* kBegin = "scenario:\n";  // what GoogleTest says comes before it

  class Player : public ::testing::EmptyTestEventListener {
   public:
    explicit Player(void (*function)()) : function_(function) {}
    void OnTestProgramStart(const ::testing::UnitTest&) override {
      ::alarm(40);
      std::fputs(kBegin, stdout);
      std::fflush(stdout);
      function_();
      std::fflush(stdout);
      ::_exit(0);
    }

   private:
    void (*function_)();
  };

  std::string name_;
};

}  // namespace nogil::testing
