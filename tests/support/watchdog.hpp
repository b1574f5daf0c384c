// tests/support/watchdog.hpp -- a test that hangs says so, and ends.
//
// Including this is enough: from the start of each test a clock runs, and when it runs
// out the program prints the test's name and what each of its threads is doing, and
// aborts. A lost wake-up is then a failure with a name instead of a silent machine.

#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>

namespace nogil::testing {

// What no test takes, by far. Shorter than CTest's own limit, which knows no names. Longer
// by NOGIL_TEST_SECONDS, for as long as each race is asked to last.
inline std::chrono::seconds watchdog_limit() {
  const char* const more = std::getenv("NOGIL_TEST_SECONDS");
  return std::chrono::seconds(50 + (more != nullptr ? std::atoi(more) : 0));
}

class Watchdog : public ::testing::EmptyTestEventListener {
 public:
  void OnTestProgramStart(const ::testing::UnitTest&) override {
    thread_ = std::thread([this] { watch(); });
  }

  void OnTestStart(const ::testing::TestInfo& test) override {
    const std::scoped_lock guard(mutex_);
    test_ = std::string(test.test_suite_name()) + '.' + test.name();
    end_ = Clock::now() + watchdog_limit();
  }

  void OnTestEnd(const ::testing::TestInfo&) override {
    const std::scoped_lock guard(mutex_);
    test_.clear();
  }

  void OnTestProgramEnd(const ::testing::UnitTest&) override {
    {
      const std::scoped_lock guard(mutex_);
      over_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }

 private:
  // The clock that ThreadSanitizer's interceptors know for condition variables.
  using Clock = std::chrono::system_clock;

  void watch() {
    std::unique_lock guard(mutex_);
    while (!changed_.wait_until(guard, Clock::now() + std::chrono::milliseconds(500), [this] { return over_; })) {
      if (!test_.empty() && Clock::now() > end_) bark();
    }
  }

  [[noreturn]] void bark() const {
    std::fprintf(stderr, "watchdog: %s hangs; its threads:\n", test_.c_str());
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
      std::string stat;
      std::string call;
      std::getline(std::ifstream(task.path() / "stat"), stat);
      std::getline(std::ifstream(task.path() / "syscall"), call);
      if (stat.empty()) continue;  // it has ended meanwhile
      std::fprintf(stderr, "  %s state %s, in system call %s\n", stat.substr(0, stat.find(')') + 1).c_str(),
                   stat.substr(stat.rfind(')') + 2, 1).c_str(), call.c_str());
    }
    std::abort();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::string test_;  // the running one, or empty
  Clock::time_point end_;
  bool over_ = false;
  std::thread thread_;
};

// GoogleTest owns its listeners.
inline const bool g_watched = [] {
  ::testing::UnitTest::GetInstance()->listeners().Append(new Watchdog);
  return true;
}();

}  // namespace nogil::testing
