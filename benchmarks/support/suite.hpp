// benchmarks/support/suite.hpp -- runs the contests one after another.
//
// The holds of a contest's rivals follow one another in random order, so that all of them
// meet the same machine; a hold that was void is repeated with its contest, twice at most.

#pragma once

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "support/cases.hpp"
#include "support/measure.hpp"
#include "support/results.hpp"
#include "support/table.hpp"

namespace bench {

// What went wrong in a run, or nothing. Google Benchmark 1.8 has other names than 1.7.
template <class Run>
std::string error_of(const Run& run) {
  if constexpr (requires { run.error_occurred; }) return run.error_occurred ? run.error_message : "";
  else return run.skipped != decltype(run.skipped){} ? run.skip_message : "";
}

// Collects the holds, and shows nothing.
class Collector : public benchmark::BenchmarkReporter {
 public:
  explicit Collector(Results& results) : results_(results) {}

  bool ReportContext(const Context&) override { return true; }

  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.run_type == Run::RT_Iteration) collect(run);
    }
  }

 private:
  void collect(const Run& run) {
    std::string name = run.run_name.function_name;
    if (!run.run_name.args.empty()) name += "/" + run.run_name.args;
    if (const std::string error = error_of(run); !error.empty()) {
      results_.fail(name, error);
      return;
    }
    const auto counter = [&run](const char* key) -> std::optional<double> {
      const auto found = run.counters.find(key);
      if (found == run.counters.end()) return std::nullopt;
      return found->second.value;
    };
    results_.add(name, {.ns = run.real_accumulated_time * 1e9 / static_cast<double>(run.iterations),
                        .is_void = counter("void").value_or(0) > 0,
                        .cpu_per_wall = counter("cpu_wall"),
                        .share = counter("share"),
                        .p50 = counter("p50_ns"),
                        .p99 = counter("p99_ns"),
                        .worst = counter("worst_ns")});
  }

  Results& results_;
};

// One line that is written over and over, on a terminal; else nothing.
class Progress {
 public:
  explicit Progress(std::size_t total) : total_(total), shown_(::isatty(STDERR_FILENO) != 0) {}
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void show(std::size_t done, const Contest& next) const {
    if (!shown_) return;
    std::string left = "";
    if (done > 0) {
      const Seconds each = Seconds(Clock::now() - began_) / static_cast<double>(done);
      const double seconds = each.count() * static_cast<double>(total_ - done);
      left = seconds < 90 ? text(", about %.0f s left", seconds) : text(", about %.0f min left", seconds / 60);
    }
    std::fprintf(stderr, "\r\033[K%zu of %zu%s: %s %s", done + 1, total_, left.c_str(), next.of->module.c_str(),
                 next.name.c_str());
    std::fflush(stderr);
  }

 private:
  void clear() const {
    if (shown_) std::fputs("\r\033[K", stderr);
  }

  std::size_t total_;
  bool shown_;
  Clock::time_point began_ = Clock::now();
};

struct Wanted {
  std::set<std::string> modules = {};    // empty: all
  std::optional<std::regex> names = {};  // of case<Rival>/threads
  std::size_t holds = 5;
  int repeats = 2;  // of a contest that had void holds

  bool takes(const Case& one) const { return modules.empty() || modules.contains(one.module); }
  bool takes(const Contest& contest, const Rival& rival) const {
    return takes(*contest.of) && (!names || std::regex_search(contest.key(rival), *names));
  }
};

// The benchmarks of these rivals, as a regular expression for Google Benchmark. What
// follows a name there says how it was timed.
inline std::string pattern_of(const Contest& contest, const std::vector<const Rival*>& rivals) {
  constexpr std::string_view kSpecial = R"(.^$*+?()[]{}|\)";
  std::string names;
  for (const Rival* const rival : rivals) {
    if (!names.empty()) names += '|';
    for (const char letter : contest.key(*rival)) {
      if (kSpecial.find(letter) != std::string_view::npos) names += '\\';
      names += letter;
    }
  }
  return "^(" + names + ")(/[a-z].*)?$";
}

inline Results run_suite(const Wanted& wanted) {
  struct Planned {
    Contest contest;
    std::string pattern;
  };
  std::vector<Planned> plan;
  for (const Contest& contest : contests()) {
    std::vector<const Rival*> rivals;
    for (const Rival& rival : contest.of->rivals) {
      if (wanted.takes(contest, rival)) rivals.push_back(&rival);
    }
    if (!rivals.empty()) plan.push_back({contest, pattern_of(contest, rivals)});
  }

  Results results;
  Collector collector(results);
  const Progress progress(plan.size());
  for (std::size_t done = 0; done < plan.size(); ++done) {
    const auto& [contest, pattern] = plan[done];
    progress.show(done, contest);
    benchmark::RunSpecifiedBenchmarks(&collector, pattern);
    for (int again = 0; again < wanted.repeats && results.has_voids(contest, wanted.holds); ++again) {
      benchmark::RunSpecifiedBenchmarks(&collector, pattern);
    }
  }
  return results;
}

}  // namespace bench
