// support/single.hpp -- main() of a program that has one demo.

#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "support/runner.hpp"

namespace tour {

// Runs the one demo that is linked in, as the command line says. Returns an exit code.
inline int run_single(int argc, char** argv) {
  if (Demo::all().size() != 1) return kUsage;  // linked wrongly: one demo each
  const Demo& demo = *Demo::all().front();
  const About& about = demo.about;
  try {
    const CommandLine line = parse(std::vector<std::string>(argv + 1, argv + argc), kRunOptions);
    if (!line.child.empty()) return run_part(line.child, line.options);
    if (line.help) {
      write_line(stdout, text("usage: ", about.id, " [options]\n\n", about.id, ": ", about.teaches, ".\nNotebook cell ",
                              about.cell, ", about ", fixed(about.seconds, 1), " s.\n\n", kRunOptionsHelp));
      return kOk;
    }
    if (!line.names.empty()) throw UsageError(text("unexpected '", line.names.front(), "'"));
    return run_demo(demo, line.options);
  } catch (const UsageError& error) {
    return complain(about.id, error);
  }
}

}  // namespace tour
