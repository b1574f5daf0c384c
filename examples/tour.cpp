// nogil-tour -- the demos of five Python notebooks, on nogil.
//
// One demo runs in this process. Several run one after the other in processes of their
// own, so that neither a crash nor a setting of one reaches the next.

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "nogil/multiprocessing/start_method.hpp"
#include "support/compare.hpp"
#include "support/runner.hpp"
#include "support/sources.hpp"

namespace {

using tour::About;
using tour::CommandLine;
using tour::Demo;
using tour::text;
using tour::UsageError;
using Words = std::vector<std::string>;

constexpr std::string_view kHelp =
    "nogil-tour: the demos of five Python notebooks, ported to C++ with nogil.\n"
    "\n"
    "usage: nogil-tour list [--seed N]           what there is, and what it teaches\n"
    "       nogil-tour show NAME                 the Python idea and the C++ beside it\n"
    "       nogil-tour run NAME... [options]     run demos by name or by notebook cell\n"
    "       nogil-tour all [options]             run every demo\n"
    "       nogil-tour compare NAME...|--all     the Python version beside it: times, and equal results\n"
    "       nogil-tour amdahl --svg FILE         Amdahl's law, measured and predicted, as a picture\n"
    "\n"
    "Start with: nogil-tour run semaphore-2-of-5\n"
    "Each command answers --help.\n";

constexpr std::string_view kListHelp =
    "usage: nogil-tour list [--seed N]\n"
    "\n"
    "Lists the demos: name, notebook cell, seconds at full scale, what it teaches.\n"
    "  --seed N, --notebook N   only those of notebook N:\n"
    "                           0 overview and synchronisation, 1 models and asyncio,\n"
    "                           2 theory, 3 the syrniki race, 4 threads and futures\n";

constexpr std::string_view kShowHelp =
    "usage: nogil-tour show NAME\n"
    "\n"
    "Prints what the demo teaches, the Python idea and the C++ source: side by side\n"
    "where the terminal is wide enough (COLUMNS overrides its width), else one below\n"
    "the other.\n";

constexpr std::string_view kCompareHelp =
    "usage: nogil-tour compare NAME... [--fast|--scale S|--threads N]\n"
    "       nogil-tour compare --all   [--fast|--scale S|--threads N]\n"
    "\n"
    "Runs the Python version of a demo with python3 (or $NOGIL_PYTHON), then the C++ one, and\n"
    "prints what each took, how many times faster C++ is, and whether their results are equal.\n"
    "Times are those of the demo, without the start of the interpreter; CPU time is that of all\n"
    "threads and of child processes. Where C++ shows more ways than Python does, all of them\n"
    "count. `>`: the Python version does only a part of the work, which is allowed for.\n"
    "\n"
    "Exit code: 0 all results equal, 1 some are not, 2 bad command line, or no Python.\n";

constexpr std::string_view kAmdahlHelp =
    "usage: nogil-tour amdahl --svg FILE [--fast|--scale S|--threads N|--quiet]\n"
    "\n"
    "Runs the demo amdahl, and writes its curves to FILE: predicted lines, measured dots.\n";

// "0.15" -> 0 and 15, for sorting.
std::pair<int, int> cell_numbers(const Demo* demo) {
  char* rest = nullptr;
  const long notebook = std::strtol(demo->about.cell, &rest, 10);
  const long cell = *rest == '.' ? std::strtol(rest + 1, nullptr, 10) : 0;
  return {static_cast<int>(notebook), static_cast<int>(cell)};
}

// In the order of the notebooks.
std::vector<const Demo*> sorted_demos() {
  std::vector<const Demo*> demos = Demo::all();
  std::sort(demos.begin(), demos.end(), [](const Demo* a, const Demo* b) {
    return std::pair(cell_numbers(a), std::string_view(a->about.id)) <
           std::pair(cell_numbers(b), std::string_view(b->about.id));
  });
  return demos;
}

// By its name, or by its cell.
const Demo& find_demo(const std::string& name) {
  std::vector<std::string_view> names;
  for (const Demo* demo : Demo::all()) {
    if (name == demo->about.id || name == demo->about.cell) return *demo;
    names.push_back(demo->about.id);
  }
  throw UsageError(text("no demo '", name, "'.", tour::did_you_mean(name, names), " `nogil-tour list` has them all."));
}

int list(const CommandLine& line) {
  if (!line.names.empty()) throw UsageError(text("list: unexpected '", line.names.front(), "'"));
  const auto row = [](std::string_view id, std::string_view cell, const std::string& seconds,
                      std::string_view teaches) {
    tour::print(tour::pad_right(std::string(id), 27), tour::pad_right(std::string(cell), 5), tour::pad_left(seconds, 5),
                "  ", teaches);
  };
  row("NAME", "CELL", "SEC", "TEACHES");
  bool any = false;
  for (const Demo* demo : sorted_demos()) {
    if (line.notebook >= 0 && cell_numbers(demo).first != line.notebook) continue;
    any = true;
    row(demo->about.id, demo->about.cell, tour::fixed(demo->about.seconds, 1), demo->about.teaches);
  }
  if (!any) tour::print("no demos of notebook ", line.notebook);
  return tour::kOk;
}

// ---- show --------------------------------------------------------------------------

Words lines_of(std::string_view source) {
  Words lines;
  while (!source.empty()) {
    const std::size_t end = source.find('\n');
    lines.emplace_back(source.substr(0, end));
    source.remove_prefix(end == std::string_view::npos ? source.size() : end + 1);
  }
  return lines;
}

struct Listing {
  Words idea, python, cpp;
};

// A demo begins with a comment: a heading, the idea, "Python:" and the Python, indented.
Listing take_apart(std::string_view source) {
  Listing listing;
  bool in_comment = true, in_python = false;
  for (const std::string& line : lines_of(source)) {
    in_comment = in_comment && line.starts_with("//");
    if (!in_comment) {
      if (!listing.cpp.empty() || !line.empty()) listing.cpp.push_back(line);
      continue;
    }
    const std::string comment = line.size() > 3 ? line.substr(3) : "";
    if (comment == "Python:") {
      in_python = true;
    } else if (in_python && (comment.empty() || comment.starts_with("    "))) {
      if (!listing.python.empty() || !comment.empty())
        listing.python.push_back(comment.empty() ? "" : comment.substr(4));
    } else {
      listing.idea.push_back(comment);
    }
  }
  for (Words* part : {&listing.idea, &listing.python, &listing.cpp}) {
    while (!part->empty() && part->back().empty()) part->pop_back();
  }
  if (!listing.idea.empty()) listing.idea.erase(listing.idea.begin());  // the heading, shown already
  while (!listing.idea.empty() && listing.idea.front().empty()) listing.idea.erase(listing.idea.begin());
  return listing;
}

std::size_t width_of(const Words& lines) {
  std::size_t width = 0;
  for (const std::string& line : lines) width = std::max(width, line.size());
  return width;
}

int show(const CommandLine& line) {
  if (line.names.size() != 1) throw UsageError("show takes the name of one demo");
  const About& about = find_demo(line.names.front()).about;
  const Listing listing = take_apart(tour::source_of(about.id));
  const auto heading = [](std::string_view words) { return tour::in_colour(tour::Colour::bold, words); };

  tour::print(heading(text(about.id, ": ", about.teaches)));
  tour::print("notebook cell ", about.cell, ", about ", tour::fixed(about.seconds, 1), " s; run it: nogil-tour run ",
              about.id);
  tour::print();
  for (const std::string& words : listing.idea) tour::print(words);
  tour::print();

  const std::size_t left = width_of(listing.python);
  const auto begin = std::find(listing.cpp.begin(), listing.cpp.end(), "namespace {");
  const auto prologue = static_cast<std::size_t>(begin == listing.cpp.end() ? 0 : begin - listing.cpp.begin());
  if (left + 3 + width_of(listing.cpp) <= tour::terminal_width()) {
    tour::print(heading(tour::pad_right("Python", left)), " | ", heading("C++"));
    for (std::size_t i = 0; i < std::max(prologue + listing.python.size(), listing.cpp.size()); ++i) {
      // Not beside the #includes: where the code begins.
      const std::string python =
          i >= prologue && i - prologue < listing.python.size() ? listing.python[i - prologue] : "";
      const std::string cpp = i < listing.cpp.size() ? listing.cpp[i] : "";
      tour::print(tour::pad_right(python, left), " | ", cpp);
    }
  } else {
    tour::print(heading("Python"));
    const auto print_indented = [](const Words& lines) {
      for (const std::string& line_of_it : lines) tour::print(line_of_it.empty() ? "" : "    ", line_of_it);
    };
    print_indented(listing.python);
    tour::print();
    tour::print(heading("C++"));
    print_indented(listing.cpp);
  }
  return tour::kOk;
}

// ---- run and all -------------------------------------------------------------------

// Runs it in a process of its own. Returns whether all went as expected, and says so if
// the process could not say it itself.
bool run_in_process(const Demo& demo, const tour::Options& options) {
  Words words{"nogil-tour", "run", demo.about.id, "--scale", tour::fixed(options.scale, 6)};
  if (options.threads > 0) words.insert(words.end(), {"--threads", std::to_string(options.threads)});
  if (!options.svg_folder.empty()) words.insert(words.end(), {"--svg", options.svg_folder});
  if (!options.json_folder.empty()) words.insert(words.end(), {"--json", options.json_folder});
  if (options.quiet) words.push_back("--quiet");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);

