// benchmarks/support/main.cpp -- the program around the cases: defaults, then the tables.
//
// All options of Google Benchmark are taken (--help), and before them
//
//   --pin        keep thread i on core i (NOGIL_BENCH_PIN=1 does the same)
//   --markdown   print the tables in Markdown, with every rival's median
//   --window=S   contended cases last S seconds each, not 0.15. Their shares mean little
//                unless that is many slices of the scheduler for each thread
//
// Unless told otherwise, five repetitions of 0.1 s in random order across all cases and
// rivals, so that nobody always runs on a warm, or a busy, machine.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "support/cases.hpp"
#include "support/measure.hpp"
#include "support/summary.hpp"
#include "support/table.hpp"

#ifdef NOGIL_HAVE_ABSL
#include <absl/synchronization/mutex.h>
#endif

namespace {

void print_help() {
  std::cout << "Our own options, beside Google Benchmark's:\n"
               "          [--pin]       keep thread i on core i; also NOGIL_BENCH_PIN=1\n"
               "          [--markdown]  tables in Markdown, with every rival's median\n"
               "          [--window=S]  contended cases last S seconds each, not 0.15\n\n";
  benchmark::PrintDefaultHelp();
}

std::string compiler() {
#if defined(__clang__)
  return "clang " __clang_version__;
#else
  return "g++ " __VERSION__;
#endif
}

// Takes our own options out of `arguments`, and learns from some of the others.
struct CommandLine {
  bool markdown = false;
  bool machine_readable = false;

  explicit CommandLine(std::vector<std::string>& arguments) {
    const char* const pin = std::getenv("NOGIL_BENCH_PIN");
    bench::options().pin = pin != nullptr && std::string_view(pin) != "" && std::string_view(pin) != "0";
    std::erase_if(arguments, [this](const std::string& argument) { return take(argument); });
  }

 private:
  bool take(const std::string& argument) {
    constexpr std::string_view kMinTime = "--benchmark_min_time=";
    constexpr std::string_view kFormat = "--benchmark_format=";
    constexpr std::string_view kWindow = "--window=";
    if (argument == "--pin" || argument == "--markdown") {
      (argument == "--pin" ? bench::options().pin : markdown) = true;
      return true;
    }
    if (argument.starts_with(kWindow)) {
      const double seconds = std::strtod(argument.c_str() + kWindow.size(), nullptr);
      if (seconds > 0) bench::options().window = bench::Seconds(seconds);
      window_given_ = true;
      return true;
    }
    if (argument.starts_with(kFormat)) machine_readable = argument.substr(kFormat.size()) != "console";
    if (argument.starts_with(kMinTime)) {
      // A short run is to be short in the cases that keep their own time, too.
      const double seconds = std::strtod(argument.c_str() + kMinTime.size(), nullptr);
      if (seconds > 0 && !window_given_) {
        bench::options().window = std::min(bench::options().window, bench::Seconds(seconds));
      }
    }
    return false;
  }

  bool window_given_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  // glibc and libstdc++ leave out atomic instructions until a process starts its first
  // thread, which would flatter std::mutex threefold.
  std::thread([] {}).join();
  bench::usable_cores();
#ifdef NOGIL_HAVE_ABSL
  // Distributions build abseil with its checks on. The dearest of them can be left out.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
#endif

  std::vector<std::string> arguments(argv, argv + argc);
  const CommandLine ours(arguments);
  arguments.insert(arguments.begin() + 1, {"--benchmark_repetitions=5", "--benchmark_min_time=0.1",
                                           "--benchmark_enable_random_interleaving=true"});
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  int count = static_cast<int>(pointers.size());
  pointers.push_back(nullptr);
  benchmark::Initialize(&count, pointers.data(), print_help);
  if (benchmark::ReportUnrecognizedArguments(count, pointers.data())) return 1;

  benchmark::AddCustomContext("compiler", compiler());
  benchmark::AddCustomContext("threads", bench::options().pin ? "pinned, thread i to core i" : "not pinned");
  benchmark::AddCustomContext("control", bench::text("%.2f cores for two busy threads", bench::two_thread_control()));

  bench::Summary summary(ours.machine_readable, ours.markdown);
  const bool any = benchmark::RunSpecifiedBenchmarks(&summary) != 0;
  const bool right = !any || summary.print();
  benchmark::Shutdown();
  return right && any ? 0 : 1;
}
