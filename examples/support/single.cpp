// support/single.cpp -- makes a program of one demo.

#include <cstdio>
#include <string>
#include <vector>

#include "nogil/multiprocessing/start_method.hpp"
#include "support/runner.hpp"

int main(int argc, char** argv) {
  nogil::mp::freeze_support();                             // some demos start this program anew, as a worker
  if (tour::Demo::all().size() != 1) return tour::kUsage;  // linked wrongly: one demo each
  const tour::Demo& demo = *tour::Demo::all().front();
  const tour::About& about = demo.about;
  try {
    const tour::CommandLine line = tour::parse(std::vector<std::string>(argv + 1, argv + argc), tour::kRunOptions);
    if (!line.child.empty()) return tour::run_part(line.child, line.options);
    if (line.help) {
      tour::write_line(
          stdout, tour::text("usage: ", about.id, " [options]\n\n", about.id, ": ", about.teaches, ".\nNotebook cell ",
                             about.cell, ", about ", tour::fixed(about.seconds, 1), " s.\n\n", tour::kRunOptionsHelp));
      return tour::kOk;
    }
    if (!line.names.empty()) throw tour::UsageError(tour::text("unexpected '", line.names.front(), "'"));
    return tour::run_demo(demo, line.options);
  } catch (const tour::UsageError& error) {
    return tour::complain(about.id, error);
  }
}