  const auto start = tour::Clock::now();
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::execv("/proc/self/exe", arguments.data());
    ::_exit(127);
  }
  int status = 0;
  std::string trouble;
  if (pid < 0) {
    trouble = text("no process for it: ", std::strerror(errno));
  } else {
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFSIGNALED(status))
      trouble = text("ended by signal ", WTERMSIG(status), " (", ::strsignal(WTERMSIG(status)), ")");
    else if (WEXITSTATUS(status) > tour::kFailed) trouble = text("ended with exit code ", WEXITSTATUS(status));
  }
  if (!trouble.empty()) tour::print_verdict(false, demo.about.id, tour::Clock::now() - start, trouble);
  return trouble.empty() && WEXITSTATUS(status) == tour::kOk;
}

int run_demos(const std::vector<const Demo*>& demos, const tour::Options& options) {
  if (demos.size() == 1) return tour::run_demo(*demos.front(), options);
  const auto start = tour::Clock::now();
  std::string failed;
  std::size_t good = 0;
  for (const Demo* demo : demos) {
    if (run_in_process(*demo, options)) ++good;
    else failed += text(' ', demo->about.id);
    if (!options.quiet) tour::print();
  }
  const bool ok = failed.empty();
  tour::print(tour::in_colour(ok ? tour::Colour::green : tour::Colour::red, ok ? "OK" : "FAIL"), "  ", good, " of ",
              demos.size(), " demos as expected, ", tour::seconds(tour::Clock::now() - start),
              ok ? "" : text("; not:", failed));
  return ok ? tour::kOk : tour::kFailed;
}

