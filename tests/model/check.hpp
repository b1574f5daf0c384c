// tests/model/check.hpp -- runs a scenario under all its schedules, and under random ones.

#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>

#include "choices.hpp"
#include "execution.hpp"

namespace nogil::model {

struct Search {
  Bounds bounds = {};
  long exhaustive = 60'000;  // at most so many executions of the exhaustive search
  long random = 5'000;       // executions after it, with any number of deviations
  std::uint64_t seed = 1;    // of the first of those; the next ones count up
};

struct Outcome {
  std::string failure;  // "": none
  std::string report;   // the failure, its schedule, and each step
  long exhaustive = 0;
  int complete = -1;  // up to so many deviations the exhaustive search came to its end
  long random = 0;
};

class Explorer {
 public:
  Explorer(const std::function<void()>& scenario, const Search& search) : scenario_(scenario), search_(search) {}

  Outcome run() {
    if (const char* const schedule = std::getenv("NOGIL_MODEL_SCHEDULE")) {
      choices_.start_replay(schedule);
      used_ = {.deviations = kUnbounded, .steps = search_.bounds.steps};
      outcome_.failure = execution_.run(scenario_, used_, true);
      explain("given");
    } else if (!exhaustive()) {
      random();
    }
    return outcome_;
  }

 private:
  static constexpr int kUnbounded = 1 << 20;

  // The fewer deviations an execution has the easier it is to read, so those come first.
  bool exhaustive() {
    Bounds bounds = search_.bounds;
    for (bounds.deviations = 0; bounds.deviations <= search_.bounds.deviations; ++bounds.deviations) {
      choices_.start_exhaustive();
      do {
        if (outcome_.exhaustive == search_.exhaustive) return false;
        ++outcome_.exhaustive;
        if (fails(bounds)) {
          explain("exhaustive");
          return true;
        }
      } while (choices_.next());
      outcome_.complete = bounds.deviations;
    }
    return false;
  }

  void random() {
    const Bounds bounds = {.deviations = kUnbounded, .steps = search_.bounds.steps};
    while (outcome_.random < search_.random) {
      const std::uint64_t seed = search_.seed + static_cast<std::uint64_t>(outcome_.random++);
      choices_.start_random(seed);
      if (fails(bounds)) return explain("random, seed " + std::to_string(seed));
    }
  }

  bool fails(const Bounds& bounds) {
    used_ = bounds;
    outcome_.failure = execution_.run(scenario_, bounds);
    return !outcome_.failure.empty();
  }

  // Runs it once more, to write down each step.
  void explain(const std::string& how) {
    const std::string schedule = choices_.describe();
    if (how != "given") {
      choices_.start_repeat();
      outcome_.failure = execution_.run(scenario_, used_, true);
    }
    outcome_.report = (outcome_.failure.empty() ? "it held" : outcome_.failure) + "\nschedule: " + how + ", \"" +
                      schedule + "\"; again with NOGIL_MODEL_SCHEDULE=\"" + schedule + "\"\n";
    for (const std::string& line : execution_.trace().lines()) outcome_.report += "  " + line + '\n';
  }

  const std::function<void()> scenario_;
  const Search search_;
  Bounds used_;
  Choices choices_;
  Execution execution_{choices_};
  Outcome outcome_;
};

inline Outcome explore(const std::function<void()>& scenario, Search search = {}) {
  if (const char* const effort = std::getenv("NOGIL_MODEL_EFFORT")) {
    search.exhaustive *= std::atol(effort);
    search.random *= std::atol(effort);
  }
  return Explorer(scenario, search).run();
}

// The scenario does not fail.
inline testing::AssertionResult holds(const std::function<void()>& scenario, Search search = {}) {
  if (kSanitized) {
    // The model has one real thread, so a sanitizer only looks at the checker itself.
    search.exhaustive = search.exhaustive < 2'000 ? search.exhaustive : 2'000;
    search.random = search.random < 200 ? search.random : 200;
  }
  const Outcome outcome = explore(scenario, search);
  std::printf("             %ld executions: all with up to %d deviations%s; and %ld random\n", outcome.exhaustive,
              outcome.complete, outcome.complete == search.bounds.deviations ? "" : ", some with more", outcome.random);
  if (outcome.failure.empty()) return testing::AssertionSuccess();
  return testing::AssertionFailure() << outcome.report;
}

// The scenario fails, and says so with this text: the checker sees what is wrong there.
inline testing::AssertionResult fails(const char* with, const std::function<void()>& scenario,
                                      const Search& search = {}) {
  const Outcome outcome = explore(scenario, search);
  if (outcome.failure.find(with) != std::string::npos) {
    std::printf("             found after %ld executions, and %ld random ones\n", outcome.exhaustive, outcome.random);
    return testing::AssertionSuccess();
  }
  if (outcome.failure.empty()) {
    return testing::AssertionFailure() << "nothing was found in " << outcome.exhaustive << " executions and "
                                       << outcome.random << " random ones";
  }
  return testing::AssertionFailure() << "another failure than \"" << with << "\":\n" << outcome.report;
}

}  // namespace nogil::model
