// support/tour.hpp -- what a demo is, and what it is given.
//
//   void barrier_3(tour::Run& run) {
//     run.sleep(2s);                                // 0.1 s in fast mode
//     tour::print("all together");
//     run.expect("passed", passed, 3);              // the demo checks itself
//   }
//
//   const tour::Demo registered({.id = "barrier-3", .cell = "0.15", .seconds = 2,
//                                .teaches = "three threads leave together"}, barrier_3);
//
// Every demos/<id>.cpp holds one Demo. Linked with tour.cpp they make `nogil-tour`, and
// with support/single.cpp each makes a program of its own.
//
// Checks must hold on a slow, busy machine and at any scale: they compare results,
// counts, order and lower bounds of time, never speed.

#pragma once

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "support/chart.hpp"
#include "support/print.hpp"
#include "support/timeline.hpp"

namespace tour {

using Seconds = std::chrono::duration<double>;
using Clock = std::chrono::steady_clock;

struct Options {
  double scale = 1;  // of sleeps and of work; --fast is 0.05
  int threads = 0;   // 0: as the notebook has it
  std::string svg_folder;
  std::string svg_file;  // instead of a name of its own in the folder
  std::string json_folder;
  bool quiet = false;
};

// One run of a demo. Threads of the demo may use everything but the checks.
class Run {
 public:
  explicit Run(Options options) : options_(std::move(options)) {}

  // ---- How long, how much, how many ----

  // A length of time, scaled. For timeouts; to sleep, use sleep().
  std::chrono::nanoseconds scaled(Seconds full) const {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(full * options_.scale);
  }

  void sleep(Seconds full) const { std::this_thread::sleep_for(scaled(full)); }

  // An amount of work, scaled.
  long size(long full, long least = 1) const {
    const long wanted = static_cast<long>(static_cast<double>(full) * options_.scale);
    return wanted < least ? least : wanted;
  }

  // --threads, or the number that the notebook uses.
  int threads(int usual) const { return options_.threads > 0 ? options_.threads : usual; }

  // ---- Did it do what it should? By the thread that runs the demo only ----

  // Expects `got` to equal `expected`; the last line says both.
  template <class Got, class Expected>
  void expect(std::string_view what, const Got& got, const Expected& expected) {
    add(equal(got, expected), text(what, ' ', got, " (expected ", expected, ")"));
    results_ += text("result: ", what, " = ", got, '\n');
  }

  // Expects one of several outcomes.
  template <class Got>
  void expect_one_of(std::string_view what, const Got& got, std::initializer_list<Got> expected) {
    bool found = false;
    std::string all;
    for (const Got& one : expected) {
      found = found || one == got;
      all += text(all.empty() ? "" : " or ", one);
    }
    add(found, text(what, ' ', got, " (expected ", all, ")"));
    if (found) results_ += text("result: ", what, " = ", all, '\n');
  }

  // Expects a time to be no shorter than it must be. It may be longer.
  void expect_at_least(std::string_view what, Seconds got, Seconds least) {
    add(got >= least, text(what, ' ', seconds(got), " (expected at least ", seconds(least), ")"));
  }

  // Expects something that the last line mentions only if it is not so.
  void check(bool is_so, std::string_view statement) {
    if (!is_so) add(false, text("not so: ", statement));
  }

  // ---- Telling ----

  // How far a long computation is, 0 to 1. Without it, the status line goes by time.
  void progress(double fraction) { progress_.store(fraction, std::memory_order_relaxed); }

  // Who did what when: drawn in the terminal where the demo calls print_text(), and as
  // a picture by --svg.
  Timeline timeline;

  // What was predicted, and what was measured: a picture by --svg.
  Chart chart;

  // ---- For the runner ----

  const Options& options() const { return options_; }
  double progress() const { return progress_.load(std::memory_order_relaxed); }
  bool passed() const { return passed_ && !summary_.empty(); }
  // A line for each expect(), as the Python version of the demo prints them.
  const std::string& results() const { return results_; }
  std::string summary() const { return summary_.empty() ? "checked nothing" : summary_; }

 private:
  template <class Got, class Expected>
  static bool equal(const Got& got, const Expected& expected) {
    if constexpr (std::integral<Got> && std::integral<Expected> && !std::same_as<Got, bool>) {
      return std::cmp_equal(got, expected);
    } else {
      return got == expected;
    }
  }

  void add(bool ok, const std::string& outcome) {
    passed_ = passed_ && ok;
    summary_ += text(summary_.empty() ? "" : "; ", ok ? "" : "WRONG: ", outcome);
  }

  const Options options_;
  std::atomic<double> progress_ = -1;
  bool passed_ = true;
  std::string summary_, results_;
};

struct About {
  const char* id;       // also the name of the source file and of the program
  const char* cell;     // notebook and cell: "0.15"
  double seconds;       // how long it takes at scale 1, roughly
  const char* teaches;  // in a line
};

class Demo {
 public:
  using Function = void (*)(Run&);

  // Registers itself, so it must live as long as the program.
  Demo(const About& about_it, Function function) : about(about_it), run(function) { all().push_back(this); }
  Demo(const Demo&) = delete;
  Demo& operator=(const Demo&) = delete;

  // In the order in which the linker met them.
  static std::vector<const Demo*>& all() {
    static std::vector<const Demo*> demos;
    return demos;
  }

  const About about;
  const Function run;
};

// A part of a demo that needs a process of its own, because it would hang or end it:
// support/child.hpp runs it. What it returns is the exit code of that process.
class Part {
 public:
  using Function = int (*)(Run&);

  Part(const char* name_of_it, Function function) : name(name_of_it), run(function) { all().push_back(this); }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;

  static std::vector<const Part*>& all() {
    static std::vector<const Part*> parts;
    return parts;
  }

  const char* const name;  // "deadlock/undetected"
  const Function run;
};

}  // namespace tour
