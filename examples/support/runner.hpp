// support/runner.hpp -- command lines, and the run of one demo from heading to verdict.
//
// For tour.cpp and single.cpp. Exit codes of both: 0 all went as expected, 1 something
// did not, 2 the command line makes no sense.

#pragma once

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "nogil/trace.hpp"
#include "support/chart.hpp"
#include "support/print.hpp"
#include "support/stopwatch.hpp"
#include "support/suggest.hpp"
#include "support/terminal.hpp"
#include "support/tour.hpp"

namespace tour {

inline constexpr int kOk = 0, kFailed = 1, kUsage = 2;

class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct CommandLine {
  Options options;
  std::vector<std::string> names;
  int notebook = -1;
  bool help = false;
  bool all = false;
  std::string child;
};

// Set by `nogil-tour compare`: the demo prints its results and times as its Python version does.
inline constexpr char kResultsVariable[] = "NOGIL_TOUR_RESULTS";

inline const std::vector<std::string_view> kRunOptions{"--fast", "--scale", "--threads", "--svg",
                                                       "--json", "--quiet", "--help"};

inline constexpr std::string_view kRunOptionsHelp =
    "  --fast         sleeps and work at a twentieth: --scale 0.05\n"
    "  --scale S      multiply sleeps and work by S, 0.001 to 100\n"
    "  --threads N    use N threads where the demo leaves a choice, 1 to 1000\n"
    "  --svg DIR      write a picture to DIR/<id>.svg: the one that the demo draws, or else\n"
    "                 what its threads, processes and coroutines did\n"
    "  --json DIR     write what they did to DIR/<id>.json, for ui.perfetto.dev\n"
    "  --quiet        only the last line, the verdict\n"
    "  --help         this text\n"
    "\n"
    "Exit code: 0 as expected, 1 not as expected, 2 bad command line.\n";

namespace detail {

inline double number(const std::string& option, const std::string& value, double least, double most) {
  char* end = nullptr;
  errno = 0;
  const double result = std::strtod(value.c_str(), &end);
  if (value.empty() || *end != '\0' || errno != 0 || !(result >= least && result <= most)) {
    throw UsageError(text(option, " takes a number from ", fixed(least, least == std::floor(least) ? 0 : 3), " to ",
                          fixed(most, 0), ", not '", value, "'"));
  }
  return result;
}

inline int whole_number(const std::string& option, const std::string& value, int least, int most) {
  const double result = number(option, value, least, most);
  if (result != std::floor(result)) throw UsageError(text(option, " takes a whole number, not '", value, "'"));
  return static_cast<int>(result);
}

}  // namespace detail

// Reads what follows the command. Only `allowed` options, and --child, which the demos
// themselves use, are known; `-h` and `-q` are short for --help and --quiet.
inline CommandLine parse(const std::vector<std::string>& words, const std::vector<std::string_view>& allowed) {
  CommandLine line;
  bool only_names = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string option = words[i];
    if (only_names || option.empty() || option[0] != '-') {
      line.names.push_back(option);
      continue;
    }
    if (option == "--") {
      only_names = true;
      continue;
    }
    if (option == "-h") option = "--help";
    if (option == "-q") option = "--quiet";
    std::string value;
    const std::size_t equals = option.find('=');
    const bool has_value = equals != std::string::npos;
    if (has_value) {
      value = option.substr(equals + 1);
      option.resize(equals);
    }
    if (option != "--child" && std::find(allowed.begin(), allowed.end(), option) == allowed.end()) {
      throw UsageError(text("unknown option '", option, "'.", did_you_mean(option, allowed)));
    }
    const bool needs_value = option != "--fast" && option != "--quiet" && option != "--help" && option != "--all";
    if (has_value && !needs_value) throw UsageError(text(option, " takes no value"));
    if (needs_value && !has_value) {
      if (i + 1 == words.size()) throw UsageError(text(option, " needs a value after it"));
      value = words[++i];
    }
    if (option == "--fast") line.options.scale = 0.05;
    if (option == "--quiet") line.options.quiet = true;
    if (option == "--help") line.help = true;
    if (option == "--all") line.all = true;
    if (option == "--scale") line.options.scale = detail::number(option, value, 0.001, 100);
    if (option == "--threads") line.options.threads = detail::whole_number(option, value, 1, 1000);
    if (option == "--seed" || option == "--notebook") line.notebook = detail::whole_number(option, value, 0, 4);
    if (option == "--child") line.child = value;
    if (option == "--svg" || option == "--json") {
      if (value.empty()) throw UsageError(option + " needs the name of a folder");
      std::error_code error;
      std::filesystem::create_directories(value, error);
      if (!std::filesystem::is_directory(value)) {
        throw UsageError(text(option, ": cannot make the folder '", value, "': ", error.message()));
      }
      (option == "--svg" ? line.options.svg_folder : line.options.json_folder) = value;
    }
  }
  return line;
}

