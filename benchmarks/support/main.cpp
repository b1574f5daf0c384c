// benchmarks/support/main.cpp -- the program around the cases: options, then the tables.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <regex>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "nogil/multiprocessing/start_method.hpp"
#include "support/cases.hpp"
#include "support/machine.hpp"
#include "support/measure.hpp"
#include "support/report.hpp"
#include "support/results.hpp"
#include "support/suite.hpp"
#include "support/tables.hpp"

#ifdef NOGIL_HAVE_ABSL
#include <absl/synchronization/mutex.h>
#endif

namespace {

constexpr const char* kHelp =
    "usage: %s [MODULE...] [options]\n"
    "\n"
    "Runs the benchmarks of these modules, or all, and prints who won.\n"
    "\n"
    "  --quick           a first look: three holds of 0.01 s, nothing is repeated\n"
    "  --full            what we publish: nine holds of 0.1 s\n"
    "                    else five holds of 0.1 s\n"
    "  --filter=REGEX    only benchmarks of such names: case<rival>/threads\n"
    "  --list            their names, and no more\n"
    "  --json FILE       writes the results there, too\n"
    "  --html DIR        writes a page with pictures: DIR/index.html\n"
    "  --baseline FILE   says what changed since that run of --json, here or elsewhere\n"
    "  --markdown        tables in Markdown, with every rival's median\n"
    "  --medians         every rival's median\n"
    "  --pin             keep thread i on core i; also NOGIL_BENCH_PIN=1\n"
    "  --window=S        contended cases last S seconds each, not 0.15. Their shares mean\n"
    "                    little unless that is many slices of the scheduler for each thread\n"
    "  --holds=N         so many holds of each rival\n"
    "  --min-time=S      each hold at least S seconds\n"
    "\n"
    "Google Benchmark's names for the last two and the filter are understood as well.\n"
    "\n"
    "Modules:";

struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::set<std::string> all_modules() {
  std::set<std::string> modules;
  for (const bench::Case& one : bench::all_cases()) modules.insert(one.module);
  return modules;
}

double number(std::string_view option, const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !(value > 0)) {
    throw UsageError(std::string(option) + " wants a number above 0, not '" + text + "'");
  }
  return value;
}

struct CommandLine {
  bench::Wanted wanted;
  double min_time = 0.1;
  bool markdown = false;
  bool medians = false;
  bool list = false;
  bool help = false;
  std::string json;
  std::string html;
  std::string baseline;

  explicit CommandLine(const std::vector<std::string>& arguments) {
    const char* const pin = std::getenv("NOGIL_BENCH_PIN");
    bench::options().pin = pin != nullptr && std::string_view(pin) != "" && std::string_view(pin) != "0";
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      const std::size_t equals = arguments[i].starts_with("--") ? arguments[i].find('=') : std::string::npos;
      const std::string option = arguments[i].substr(0, equals);
      // Of an option that has one: after '=', or the next argument.
      bool taken = false;
      const auto value = [&]() -> std::string {
        taken = true;
        if (equals != std::string::npos) return arguments[i].substr(equals + 1);
        if (i + 1 == arguments.size()) throw UsageError(option + " wants a value");
        return arguments[++i];
      };
      if (option.starts_with("--")) take(option, value);
      else add_module(option);
      if (equals != std::string::npos && !taken) throw UsageError(option + " takes no value");
    }
    // A short run is to be short in the cases that keep their own time, too.
    if (!window_given_) bench::options().window = std::min(bench::options().window, bench::Seconds(min_time * 1.5));
  }

 private:
  void add_module(const std::string& module) {
    if (!all_modules().contains(module)) throw UsageError("there is no module '" + module + "'");
    wanted.modules.insert(module);
  }

  template <class Value>
  void take(const std::string& option, const Value& value) {
    if (option == "--quick") {
      wanted.holds = 3;
      wanted.repeats = 0;
      min_time = 0.01;
    } else if (option == "--full") {
      wanted.holds = 9;
      min_time = 0.1;
    } else if (option == "--window") {
      bench::options().window = bench::Seconds(number(option, value()));
      window_given_ = true;
    } else if (option == "--filter" || option == "--benchmark_filter") {
      const std::string pattern = value();
      try {
        wanted.names.emplace(pattern);
      } catch (const std::regex_error& error) {
        throw UsageError(option + ": '" + pattern + "' is no regular expression: " + error.what());
      }
    } else if (option == "--holds" || option == "--benchmark_repetitions") {
      wanted.holds = static_cast<std::size_t>(std::max(1.0, number(option, value())));
    } else if (option == "--min-time" || option == "--benchmark_min_time") {
      min_time = number(option, value());
    } else if (option == "--json") {
      json = value();
    } else if (option == "--html") {
      html = value();
    } else if (option == "--baseline") {
      baseline = value();
    } else if (option == "--pin") {
      bench::options().pin = true;
    } else if (option == "--markdown") {
      markdown = medians = true;
    } else if (option == "--medians") {
      medians = true;
    } else if (option == "--list") {
      list = true;
    } else if (option == "--help") {
      help = true;
    } else {
      throw UsageError("there is no option " + option);
    }
  }

  bool window_given_ = false;
};