int run_or_all(const std::string& command, const CommandLine& line) {
  if (!line.child.empty()) return tour::run_part(line.child, line.options);
  std::vector<const Demo*> demos;
  if (command == "all") {
    if (!line.names.empty()) throw UsageError(text("all: unexpected '", line.names.front(), "'"));
    demos = sorted_demos();
  } else {
    if (line.names.empty()) throw UsageError("run: which demo? `nogil-tour list` has them all");
    for (const std::string& name : line.names) demos.push_back(&find_demo(name));
  }
  return run_demos(demos, line.options);
}

// ---- compare -----------------------------------------------------------------------

std::string times_faster(tour::Seconds python, tour::Seconds cpp, double less_work) {
  if (cpp.count() <= 0) return "-";
  const double times = python / cpp * less_work;
  return text(less_work > 1 ? ">" : "", tour::fixed(times, times < 10 ? 1 : 0));
}

void print_comparison(std::string_view name, const Words& columns, std::string_view results) {
  std::string row = tour::pad_right(std::string(name), 26);
  for (const std::string& column : columns) row += tour::pad_left(column, 9);
  tour::print(row, "  ", results);
}

int compare(const CommandLine& line) {
  if (line.all == !line.names.empty()) throw UsageError("compare takes names of demos, or --all");
  std::vector<const Demo*> demos;
  if (line.all) demos = sorted_demos();
  for (const std::string& name : line.names) demos.push_back(&find_demo(name));

  const char* const chosen = std::getenv("NOGIL_PYTHON");
  const std::string python = chosen != nullptr && *chosen != '\0' ? chosen : "python3";
  if (tour::run_program({python, "--version"}, std::chrono::seconds(30)).missing) {
    throw UsageError(text("compare: there is no ", python, " here (NOGIL_PYTHON names another)"));
  }
  ::setenv("PYTHONDONTWRITEBYTECODE", "1", 1);
  ::setenv(tour::kResultsVariable, "1", 1);

  Words common{"--scale", tour::fixed(line.options.scale, 6)};
  if (line.options.threads > 0) common.insert(common.end(), {"--threads", std::to_string(line.options.threads)});
  tour::Seconds expected(0);
  for (const Demo* demo : demos) expected += tour::Seconds(2.5 * demo->about.seconds * line.options.scale + 0.2);

  const tour::Run none(line.options);  // so the status line goes by time
  const tour::StatusLine status(none, "compare", expected);
  print_comparison("", {"PYTHON", "", "C++", "", "FASTER", ""}, "");
  print_comparison("NAME", {"wall", "CPU", "wall", "CPU", "wall", "CPU"}, "RESULTS");
  bool all_equal = true;
  for (const Demo* demo : demos) {
    const About& about = demo->about;
    const std::string script = text(NOGIL_TOUR_PYTHON "/", about.id, ".py");
    if (::access(script.c_str(), R_OK) != 0) {
      print_comparison(about.id, {}, "no Python version");
      continue;
    }
    const std::chrono::seconds patience(120 + static_cast<int>(30 * about.seconds * line.options.scale));
    const auto outcome_of = [&](Words words) {
      words.insert(words.end(), common.begin(), common.end());
      return tour::run_program(words, patience);
    };
    const tour::Outcome py = outcome_of({python, script});
    const tour::Outcome cpp = outcome_of({"/proc/self/exe", "run", about.id});
    tour::Agreement agreement = tour::agreement(py, cpp);
    if (!py.ok) agreement = {false, "Python FAILED: " + py.trouble};
    if (!cpp.ok) agreement = {false, "C++ FAILED: " + cpp.trouble};
    all_equal = all_equal && agreement.equal;
    print_comparison(about.id,
                     {tour::fixed(py.wall.count(), 3), tour::fixed(py.cpu.count(), 3), tour::fixed(cpp.wall.count(), 3),
                      tour::fixed(cpp.cpu.count(), 3), times_faster(py.wall, cpp.wall, py.less_work),
                      times_faster(py.cpu, cpp.cpu, py.less_work)},
                     agreement.equal ? agreement.words : tour::in_colour(tour::Colour::red, agreement.words));
  }
  return all_equal ? tour::kOk : tour::kFailed;
}