namespace detail {

inline char last_words[256];
inline std::size_t last_words_length = 0;

// Ends a process whose demo hangs in spite of all. Only what a signal handler may call.
inline void give_up(int) {
  [[maybe_unused]] const ssize_t written = ::write(STDOUT_FILENO, last_words, last_words_length);
  ::_exit(kFailed);
}

// From now on this process has that long, then it fails.
inline void set_watchdog(std::string_view id, unsigned limit_seconds) {
  const std::string words = text("FAIL  ", id, "  still running after ", limit_seconds, " s, given up\n");
  last_words_length = words.size() < sizeof last_words ? words.size() : sizeof last_words;
  std::memcpy(last_words, words.data(), last_words_length);
  std::signal(SIGALRM, give_up);
  ::alarm(limit_seconds);
}

}  // namespace detail

// Throws std::runtime_error if it cannot be written.
inline void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream file(path);
  file << bytes;
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

// The last line of a demo.
inline void print_verdict(bool ok, std::string_view id, Seconds wall, std::string_view summary) {
  detail::quiet = false;
  print(ok ? in_colour(Colour::green, "OK") : in_colour(Colour::red, "FAIL"), "  ", id, "  ", seconds(wall), "  ",
        summary);
}

// Runs it here, in this process, and says how it went. Returns an exit code.
inline int run_demo(const Demo& demo, const Options& options) {
  const Seconds expected(demo.about.seconds * options.scale);
  detail::quiet = options.quiet;
  if (options.quiet) ::setenv(detail::kQuietVariable, "1", 1);
  detail::set_watchdog(demo.about.id, 45 + static_cast<unsigned>(10 * expected.count()));
  print(in_colour(Colour::bold, text(demo.about.id, " (notebook ", demo.about.cell, "): ", demo.about.teaches)));

  Run run(options);
  const auto start = Clock::now();
  const Stopwatch watch;
  bool ok = true;
  std::string summary;
  const bool wants_svg = !options.svg_folder.empty() || !options.svg_file.empty();
  const bool wants_json = !options.json_folder.empty();
  if (wants_svg || wants_json) run.timeline.record();
  try {
    const StatusLine status(run, demo.about.id, expected);
    demo.run(run);
    ok = run.passed();
    summary = run.summary();
  } catch (const std::exception& error) {
    ok = false;
    summary = text("unexpected exception: ", error.what());
  } catch (...) {
    ok = false;
    summary = "unexpected exception";
  }
  const Seconds wall = Clock::now() - start;
  ::alarm(0);
  if (std::getenv(kResultsVariable) != nullptr) {
    write_line(stdout, text(run.results(), "time: ", fixed(wall.count(), 6), " s wall, ",
                            fixed((watch.cpu() + cpu_time_of_children()).count(), 6), " s CPU"));
  }

  nogil::trace::stop();
  const auto written = [&](const std::string& path, auto write) {
    try {
      write();
      print("picture: ", path);
    } catch (const std::exception& error) {
      ok = false;
      summary += text("; WRONG: ", error.what());
    }
  };
  if (wants_svg) {
    const std::string path =
        !options.svg_file.empty() ? options.svg_file : options.svg_folder + "/" + demo.about.id + ".svg";
    const std::string title = text(demo.about.id, ": ", demo.about.teaches);
    written(path, [&] {
      if (!run.chart.empty()) write_file(path, run.chart.svg(title));
      else if (!run.timeline.empty()) write_file(path, run.timeline.svg(title));
      else nogil::trace::write_svg(path, title);
    });
  }
  if (wants_json) {
    const std::string path = options.json_folder + "/" + demo.about.id + ".json";
    written(path, [&] { nogil::trace::write_json(path); });
  }
  print_verdict(ok, demo.about.id, wall, summary);
  return ok ? kOk : kFailed;
}

// The other side of support/child.hpp, which reads what it prints.
inline int run_part(const std::string& name, const Options& options) {
  detail::quiet = false;
  ::unsetenv(detail::kQuietVariable);
  for (const Part* part : Part::all()) {
    if (name != part->name) continue;
    Run run(options);
    return part->run(run);
  }
  throw UsageError(text("no part '", name, "'"));
}

// What a wrong command line gets.
inline int complain(std::string_view program, const UsageError& error) {
  write_line(stderr, text(program, ": ", error.what(), "\nTry: ", program, " --help"));
  return kUsage;
}

}  // namespace tour