void start_google_benchmark(const char* program, const CommandLine& line) {
  std::vector<std::string> arguments = {program, "--benchmark_repetitions=" + std::to_string(line.wanted.holds),
                                        "--benchmark_min_time=" + std::to_string(line.min_time),
                                        "--benchmark_enable_random_interleaving=true"};
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  int count = static_cast<int>(pointers.size());
  pointers.push_back(nullptr);
  benchmark::Initialize(&count, pointers.data());
}

void print_machine(const bench::Machine& machine) {
  std::printf("%s, %zu cores, %s, %s, %s\n", machine.cpu.c_str(), machine.cores, machine.kernel.c_str(),
              machine.compiler.c_str(), machine.date.c_str());
  std::printf("Two threads that only count get %.2f cores; threads are %s.\n", machine.control,
              bench::options().pin ? "pinned, thread i to core i" : "not pinned");
  for (const std::string& objection : machine.objections()) std::printf("Mind: %s.\n", objection.c_str());
  std::fflush(stdout);
}

int list(const bench::Wanted& wanted) {
  for (const bench::Contest& contest : bench::contests()) {
    for (const bench::Rival& rival : contest.of->rivals) {
      if (wanted.takes(contest, rival)) {
        std::printf("%s %s\n", contest.of->module.c_str(), contest.key(rival).c_str());
      }
    }
  }
  return 0;
}

int run(const CommandLine& line) {
  const bench::Machine machine = bench::this_machine();
  print_machine(machine);
  const bench::Results results = bench::run_suite(line.wanted);
  if (results.holds().empty()) throw UsageError("no benchmark has such a name; --list tells them");

  std::vector<bench::Size> sizes;
  if (!line.wanted.names) {
    const auto wanted = [&](const bench::Size& size) {
      return line.wanted.modules.empty() || line.wanted.modules.contains(size.module);
    };
    std::copy_if(bench::all_sizes().begin(), bench::all_sizes().end(), std::back_inserter(sizes), wanted);
  }
  bench::print_goals(std::cout, results, line.markdown);
  bench::print_latencies(std::cout, results, line.markdown);
  if (line.medians) bench::print_medians(std::cout, results, line.markdown);
  bench::print_sizes(std::cout, sizes, line.markdown);
  bench::print_notes(std::cout, results);

  const bench::Report report{machine, results, sizes};
  if (!line.json.empty()) bench::write_json(report, line.json);
  if (!line.html.empty()) bench::write_page(report, line.html);
  if (!line.baseline.empty()) std::cout << bench::compare_with(report, line.baseline);
  std::cout.flush();
  const bool right = std::all_of(results.holds().begin(), results.holds().end(),
                                 [](const auto& entry) { return entry.second.error().empty(); });
  return right ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  nogil::mp::freeze_support();  // the cases of multiprocessing start this program anew, as workers
  // glibc and libstdc++ leave out atomic instructions until a process starts its first
  // thread, which would flatter std::mutex threefold.
  std::thread([] {}).join();
  bench::usable_cores();
#ifdef NOGIL_HAVE_ABSL
  // Distributions build abseil with its checks on. The dearest of them can be left out.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
#endif
  try {
    const CommandLine line(std::vector<std::string>(argv + 1, argv + argc));
    if (line.help) {
      std::printf(kHelp, argv[0]);
      for (const std::string& module : all_modules()) std::printf(" %s", module.c_str());
      std::printf("\n");
      return 0;
    }
    if (line.list) return list(line.wanted);
    start_google_benchmark(argv[0], line);
    const int outcome = run(line);
    benchmark::Shutdown();
    return outcome;
  } catch (const UsageError& error) {
    std::fprintf(stderr, "%s: %s. --help tells more.\n", argv[0], error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 1;
  }
}