// ---- amdahl ------------------------------------------------------------------------

int amdahl(CommandLine line) {
  if (!line.names.empty()) throw UsageError(text("amdahl: unexpected '", line.names.front(), "'"));
  if (line.options.svg_file.empty()) throw UsageError("amdahl needs --svg FILE");
  return tour::run_demo(find_demo("amdahl"), line.options);
}

// Takes `--svg FILE` out of the words: to amdahl it is the name of a file, not of a folder.
std::string take_svg_file(Words& words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    const bool together = words[i].starts_with("--svg=");
    if (!together && (words[i] != "--svg" || i + 1 == words.size())) continue;
    const std::string file = together ? words[i].substr(6) : words[i + 1];
    const auto first = words.begin() + static_cast<std::ptrdiff_t>(i);
    words.erase(first, first + (together ? 1 : 2));
    return file;
  }
  return {};
}

int dispatch(Words words) {
  if (words.empty() || words.front() == "--help" || words.front() == "-h" || words.front() == "help") {
    tour::print(kHelp.substr(0, kHelp.size() - 1));
    return words.empty() ? tour::kUsage : tour::kOk;
  }
  if (words.front() == "--child") return run_or_all("run", tour::parse(words, tour::kRunOptions));

  const std::string command = words.front();
  words.erase(words.begin());
  const bool runs = command == "run" || command == "all";
  const std::map<std::string_view, std::vector<std::string_view>> options{
      {"list", {"--seed", "--notebook", "--help"}},
      {"show", {"--help"}},
      {"run", tour::kRunOptions},
      {"all", tour::kRunOptions},
      {"compare", {"--all", "--fast", "--scale", "--threads", "--help"}},
      {"amdahl", {"--svg", "--fast", "--scale", "--threads", "--quiet", "--help"}},
  };
  const auto known = options.find(command);
  if (known == options.end()) {
    std::vector<std::string_view> commands;
    for (const auto& [name, its_options] : options) commands.push_back(name);
    throw UsageError(text("no command '", command, "'.", tour::did_you_mean(command, commands)));
  }
  const std::string svg_file = command == "amdahl" ? take_svg_file(words) : "";
  CommandLine line = tour::parse(words, known->second);
  line.options.svg_file = svg_file;
  if (line.help) {
    if (command == "list") tour::print(kListHelp.substr(0, kListHelp.size() - 1));
    if (command == "show") tour::print(kShowHelp.substr(0, kShowHelp.size() - 1));
    if (command == "compare") tour::print(kCompareHelp.substr(0, kCompareHelp.size() - 1));
    if (command == "amdahl") tour::print(kAmdahlHelp.substr(0, kAmdahlHelp.size() - 1));
    if (runs) {
      tour::print("usage: nogil-tour ",
                  command == "run" ? "run NAME... [options]\n\nNAME may be a notebook cell too: 0.9" : "all [options]",
                  "\n\n", tour::kRunOptionsHelp.substr(0, tour::kRunOptionsHelp.size() - 1));
    }
    return tour::kOk;
  }
  if (command == "list") return list(line);
  if (command == "show") return show(line);
  if (command == "compare") return compare(line);
  if (command == "amdahl") return amdahl(line);
  return run_or_all(command, line);
}

}  // namespace

int main(int argc, char** argv) {
  nogil::mp::freeze_support();  // some demos start this program anew, as a worker
  try {
    return dispatch(Words(argv + 1, argv + argc));
  } catch (const UsageError& error) {
    return tour::complain("nogil-tour", error);
  }
}
