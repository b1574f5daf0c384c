// nogil-tour -- the demos of five Python notebooks, on nogil.
//
// One demo runs in this process. Several run one after the other in processes of their
// own, so that neither a crash nor a setting of one reaches the next.

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "nogil/multiprocessing/start_method.hpp"
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
    tour::print(tour::pad_right(std::string(id), 23), tour::pad_right(std::string(cell), 5), tour::pad_left(seconds, 5),
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

int dispatch(Words words) {
  if (words.empty() || words.front() == "--help" || words.front() == "-h" || words.front() == "help") {
    tour::print(kHelp.substr(0, kHelp.size() - 1));
    return words.empty() ? tour::kUsage : tour::kOk;
  }
  if (words.front() == "--child") return run_or_all("run", tour::parse(words, tour::kRunOptions));

  const std::string command = words.front();
  words.erase(words.begin());
  const bool runs = command == "run" || command == "all";
  if (!runs && command != "list" && command != "show") {
    throw UsageError(text("no command '", command, "'.", tour::did_you_mean(command, {"list", "show", "run", "all"})));
  }
  const std::vector<std::string_view> list_options{"--seed", "--notebook", "--help"}, show_options{"--help"};
  const CommandLine line = tour::parse(words, runs                ? tour::kRunOptions
                                              : command == "list" ? list_options
                                                                  : show_options);
  if (line.help) {
    if (command == "list") tour::print(kListHelp.substr(0, kListHelp.size() - 1));
    if (command == "show") tour::print(kShowHelp.substr(0, kShowHelp.size() - 1));
    if (runs) {
      tour::print("usage: nogil-tour ",
                  command == "run" ? "run NAME... [options]\n\nNAME may be a notebook cell too: 0.9" : "all [options]",
                  "\n\n", tour::kRunOptionsHelp.substr(0, tour::kRunOptionsHelp.size() - 1));
    }
    return tour::kOk;
  }
  if (command == "list") return list(line);
  if (command == "show") return show(line);
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
